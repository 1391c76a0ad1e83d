"""Whether two checkouts of this package train alike: every variant, and diffs of recipes that exercise each rule.

    python scripts/compare_checkouts.py A B [--variants MLPGAN WGAN …] [--updates 30] [--handed-in]

A and B are folders of checkouts. Both run `gan fit` on the embedded digits, on one thread and from one seed; then the
weights of their last checkpoints are compared, bit for bit. One line a case; exit code 1 if any differs.

With `--handed-in` both get the same initial weights (A's), data order, noise and dropout masks from this script, and
may differ by TOLERANCE: for two checkouts that draw random numbers differently and compute the same with them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

CHILD = Path(__file__).with_name("train_in_checkout.py")
TOLERANCE = 1e-5  # of a tensor's largest value, where random numbers are handed in
FLAGS = [
    *("--seed_everything=1", "--data.source=embedded", "--trainer.accelerator=cpu", "--trainer.logger=false"),
    *("--trainer.enable_progress_bar=false", "--scalars.every_n_steps=0", "--image_grid.every_n_steps=0"),
    "--evaluation.every_n_steps=0",
]
# What makes a convolutional variant train in seconds; the fully connected ones keep their own recipe.
DCGAN = "generator.channels=[8,4] discriminator.channels=[4,8] batch_size=16"  # of all that are not named here
STRIDED = "generator.channels=[6,5,4,3] discriminator.channels=[3,4,5,6] batch_size=8"
TINY = {
    **dict.fromkeys(("MLPGAN", "GoodfellowGAN"), ""),
    **dict.fromkeys(("StridedDCGAN", "UpsamplingDCGAN"), STRIDED),
    "FullResolutionDCGAN": f"{STRIDED} generator.channels=[4,4,3]",
}
RESIDUAL = "generator.name=residual generator.channels=[6,5,4] discriminator.name=residual discriminator.channels=[4,6]"
# A variant and a diff of its recipe.
DIFFS = f"""
MLPGAN updates=simultaneous discriminator_weights.bound=0.1 generator_penalties.l2=0.01
MLPGAN latent=fresh loss.name=minimax loss.real_label=0.9
MLPGAN discriminator.dropout=0.3 discriminator_penalties.l2=0.01
MLPGAN balance.low=0.6 balance.high=0.9 balance.patience=4
MLPGAN prior=spherical discriminator.norm=spectral
DCGAN pretraining=5 prior=mixture
DCGAN d_steps=3 g_steps=2 latent=shared
DCGAN d_steps=2 g_steps=3 prior=truncated_normal
DCGAN augmentations.translation={{}} augmentations.cutout={{}} augmentations.instance_noise.updates=20 packing=4
DCGAN augmentations.brightness={{}} augmentations.contrast={{}} packing=2 updates=simultaneous
DCGAN discriminator.dropout=0.3 discriminator.dense=[7] generator.dense=[7]
DCGAN ema_decay=0.99 loss=relativistic_average
DCGAN discriminator_update=real_then_fake frozen_batch_norm=moving
DCGAN fakes=inference latent=shared real_range=unit
DCGAN weight_clip=0.05 sampling=replacement loss=fakes_labelled_real
DCGAN generator_schedules.lr.name=linear_ramp generator_schedules.lr.final=0.0 generator_schedules.lr.updates=20
DCGAN generator_weights=orthogonal discriminator_weights=he_normal output_bias=marginals
DCGAN discriminator_penalties.r1.weight=1 discriminator_penalties.r1.interval=3 discriminator_penalties.zero_centred=0.1
DCGAN discriminator_penalties.consistency.weight=1 discriminator_penalties.consistency.interval=2 d_steps=2
DCGAN {RESIDUAL} prior=bernoulli
ConditionalGAN {RESIDUAL} generator.conditional=true generator.norm=none discriminator.labels=projection
ConditionalGAN discriminator.labels=projection discriminator.norm=spectral discriminator.minibatch_stddev=true
FullResolutionDCGAN frozen_batch_norm=moving discriminator.momentum=0.2
"""


def cases(checkout: Path, only: list[str]) -> list[str]:
    """The variants of a checkout, and DIFFS."""
    pages = sorted((checkout / "gan" / "variants").glob("*.py"))
    variants = [name for page in pages for name in re.findall(r"^class (\w+)\(", page.read_text(), re.MULTILINE)]
    return [case for case in [*variants, *DIFFS.strip().splitlines()] if not only or case.split()[0] in only]


class Checkout:
    """A process that has imported one checkout, and trains each case in a fork of itself."""

    def __init__(self, folder: Path, name: str, place: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", str(CHILD), str(folder)]
        self.name, self.place, pipe = name, place, subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=place, env=environment, text=True, stdin=pipe, stdout=pipe)

    def start(self, case: str, updates: int, number: int, weights: Path | None) -> None:
        """Begin to train."""
        self.run = self.place / f"{self.name}_{number}"
        variant, *diff = case.split()
        recipe = [f"--model.recipe.{change}" for change in [*TINY.get(variant, DCGAN).split(), *diff]]
        words = ["fit", f"--model={variant}", *recipe, *FLAGS, f"--trainer.max_steps={updates}", f"--run={self.run}"]
        task = {"words": words, "log": f"{self.run}.log", "weights": weights and str(weights)}
        print(json.dumps(task), file=self.process.stdin, flush=True)

    def wait(self) -> None:
        """Until it has imported the checkout, or has ended a case."""
        self.code = self.process.stdout.readline().strip()
        if not self.code:
            sys.exit(f"{self.name}: its process came to an end")

    def state(self) -> dict[str, Tensor]:
        """The last weights; ChildProcessError with the last line of a run that failed."""
        if self.code != "0":
            last = Path(f"{self.run}.log").read_text().strip().splitlines()[-1:]
            raise ChildProcessError(f"{self.name}: exit code {self.code} {' '.join(last)}")
        (file,) = self.run.rglob("last_step_*.ckpt")
        return torch.load(file, map_location="cpu", weights_only=True)["state_dict"]


def difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> tuple[float, str]:
    """The largest difference as a share of its tensor's largest value, and where it is; -1 if all is equal bit for bit.

    Other names or shapes are infinitely different, and so is what is not finite.
    """
    if a.keys() != b.keys():
        return float("inf"), f"the names {', '.join(sorted(a.keys() ^ b.keys()))}"
    found = (-1.0, "")
    for name in a:
        if (a[name].dtype, a[name].shape) != (b[name].dtype, b[name].shape):
            return float("inf"), name
        if a[name].numpy().tobytes() != b[name].numpy().tobytes():
            first, second = a[name].double(), b[name].double()
            share = float((first - second).abs().max() / first.abs().max().clamp(min=1e-30))
            found = max(found, (share if share == share else float("inf"), name))
    return found


def compare(a: Checkout, b: Checkout, case: str, updates: int, number: int, handed_in: bool) -> tuple[bool, str]:
    """Whether one case passes, and what is to be said of it."""
    weights = a.place / f"{number}.pt" if handed_in else None
    a.start(case, updates, number, weights)
    if handed_in:  # B reads the weights that A writes; else they train side by side
        a.wait()
    b.start(case, updates, number, weights)
    for checkout in (b,) if handed_in else (a, b):
        checkout.wait()
    try:
        first, second = a.state(), b.state()
    except ChildProcessError as error:
        return False, str(error)
    if not all(bool(tensor.isfinite().all()) for tensor in first.values()):
        return False, "A's weights are not finite, which says nothing"
    share, where = difference(first, second)
    return share <= (TOLERANCE if handed_in else -1), "bit for bit" if share < 0 else f"up to {share:.1e} in {where}"


def main() -> None:
    """Compare, a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs=2, type=Path, metavar=("A", "B"))
    parser.add_argument("--variants", nargs="+", default=[], metavar="VARIANT", help="only the cases of these")
    parser.add_argument("--updates", type=int, default=30, help="of the generator")
    parser.add_argument("--handed-in", action="store_true", help="hand in weights, data order, noise and masks")
    options = parser.parse_args()
    folders = [folder.resolve() for folder in options.checkouts]
    different = 0
    with tempfile.TemporaryDirectory() as place:
        a, b = (Checkout(folder, name, Path(place)) for folder, name in zip(folders, "AB", strict=True))
        for checkout in (a, b):
            checkout.wait()
        for number, case in enumerate(cases(folders[0], options.variants)):
            passed, text = compare(a, b, case, options.updates, number, options.handed_in)
            different += not passed
            print("equal    " if passed else "DIFFERENT", case, f"({text})", flush=True)
        for checkout in (a, b):
            checkout.process.communicate()
    print(f"{different} different" if different else "all equal")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
