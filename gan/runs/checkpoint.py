"""Reads trained generators from full checkpoints, snapshots and runs, and writes snapshots. No file is trusted.

A checkpoint is read with `weights_only=True`, and a snapshot is a safetensors file. Neither can run code. Both name
classes. Those of this package may be imported; others only if the caller allows their package.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch

from gan.base.choices import foreign_names
from gan.base.disk import replacing
from gan.base.errors import UserError
from gan.base.importing import import_folders_restored
from gan.engine.formats import FORMAT, recorded_format, recorded_recipe
from gan.engine.recipe import Recipe
from gan.engine.sampling import Sampler, untrained
from gan.engine.saving import KEY
from gan.runs.exported import CONFIG, config_beside
from gan.runs.integrity import damage
from gan.runs.reader import find_checkpoint
from gan.runs.sample import import_its_code
from gan.runs.trust import refuse_names
from gan.variants import VARIANT_MODULES, variant_class

if TYPE_CHECKING:
    from gan.engine.game import AdversarialModule

MAX_BYTES = 4 * 2**30  # of a checkpoint; those of small-image GANs have some megabytes


@dataclass(frozen=True)
class Recorded:
    """What a file holds of a generator. Nothing of it is checked."""

    variant: Any  # the importable path of its class
    format: int
    hyper_parameters: Any
    step: Any
    seed: Any  # of the run; None if the file does not say it
    state: dict[str, Any]  # the weights by name
    kinds: set[str]  # of weights: `raw`, `ema`


def save_snapshot(module: "AdversarialModule", step: int, path: Path) -> None:
    """Write the generator's weights, or their average if there is one. The header says how to rebuild the generator.

    The header also has a checksum of all. The file appears only when it is complete.
    """
    sampler = module.sampler()
    variant = f"{type(module).__module__}.{type(module).__qualname__}"
    header = {"variant": variant, "hyper_parameters": dict(module.hparams), "step": step}
    with replacing(path) as part:
        part.write_bytes(snapshot(sampler, header)[0])


def snapshot(sampler: Sampler, values: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the content of a snapshot and its header. `values` are variant, hyper_parameters, step and the like."""
    header = {"format": FORMAT, **values, "weights": sampler.weights}
    header = json.loads(json.dumps(header))  # as it will be read
    weights = {
        f"{name}.{key}": tensor.contiguous()
        for name, network in _networks(sampler).items()
        for key, tensor in network.state_dict().items()
    }
    header["sha256"] = _sha256(header, weights)
    return safetensors.torch.save(weights, {"gan": json.dumps(header)}), header


def _sha256(header: dict[str, Any], weights: dict[str, torch.Tensor]) -> str:
    """Return the checksum of a snapshot's header and weights."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a full checkpoint: plain values and tensors on the CPU.

    Raises UserError, in one line, for a file that is damaged or no checkpoint of this package.
    """
    _check_file(path)
    if reason := damage(path):
        raise UserError(f"{path}: damaged, or no checkpoint ({reason}); give a sound one that gan fit wrote")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged or hostile bytes may raise anything
        raise UserError(
            f"{path}: not a readable checkpoint ({_first_line(error)}); give one that gan fit wrote"
        ) from None
    expected = {KEY: dict, "hyper_parameters": dict, "state_dict": dict, "global_step": int}
    if not isinstance(checkpoint, dict) or not all(isinstance(checkpoint.get(k), t) for k, t in expected.items()):
        raise UserError(f"{path}: not a checkpoint of this package; give one that gan fit wrote")
    return checkpoint


@import_folders_restored()
def load(path: str | Path, allow_import: Collection[str] = (), weights: str | None = None) -> Sampler:
    """Return the trained generator in a run, a checkpoint, a snapshot or an export: `gan.load("runs/…").sample(64)`.

    Of a run the last sound checkpoint is taken. `allow_import` names packages outside `gan` that classes may come from;
    they are imported from where the run found them.
    `weights` is `raw` or `ema`, by default `ema` if the file has them. Raises UserError for a path that is none of
    these, for weights that the file lacks, and for classes from packages that are not allowed.
    """
    file = find_checkpoint(path)
    if allow_import:
        import_its_code(file)
    recorded = read_recorded(file)
    state, has = recorded.state, recorded.kinds
    weights = weights or ("ema" if "ema" in has else "raw")
    if weights not in has:
        raise UserError(f"{file}: has no {weights} weights of a generator; it has {', '.join(sorted(has)) or 'none'}")
    sampler = build_sampler(
        recorded.variant, recorded.hyper_parameters, recorded.format, state, weights, allow_import, str(file)
    )
    averaged = weights == "ema" and file.suffix != ".safetensors"  # a snapshot has no names with `average`
    try:
        for name, network in _networks(sampler).items():
            average = "average" if name == "generator" else f"average_{name}"
            network.load_state_dict(part_of(state, f"{average if averaged else name}."))
    except (RuntimeError, AttributeError, TypeError) as error:  # wrong shapes, or values that are no tensors
        raise UserError(f"{file}: its weights do not fit its recipe ({_first_line(error)})") from None
    return sampler.eval().requires_grad_(False)


def _networks(sampler: Sampler) -> dict[str, torch.nn.Module]:
    """Return the generator and the modules that a variant adds to it, by name."""
    return {"generator": sampler.generator, **dict(sampler.further.items())}


def part_of(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the weights whose names begin with `prefix`, without that prefix."""
    return {name.removeprefix(prefix): value for name, value in state.items() if str(name).startswith(prefix)}


def describe(path: str | Path) -> dict[str, Any]:
    """Return {step, seed} of a run, checkpoint, snapshot or export. The seed is None if the file does not say it."""
    recorded = read_recorded(find_checkpoint(path))
    return {"step": recorded.step, "seed": recorded.seed}


def read_recorded(file: Path) -> Recorded:
    """Return what a checkpoint or snapshot holds of a generator. UserError for a file that is neither."""
    if file.suffix == ".safetensors":
        header, state = _read_snapshot(file)
        number = recorded_format(header, str(file))
        if number == 1:  # such a file has the generator alone, and no prefix
            state = {f"generator.{name}": tensor for name, tensor in state.items()}
        values, kinds = header.get("hyper_parameters"), {str(header.get("weights", "raw"))}
        return Recorded(header.get("variant"), number, values, header.get("step"), header.get("seed"), state, kinds)
    checkpoint = read_checkpoint(file)
    adversarial, state = checkpoint[KEY], checkpoint["state_dict"]
    kinds = {kind for kind, prefix in (("raw", "generator."), ("ema", "average.")) if part_of(state, prefix)}
    variant, number = adversarial.get("variant"), recorded_format(adversarial, str(file))
    values, step = checkpoint["hyper_parameters"], checkpoint["global_step"]
    return Recorded(variant, number, values, step, adversarial.get("run_seed"), state, kinds)


def build_sampler(
    variant: Any,
    hyper_parameters: Any,
    number: int,
    state: dict[str, Any],
    weights: str,
    allow_import: Collection[str],
    where: str,
) -> Sampler:
    """Return the untrained generator of the variant that a file of format `number` names, for the weights in `state`.

    Raises UserError for a class that may not be imported, or that is no variant.
    """
    recipe, image_shape, classes = built_from(variant, hyper_parameters, number, allow_import, where)
    made = variant_class(variant, f"{where}: variant") if _needs_its_class(variant, state) else None
    with torch.random.fork_rng(devices=[]):  # the initial weights are thrown away
        if made:
            return made(recipe, image_shape, classes).sampler(weights)
        return untrained(Recipe.of(recipe, variant.rpartition(".")[2]), image_shape, classes, weights)


def built_from(
    variant: Any, hyper_parameters: Any, number: int, allow_import: Collection[str], where: str
) -> tuple[dict[str, Any], tuple[int, int, int], int]:
    """Return the recipe, the shape of images and the number of classes that a file of format `number` names.

    Raises UserError for what is none of these, and for code that is not allowed.
    """
    values = hyper_parameters if isinstance(hyper_parameters, dict) else {}
    recipe, shape, classes = (values.get(name) for name in ("recipe", "image_shape", "num_classes"))
    if not (isinstance(variant, str) and "." in variant and isinstance(recipe, dict) and isinstance(classes, int)):
        raise UserError(f"{where}: does not say how it was built (variant, recipe, image_shape, num_classes)")
    if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and 0 < n <= 4096 for n in shape)):
        raise UserError(f"{where}: image_shape must be [channels, height, width], got {shape!r}")
    refuse_foreign({"class_path": variant, "recipe": recipe}, allow_import, where)
    return recorded_recipe(recipe, number), (shape[0], shape[1], shape[2]), classes


def _needs_its_class(variant: str, state: dict[str, Any]) -> bool:
    """Return whether the recipe alone does not say how a generator is built, so that its variant must be imported.

    It says so for the variants of this package, unless a module or a buffer of the variant stands beside the networks.
    """
    module, _, name = variant.rpartition(".")
    parts = {str(key).split(".")[0] for key in state}
    return VARIANT_MODULES.get(name) != module or not parts <= {"generator", "discriminator", "average"}


def refuse_foreign(tree: Any, allow_import: Collection[str], where: str, called: bool = False) -> None:
    """Raise UserError if a tree of choices names code of a package that is not allowed (`foreign_names`)."""
    refuse_names(list(foreign_names(tree, called)), allow_import, where)


def _read_snapshot(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the header (variant, hyper_parameters, step, …) and the weights."""
    _check_file(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["gan"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        header = dict(header)
        checksum = header.get("sha256")  # older snapshots have none
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path}: not a generator snapshot ({_first_line(error)}); give one that gan fit wrote"
        ) from None
    if checksum not in (None, _sha256({key: value for key, value in header.items() if key != "sha256"}, weights)):
        raise UserError(f"{path}: damaged (its checksum is another); give a sound one that gan fit wrote")
    config = config_beside(path)
    changed = [key for key, value in header.items() if config is not None and config.get(key) != value]
    if changed:
        says = f"{path.with_name(CONFIG)}: says another {changed[0]} than {path.name} beside it"
        raise UserError(f"{says}, so one of them was changed; take the whole export anew")
    return header, weights


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: no such file or run; give a run of gan fit, or one of its checkpoints")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: {path.stat().st_size} bytes, more than the {MAX_BYTES} that a checkpoint may have")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")[:160]
