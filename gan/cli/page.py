"""`gan new` writes a page for a method of one's own, with its config and its test, into one's own folder."""

import importlib.util
import keyword
import os
import re
import shlex
from pathlib import Path

from gan.base.errors import UserError
from gan.variants import VARIANT_MODULES

MAX_LENGTH = 40  # of a name, so that the lines of the templates stay within 120 characters
IMPORTED = ("AdversarialModule", "Loss", "Tensor")  # names that the page itself imports

# The templates are the files of a variant MyGAN. `MyGAN` and `my_gan` are replaced by the chosen names.
PAGE = '''\
"""MyGAN: what it is in a line, and where it comes from (paper, equation)."""

from gan.engine.game import AdversarialModule
from gan.parts.losses import Loss
from gan.variants.dcgan import DCGAN
from torch import Tensor
from torch.nn.functional import relu


def my_loss(*, margin: float = 1.0) -> Loss:
    """Hinge loss with a margin: put yours here. Keyword-only parameters are values of the recipe."""
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin}")

    def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """What D minimises: logits (N, 1) of real images and of fakes -> a scalar."""
        return relu(margin - real_logits).mean() + relu(margin + fake_logits).mean()

    def generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """What G minimises; for a loss that reads the real logits here, give Loss generator_reads_real=True."""
        return -fake_logits.mean()

    return Loss(discriminator, generator)


class MyGAN(AdversarialModule):
    """DCGAN but for the values listed here; `gan fit … --print_config` prints all of them."""

    defaults = DCGAN.defaults.merged(
        {
            "loss": {"name": "my_gan.my_loss", "margin": 1.0},
        }
    )
'''
CONFIG = """\
# MyGAN on MNIST's digits: what it should show, in a line.
# command:  gan fit --config my_gan.yaml
# time:     measure it, and name the machine
# metric:   FID on test images, with its spread over seeds
model: {class_path: my_gan.MyGAN}
data: {name: mnist}
trainer: {max_steps: 500}
evaluation: {every_n_steps: 250, num_samples: 2000}
image_grid: {every_n_steps: 100}
checkpoints: {every_n_steps: 250}
"""
TEST = '''\
"""MyGAN by the real commands: it learns, goes on bit for bit, and is sampled."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gan.cli import main
from gan.runs.checkpoint import find_checkpoint, read_checkpoint

CONFIG = Path(__file__).parent / "my_gan.yaml"
ALLOW = "--allow-import=my_gan"
SMALL = (
    "--data.source=embedded",
    "--model.recipe.batch_size=16",
    "--evaluation.every_n_steps=0",
    "--image_grid.every_n_steps=0",
)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of libraries


def gan(*words: object) -> None:
    """A command, which must end well."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 0


def fit(run: Path, steps: int) -> dict[str, torch.Tensor]:
    """The weights of both networks after so many steps."""
    gan("fit", "--config", CONFIG, *SMALL, f"--trainer.max_steps={steps}", "--run", run)
    return weights(run)


def weights(run: Path) -> dict[str, torch.Tensor]:
    """Those of a run's last checkpoint, by name."""
    return read_checkpoint(find_checkpoint(run))["state_dict"]


def test_it_learns_resumes_and_samples(tmp_path: Path) -> None:
    whole, early = fit(tmp_path / "whole", 4), fit(tmp_path / "run", 2)
    assert all(bool(tensor.isfinite().all()) for tensor in whole.values())
    for network in ("generator", "discriminator"):
        names = [name for name in whole if name.startswith(f"{network}.") and name.endswith("weight")]
        assert any(not torch.equal(early[name], whole[name]) for name in names), f"the {network} does not learn"

    gan("resume", tmp_path / "run", "--trainer.max_steps=4", ALLOW)
    resumed = weights(tmp_path / "run")
    assert resumed.keys() == whole.keys()
    for name, tensor in resumed.items():
        assert torch.equal(tensor, whole[name]), f"{name} is not what the run without a stop has"

    gan("sample", tmp_path / "run", "--num=4", ALLOW, "--out", tmp_path / "samples.npz")
    with np.load(tmp_path / "samples.npz") as file:
        assert file["images"].shape[0] == 4
        assert file["images"].dtype == np.uint8
'''


def module_name(name: str) -> str:
    """Return `my_gan` for `MyGAN`. UserError for a name that is not in CamelCase, or that would hide something."""
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name, re.ASCII) or keyword.iskeyword(name) or len(name) > MAX_LENGTH:
        raise UserError(
            f"NAME {name!r}: must be a class name in CamelCase, such as MyGAN: letters and digits, the first a "
            f"capital, at most {MAX_LENGTH}, no keyword of Python"
        )
    if name in VARIANT_MODULES or name in IMPORTED:
        raise UserError(f"NAME {name}: is a class of gan already; choose another, such as My{name}")
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    if keyword.iskeyword(module):
        raise UserError(f"NAME {name}: its file {module}.py could not be imported; choose another, such as My{name}")
    return module


def write_page(name: str, directory: Path) -> str:
    """Write a variant's page, config and test into `directory`, all or none. Returns a text that says what to run next.

    Raises UserError for a name that cannot be used, for files that exist already, and if a file cannot be written.
    """
    module = module_name(name)
    if not directory.is_dir():
        raise UserError(f"--into {directory}: no such folder; make it first")
    templates = {f"{module}.py": PAGE, f"{module}.yaml": CONFIG, f"test_{module}.py": TEST}
    for path in (directory / file for file in (*templates, module)):  # a folder my_gan would hide my_gan.py
        if os.path.lexists(path):
            raise UserError(f"{path}: is there already, and stays as it is; choose another NAME, or another folder")
    if importlib.util.find_spec(module):
        raise UserError(f"NAME {name}: {module}.py would hide the library {module}; choose another, such as My{name}")
    renamed = {file: text.replace("MyGAN", name).replace("my_gan", module) for file, text in templates.items()}
    _write({directory / file: text for file, text in renamed.items()})
    lines = [f"wrote {directory / file}" for file in templates]
    lines += [
        "next" if directory.samefile(Path.cwd()) else f"next, after cd {shlex.quote(str(directory))}",
        f"  gan fit --config {module}.yaml",
        f"  pytest test_{module}.py",
        f"`gan fit` imports {module}.py from where it is called. The commands that read a run import it if allowed:",
        f"  gan sample runs/{module}/{name}/seed_1 --allow-import {module} --out grid.png",
        f"  gan resume runs/{module}/{name}/seed_1 --allow-import {module} --trainer.max_steps 1000",
    ]
    return "\n".join(lines)


def _write(files: dict[Path, str]) -> None:
    """Write all files or none. A file that exists already is never overwritten."""
    written: list[Path] = []
    try:
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except BaseException as error:
        for done in written:
            done.unlink()
        if isinstance(error, OSError):
            raise UserError(f"{path}: cannot be written ({error.strerror})") from None
        raise
