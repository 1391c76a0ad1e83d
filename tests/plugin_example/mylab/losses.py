"""A loss whose generator looks at real images too."""

from torch import Tensor
from torch.nn.functional import softplus

from gan.losses import Loss


def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log sigmoid(C(x) - C(G(z)))] (Jolicoeur-Martineau, 2018, sec. 4.1)."""
    return softplus(fake_logits - real_logits).mean()


def generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log sigmoid(C(G(z)) - C(x))]."""
    return softplus(real_logits - fake_logits).mean()


relativistic = Loss(discriminator, generator, generator_reads_real=True)
