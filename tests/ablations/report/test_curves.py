"""Learning curves: the mean of logs with its interval, on one axis, of the runs that did not fail."""

import math

import numpy as np
import pytest
from test_study import read
from torch.utils.tensorboard import SummaryWriter
from written_runs import BATCH, written_run

from gan.ablations.report.curves import Curve, band, scalar_curves, score_curves
from gan.ablations.statistics import typical


def curve(x, y, failed=False):
    return Curve(np.array(x, dtype=float), np.array(y, dtype=float), failed)


def test_the_band_is_the_typical_score_at_each_place():
    found = band([curve([1, 2], [4.0, 2.0]), curve([1, 2], [5.0, 3.0]), curve([1, 2], [9.0, 2.5])], True)
    for place, values in enumerate(([4.0, 5.0, 9.0], [2.0, 3.0, 2.5])):
        expected = typical(values)
        assert found.mean[place] == pytest.approx(expected.value)
        assert (found.low[place], found.high[place]) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found.runs == 3


def test_a_mean_goes_as_far_as_all_its_runs_and_leaves_failures_out():
    runs = [curve([1, 2, 3], [8.0, 4.0, 2.0]), curve([1, 3, 5], [8.0, 2.0, 1.0]), curve([1], [500.0], failed=True)]
    found = band(runs, True)
    assert found.x.tolist() == [1, 2, 3]
    assert found.mean == pytest.approx([8.0, 4.0, 2.0])  # between its points a run is interpolated, on the logs
    assert band(runs[2:], True) is None
    assert band([curve([1, 2], [1.0, 1.0]), curve([3, 4], [1.0, 1.0])], True) is None
    alone = band(runs[:1], True)
    assert np.isnan(alone.low).all()


def test_values_of_both_signs_have_an_arithmetic_mean():
    found = band([curve([1], [-1.0]), curve([1], [4.0])], False)
    assert found.mean.tolist() == [1.5]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    more = {"trainer": {"max_steps": 200}}
    for seed, fids in ((1, (40.0, 20.0)), (2, (50.0, 10.0)), (3, (300.0, math.inf))):
        state = "finished" if seed < 3 else "diverged"
        run = written_run(place / str(seed), fids, seed=seed, state=state, more=more, picture=None)
        with SummaryWriter(str(run)) as writer:
            for step in (50, 100, 150, 200):
                writer.add_scalar("throughput/steps_per_second", 5.0 * seed if step > 100 else 10.0 * seed, step)
                writer.add_scalar("loss/generator", step / 100 - 1, step)
    return read(place)


def test_fids_against_images_steps_and_seconds(study):
    for axis, x in (("images", [100 * BATCH, 200 * BATCH]), ("steps", [100, 200]), ("seconds", [10.0, 30.0])):
        found = score_curves(study, axis)
        runs = found.singles["all runs"]
        assert runs[1,].x == pytest.approx(x)
        assert runs[2,].x == pytest.approx(x if axis != "seconds" else [5.0, 15.0])
        assert (runs[3,].failed, list(runs[3,].y)) == (True, [300.0])
        assert (found.logarithmic, found.floor) == (True, 1.5)
    assert score_curves(study, "steps").bands["all runs"].mean == pytest.approx([math.sqrt(2000), math.sqrt(200)])


def test_runs_without_event_files_have_no_seconds(tmp_path):
    found = score_curves(read(written_run(tmp_path / "runs" / "seed_1")), "seconds")
    assert (found.bands, found.singles["all runs"]) == ({}, {})


def test_curves_of_the_event_files(study):
    found = scalar_curves(study.groups, ["loss/generator", "loss/nothing"], "steps")
    assert not found["loss/generator"].logarithmic
    assert found["loss/generator"].bands["all runs"].mean == pytest.approx([-0.5, 0, 0.5, 1])
    assert found["loss/nothing"].bands == {}
