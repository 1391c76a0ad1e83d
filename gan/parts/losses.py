"""Adversarial losses. Each function here takes keyword-only parameters and returns a `Loss`.

A `Loss` holds two functions of (real_logits, fake_logits), one for D and one for G. Logits are (N, 1) or (N,); the
functions return scalars.

D's outputs are logits, never probabilities: log sigmoid overflows once D is sure, and softplus does not. The two are
related by -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import relu, softplus

LossFunction = Callable[[Tensor, Tensor], Tensor]
Half = Callable[[Tensor], Tensor]


class Loss(NamedTuple):
    """The function that D minimises and the function that G minimises."""

    discriminator: LossFunction
    generator: LossFunction
    generator_reads_real: bool = False  # True for relativistic losses: G's update then computes D(x), too
    halves: tuple[Half, Half] | None = None  # D's loss on real and on fake logits, if D's loss is their sum
    boundary: float | None = 0.0  # D calls an image real if its output is above; None if outputs have no such level


def called_real(logits: Tensor) -> Tensor:
    """The cross-entropy of images labelled 1: -E[log D(·)]."""
    return softplus(-logits).mean()


def called_fake(logits: Tensor) -> Tensor:
    """The cross-entropy of images labelled 0: -E[log(1 - D(·))]."""
    return softplus(logits).mean()


def non_saturating_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """G's loss -E[log D(G(z))]: G maximises log D(G(z)) (Goodfellow et al., 2014, sec. 3)."""
    return called_real(fake_logits)


def minimax_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """G's loss E[log(1 - D(G(z)))]. Its gradient vanishes while D is sure (Goodfellow et al., 2014, sec. 3)."""
    return -called_fake(fake_logits)


def clipped(logits: Tensor, *, probability: float = 1e-7) -> Tensor:
    """Logits clamped so that their probabilities stay in [1e-7, 1 - 1e-7], as in Keras.

    Beyond ±16.1 the gradient is 0.
    """
    bound = math.log((1 - probability) / probability)
    return logits.clamp(-bound, bound)


def clipped_called_real(logits: Tensor) -> Tensor:
    """Keras' binary cross-entropy with label 1."""
    return called_real(clipped(logits))


def clipped_called_fake(logits: Tensor) -> Tensor:
    """Keras' binary cross-entropy with label 0."""
    return called_fake(clipped(logits))


def clipped_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """G's loss `non_saturating_generator` as Keras computes it (text 002)."""
    return clipped_called_real(fake_logits)


def critic_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """G's loss -E[D(G(z))], used against a critic and with the hinge loss."""
    return -fake_logits.mean()


def _summed(on_real: Half, on_fake: Half, generator: LossFunction, boundary: float | None = 0.0) -> Loss:
    def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return on_real(real_logits) + on_fake(fake_logits)

    return Loss(discriminator, generator, halves=(on_real, on_fake), boundary=boundary)


def _labelled(label: float) -> Half:
    """The cross-entropy of images labelled `label`; ValueError outside (0, 1]."""
    if not 0 < label <= 1:
        raise ValueError(f"real_label must be above 0 and at most 1, got {label}")
    if label == 1:
        return called_real

    def smoothed(logits: Tensor) -> Tensor:
        return label * called_real(logits) + (1 - label) * called_fake(logits)

    return smoothed


def _half_squared_distance(logits: Tensor, target: float) -> Tensor:
    return (logits - target).square().mean() / 2


def non_saturating(*, real_label: float = 1.0) -> Loss:
    """D: -E[log D(x)] - E[log(1 - D(G(z)))]; G: -E[log D(G(z))] (Goodfellow et al., 2014, eq. 1 and sec. 3).

    `real_label`, in (0, 1], is D's target for real images. Below 1 this is one-sided label smoothing (Salimans et al.,
    2016, sec. 3.4). The target of fakes stays 0 in D's loss and 1 in G's.
    """
    return _summed(_labelled(real_label), called_fake, non_saturating_generator)


def non_saturating_clipped() -> Loss:
    """The loss `non_saturating` as Keras computes it, with clipped probabilities (text 002)."""
    return _summed(clipped_called_real, clipped_called_fake, clipped_generator)


def minimax(*, real_label: float = 1.0) -> Loss:
    """D: as in `non_saturating`; G: E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1).

    This is the two-player game itself: without label smoothing, G minimises what D maximises.
    """
    return _summed(_labelled(real_label), called_fake, minimax_generator)


def fakes_labelled_real() -> Loss:
    """D: -E[log D(x)] - E[log D(G(z))]; G: -E[log D(G(z))].

    This is the code of text 000 as it stands. It trains D to call fakes real.
    """
    return _summed(called_real, called_real, non_saturating_generator)


def least_squares(*, real: float = 1.0, fake: float = 0.0, target: float = 1.0) -> Loss:
    """D: ½ E[(D(x) - b)²] + ½ E[(D(G(z)) - a)²]; G: ½ E[(D(G(z)) - c)²] (LSGAN; Mao et al., 2017, eq. 2).

    b is `real`, a is `fake`, c is `target`; the defaults are those of eq. 9. ValueError unless real > fake and all
    three are finite.
    """
    if not math.inf > real > fake > -math.inf or not math.isfinite(target):
        raise ValueError(f"real must be larger than fake, all finite; got real {real}, fake {fake}, target {target}")

    def generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _half_squared_distance(fake_logits, target)

    return _summed(
        lambda logits: _half_squared_distance(logits, real),
        lambda logits: _half_squared_distance(logits, fake),
        generator,
        boundary=(real + fake) / 2,
    )


def hinge() -> Loss:
    """D: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]; G: -E[D(G(z))].

    The hinge loss is from Lim and Ye, 2017, and Miyato et al., 2018, eq. 16 and 17.
    """
    return _summed(lambda logits: relu(1 - logits).mean(), lambda logits: relu(1 + logits).mean(), critic_generator)


def wasserstein() -> Loss:
    """The critic maximises E[f(x)] - E[f(G(z))]; G maximises E[f(G(z))] (Arjovsky et al., 2017, eq. 2 and 3).

    The critic f needs a Lipschitz bound from elsewhere, such as `gradient_penalty`. A constant may be added to f
    without changing the loss, so there is no level above which f calls an image real.
    """
    return _summed(lambda logits: -logits.mean(), lambda logits: logits.mean(), critic_generator, boundary=None)


def relativistic_pairing() -> Loss:
    """D: -E[log sigmoid(D(x) - D(G(z)))] over pairs of a real image and a fake; G: -E[log sigmoid(D(G(z)) - D(x))].

    It is called RSGAN (Jolicoeur-Martineau, 2019) and is the loss of R3GAN (Huang et al., 2024). A batch needs as many
    fakes as real images. Only differences count, so there is no level above which D calls an image real.
    """

    def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return called_real(real_logits - fake_logits)

    def generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return called_real(fake_logits - real_logits)

    return Loss(discriminator, generator, generator_reads_real=True, boundary=None)


def relativistic_average() -> Loss:
    """D: -E[log sigmoid(D(x) - E D(G(z)))] - E[log(1 - sigmoid(D(G(z)) - E D(x)))]; G: x and G(z) swapped.

    It is called RaSGAN (Jolicoeur-Martineau, 2019, sec. 4.3). The inner means are taken over the batch; with several
    processes each takes them over its own part.
    """

    def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return called_real(real_logits - fake_logits.mean()) + called_fake(fake_logits - real_logits.mean())

    def generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return called_real(fake_logits - real_logits.mean()) + called_fake(real_logits - fake_logits.mean())

    return Loss(discriminator, generator, generator_reads_real=True, boundary=None)


LOSSES: dict[str, Callable[..., Loss]] = {
    "non_saturating": non_saturating,
    "non_saturating_clipped": non_saturating_clipped,
    "minimax": minimax,
    "fakes_labelled_real": fakes_labelled_real,
    "least_squares": least_squares,
    "hinge": hinge,
    "wasserstein": wasserstein,
    "relativistic_pairing": relativistic_pairing,
    "relativistic_average": relativistic_average,
}
