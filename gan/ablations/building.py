"""Builds what a run would be made from, without training: configuration, images, networks, trainer."""

import json
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from gan.data.datamodule import ImageDataModule
from gan.engine.building import refuse_for_trainer
from gan.runs.config import Part
from gan.runs.plan import plan
from gan.runs.trainer import build_trainer, checked
from gan.runs.trust import trusted
from gan.runs.unusable import refuse_unusable
from gan.runs.world import by_itself


class Builder:
    """Builds configurations, and reads each data set once."""

    def __init__(self, allow_import: Collection[str] = ()) -> None:
        self.allow_import = allow_import
        self._data: dict[str, ImageDataModule] = {}

    def built(self, sources: Sequence[Part]) -> tuple[dict[str, Any], str]:
        """Return the resolved configuration and the digest of the images. UserError for what cannot be built."""
        whole = plan(trusted(sources, self.allow_import))
        data = self._read(whole.tree["data"])
        tree = whole.tree | {"trainer": by_itself(whole.tree["trainer"])}
        with pl.utilities.seed.isolate_rng(include_cuda=False):
            model = whole.variant(whole.recipe, data.image_shape, data.num_classes, tree["seeds"])
        with tempfile.TemporaryDirectory() as place:
            arguments = checked(tree["trainer"], Path(place), None)
            refuse_unusable(arguments)
            arguments.pop("max_time", None)
            refuse_for_trainer(build_trainer(arguments, [], Path(place)), model, whole.recipe)
        loaded = data.loaded
        return tree, f"{loaded.train.sha256} {loaded.held_out.sha256} {loaded.test.sha256}"

    def _read(self, settings: dict[str, Any]) -> ImageDataModule:
        key = json.dumps(settings, sort_keys=True)
        if key not in self._data:
            self._data[key] = data = ImageDataModule(**settings)
            data.prepare_data()
            data.setup()
        return self._data[key]
