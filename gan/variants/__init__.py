"""The variants: one system, one class, one file."""

from gan.variants.dcgan import DCGAN
from gan.variants.full_resolution_dcgan import FullResolutionDCGAN
from gan.variants.mlp_gan import MLPGAN
from gan.variants.strided_dcgan import StridedDCGAN
from gan.variants.upsampling_dcgan import UpsamplingDCGAN

VARIANTS = {
    "DCGAN": DCGAN,
    "FullResolutionDCGAN": FullResolutionDCGAN,
    "MLPGAN": MLPGAN,
    "StridedDCGAN": StridedDCGAN,
    "UpsamplingDCGAN": UpsamplingDCGAN,
}
