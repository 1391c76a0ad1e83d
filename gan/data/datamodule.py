"""`ImageDataModule`: any data set as Lightning wants it, with its order in the checkpoint."""

import inspect
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from gan.base.choices import nearest, resolve
from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.data.batches import DeviceBatches, StackedBatches
from gan.data.dataset import DATASETS, Dataset, LoadedData, source_again
from gan.data.files.names import near_misses

DEFAULT_ROOT = "data"


class ImageDataModule(pl.LightningDataModule):
    """Real images for training, selection and testing.

    `image_shape` (C, H, W), `num_classes` (0 without classes) and `class_names` are known at once. `loaded` is there
    after `setup`.

    Args:
        name: a key of `DATASETS`, an importable path, or a mapping {name: …, parameter: …}.
        root: the folder with the data set's files. Downloads go there, too. None is the folder `data` of the working
            directory, which may lack the files where the set has other images. Of a root that is given, it must not.
        source: where the images come from: one of the data set's `sources`. "auto" takes the first that is there.
        split: which images are trained on: one of the data set's `splits`, None for the first. In this package the
            first split holds images out, and "full" trains on these, too.
    """

    def __init__(
        self,
        name: str | dict = "mnist",
        root: str | None = None,
        source: str = "auto",
        split: str | None = None,
    ) -> None:
        super().__init__()
        dataset_class, parameters = resolve(name, DATASETS, kind="data.name")
        for key in getattr(dataset_class, "paths", ()):
            if parameters.get(key) is not None:
                parameters[key] = str(absolute(parameters[key], f"data.{key}"))
        try:
            inspect.signature(dataset_class).bind(**parameters)
        except (TypeError, ValueError) as error:  # a parameter that is not keyword-only, or no class at all
            raise UserError(f"data.name: {name!r} cannot be built ({error}); see gan.data.dataset.Dataset") from None
        self.dataset: Dataset = dataset_class(**parameters)
        for attribute in ("name", "image_shape", "class_names", "sources", "splits", "prepare", "load"):
            if not hasattr(self.dataset, attribute):
                raise UserError(f"data.name: {name!r} has no {attribute!r}; see gan.data.dataset.Dataset")
        split = self.dataset.splits[0] if split is None else split
        for field, value, allowed in (
            ("source", source, self.dataset.sources),
            ("split", split, self.dataset.splits),
        ):
            if value not in allowed:
                raise UserError(f"data.{field}: unknown {value!r}; {nearest(str(value), allowed)}")
        self._choice = {"name": name if isinstance(name, str) else name["name"], **parameters}
        self.root = absolute(DEFAULT_ROOT if root is None else root, "data.root")
        self.source, self.split = source, split
        if os.path.exists(self.root) and not os.path.isdir(self.root):
            raise UserError(f"{self.root}: a file, not a folder; point --data.root at the folder that holds it")
        if root is not None and hasattr(self.dataset, "elsewhere"):
            self.dataset.root_is_given = True
            self._refuse_no_folder()
        if hasattr(self.dataset, "look"):
            self.dataset.look(self.root)
        self.image_shape = tuple(self.dataset.image_shape)
        self.class_names = tuple(self.dataset.class_names)
        self.num_classes = len(self.class_names)
        self._loaded: LoadedData | None = None
        self._batches: DeviceBatches | StackedBatches | None = None
        self._position = 0  # where the next loader starts

    def _refuse_no_folder(self) -> None:
        """Raise UserError if the root that was given is not there, and is neither useless nor to be made."""
        if self.root.is_dir() or self.source in ("download", *self.dataset.elsewhere):  # type: ignore[attr-defined]
            return
        download = ", or give --data.source=download to make it" if "download" in self.dataset.sources else ""
        raise UserError(
            f"{self.root}: no such folder{near_misses(self.root, ())}; point --data.root at the folder that holds the "
            f"files of {self.dataset.name}{download}"
        )

    @property
    def pinned(self) -> dict[str, Any]:
        """The arguments that give the same images from anywhere: all paths are absolute. Known after `setup`."""
        source = source_again(self.dataset.sources, self.source, self.loaded.source, self.loaded.name)
        return {"name": self._choice, "root": str(self.root), "source": source, "split": self.split}

    @property
    def loaded(self) -> LoadedData:
        if self._loaded is None:
            raise RuntimeError("call ImageDataModule.setup() first")
        return self._loaded

    @property
    def position(self) -> int:
        """Training images drawn so far by all ranks together."""
        return self._position if self._batches is None else self._batches.position

    def prepare_data(self) -> None:
        with torch.random.fork_rng(devices=[]):  # a set that seeds PyTorch must not seed the run
            self.dataset.prepare(self.root, self.source)

    def setup(self, stage: str | None = None) -> None:
        trainer = self.trainer
        if stage == "fit" and trainer is not None and trainer.global_step == 0:
            self._batches, self._position = None, 0  # another run with the same module starts the order anew
        if stage == "fit" and trainer is not None and trainer.world_size > 1:
            self._load_as_all_do(trainer.world_size)
        self._loaded = self._loaded or self._load()

    def _load(self) -> LoadedData:
        with torch.random.fork_rng(devices=[]):
            loaded = self.dataset.load(self.root, self.source, self.split)
        if tuple(loaded.train.images.shape[1:]) != self.image_shape:
            shape = tuple(loaded.train.images.shape[1:])
            raise UserError(f"data set {loaded.name}: its images are {shape}, it announced {self.image_shape}")
        own = evaluator_file(self.root, loaded.name, self.image_shape)
        evaluator = loaded.evaluator or ({"name": "classifier", "file": str(own)} if own.is_file() else None)
        return replace(loaded, split=loaded.split or self.split, evaluator=evaluator)

    def _load_as_all_do(self, world_size: int) -> None:
        """Load, and compare the data of all ranks: all raise, or none. Collective."""
        every: list[Any] = [None] * world_size
        try:
            self._loaded = self._loaded or self._load()
            mine = "", _brief(self._loaded), self._loaded.provenance
        except UserError as error:
            mine = str(error), "", {}
        torch.distributed.all_gather_object(every, mine)
        for rank, (error_line, brief, _) in enumerate(every):
            if error_line:
                raise UserError(f"rank {rank}: {error_line}")
            if every[rank] != every[0]:
                raise UserError(
                    f"data set {self.dataset.name}: rank {rank} has {brief}, rank 0 has {every[0][1]}; "
                    f"give every machine the same files under {self.root}"
                )

    def train_dataloader(self) -> DeviceBatches | StackedBatches:
        trainer = self.trainer
        assert trainer is not None, "Lightning attaches the trainer"
        position = self.position
        model: Any = trainer.lightning_module  # an AdversarialModule, or anything with such a recipe and seeds
        batches = DeviceBatches(
            self.loaded.train,
            batch_size=model.recipe.batch_size,
            replacement=model.recipe.sampling == "replacement",
            seed=model.seeds.order,
            device=trainer.strategy.root_device,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        copies = getattr(model, "copies", None)  # of a pack: games with seeds of their own
        self._batches = StackedBatches(batches, [copy.seeds.order for copy in copies]) if copies else batches
        self._batches.position = position
        return self._batches

    def state_dict(self) -> dict[str, Any]:
        if self._loaded is None:
            return {}
        return {"position": self.position, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not state:
            return
        self.setup()
        present = self._identity()
        for field in ("name", "train_images"):
            if state[field] != present[field]:
                raise UserError(
                    f"data: the checkpoint was trained with {field} {state[field]}, here it is {present[field]}; "
                    "resume with the same --data.name, --data.split and files (--data.root=DIR)"
                )
        # The same images may come from another source, in other files. Older checkpoints may name no files.
        before, now = state.get("files") or present["files"], present["files"]
        if state["source"] == present["source"] and before != now:
            changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
            raise UserError(
                f"data: the checkpoint was trained with other images than these: {', '.join(changed)} changed under "
                f"{self.root}; resume with the same files (--data.root=DIR)"
            )
        self._position = state["position"]
        if self._batches is not None:
            self._batches.position = self._position

    def _identity(self) -> dict[str, Any]:
        """What a resumed run must find again; images without files are their own checksum."""
        loaded = self.loaded
        files = dict(loaded.files) or {"training images": loaded.train.sha256}  # name -> sha256
        return {"name": loaded.name, "train_images": len(loaded.train), "source": loaded.source, "files": files}


def evaluator_file(root: Path, name: str, image_shape: tuple[int, ...]) -> Path:
    """Return where the classifier of a data set lies that `gan evaluator` made. It measures these images then."""
    return root / f"evaluator_{name}_{'x'.join(map(str, image_shape))}.safetensors"


def _brief(loaded: LoadedData) -> str:
    """Number, source and digest of the training images."""
    return f"{len(loaded.train)} training images from {loaded.source} (sha256 {loaded.train.sha256[:12]})"
