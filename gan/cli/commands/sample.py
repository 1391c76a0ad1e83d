"""`gan sample` draws images."""

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.cli.flags import Parser, add_source
from gan.runs.sample import sample


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    parser = Parser(prog="gan sample", description="Draw images from a trained generator.")
    add_source(parser)
    parser.add_argument("--num", type=int, default=100, help="images (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")
    parser.add_argument("--class", type=int, dest="label", help="of a conditional generator (default: each in turn)")
    parser.add_argument("--interpolate", action="store_true", help="rows of ten from one latent to another")
    parser.add_argument("--out", required=True, help="samples.npz (array `images`, uint8) or grid.png")
    options = vars(parser.parse_args(words))
    out = absolute(options.pop("out"), "--out")
    if out.suffix not in (".npz", ".png"):
        raise UserError(f"--out must end in .npz (an array) or .png (a grid), got {out}")
    if not out.parent.is_dir():
        raise UserError(f"--out: no directory {out.parent}; make it first")
    images = sample(**options)
    import numpy as np

    from gan.base.images import grid, write_png

    try:
        if out.suffix == ".png":
            write_png(grid(images), out)
        else:
            # (N, C, H, W) -> (N, H, W) for grey images, (N, H, W, 3) for coloured ones
            array = images.squeeze(1) if images.shape[1] == 1 else images.permute(0, 2, 3, 1)
            np.savez_compressed(out, images=array.numpy())
    except OSError as error:
        raise UserError(f"--out {out}: cannot write ({error.strerror})") from None
    print(f"{len(images)} images in {out}")
    return 0
