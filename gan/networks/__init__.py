"""Network families: a generator and its discriminator side by side, a file each."""

from torch import nn

from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.networks.strided import StridedDiscriminator, StridedGenerator

GENERATORS: dict[str, type[nn.Module]] = {"mlp": MLPGenerator, "dcgan": DCGANGenerator, "strided": StridedGenerator}
DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "mlp": MLPDiscriminator,
    "dcgan": DCGANDiscriminator,
    "strided": StridedDiscriminator,
}
