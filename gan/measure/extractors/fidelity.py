"""Inception and DINOv2, whose weights the user has in a file: `pip install gan[features]`.

They do not replace the classifiers of this package. Inception was trained on photographs, and its maintainers advise
against it for digits. Numbers from it have a protocol of their own, and compare with published ones only if all else
is equal, too.
"""

import hashlib
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.measure.extractors.extractor import Extractor, exact_float32

MAX_BYTES = 2 * 2**30  # of a file of weights
DINOV2_SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours


class _Inception(nn.Module):
    """torch-fidelity's port of the network that FID was defined with: 2,048 features and 1,008 logits."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        state = torch.load(weights, map_location="cpu", weights_only=True)
        with (
            tempfile.TemporaryDirectory() as folder
        ):  # it would read the file with pickle: it gets one of tensors alone
            copy = Path(folder, "weights.pt")
            torch.save(state, copy)
            self.network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(copy)
            )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, C, H, W) -> features (N, 2048), logits (N, 1008)."""
        with torch.autocast(images.device.type, enabled=False), exact_float32():
            return self.network(_coloured(images))


class _DINOv2(nn.Module):
    """timm's DINOv2 (Oquab et al., 2023), ViT-S/14: 384 features, resized and scaled as torch-fidelity does."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        import timm

        self.network = timm.create_model(
            "vit_small_patch14_dinov2.lvd142m", pretrained=False, num_classes=0, img_size=DINOV2_SIDE
        )
        timm.models.load_checkpoint(self.network, str(weights), weights_only=True)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 255, persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None] * 255, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        """uint8 (N, C, H, W) -> features (N, 384), None."""
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        side = (DINOV2_SIDE, DINOV2_SIDE)
        with torch.autocast(images.device.type, enabled=False), exact_float32():
            large = interpolate_bilinear_2d_like_tensorflow1x(_coloured(images).float(), size=side, align_corners=False)
            return self.network((large - self.mean) / self.deviation), None


def inception(*, weights: str) -> Extractor:
    """Return Inception-v3 (Szegedy et al., 2016) as FID knows it. `weights` is torch-fidelity's file."""
    return _extractor("inception", _Inception, weights, num_features=2048, num_classes=1008)


def dinov2(*, weights: str) -> Extractor:
    """Return DINOv2, ViT-S/14. `weights` is its authors' `dinov2_vits14_pretrain.pth`, or timm's file."""
    return _extractor("dinov2", _DINOv2, weights, num_features=384, num_classes=0)


def _extractor(name: str, network: type[nn.Module], weights: str, num_features: int, num_classes: int) -> Extractor:
    path = absolute(weights, f"evaluation.extractor {name}: weights")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES:,} bytes; give the weights of {name}")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with torch.random.fork_rng(devices=[]):  # initial weights are thrown away
            made = network(path).requires_grad_(False).eval()
    except ImportError as error:
        raise UserError(f"extractor {name} needs {error.name}; install gan[features]") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read the weights of {name} ({error.strerror})") from None
    except Exception as error:  # hostile bytes raise whatever a reader meets
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{path}: not the weights of {name} ({reason})") from None
    return Extractor(name, 1, sha256, made, num_features, (None, None, None), num_classes, batch=50)


def _coloured(images: Tensor) -> Tensor:
    """(N, 1 or 3, H, W) -> (N, 3, H, W). UserError for another number of channels."""
    if images.shape[1] not in (1, 3):
        raise UserError(f"the extractor reads grey or RGB images, not {images.shape[1]} channels")
    return images.expand(-1, 3, -1, -1)
