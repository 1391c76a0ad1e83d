"""`ImageDataModule`: any data set as Lightning wants it, with its order in the checkpoint."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from gan.choices import nearest, resolve
from gan.data.batches import DeviceBatches
from gan.data.dataset import DATASETS, Dataset, LoadedData
from gan.errors import UserError


class ImageDataModule(pl.LightningDataModule):
    """Real images for training, selection and testing.

    `image_shape` (C, H, W), `num_classes` and `class_names` are known at once, `loaded` after `setup`.

    Args:
        name: a key of `DATASETS`, an importable path, or a mapping {name: …, parameter: …}.
        root: folder with the files of the data set; what is downloaded goes there too.
        source: where the images come from; "auto" takes the first of files, download and embedded subset.
        split: "text" holds 5,000 training images out; "full" trains on these too.
    """

    def __init__(
        self, name: str | dict[str, Any] = "mnist", root: str = "data", source: str = "auto", split: str = "text"
    ) -> None:
        super().__init__()
        dataset_class, parameters = resolve(name, DATASETS, kind="data.name")
        self.dataset: Dataset = dataset_class(**parameters)
        for attribute in ("name", "image_shape", "class_names", "sources", "splits", "prepare", "load"):
            if not hasattr(self.dataset, attribute):
                raise UserError(f"data.name: {name!r} has no {attribute!r}; see gan.data.dataset.Dataset")
        for field, value, allowed in (
            ("source", source, self.dataset.sources),
            ("split", split, self.dataset.splits),
        ):
            if value not in allowed:
                raise UserError(f"data.{field}: unknown {value!r}; {nearest(str(value), allowed)}")
        self.root, self.source, self.split = Path(root).expanduser(), source, split
        self.image_shape = tuple(self.dataset.image_shape)
        self.class_names = tuple(self.dataset.class_names)
        self.num_classes = len(self.class_names)
        self._loaded: LoadedData | None = None
        self._batches: DeviceBatches | None = None
        self._position = 0  # where the next loader starts

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
        self.dataset.prepare(self.root, self.source)

    def setup(self, stage: str | None = None) -> None:
        trainer = self.trainer
        if stage == "fit" and trainer is not None and trainer.global_step == 0:
            self._batches, self._position = None, 0  # another run with the same module starts the order anew
        if self._loaded is not None:
            return
        loaded = self.dataset.load(self.root, self.source, self.split)
        if tuple(loaded.train.images.shape[1:]) != self.image_shape:
            shape = tuple(loaded.train.images.shape[1:])
            raise UserError(f"data set {loaded.name}: its images are {shape}, it announced {self.image_shape}")
        if trainer is not None and trainer.world_size > 1:
            first = trainer.strategy.broadcast(loaded.provenance)
            if first != loaded.provenance:
                raise UserError(
                    f"data set {loaded.name}: rank {trainer.global_rank} has {_brief(loaded.provenance)}, rank 0 has "
                    f"{_brief(first)}; give every machine the same files under {self.root}"
                )
        self._loaded = loaded

    def train_dataloader(self) -> DeviceBatches:
        trainer = self.trainer
        assert trainer is not None, "Lightning attaches the trainer"
        position = self.position
        model: Any = trainer.lightning_module  # an AdversarialModule, or anything with these two attributes
        self._batches = DeviceBatches(
            self.loaded.train,
            batch_size=model.recipe.batch_size,
            seed=model.run_seed,
            device=trainer.strategy.root_device,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
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
        for field, present in self._identity().items():
            if field != "source" and state[field] != present:  # the same images may come from elsewhere
                raise UserError(
                    f"data: the checkpoint was trained with {field} {state[field]}, here it is {present}; "
                    "resume with the same --data.name, --data.split and files"
                )
        self._position = state["position"]
        if self._batches is not None:
            self._batches.position = self._position

    def _identity(self) -> dict[str, Any]:
        return {"name": self.loaded.name, "train_images": len(self.loaded.train), "source": self.loaded.source}


def _brief(provenance: dict[str, Any]) -> str:
    return f"{provenance.get('source')} {provenance.get('counts')}"
