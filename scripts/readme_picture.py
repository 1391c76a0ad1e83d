"""The picture at the top of the README: rows of two committed grids, enlarged so that digits can be judged.

    python scripts/readme_picture.py    # writes docs/results/digits.png

The upper rows are the first ones of docs/results/quickstart.png, the lower rows the first ones of
docs/results/best_step_10000.png. Every pixel becomes a square of SCALE × SCALE pixels; nothing is smoothed or chosen.
"""

from pathlib import Path

from PIL import Image

RESULTS = Path(__file__).parent.parent / "docs" / "results"
GRIDS = ("quickstart.png", "best_step_10000.png")
PICTURE = RESULTS / "digits.png"
ROWS, GAP, SCALE = 3, 6, 3  # a white gap between the grids
PITCH, BORDER = 30, 2  # a tile has 28 pixels, and 2 black ones lie between tiles and around the grid


def main() -> None:
    """Cut the rows, put them under each other, enlarge and save."""
    height = ROWS * PITCH + BORDER
    parts = [Image.open(RESULTS / name).convert("L") for name in GRIDS]
    picture = Image.new("L", (parts[0].width, len(parts) * height + GAP), 255)
    for i, part in enumerate(parts):
        picture.paste(part.crop((0, 0, part.width, height)), (0, i * (height + GAP)))
    size = (picture.width * SCALE, picture.height * SCALE)
    picture.resize(size, Image.Resampling.NEAREST).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
