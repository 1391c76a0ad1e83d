"""Pictures from files that may be broken or hostile: allowed formats only, bounded before they are decoded."""

import io
import struct
import zlib
from math import prod

from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm")
MAX_BYTES = 32 * 2**20  # of one file
MAX_PIXELS = 2**25  # of one picture in memory: a frame of 8K video has 33,177,600
MAX_JPEG_PIXELS = 2**27  # of a JPEG that is decoded to a half, a quarter or an eighth of its sides
SMALLER_FROM = 2**24  # pixels: JPEGs with more are decoded so where that is enough


class PictureError(ValueError):
    """Why a picture cannot be had, in a few words, without the file's name."""


def decode_picture(content: bytes, side: int | None = None) -> Image.Image:
    """The first picture in a file's bytes, in its own mode. Raises PictureError for anything else.

    It has its own size, but for a large JPEG: where sides of twice `side` pixels are enough, it is decoded to a
    fraction of its size.
    """
    if not content:
        raise PictureError("empty")
    if len(content) > MAX_BYTES:
        raise PictureError(f"{len(content):,} bytes, at most {MAX_BYTES:,} are allowed")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size  # from the header: nothing is inflated yet
            if side and picture.format == "JPEG" and SMALLER_FROM < width * height <= MAX_JPEG_PIXELS:
                picture.draft(None, (2 * side, 2 * side))
            if prod(picture.size) > MAX_PIXELS:
                raise PictureError(f"{width} x {height} pixels, at most {MAX_PIXELS:,} are allowed")
            picture.load()
            return picture.copy()
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(f"more than {MAX_PIXELS:,} pixels") from None
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, struct.error, zlib.error) as error:
        reason = "truncated" if "truncated" in str(error) else "no picture, or a damaged one"
        raise PictureError(f"{reason} (read as {', '.join(FORMATS)})") from None
