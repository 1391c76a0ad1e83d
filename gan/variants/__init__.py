"""The variants: one system, one class, one file."""

from gan.variants.dcgan import DCGAN
from gan.variants.mlp_gan import MLPGAN
from gan.variants.strided_dcgan import StridedDCGAN

VARIANTS = {"DCGAN": DCGAN, "MLPGAN": MLPGAN, "StridedDCGAN": StridedDCGAN}
