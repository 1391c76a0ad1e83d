"""`evaluate` measures a trained generator on test images."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gan.base.choices import nearest
from gan.base.errors import UserError
from gan.base.importing import import_folders_restored
from gan.base.imports import cheap_imports
from gan.runs.config import canonical
from gan.runs.sample import check_num, generator, generator_file

PLACE = ("root", "source")  # keys of `data` that may differ from the run's


@import_folders_restored()
def evaluate(
    path: str | Path,
    num: int = 10000,
    *,
    data: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
) -> dict[str, Any]:
    """Return the row of a measurement with its protocol: `gan.evaluate("runs/…")["fid"]`.

    Arguments are as in `sample`. `num` is the number of fakes. The real images are those of the run, compared with what
    it recorded. `data` says where they are now, {root: …}, or names others of the same data set, {source: …, root: …}.
    Raises UserError, in one line, for a mistake.
    """
    check_num(num, 2)
    place = canonical({"data": data or {}}, "")["data"]
    for key in place.keys() - set(PLACE):
        raise UserError(f"data.{key}: a generator is measured on its own data set; {nearest(key, PLACE)}")
    file = generator_file(path, checkpoint)
    sampler = generator(path, file, weights, allow_import)
    with cheap_imports():
        from gan.measure.measurement import Measurement
        from gan.runs.checkpoint import describe
        from gan.runs.pins import images_to_measure
        from gan.runs.provenance import commit

    own, images = images_to_measure(path, file, place, allow_import)
    origin = {"generator": str(file), **describe(file), "commit": commit()}
    row = Measurement(images.loaded, "report", num, trained_on=own.loaded.train)(sampler)
    return {**origin, **row, "class_names": list(images.class_names)}
