"""Derived runs: TensorBoard's own code reads each arm's mean, band, texts and row of HPARAMS."""

import math

import pytest
from run_support import hparams_tab
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from test_study import ARMS, read
from torch.utils.tensorboard import SummaryWriter
from written_runs import written_arms

from gan.ablations.report.derived import write_derived_runs
from gan.ablations.report.summary import summary
from gan.ablations.statistics import typical
from gan.runs.reader import Run

SCORES = {"normal": [9.0, 10.0, 12.0], "uniform": [7.0, 8.5, math.inf]}


@pytest.fixture(scope="module")
def means(tmp_path_factory):
    place = written_arms(tmp_path_factory.mktemp("runs") / "priors", ARMS, SCORES, picture=None)
    for arm in ARMS:
        for seed in (1, 2, 3):
            with SummaryWriter(str(place / arm / f"seed_{seed}")) as writer:
                for step in (100, 200):
                    for player in ("discriminator", "generator"):
                        writer.add_scalar(f"loss/{player}", seed * (1 + (player == "generator")), step)
    found = read(place)
    for _ in range(2):  # the second time in place of the first
        write_derived_runs(found, summary(found), "gan report runs/priors --tensorboard", place / "report" / "means")
    return place / "report" / "means"


def test_a_mean_has_its_band_its_floor_and_their_logarithms(means):
    found = Run(means / "prior=normal").scalars()
    expected = typical(SCORES["normal"])
    assert found["mean/fid"][300] == pytest.approx(expected.value)
    assert found["mean/fid_low"][300] == pytest.approx(expected.low)
    assert found["mean/fid_high"][300] == pytest.approx(expected.high)
    assert found["mean/log10_fid_high"][300] == pytest.approx(math.log10(expected.high))
    assert found["mean/log10_fid_floor"] == pytest.approx(dict.fromkeys((100, 200, 300), math.log10(1.5)))


def test_d_and_g_are_runs_of_their_own(means):
    d, g = (Run(means / "prior=normal" / letter).scalars()["mean/loss"][200] for letter in "DG")
    assert (d, g) == (pytest.approx(6 ** (1 / 3)), pytest.approx(2 * 6 ** (1 / 3)))


def test_margin_charts_and_texts(means):
    events = EventAccumulator(str(means / "prior=uniform")).Reload()
    layout = layout_pb2.Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    (category,) = layout.category
    assert [chart.WhichOneof("content") for chart in category.chart] == ["margin", "margin", "margin", "multiline"]
    series = category.chart[1].margin.series[0]
    assert (series.value, series.lower, series.upper) == ("mean/fid", "mean/fid_low", "mean/fid_high")
    text, *_ = events.Tensors("command/text_summary")
    assert b"gan report runs/priors --tensorboard" in text.tensor_proto.string_val[0]
    text, *_ = events.Tensors("recipe/text_summary")
    assert b"latent_dim: 100" in text.tensor_proto.string_val[0]


def test_hparams_has_what_varies_and_the_scores(means):
    found = hparams_tab(means)
    assert set(found) == {"prior=normal", "prior=uniform"}
    values, metrics, status = found["prior=uniform"]
    assert (values["prior"], values["arm"]) == ("uniform", "prior=uniform")
    assert not {"latent_dim", "seed"} & values.keys()
    assert metrics["metric_test/fid"] == pytest.approx(typical(SCORES["uniform"]).value)
    assert (metrics["score/failed"], metrics["score/runs"]) == (1, 3)
    assert status == "STATUS_SUCCESS"
