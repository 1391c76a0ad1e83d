"""The commands of `gan`, each from its words to its exit code."""

import argparse
import json
import logging
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gan.base.choices import import_from, nearest
from gan.base.errors import UserError
from gan.base.images import grid, write_png
from gan.cli.help import DATA_HELP, FIT_HELP, RESUME_HELP
from gan.cli.new import write_page
from gan.data.datamodule import ImageDataModule
from gan.data.dataset import DATASETS, importable, table
from gan.engine.sampling import Sampler
from gan.measure.measurement import Measurement, to_json
from gan.measure.scorer import UNSURE
from gan.runs import fit as runs
from gan.runs.checkpoint import describe, find_checkpoint, load, refuse_foreign
from gan.runs.config import Flags, compose, parse_flags, read_config, resolve_data, resolve_model, shipped_configs
from gan.runs.directory import CONFIG, PROVENANCE, write_text
from gan.runs.provenance import commit
from gan.variants import VARIANTS

MAX_SAMPLES = 1_000_000
COLUMNS = 10  # of a grid


class Parser(argparse.ArgumentParser):
    """argparse that takes whole option names only, and reports mistakes as UserError."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        """One line, as for every other mistake."""
        raise UserError(f"{message}; see {self.prog} --help")


def run(command: str, words: list[str]) -> int:
    """Dispatch; UserError for an unknown command."""
    for name in ("pytorch_lightning", "lightning_fabric"):  # its tips, device lines and "Seed set to"
        logging.getLogger(name).setLevel(logging.WARNING)
    if command not in COMMANDS:
        raise UserError(f"unknown command {command!r}; {nearest(command, COMMANDS)}")
    return COMMANDS[command](words)


def _fit(words: list[str]) -> int:
    if "--help" in words or "-h" in words:
        lists = {"configs": [name for name in shipped_configs() if "/" not in name]}
        lists |= {"variants": list(VARIANTS), "data_sets": list(DATASETS)}
        fill = textwrap.TextWrapper(96, " " * 36, " " * 36, break_on_hyphens=False).fill
        print(FIT_HELP.format(**{key: fill(", ".join(names)) for key, names in lists.items()}), end="")
        return 0
    flags = parse_flags(words, switches=("overwrite", "print_config"))
    if "print_config" in flags.switches:
        import yaml

        print(yaml.safe_dump(resolve_model(compose(flags)), sort_keys=False), end="")
        return 0
    return _say(runs.fit(flags))


def _resume(words: list[str]) -> int:
    if not words or "--help" in words or "-h" in words:
        print(RESUME_HELP, end="")
        return 0
    directory, *rest = words
    if directory.startswith("--"):
        raise UserError("the run comes first: gan resume RUN --trainer.max_steps=N")
    flags = parse_flags(rest)
    allowed = [str(value) for key, value in flags.values if key == "allow-import"]
    flags = Flags(configs=flags.configs, values=[(k, v) for k, v in flags.values if k != "allow-import"])
    if flags.configs:
        raise UserError("--config may not be given on resuming; the run's own is used")
    return _say(runs.resume(Path(directory), flags, allowed))


def _say(outcome: runs.Outcome) -> int:
    """The exit code; the first process prints where everything is."""
    if outcome.is_global_zero:
        _print_end(outcome)
    return 128 + outcome.signal if outcome.signal else 0


def _print_end(outcome: runs.Outcome) -> None:
    directory = outcome.directory
    try:
        checkpoint = str(find_checkpoint(directory))
    except UserError:
        checkpoint = "none yet"
    newest = sorted((directory / "samples").glob("step_*.png"))[-1:]
    print(f"run         {directory}")
    print(f"checkpoint  {checkpoint}")
    print(f"samples     {newest[0] if newest else 'none'}")
    if outcome.report:
        row = outcome.report
        floor = f"(floor, real against real: {row['fid_floor']:.2f})"
        real = f"{row['num_real']} {row['data_set']} test images, {row['source']}"
        print(f"FID         {row['fid']:.2f} on {real} {floor}")
        share, confidence = row["min_class_share"], row["median_confidence"]
        print(f"classes     rarest {share:.1%} of {row['num_fake']}, median confidence {confidence:.3f}")
    print(f"curves      tensorboard --logdir {directory}")
    if outcome.signal:
        print(f"stopped by a signal at step {outcome.step}; go on with: gan resume {directory}")


def _sample(words: list[str]) -> int:
    parser = Parser(prog="gan sample", description="Draw images from a trained generator.")
    _add_source(parser)
    parser.add_argument("--num", type=int, default=100, help="images (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")
    parser.add_argument("--class", type=int, dest="label", help="of a conditional generator (default: each in turn)")
    parser.add_argument("--interpolate", action="store_true", help="rows of ten from one latent to another")
    parser.add_argument("--out", type=Path, required=True, help="samples.npz (array `images`, uint8) or grid.png")
    options = parser.parse_args(words)
    if not 1 <= options.num <= MAX_SAMPLES:
        raise UserError(f"--num must be from 1 to {MAX_SAMPLES}, got {options.num}")
    if options.out.suffix not in (".npz", ".png"):
        raise UserError(f"--out must end in .npz (an array) or .png (a grid), got {options.out}")
    if not options.out.parent.is_dir():
        raise UserError(f"--out: no directory {options.out.parent}; make it first")
    if options.interpolate and options.num % COLUMNS:
        raise UserError(f"--interpolate draws rows of {COLUMNS}: --num must be a multiple of it, got {options.num}")
    sampler = _load(options, _file(options))
    if options.label is not None and not 0 <= options.label < sampler.num_classes:
        allowed = f"0 to {sampler.num_classes - 1}" if sampler.num_classes else "none: the generator is unconditional"
        raise UserError(f"--class {options.label}: no class of this generator; allowed: {allowed}")
    if options.interpolate:
        images = sampler.interpolate(options.num // COLUMNS, COLUMNS, options.seed, options.label)
    else:
        images = sampler.sample(options.num, options.seed, label=options.label)
    try:
        if options.out.suffix == ".png":
            write_png(grid(images), options.out)
        else:
            # (N, C, H, W) -> (N, H, W) for grey images, (N, H, W, 3) for coloured ones
            array = images.squeeze(1) if images.shape[1] == 1 else images.permute(0, 2, 3, 1)
            np.savez_compressed(options.out, images=array.numpy())
    except OSError as error:
        raise UserError(f"--out {options.out}: cannot write ({error.strerror})") from None
    print(f"{options.num} images in {options.out}")
    return 0


def _evaluate(words: list[str]) -> int:
    parser = Parser(prog="gan evaluate", description="Measure a trained generator on test images.")
    _add_source(parser)
    parser.add_argument("--num", type=int, default=10000, help="fakes (default 10000)")
    parser.add_argument("--data.root", dest="root", help="folder of the real images (default: the run's)")
    parser.add_argument("--data.source", dest="source", help="see gan data --help (default: the run's)")
    parser.add_argument("--json", type=Path, help="write the row, with its protocol, to this file")
    options = parser.parse_args(words)
    if not 2 <= options.num <= MAX_SAMPLES:
        raise UserError(f"--num must be from 2 to {MAX_SAMPLES}, got {options.num}")
    file = _file(options)
    sampler = _load(options, file)
    settings = dict(_run_config(options.path).get("data", {}))
    refuse_foreign(importable(settings.get("name")), options.allow_import, str(options.path), called=True)
    settings |= {key: value for key in ("root", "source") if (value := getattr(options, key)) is not None}
    data = ImageDataModule(**settings)
    data.prepare_data()
    data.setup()
    origin = {"generator": str(file), **describe(file), "commit": commit()}
    row = {**origin, **Measurement(data.loaded, "report", options.num)(sampler)}
    if options.json:
        try:
            write_text(options.json, to_json(row, indent=1) + "\n")
        except OSError as error:
            raise UserError(f"--json {options.json}: cannot write ({error.strerror})") from None
    real = f"{row['num_real']} {row['data_set']} test images, {row['source']}"
    images = f"{row['num_fake']} fakes of {row['weights']} weights, {real}"
    print(f"FID                {row['fid']:.3f} ({images})")
    print(f"floor              {row['fid_floor']:.3f} (real training images in place of the fakes)")
    print(f"median confidence  {row['median_confidence']:.4f} ({row['unsure_share']:.1%} below {UNSURE})")
    shares = "  ".join(f"{n}: {share:.1%}" for n, share in zip(data.class_names, row["class_share"], strict=True))
    print(f"class shares       {shares}")
    if row["label_agreement"] is not None:
        print(f"label agreement    {row['label_agreement']:.1%} of the fakes are what their label says")
    print(f"protocol           {row['protocol']} ({row['extractor']} v{row['extractor_version']})")
    return 0


def _file(options: argparse.Namespace) -> Path:
    """The checkpoint or snapshot that a command names."""
    if options.checkpoint and options.path.is_file():
        raise UserError(f"--checkpoint {options.checkpoint} is for a run; {options.path} is a file")
    return find_checkpoint(options.path, options.checkpoint or "last")


def _load(options: argparse.Namespace, file: Path) -> Sampler:
    """The generator that a command names; what `--allow-import` allows is found where its run found it."""
    if options.allow_import:
        import_from(_run_config(options.path).get("pythonpath"))
    return load(file, options.allow_import, options.weights)


def _run_config(path: Path) -> dict[str, Any]:
    """The configuration of the run that `path` is or lies in; empty for a file outside any run."""
    for directory in (path, path.absolute().parent, path.absolute().parent.parent):
        if (directory / CONFIG).is_file() and (directory / PROVENANCE).is_file():
            return read_config(str(directory / CONFIG))
    return {}


def _add_source(parser: Parser) -> None:
    parser.add_argument("path", type=Path, metavar="CKPT|RUN", help="a run, a checkpoint, or a generator snapshot")
    help = "of a run: the last (default), or the one with the lowest FID on held-out images"
    parser.add_argument("--checkpoint", choices=("last", "best"), help=help)
    help = "the generator's own weights, or their average (default: the average where there is one)"
    parser.add_argument("--weights", choices=("raw", "ema"), help=help)
    help = "a package outside gan that its code may come from"
    parser.add_argument("--allow-import", action="append", default=[], metavar="PACKAGE", help=help)


def _data(words: list[str]) -> int:
    if "--help" in words or "-h" in words:
        print(DATA_HELP.format(table=table()), end="")
        return 0
    data = ImageDataModule(**_data_settings(words))
    data.prepare_data()
    data.setup()
    print(json.dumps(data.loaded.provenance, indent=1))
    return 0


def _data_settings(words: list[str]) -> dict[str, Any]:
    """Arguments of `ImageDataModule` from NAME and the flags before and behind it."""
    place = 0
    while place < len(words) and words[place].startswith("--"):
        place += 1 if "=" in words[place] else 2
    if place >= len(words):
        raise UserError("which data set? Give gan data NAME; see gan data --help")
    try:
        flags = parse_flags(words[:place] + words[place + 1 :])
        given = ["config"] * bool(flags.configs) + [key for key, _ in flags.values]
        for key in given:
            if not key.startswith("data.") or key in ("data.name", "data.name.name"):
                raise UserError(f"--{key}: gan data takes a name and keys of that data set, --data.KEY=VALUE")
        return resolve_data(compose(Flags(values=[("data.name", words[place]), *flags.values]))["data"])
    except UserError as error:
        raise UserError(f"{error}; see gan data --help") from None


def _new(words: list[str]) -> int:
    parser = Parser(prog="gan new", description="Write the page of a variant of your own, its config and its test.")
    parser.add_argument("name", metavar="NAME", help="its class, such as MyGAN; the files are my_gan.py, …")
    parser.add_argument("--into", type=Path, default=Path(), metavar="DIR", help="folder (default: the working one)")
    options = parser.parse_args(words)
    print(write_page(options.name, options.into))
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "fit": _fit,
    "resume": _resume,
    "sample": _sample,
    "evaluate": _evaluate,
    "data": _data,
    "new": _new,
}
