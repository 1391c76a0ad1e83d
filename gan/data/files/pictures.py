"""Pictures from files that may be broken or hostile: allowed formats only, bounded before they are decoded."""

import io
import struct
import zlib

from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm")
MAX_BYTES = 32 * 2**20  # of one file
MAX_PIXELS = 2**24  # of one picture: 4096 x 4096


class PictureError(ValueError):
    """Why a picture cannot be had, in a few words, without the file's name."""


def decode_picture(content: bytes) -> Image.Image:
    """The first picture in a file's bytes, in its own mode and size. Raises PictureError for anything else."""
    if not content:
        raise PictureError("empty")
    if len(content) > MAX_BYTES:
        raise PictureError(f"{len(content):,} bytes, at most {MAX_BYTES:,} are allowed")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size  # from the header: nothing is inflated yet
            if width * height > MAX_PIXELS:
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
