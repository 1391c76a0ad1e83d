"""One measurement: roles, protocol, streams."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from run_support import real_statistics_once as real_statistics_once
from support import calls, same, tiny, weights

from gan.base.errors import UserError
from gan.base.notes import forget
from gan.data.sources.kin import OFFICIAL_SHA256
from gan.data.sources.mnist import MNIST
from gan.data.split import LoadedData, Split, cut
from gan.measure.extractors.classifier import EVALUATORS
from gan.measure.given import Given
from gan.measure.measurement import Measurement
from gan.measure.protocol import LATER, Protocol
from gan.measure.shares import alike


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return MNIST().load(tmp_path_factory.mktemp("nothing"), "embedded", "text")


def measurement_of(data, role, num, **settings):
    return Measurement(data, role, num, **{"trained_on": data.train, **settings})


def replaced(measurement, num):
    """The same with another number of fakes."""
    return measurement_of(measurement.data, measurement.role, num)


def row_of(measurement, module):
    """The row of the score."""
    return measurement(module.sampler() if hasattr(module, "sampler") else module)[0]


@pytest.mark.parametrize(("role", "split", "count"), [("selection", "held-out", 500), ("report", "test", 1000)])
def test_a_row_says_how_it_was_measured(data, role, split, count):
    measurement = measurement_of(data, role, 60)
    row, *others = measurement(tiny("DCGAN").sampler())
    assert [other["metric"] for other in others] == ["classes", "variety"]
    assert (row["score"], row["better"], others[0]["score"]) == ("fid", "lower", None)
    assert (row["role"], row["split"], row["num_real"], row["num_fake"]) == (role, split, count, 60)
    assert (row["data_set"], row["source"], row["rounding"], row["weights"]) == ("mnist", "embedded", "8-bit", "raw")
    assert row["batch_norm"] == "running"
    assert row["extractor_sha256"] == EVALUATORS["mnist"].sha256
    assert row["fid"] > row["fid_floor"] > 0
    assert sum(row["class_share"]) == pytest.approx(1)
    assert row["real_trained_on"] is False


def test_held_out_images_that_are_trained_on_are_said_so(tmp_path):
    full = MNIST().load(tmp_path, "embedded", "full")
    assert row_of(measurement_of(full, "selection", 10), tiny("MLPGAN"))["real_trained_on"] is True
    assert row_of(measurement_of(full, "report", 10), tiny("MLPGAN"))["real_trained_on"] is False


def test_a_measurement_repeats_itself_and_moves_nothing(data):
    measurement, module = measurement_of(data, "report", 60), tiny("DCGAN")
    before, state = weights(module), torch.get_rng_state()
    first, second = measurement(module.sampler()), measurement(module.sampler())
    assert first == second
    assert same(before, weights(module))
    assert torch.equal(state, torch.get_rng_state())
    assert all(part.training for part in module.modules())
    assert measurement(module.sampler(), noise_seed=1)[0]["fid"] != first[0]["fid"]


def test_roles_draw_different_noise(data):
    module = tiny("MLPGAN")
    selection, report = (measurement_of(data, role, 60) for role in ("selection", "report"))
    report.real = selection.real  # the same real images, so that only the noise differs
    assert row_of(selection, module)["fid"] != row_of(report, module)["fid"]


def test_a_conditional_generator_draws_its_classes_in_the_shares_of_the_real_images(data):
    """And so does its floor: the score of a generator that draws real training images is that floor."""
    uneven = replace(data, test=cut(data.test, 0, 997))  # not as many of each class
    measurement, module = measurement_of(uneven, "report", 100), tiny("ConditionalGAN")
    given = calls(module.generator)
    row = row_of(measurement, module)
    counts = torch.cat([labels for _, labels, _ in given])[:100].bincount()
    expected = uneven.test.labels.bincount() * 100 / 997
    assert (counts - expected).abs().max() < 1
    assert row["label_shares"] == "real"
    mixed = uneven.train.images[alike(uneven.train.labels, uneven.test.labels, 10_000)]
    assert row["fid_floor"] == row_of(replaced(measurement, num=len(mixed)), Given(mixed))["fid"]
    plain = row_of(measurement, tiny("DCGAN"))
    assert plain["label_shares"] == "none"
    assert plain["protocol"] != row["protocol"]


def test_rows_from_before_the_field_keep_their_id(data):
    """Of conditional generators, too: their id was that of the others."""
    row = row_of(measurement_of(data, "report", 20), tiny("DCGAN"))
    fields = {field: row[field] for field in Protocol.__dataclass_fields__ if field not in LATER}
    assert Protocol(**fields).protocol_id == row["protocol"]


def test_real_images_that_were_trained_on_are_counted_and_said(data, capsys):
    forget()
    own = row_of(measurement_of(data, "report", 20), tiny("MLPGAN"))
    assert own["real_in_training"] == 0
    assert capsys.readouterr().err == ""
    row = row_of(measurement_of(data, "report", 20, trained_on=cut(data.test, 0, 30)), tiny("MLPGAN"))
    assert row["real_in_training"] == 30
    assert (own["reference"], row["reference"]) == ("unseen", "partly trained on")
    assert row["protocol"] != own["protocol"]
    assert "30 of the 1,000 test images are among the images that were trained on" in capsys.readouterr().err


def test_options_that_change_the_images_of_the_same_files_change_the_id(data):
    plain = replace(data, files={"archive": "0" * 64})
    changed = replace(plain, processing={"polarity": "normalise"})
    rows = [row_of(measurement_of(some, "report", 20), tiny("MLPGAN")) for some in (plain, changed)]
    assert rows[0]["protocol"] != rows[1]["protocol"]


def test_a_diverged_generator_gets_a_row(data):
    module = tiny("MLPGAN")
    with torch.no_grad():
        module.generator.layers[0].bias[0] = math.nan
    rows = measurement_of(data, "report", 20)(module.sampler())
    assert all(math.isnan(row[name]) for row, name in zip(rows, ("fid", "class_kl", "within"), strict=True))


def foreign(data, **fields):
    """A set from elsewhere that goes by the name of one of the package's."""
    return LoadedData("mnist", "elsewhere", data.train, data.held_out, data.test, **fields)


def test_a_name_alone_chooses_no_classifier(data):
    with pytest.raises(UserError, match="frechet: the data set mnist names no extractor") as caught:
        measurement_of(foreign(data), "report", 20, measures={"frechet": {}})
    assert "gan evaluator" in str(caught.value)
    (row,) = measurement_of(foreign(data), "report", 20)(tiny("MLPGAN").sampler())
    assert (row["score"], row["extractor"], row["extractor_sha256"]) == ("swd", "none", "")
    assert row["swd"] > row["swd_floor"] > 0


def test_a_set_from_elsewhere_may_name_its_classifier(data):
    own = row_of(measurement_of(data, "report", 20), tiny("MLPGAN"))
    row = row_of(measurement_of(foreign(data, evaluator="mnist"), "report", 20), tiny("MLPGAN"))
    assert (row["data_set"], row["source"], row["extractor"]) == ("mnist", "elsewhere", "mnist")
    assert row["fid"] == own["fid"]
    assert row["data_sha256"] != own["data_sha256"]


def test_other_data_without_files_have_another_protocol(data):
    swapped = replace(data, held_out=data.test, test=data.held_out)
    rows = [
        row_of(measurement_of(foreign(some, evaluator="mnist"), "report", 20), tiny("MLPGAN"))
        for some in (data, replace(data, train=cut(data.train, 0, 100)), swapped)
    ]
    assert rows[0]["protocol"] == rows[1]["protocol"] != rows[2]["protocol"]


@pytest.mark.parametrize(
    ("evaluator", "images", "message"),
    [
        ("minst", torch.full((4, 1, 28, 28), 255), "did you mean 'mnist'"),
        ("mnist", torch.full((4, 1, 32, 32), 255), "extractor mnist reads images of 1 x 28 x 28, not 1 x 32 x 32"),
        ("mnist", torch.ones(4, 1, 28, 28), "multiply them by 255"),
    ],
)
def test_a_classifier_that_does_not_read_the_images_is_refused(evaluator, images, message):
    part = Split(images.to(torch.uint8), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(UserError, match=message):
        measurement_of(LoadedData("own", "auto", part, part, part, evaluator=evaluator), "report", 20)


def test_recorded_rows_keep_their_column(data):
    """Rows in docs/results are of this protocol: official MNIST, and the embedded digits."""
    results = Path(__file__).parents[2] / "docs" / "results"
    official = replace(data, source="idx", files=OFFICIAL_SHA256)
    for loaded, of, file in ((official, "raw", "short_budget"), (data, "ema", "quickstart")):
        row = row_of(measurement_of(loaded, "report", 20), tiny("MLPGAN"))
        fields = {field: row[field] for field in Protocol.__dataclass_fields__}
        num_real = 10_000 if loaded is official else 1_000
        now = Protocol(**fields | {"num_real": num_real, "num_fake": 10_000, "weights": of})
        recorded = json.loads((results / f"{file}.json").read_text())
        assert now.protocol_id in {row["protocol"] for row in recorded}


def test_given_images_are_shared_out_as_those_of_a_generator(data):
    given = Given(data.test.images[:7])
    parts = [(given.sample(7, share=(rank, 2)), given.places(7, (rank, 2))) for rank in range(2)]
    images, places = (torch.cat(part) for part in zip(*parts, strict=True))
    assert torch.equal(images[places.argsort()], given.sample(7))
    assert len(given.sample(3)) == len(given.places(3, (0, 1))) == 3
