"""`gan.scores`: any samples against any images, draws, and measures that old runs did not have."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from run_support import error_line, every_row, fit, gan
from run_support import real_statistics_once as real_statistics_once

import gan as package
from gan.base.errors import UserError
from gan.data.sources.mnist import MNIST
from gan.measure.measurement import to_json
from gan.measure.registry import MEASURES
from gan.runs.reader import Run

FLAGS = (*("--evaluation.every_n_steps=2", "--evaluation.num_samples=60"), "--checkpoints.milestones=[1,3]")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("runs") / "run", *FLAGS, steps=4)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return MNIST().load(tmp_path_factory.mktemp("nothing"), "embedded", "text")


@pytest.mark.parametrize(
    ("metrics", "count"),
    [(["fid", "class_kl", "within", "d_brier"], 4), pytest.param(["all"], len(MEASURES), marks=pytest.mark.slow)],
)
def test_measuring_twice_gives_the_same_and_moves_nothing(metrics, count, run):
    before, state = (run / "metrics.jsonl").read_bytes(), torch.get_rng_state()
    first, second = (package.scores(run, 60, metrics=metrics) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    assert [to_json(row) for row in first] == [to_json(row) for row in second]  # NaN is not equal to itself
    assert len({row["metric"] for row in first}) == len({row["protocol"] for row in first}) == len(first) == count
    assert all(row["num_fake"] == 60 for row in first)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_draws_are_of_fresh_noise_and_of_one_protocol(run, capsys):
    found = package.scores(run, 60, metrics=["fid"], draws=3)
    assert [row["noise_seed"] for row in found] == [0, 1, 2]
    assert len({row["fid"] for row in found}) == 3
    assert len({row["protocol"] for row in found}) == 1
    assert found[0]["fid"] == package.evaluate(run, 60)["fid"]
    assert gan("evaluate", run, "--num=60", "--draws=3", "--metrics=fid,kid") == 0
    out = capsys.readouterr().out
    assert "3 draws" in out
    assert re.search(r"^FID +\S+ ± \S+ +\S+ +lower", out, re.MULTILINE)


def test_samples_in_a_file_are_measured_as_their_generator_is(run, tmp_path):
    own = package.evaluate(run, 60)
    images = package.load(run).sample(60, purpose="report noise")
    np.savez(tmp_path / "a.npz", images=images.squeeze(1).numpy())
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(images.squeeze(1).numpy()):
        Image.fromarray(image).save(tmp_path / "folder" / f"{number:03}.png")
    for path in (tmp_path / "a.npz", tmp_path / "folder"):
        (row,) = package.scores(path, against="mnist", data={"source": "embedded"}, metrics=["fid"])
        assert (row["fid"], row["fid_floor"]) == (own["fid"], own["fid_floor"])
        assert (row["weights"], row["num_fake"], row["step"]) == ("given", 60, None)
        assert row["protocol"] != own["protocol"]


def test_a_run_is_measured_against_pictures_of_ones_own(run, digits, tmp_path):
    np.savez(tmp_path / "real.npz", digits.test.images.squeeze(1).numpy())
    rows_ = package.scores(run, 60, against=tmp_path / "real.npz", metrics=["fid", "swd"], extractor="mnist")
    assert [row["metric"] for row in rows_] == ["frechet", "patches"]
    assert (rows_[0]["data_set"], rows_[0]["split"], rows_[0]["num_real"]) == ("real.npz", "all", 1000)
    assert rows_[0]["fid"] == pytest.approx(package.evaluate(run, 60)["fid"])
    assert "fid_floor" not in rows_[0]
    (row,) = package.scores(run, 60, against=tmp_path / "real.npz")  # the extractor of the run's own images
    assert (row["metric"], row["fid"]) == ("frechet", rows_[0]["fid"])
    (row,) = package.scores(tmp_path / "real.npz", 60, against=tmp_path / "real.npz")  # nobody names one
    assert (row["metric"], row["extractor"]) == ("patches", "none")


@pytest.mark.slow
def test_real_images_against_themselves_are_at_the_best_values(digits, tmp_path):
    images = digits.test.images.squeeze(1).numpy()
    mixed = np.random.default_rng(0).permutation(len(images))
    np.savez(tmp_path / "a.npz", images[mixed[::2]])
    np.savez(tmp_path / "b.npz", images[mixed[1::2]])
    found = {}
    for row in package.scores(tmp_path / "a.npz", against=tmp_path / "b.npz", metrics=["all"], extractor="mnist"):
        found |= row
    assert found["fid"] < 6
    assert abs(found["kid"]) < 4 * abs(found["fid"])
    assert found["clipped_coverage"] > 0.8
    assert found["classifier_score"] > 9
    assert found["nn_accuracy"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--metrics=fdi"], "did you mean 'fid'"),
        (["real.npz", "--metrics=c_t", "--against=real.npz", "--extractor=mnist"], "looks at the training images"),
        (["real.npz", "--metrics=fid", "--against=real.npz"], "names no extractor"),
        (["run", "--against=wide.npz"], "reads images of 1 x 28 x 28, not 1 x 32 x 32"),
        (["run", "--extractor=inseption"], "did you mean 'inception'"),
        (["run", "--extractor={name: inception, weights: none.pt}"], "none.pt: cannot read the weights"),
        (["run", "--against=mnits"], "did you mean 'mnist'"),
        (["run", "--draws=0"], "--draws must be a whole number from 1"),
        (["real.npz"], "--against DATA|DIR|NPZ"),
        (["real.npz", "--against=mnist", "--data.source=embedded", "--draws=2"], "noise cannot be drawn anew"),
        (["wide.npz", "--against=mnist", "--data.source=embedded"], "give images of one shape"),
        (["empty", "--against=real.npz"], "no pictures"),
        (["run", "--html=none/page.html"], "there is no directory"),
        (["run", "--checkpoints=all", "--draws=2"], "--checkpoints all writes to metrics.jsonl"),
        (["snapshot", "--metrics=discriminator", "--data.source=embedded"], "looks at the discriminator"),
    ],
)
def test_mistakes_are_refused_in_one_line(run, words, says, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("real.npz", digits.held_out.images.squeeze(1).numpy())
    np.savez("wide.npz", np.zeros((3, 32, 32), dtype=np.uint8))
    (tmp_path / "empty").mkdir()
    places = {"run": run, "snapshot": next((run / "checkpoints").glob("generator_step_*.safetensors"))}
    assert gan("evaluate", places.get(words[0], words[0]), "--num=20", *words[1:]) == 2
    assert says in error_line(capsys.readouterr().err)


def test_an_old_run_gets_the_rows_that_it_lacks_once(run, tmp_path, capsys):
    before = every_row(run)
    assert gan("evaluate", run, "--checkpoints=all", "--metrics=kid,fid") == 0
    added = every_row(run)[len(before) :]
    places = {(row["step"], row["role"], row["metric"]) for row in added}
    assert len(places) == len(added)
    assert {place for place in places if place[2] == "kernel"} == {
        *((step, "selection", "kernel") for step in (1, 2, 3, 4)),
        (4, "report", "kernel"),
    }
    assert {place for place in places if place[2] == "frechet"} == {(step, "selection", "frechet") for step in (1, 3)}
    for row in added:
        assert row["added"] is True
        assert (row["variant"], row["seed"]) == ("MLPGAN", 1)
        assert row["score"] == ("fid" if row["metric"] == "frechet" else None)
    assert f"{len(added)} rows added" in capsys.readouterr().out
    assert gan("evaluate", run, "--checkpoints=all", "--metrics=kid,fid") == 0
    assert every_row(run)[len(before) :] == added
    assert {row["metric"] for row in Run(run).selection_rows} == {"frechet"}


@pytest.mark.slow
def test_a_page_shows_tables_and_pictures(run, tmp_path):
    assert gan("evaluate", run, "--num=60", "--metrics=fid,kid", "--html", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 5
    for part in ("kid", "Shares of the classes", "nearest training image", "closest of 60"):
        assert part in page


def test_several_generators_are_printed_in_turn(run, capsys, tmp_path):
    last, snapshot = Run(run).checkpoint(), Run(run).snapshots[1]
    words = ("--num=20", "--data.source=embedded", "--json", tmp_path / "rows.json")
    assert gan("evaluate", last, snapshot, *words) == 0
    assert [row["step"] for row in json.loads((tmp_path / "rows.json").read_text())] == [4, 1]
    assert capsys.readouterr().out.count("FID") == 2


def test_python_refuses_as_the_command_does(run):
    with pytest.raises(UserError, match="did you mean 'fid'"):
        package.scores(run, 20, metrics="fdi")
