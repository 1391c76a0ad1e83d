"""Every shipped manifest can be run: its arms are built, with full networks, on images that are at hand."""

from dataclasses import replace

import pytest

from gan.ablations.manifest import read_manifest
from gan.ablations.planning import tasks_of
from gan.runs.config import shipped_manifests

LETTERS = ("upsampling_dcgan",)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(shipped_manifests()))
def test_its_arms_are_built(name, tmp_path):
    manifest = read_manifest(name)
    letters = manifest.base.get("config") in LETTERS
    base = {**manifest.base, "data": {"name": "glyphs"} if letters else {"source": "embedded"}}  # without files
    arms = list(manifest.arms.values())
    runs = arms if arms[0].step is None else arms[:1]  # arms that differ in their steps are the same runs
    points = sum(len(arm.points) for arm in runs)
    assert len(tasks_of(replace(manifest, base=base), tmp_path / name)) == points * len(manifest.seeds)
