"""Images that somebody else made: an array in a `.npz`, or a folder of pictures. The files are not trusted."""

import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.base.errors import UserError
from gan.data.files.pictures import MAX_BYTES as MAX_PICTURE_BYTES
from gan.data.files.pictures import SUFFIXES, PictureError, decode_picture
from gan.data.split import LoadedData, Split

MAX_BYTES = 2 * 2**30  # of all images in memory
NAMES = ("images", "samples", "arr_0")  # of the array in a .npz; a single one may have any name
MAX_SIDE = 4096


def read_images(path: Path, channels: int | None = None) -> Tensor:
    """Return the images (N, C, H, W), uint8, of a `.npz` or of all pictures in a folder, in the order of their names.

    An array is (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3, of uint8, or of floating point from 0 to 1, which
    is rounded to 8 bits. Pictures have one size; they get `channels`, 1 or 3, or by default 1 if all are grey.
    UserError, in one line, for others.
    """
    images = _folder(path, channels) if path.is_dir() else _array(path)
    if len(images) < 2:
        raise UserError(f"{path}: {len(images)} images; at least two are needed")
    return images


def as_data(images: Tensor, name: str, source: str) -> LoadedData:
    """Return images as a set without classes, which others can be measured against."""
    part = Split(images, torch.zeros(len(images), dtype=torch.int64))
    return LoadedData(name=name, source=source, train=part, held_out=part, test=part, split="all", official=False)


def _array(path: Path) -> Tensor:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
            if size > MAX_BYTES:
                raise UserError(f"{path}: {size:,} bytes when unpacked, at most {MAX_BYTES:,} are allowed")
            with np.load(path, allow_pickle=False) as arrays:
                name = _name(path, arrays.files)
                return _images(arrays[name], f"{path}: array {name!r}")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or 'damaged'})") from None
    except (ValueError, zipfile.BadZipFile, EOFError, KeyError, MemoryError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = "it holds Python objects, which may run code" if "allow_pickle" in reason else reason
        raise UserError(f"{path}: not readable as an array of images ({reason}); save it with np.savez") from None
    raise UserError(f"{path}: neither a folder of pictures nor a .npz; give one of these")


def _name(path: Path, names: list[str]) -> str:
    found = [name for name in NAMES if name in names] or (names if len(names) == 1 else [])
    if not found:
        raise UserError(f"{path}: arrays {', '.join(names[:8]) or '(none)'}; call the images {' or '.join(NAMES)}")
    return found[0]


def _images(array: NDArray, what: str) -> Tensor:
    """Return an array as (N, C, H, W), uint8."""
    kind = f"{array.dtype} of {tuple(array.shape)}"
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if (
        array.ndim != 4
        or array.shape[1] not in (1, 3)
        or not 1 <= min(array.shape[2:]) <= max(array.shape[2:]) <= MAX_SIDE
    ):
        raise UserError(f"{what}: {kind}; give (N, H, W), (N, H, W, C) or (N, C, H, W), with C 1 or 3")
    if array.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(array))
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{what}: {kind}; give uint8 from 0 to 255, or floating point from 0 to 1")
    if not np.isfinite(array).all():
        raise UserError(f"{what}: holds pixels that are not finite (NaN or infinity); give finite ones")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if low < 0 or high > 1:
        raise UserError(f"{what}: {kind} from {low:.3g} to {high:.3g}; give floating point from 0 to 1, or uint8")
    return torch.from_numpy((array * 255).round().astype(np.uint8))


def _folder(path: Path, channels: int | None) -> Tensor:
    files = sorted(
        Path(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    )
    if not files:
        raise UserError(f"{path}: no pictures ({', '.join(SUFFIXES)}); give a folder that holds some")
    pictures: list[NDArray[np.uint8]] = []
    total = 0
    for file in files:
        pixels = _picture(file)
        if pictures and pixels.shape[:2] != pictures[0].shape[:2]:
            sizes = [f"{p.shape[1]}x{p.shape[0]}" for p in (pictures[0], pixels)]
            raise UserError(f"{file}: {sizes[1]} pixels, but {files[0].name} has {sizes[0]}; give pictures of one size")
        total += pixels.nbytes
        if total > MAX_BYTES:
            raise UserError(f"{path}: the pictures take more than {MAX_BYTES:,} bytes; give fewer")
        pictures.append(pixels)
    grey = all((p[..., 0] == p[..., 1]).all() and (p[..., 1] == p[..., 2]).all() for p in pictures)
    if channels == 1 and not grey:
        raise UserError(f"{path}: pictures in colour, where grey ones are compared; give grey ones")
    return torch.from_numpy(
        np.stack([p[..., :1] if grey and channels != 3 else p for p in pictures]).transpose(0, 3, 1, 2).copy()
    )


def _picture(file: Path) -> NDArray[np.uint8]:
    """Return a picture as (H, W, 3)."""
    try:
        with file.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, on damaged metadata
            return np.asarray(decode_picture(stream.read(MAX_PICTURE_BYTES + 1)).convert("RGB"))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    except PictureError as error:
        raise UserError(f"{file}: {error}; mend it, or take it away") from None
