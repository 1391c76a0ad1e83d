"""The networks that a recipe names. Each family has a file, with its generator and its discriminator side by side."""

from torch import nn

from gan.parts.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.parts.networks.full_resolution import FullResolutionGenerator
from gan.parts.networks.maxout import MaxoutDiscriminator
from gan.parts.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.parts.networks.residual import ResidualDiscriminator, ResidualGenerator
from gan.parts.networks.strided import StridedDiscriminator, StridedGenerator
from gan.parts.networks.upsampling import UpsamplingGenerator

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
