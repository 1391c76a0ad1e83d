"""Network families, a file each: generator and discriminator side by side where they are of one family."""

from torch import nn

from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.full_resolution import FullResolutionGenerator
from gan.networks.maxout import MaxoutDiscriminator
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.networks.residual import ResidualDiscriminator, ResidualGenerator
from gan.networks.strided import StridedDiscriminator, StridedGenerator
from gan.networks.upsampling import UpsamplingGenerator

GENERATORS: dict[str, type[nn.Module]] = {
    "mlp": MLPGenerator,
    "dcgan": DCGANGenerator,
    "strided": StridedGenerator,
    "full_resolution": FullResolutionGenerator,
    "upsampling": UpsamplingGenerator,
    "residual": ResidualGenerator,
}
DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "mlp": MLPDiscriminator,
    "dcgan": DCGANDiscriminator,
    "strided": StridedDiscriminator,
    "residual": ResidualDiscriminator,
    "maxout": MaxoutDiscriminator,
}
