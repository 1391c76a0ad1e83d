"""A run's data are pinned: root, source and checksums are recorded, and later commands use these or stop."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan.base.choices import named, normalise
from gan.base.errors import UserError
from gan.base.notes import say
from gan.data.datamodule import ImageDataModule
from gan.data.dataset import DATASETS, LoadedData, importable, source_again
from gan.runs.checkpoint import read_checkpoint, refuse_foreign
from gan.runs.config import Part, read_config
from gan.runs.directory import CONFIG
from gan.runs.exported import config_beside
from gan.runs.plan import complete_data, recorded_data
from gan.runs.reader import Run, run_of

# Of what a run recorded of its images: what does not name a folder or file of its machine.
EXPORTED = (
    *("name", "source", "split", "counts", "held_out_is_trained_on"),
    *("files", "data_sha256", "official", "image_shape", "class_names"),
)


def with_recorded_source(config: Part, recorded: Mapping[str, Any]) -> Part:
    """Return a run's own file with the source that `recorded` says was used, where the file says `auto`.

    Runs of older versions wrote what was asked for.
    """
    data = recorded_data(config)
    if data.get("source", "auto") != "auto" or not recorded:
        return config
    sources = getattr(named((data.get("name") or {}).get("name", "mnist"), DATASETS, "data.name"), "sources", ())
    source = source_again(sources, "auto", str(recorded.get("source")), str(recorded.get("name")))
    return replace(config, tree=config.tree | {"data": {**config.tree.get("data", {}), "source": source}})


def recorded_images(run: Run) -> dict[str, Any]:
    """Return what a run's last start or resumption recorded of its images. Empty if it recorded nothing."""
    data = run.provenance[-1].get("data") if run.provenance else None
    return data if isinstance(data, dict) else {}


def refuse_useless_root(settings: Mapping[str, Any], where: str) -> None:
    """Raise UserError for a root that was given to a source that does not look into it."""
    if settings["source"] in getattr(named(settings["name"]["name"], DATASETS, "data.name"), "elsewhere", ()):
        raise UserError(
            f"--data.root: {where} has the images of --data.source={settings['source']}, which lie in no folder; "
            "remove the flag"
        )


def refuse_other_images(recorded: Mapping[str, Any], loaded: LoadedData, root: Path, where: str) -> None:
    """Raise UserError unless the images are those that were recorded."""
    files, now = recorded.get("files"), dict(loaded.files) or {"training images": loaded.train.sha256}
    before = files if isinstance(files, dict) and files else now
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    # Older entries, and checkpoints, name the files alone, or the pixels of a set without files.
    if changed or recorded.get("data_sha256", loaded.sha256) != loaded.sha256:
        names = ", ".join(map(str, changed[:4])) + ", …" * (len(changed) > 4) or "what is made of the files"
        raise UserError(
            f"{where}: was trained on other images than these: {names} changed under {root} ({loaded.name} from "
            f"{loaded.source}); give --data.root=DIR, the folder that holds the same files"
        )


def images_to_measure(
    path: str | Path, file: Path, place: Mapping[str, Any], allow_import: Collection[str] = ()
) -> tuple[ImageDataModule, ImageDataModule]:
    """Return the images that a generator was trained on, and those that it is measured on: mostly the same.

    `path` is a run or a file, and `file` the generator in it. `place` is {root, source}, both optional. A root alone
    says where the run's images are now. Another source than the run's names other images of the same data set. Raises
    UserError if the run's images are not those that were recorded.
    """
    if (run := run_of(path)) is not None:
        where, recorded = str(run.directory), recorded_images(run)
        config = read_config(run.directory / CONFIG)
        refuse_foreign(importable(config.tree.get("data", {}).get("name")), allow_import, str(path), called=True)
        settings = complete_data({"name": {}, **recorded_data(with_recorded_source(config, recorded))})
    else:
        where, recorded = str(file), _of_file(file)
        choice = normalise(recorded.get("choice", recorded["name"]), "data.name")
        refuse_foreign(importable(choice), allow_import, where, called=True)
        sources = getattr(named(choice["name"], DATASETS, "data.name"), "sources", ())
        source = source_again(sources, "auto", recorded["source"], recorded["name"])
        settings = complete_data({"name": choice, "source": source, "split": recorded.get("split")})
    elsewhere = place.get("source") not in (None, settings["source"])
    if not elsewhere and place.get("root") is not None:
        refuse_useless_root(settings, where)
        settings["root"] = place["root"]
    try:
        own = _read(settings)
        refuse_other_images(recorded, own.loaded, own.root, where)
    except UserError as error:
        why = " (the run's own images are needed to see which of the others were trained on)" if elsewhere else ""
        raise UserError(f"{error}{why}") from None
    if not elsewhere:
        return own, own
    images = _read(own.pinned | dict(place))
    if images.loaded.sha256 != own.loaded.sha256:
        say(
            f"note: measured on {images.loaded.name} from {images.loaded.source}, not on the run's own images from "
            f"{own.loaded.source}; the row has `source: {images.loaded.source}`"
        )
    return own, images


def _read(settings: Mapping[str, Any]) -> ImageDataModule:
    images = ImageDataModule(**settings)
    images.prepare_data()
    images.setup()
    return images


def images_to_export(run: Run) -> dict[str, Any] | None:
    """Return what an export says of a run's images, or None if the run recorded nothing.

    `choice` names the data set. It is absent if it names a folder, which is on this machine alone.
    """
    recorded = recorded_images(run)
    if not recorded:
        return None
    choice = normalise(recorded_data(read_config(run.directory / CONFIG)).get("name") or recorded["name"], "data.name")
    is_elsewhere = any(isinstance(value, str) and Path(value).is_absolute() for value in choice.values())
    facts = {key: recorded[key] for key in EXPORTED if key in recorded}
    if isinstance(names := getattr(DATASETS.get(choice["name"]), "class_names", None), tuple):
        facts = {"class_names": list(names), **facts}
    return facts | ({} if is_elsewhere else {"choice": choice})


def _of_file(file: Path) -> dict[str, Any]:
    """Return what a file outside any run says of its images: name, source, files, and an export also choice and split.

    UserError for a file that does not say it, or in a way that `images_to_measure` cannot use.
    """
    is_snapshot = file.suffix == ".safetensors"
    found = (config_beside(file) or {}).get("data") if is_snapshot else read_checkpoint(file).get("ImageDataModule")
    state = found if isinstance(found, dict) else {}
    needed = {"name": str, "source": str} | ({"choice": dict, "data_sha256": str} if is_snapshot else {})
    is_said = all(isinstance(state.get(key), kind) for key, kind in needed.items())
    if not is_said or not (is_snapshot or state["name"] in DATASETS):
        raise UserError(
            f"{file}: lies in no run, and does not say which images it was trained on; give the run, or a file in it"
        )
    return state
