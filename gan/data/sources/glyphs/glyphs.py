"""Glyphs: the letters A to J, rendered from fonts as notMNIST (Bulatov, 2011) was. They need no archive.

Without `fonts` they come from the 21 Latin text faces that matplotlib ships. Split "family" puts each family of fonts
into one part: DejaVu (Sans, Sans Mono and Serif: 12 faces) is trained on, STIX General (4) is held out, Computer Modern
(5) is tested on. Split "full" trains on the held-out images, too. Of a user's fonts, a hash of the family's name
decides: about 7 : 1 : 2, at least one family in each part.
"""

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps

from gan.base.errors import UserError
from gan.base.notes import box, say
from gan.base.streams import stream
from gan.data.sources.glyphs.fonts import Face, folder_faces, freetype_version, matplotlib_faces
from gan.data.sources.notmnist.letters import LETTERS, SIDE
from gan.data.split import LoadedData, Split, share_of_inverted

PARTS = {  # of matplotlib's families: one foundry in one part
    "train": ("DejaVu Sans", "DejaVu Sans Mono", "DejaVu Serif"),
    "held_out": ("STIX General",),
    "test": ("Computer Modern",),
}
COUNTS = {"train": 5_000, "held_out": 500, "test": 1_000}  # at least; each letter of each font has as many variants
SHARES = {"held_out": 0.1, "test": 0.2}  # of a user's families

JITTER_VERSION = 1  # raise it with any change below
OVERSAMPLING = 4  # letters are drawn on 112 x 112 pixels, whose 4 x 4 squares are averaged
SIZES = (0.8, 0.96)  # share of the frame that a letter fills, its height and its width apart
MAX_SHIFT = 1.0  # pixels of 28
MAX_ROTATION = 6.0  # degrees
MAX_STRETCH = 2.0  # notMNIST stretches letters to the frame; without a bound a sans-serif I would be a white square


class Glyphs:
    """28x28 grey letters, 0 (paper) to 255 (ink), white on black as in notMNIST.

    Args:
        fonts: a folder of .ttf, .otf and .ttc files, searched with the folders in it; None for matplotlib's.
        inverted: share of images that are black on white, 0 to 1.
    """

    name = "glyphs"
    image_shape = (1, SIDE, SIDE)
    class_names = tuple(LETTERS)
    sources = ("auto", "matplotlib", "fonts")
    splits = ("family", "full")
    paths = ("fonts",)  # see Dataset

    def __init__(self, *, fonts: str | None = None, inverted: float = 0.0) -> None:
        self.fonts = None if fonts is None else Path(fonts).expanduser()
        self.inverted = share_of_inverted(inverted, self.name)

    def prepare(self, root: Path, source: str) -> None:
        """Nothing is downloaded."""

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Render the letters; `root` is not looked into."""
        if source == "fonts" and self.fonts is None:
            raise UserError("glyphs: --data.source=fonts needs a folder of fonts: --data.fonts=DIR")
        if source == "matplotlib" and self.fonts is not None:
            raise UserError(f"glyphs: --data.source=matplotlib with --data.fonts={self.fonts}: remove one of the two")
        if self.fonts is not None:
            faces = list(folder_faces(self.fonts))
            parts = assign_families({face.family for face in faces}, self.fonts)
        else:
            faces, parts = list(matplotlib_faces()), {part: list(families) for part, families in PARTS.items()}
            if source == "auto":
                say(box(_not_notmnist(len(faces))))
        rendered = {
            part: render_part([face for face in faces if face.family in families], COUNTS[part], self.inverted)
            for part, families in parts.items()
        }
        if split == "full":
            rendered["train"] = _together(rendered["train"], rendered["held_out"])
        source = "matplotlib" if self.fonts is None else "fonts"
        return LoadedData(
            self.name,
            source,
            rendered["train"],
            rendered["held_out"],
            rendered["test"],
            split=split,
            # The images depend on more than the fonts, so that `files` has a checksum of the images, too.
            files={face.name: face.sha256 for face in faces} | {"rendered images": _sha256(rendered.values())},
            held_out_is_trained_on=split == "full",
            evaluator="glyphs",
            about={
                "families": parts,
                "freetype": freetype_version(),
                "pillow": PIL.__version__,
                "jitter_version": JITTER_VERSION,
                "inverted": self.inverted,
            },
        )


def assign_families(families: set[str], folder: Path) -> dict[str, list[str]]:
    """The families of each part. A hash of its name decides on a family, whichever others there are.

    Only a part that would be empty takes a family from its neighbour: the next one in the order of the hashes.
    """
    if len(families) < len(COUNTS):
        found = ", ".join(sorted(families)) or "none"
        raise UserError(
            f"data.fonts: {folder}: usable fonts of {len(COUNTS)} families are needed, one to train on, one to select "
            f"on, one to test on; found: {found}; add fonts"
        )
    place = {name: int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12 for name in families}
    order, total = sorted(families, key=lambda name: (place[name], name)), len(families)
    bounds = SHARES["held_out"], SHARES["held_out"] + SHARES["test"]
    below = [sum(place[name] < bound for name in families) for bound in bounds]
    first = min(max(below[0], 1), total - 2)
    second = min(max(below[1], first + 1), total - 1)
    return {"train": sorted(order[second:]), "held_out": sorted(order[:first]), "test": sorted(order[first:second])}


def render_part(faces: list[Face], count: int, inverted: float) -> Split:
    """At least `count` images. Each font gives equally many variants of its ten letters."""
    variants = math.ceil(count / (len(faces) * len(LETTERS)))
    images = [
        render(face, letter, variant, inverted)
        for face in faces
        for variant in range(variants)
        for letter in range(len(LETTERS))
    ]
    labels = torch.arange(len(LETTERS)).repeat(len(faces) * variants)
    return Split(torch.from_numpy(np.stack(images))[:, None], labels)  # (N, H, W) -> (N, 1, H, W)


def render(face: Face, letter: int, variant: int, inverted: float) -> np.ndarray:
    """One jittered letter, (28, 28) uint8; it depends on the font's content, the letter and the variant alone."""
    generator = stream("glyphs", JITTER_VERSION, int(face.sha256, 16), letter, variant)
    u = torch.rand(6, dtype=torch.float64, generator=generator).tolist()
    ink, frame = face.letters[letter], SIDE * OVERSAMPLING
    height, width = ((SIZES[0] + share * (SIZES[1] - SIZES[0])) * frame for share in u[:2])
    width = min(width, MAX_STRETCH * height * ink.width / ink.height)
    centre_x, centre_y = (frame / 2 + (2 * share - 1) * MAX_SHIFT * OVERSAMPLING for share in u[2:4])
    angle = math.radians((2 * u[4] - 1) * MAX_ROTATION)

    # PIL wants the point of the letter for each point of the frame: shifted back, turned back, scaled back.
    source = ImageOps.expand(ink, border=2)  # paper around the ink, for smooth edges
    a, b = math.cos(angle) * ink.width / width, math.sin(angle) * ink.width / width
    d, e = -math.sin(angle) * ink.height / height, math.cos(angle) * ink.height / height
    c, f = source.width / 2 - a * centre_x - b * centre_y, source.height / 2 - d * centre_x - e * centre_y
    drawn = source.transform((frame, frame), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)
    pixels = np.asarray(drawn.reduce(OVERSAMPLING))
    return 255 - pixels if u[5] < inverted else pixels


def _together(*splits: Split) -> Split:
    return Split(torch.cat([split.images for split in splits]), torch.cat([split.labels for split in splits]))


def _sha256(splits: Iterable[Split]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.images.numpy().tobytes())
    return digest.hexdigest()


def _not_notmnist(fonts: int) -> list[str]:
    return [
        f"These are letters rendered from the {fonts} fonts that matplotlib ships, NOT notMNIST: few designs, in "
        "thousands of slightly moved copies.",
        "Numbers from this run are stamped `data_set: glyphs` and do not compare with those of notMNIST.",
        "For the real one, fetch notMNIST (Bulatov, 2011) and pass --data.name=notmnist --data.root=DIR; for fonts of "
        "your own, --data.fonts=DIR.",
    ]
