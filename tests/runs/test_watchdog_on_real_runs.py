"""The watchdog on real MNIST: runs that fail are marked within a few hundred steps, runs that learn are not."""

from pathlib import Path

import pytest
from run_support import gan

from gan.runs.reader import read_run

QUIET = [f"--{section}.every_n_steps=0" for section in ("evaluation", "image_grid", "checkpoints")]
SMALL_MLP = (
    *("--config=mlp_gan", "--model.recipe.batch_size=64"),
    *(f"--model.recipe.{network}.widths=[128, 128]" for network in ("generator", "discriminator")),
)
SMALL_DCGAN = (
    "--config=quickstart",
    "--model.recipe.generator={channels: [16, 8], dense: [64]}",
    "--model.recipe.discriminator={channels: [8, 16], dense: [32]}",
)
HUGE = "--model.recipe.generator_weights={name: normal, std: 10}"
FLIPPED = "--model.recipe.loss=fakes_labelled_real"
FAILING = {
    "huge init": ((*SMALL_MLP, HUGE), "dead", 400),
    "fakes labelled real": ((*SMALL_MLP, FLIPPED), "saturated", 400),
    "fifty times D's rate": ((*SMALL_MLP, "--model.recipe.discriminator_optimizer.lr=0.5"), "nan", 100),
}
pytestmark = pytest.mark.slow


def trained(run: Path, root: Path, *words: str, steps: int) -> dict[str, int]:
    """Sign -> step of the alarms of a run."""
    gan("fit", *words, *QUIET, f"--data.root={root}", f"--trainer.max_steps={steps}", "--threads=1", f"--run={run}")
    return {alarm.sign: alarm.step for alarm in read_run(run).alarms}


@pytest.mark.parametrize("case", FAILING)
def test_a_run_that_fails_is_marked(case, tmp_path, mnist_root):
    words, sign, within = FAILING[case]
    alarms = trained(tmp_path / "run", mnist_root, *words, steps=500)
    assert sign in alarms
    assert alarms[sign] <= within


def test_a_run_that_learns_is_not(tmp_path, mnist_root):
    assert trained(tmp_path / "run", mnist_root, *SMALL_DCGAN, steps=1000) == {}
