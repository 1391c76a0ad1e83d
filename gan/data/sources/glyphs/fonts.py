"""Font files as sources of letters: found, bounded, hashed, and refused in a few words where they are of no use."""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from gan.base.errors import UserError
from gan.base.notes import say
from gan.data.sources.notmnist.letters import LETTERS

SUFFIXES = (".ttf", ".otf", ".ttc")
MAX_FONTS = 5_000
MAX_BYTES = 64 * 2**20  # of one file; the largest of DejaVu has 0.7 million, collections for Chinese have 20 million
EM = 160  # pixels: capital letters are some 110 high
MAX_SIDE = 8 * EM  # of one letter
NAMED = 5  # skipped files that the note names
ABSENT = "\U0010fffe"  # no character at all: what a font draws here, it draws for every letter that it lacks

# The Latin text faces among matplotlib's fonts. Left out: symbol and mathematics faces (STIXNonUni*, STIXSiz*, cmex10,
# cmmi10, cmsy10), those without capitals (DejaVu*Display) and placeholders (LastResort*).
MATPLOTLIB_FAMILIES = {
    "DejaVu Sans": ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans-Oblique"),
    "DejaVu Sans Mono": (
        *("DejaVuSansMono", "DejaVuSansMono-Bold"),
        *("DejaVuSansMono-BoldOblique", "DejaVuSansMono-Oblique"),
    ),
    "DejaVu Serif": ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "DejaVuSerif-Italic"),
    "STIX General": ("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic"),
    "Computer Modern": ("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
}

# At the end of a family's name these tell faces of one design apart ("Roboto Light" is of the family "Roboto").
_STYLE = re.compile(
    r"[\s_-]+(thin|hairline|(extra|ultra|semi|demi)?[\s-]?(light|bold|condensed|expanded)|book|regular|medium|heavy|"
    r"black|narrow|extended|italic|oblique|roman)$",
    re.IGNORECASE,
)


class FontError(ValueError):
    """Why a font is of no use here, in a few words, without the file's name."""


@dataclass(frozen=True)
class Face:
    """The ten letters of one font: white on black, mode L, cropped to their ink."""

    name: str  # of the file, below its folder
    sha256: str
    family: str
    letters: tuple[Image.Image, ...]


def freetype_version() -> str:
    """Of the FreeType inside Pillow, which draws the letters."""
    return str(features.version("freetype2"))


def matplotlib_faces() -> Iterator[Face]:
    """The faces of `MATPLOTLIB_FAMILIES`, in their order; UserError where one is missing."""
    import matplotlib  # not pyplot, which would look for a display

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for family, stems in MATPLOTLIB_FAMILIES.items():
        for stem in stems:
            try:
                yield read_face(folder / f"{stem}.ttf", f"{stem}.ttf", family)
            except FontError as error:
                raise UserError(
                    f"{folder / stem}.ttf: {error}; reinstall matplotlib, or give fonts of your own: --data.fonts=DIR"
                ) from None


def folder_faces(folder: Path) -> Iterator[Face]:
    """The usable faces below a user's folder, sorted by path; the others are named in a note.

    Of a collection (.ttc) the first face is taken, of files with the same content the first file.
    """
    skipped: list[str] = []
    seen: set[str] = set()
    for path in find_fonts(folder):
        name = path.relative_to(folder).as_posix()
        try:
            face = read_face(path, name)
            if face.sha256 in seen:
                raise FontError("the same content as another file")
        except FontError as error:
            skipped.append(f"{name} ({error})")
            continue
        seen.add(face.sha256)
        yield face
    if skipped:
        more = f" and {len(skipped) - NAMED:,} more" if len(skipped) > NAMED else ""
        say(f"glyphs: {folder}: skipped {len(skipped):,} of the fonts: {', '.join(skipped[:NAMED])}{more}")


def find_fonts(folder: Path) -> list[Path]:
    """Files with a font's suffix in a folder and below it, at most 5,000, sorted; linked folders are not entered."""

    def unreadable(error: OSError) -> None:
        reason = error.strerror or error
        raise UserError(f"data.fonts: {error.filename}: cannot be looked into ({reason}); give a folder of fonts")

    found: list[Path] = []
    for directory, _, files in os.walk(folder, onerror=unreadable):
        found += [Path(directory, name) for name in files if name.lower().endswith(SUFFIXES)]
        if len(found) > MAX_FONTS:
            raise UserError(f"data.fonts: {folder} holds more than {MAX_FONTS:,} fonts; give a smaller folder")
    if not found:
        raise UserError(f"data.fonts: no {', '.join(SUFFIXES)} file in {folder} or below it; give a folder of fonts")
    inside = folder.resolve()
    outside = [path for path in found if path.is_symlink() and not path.resolve().is_relative_to(inside)]
    if outside:
        say(f"glyphs: {folder}: fonts behind links that lead out of the folder are not followed: {len(outside):,}")
    return sorted(set(found) - set(outside))


def read_face(path: Path, name: str, family: str | None = None) -> Face:
    """The letters of a font file; the family is the file's own word unless it is given. Raises FontError."""
    try:
        if not path.is_file():
            raise FontError("not a file")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise FontError(f"cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise FontError(f"more than {MAX_BYTES:,} bytes")
    try:
        font = ImageFont.truetype(io.BytesIO(content), EM, layout_engine=ImageFont.Layout.BASIC)
        absent = _draw(font, ABSENT)
        letters = tuple(_draw(font, letter) for letter in LETTERS)
        own_name = font.getname()[0] or Path(name).stem
    except FontError:
        raise
    except (OSError, ValueError, SyntaxError, MemoryError):
        raise FontError("no font, or a damaged one") from None
    pixels = [(letter.size, letter.tobytes()) for letter in letters]
    for character, (size, drawn) in zip(LETTERS, pixels, strict=True):
        if 0 in size or (size, drawn) == (absent.size, absent.tobytes()):
            raise FontError(f"has no {character}")
    if len(set(pixels)) < len(LETTERS):
        raise FontError("draws the same for two letters")
    return Face(name, hashlib.sha256(content).hexdigest(), family or family_of(own_name), letters)


def family_of(name: str) -> str:
    """A family's name without the words for weight, width and slant that some fonts put at its end."""
    while (shorter := _STYLE.sub("", name)) != name:
        name = shorter
    return name


def _draw(font: ImageFont.FreeTypeFont, character: str) -> Image.Image:
    """A character, cropped to its ink; of size 0 where it has none."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))  # known before anything is drawn
    width, height = right - left, bottom - top
    if max(width, height) > MAX_SIDE:
        raise FontError(f"letters of {width} x {height} pixels where {EM} are asked for")
    drawn = Image.new("L", (max(width, 1), max(height, 1)))
    ImageDraw.Draw(drawn).text((-left, -top), character, fill=255, font=font)
    return drawn.crop(drawn.getbbox() or (0, 0, 0, 0))
