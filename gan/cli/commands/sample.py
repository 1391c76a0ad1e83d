"""`gan sample` draws images, and makes a film of a run."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan.base.errors import UserError, usable, whole
from gan.base.paths import absolute
from gan.cli.flags import Parser, add_source
from gan.runs.sample import MAX_COLUMNS, draw

FOLDER = "/"
KINDS = {".npz": "an array", ".png": "a grid", ".gif": "a film of a run", FOLDER: "a folder of pictures"}
OF_A_FILM = {"path", "num", "columns", "scale"}  # options that a .gif takes
FLAGS = {"label": "class", "allow_import": "allow-import"}  # options whose flag has another name
MAX_SCALE = 100
SAID = 8  # steps of a film that are all said


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    about = "Draw images from a trained generator, or make a film of a run's pictures."
    usage = "gan sample CKPT|RUN --out OUT [options]"
    parser = Parser(prog="gan sample", usage=usage, description=about, argument_default=argparse.SUPPRESS)
    add_source(parser)
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    parser.add_argument("--num", **number, help="images (default 100, or ten rows of --interpolate)")
    parser.add_argument("--seed", **number, help="of the noise (default 0)")
    parser.add_argument("--class", **number, dest="label", help="one class (default: each in turn)")
    parser.add_argument("--interpolate", action="store_true", help="rows from one latent to another")
    parser.add_argument("--columns", **number, help="of .png, .gif, --interpolate (default 10)")
    parser.add_argument("--scale", **number, help="enlarges .png and .gif (default 1)")
    help = "x.npz (an array), x.png (a grid), x.gif (a film), DIR/ (PNGs)"
    parser.add_argument("--out", required=True, help=help)
    options = vars(parser.parse_args(words))
    out, kind = _out(options.pop("out"))
    given = {name for name, value in options.items() if value not in (None, [])}
    _refuse_what_does_not_fit(given, kind, out)
    columns, scale = options.get("columns", 10), options.pop("scale", 1)
    whole(columns, "--columns", 1, MAX_COLUMNS)
    whole(scale, "--scale", 1, MAX_SCALE)
    print(_film(options, scale, out) if kind == ".gif" else _images(options, scale, out, kind))
    return 0


def _out(text: str) -> tuple[Path, str]:
    """Return the place to write to, and the key in KINDS of what is written there."""
    out = absolute(text, "--out")
    kind = FOLDER if text.endswith("/") or not out.suffix else out.suffix
    if kind not in KINDS:
        allowed = ", ".join(f"{end} ({what})" for end, what in KINDS.items())
        raise UserError(f"--out must end in {allowed}, got {out}")
    if not out.parent.is_dir():
        raise UserError(f"--out: no directory {out.parent}; make it first")
    with usable(f"--out {out}"):
        if kind == FOLDER and out.exists() and any(out.iterdir()):
            raise UserError(f"--out {out}: the folder is not empty; empty it, or give another one")
    return out, kind


def _refuse_what_does_not_fit(given: set[str], kind: str, out: Path) -> None:
    """Raise UserError for an option that would change nothing in what is written."""
    if kind == ".gif":
        for name in sorted(given - OF_A_FILM):
            raise UserError(
                f"--{FLAGS.get(name, name)} is for images that are drawn; a .gif shows "
                "those that the run kept of its fixed noise, and takes --num, --columns and --scale"
            )
    elif kind != ".png":
        if "scale" in given:
            raise UserError(f"--scale is for a grid (.png) or a film (.gif), not for {KINDS[kind]}, {out}")
        if "columns" in given and "interpolate" not in given:
            raise UserError(
                f"--columns is for a grid (.png), a film (.gif) or --interpolate, not for {KINDS[kind]}, {out}"
            )


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Within it, what the disk refuses is a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"--out {out}: cannot write ({error.strerror or error})") from None


def _images(options: dict[str, Any], scale: int, out: Path, kind: str) -> str:
    """Draw images, write them, and return what was written."""
    drawn = draw(**options)
    images = drawn.images
    from gan.base.images import COLUMNS, check_grid, grid, write_png  # torch takes seconds to import

    if kind == ".png":
        columns = options.get("columns", COLUMNS)
        check_grid(images, columns, scale)
        with _writing(out):
            write_png(grid(images, columns, scale), out)
    elif kind == ".npz":
        import numpy as np

        # (N, C, H, W) -> (N, H, W) for grey images, (N, H, W, 3) for coloured ones
        array = images.squeeze(1) if images.shape[1] == 1 else images.permute(0, 2, 3, 1)
        with _writing(out):
            np.savez_compressed(out, images=array.numpy())
    else:
        from gan.runs.folders import class_names, folder_names, write_folder

        names = folder_names(class_names(options["path"], drawn.num_classes))
        with _writing(out):
            write_folder(images, drawn.labels, names, out)
    return f"{len(images)} images in {out}"


def _film(options: dict[str, Any], scale: int, out: Path) -> str:
    """Make a film, write it, and return what was written, with its steps."""
    from gan.base.images import COLUMNS
    from gan.runs.film import film, write_film

    frames = film(options["path"], options.get("num"), options.get("columns", COLUMNS), scale)
    with _writing(out):
        write_film(frames, out)
    return f"{len(frames)} frames in {out}, of the steps {_steps(list(frames))}"


def _steps(steps: list[int]) -> str:
    """Return all steps of a film, or the first ones and the last one."""
    shown = [*steps[: SAID - 2], "…", steps[-1]] if len(steps) > SAID else steps
    return ", ".join(map(str, shown))
