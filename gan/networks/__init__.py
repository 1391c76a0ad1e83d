"""Network families: a generator and its discriminator side by side, a file each."""

from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.mlp import MLPDiscriminator, MLPGenerator

GENERATORS = {"mlp": MLPGenerator, "dcgan": DCGANGenerator}
DISCRIMINATORS = {"mlp": MLPDiscriminator, "dcgan": DCGANDiscriminator}
