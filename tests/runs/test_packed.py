"""Packed runs: `copies` makes ordinary runs, each of which is what its single run would have been."""

import math
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from run_support import DATA, QUIET, SMALL, TINY, checkpoint, gan, images, rows, scalars
from run_support import fit as fitted
from run_support import real_statistics_once as real_statistics_once
from support import tiny_change

from gan.base.errors import UserError
from gan.runs.checkpoint import load
from gan.runs.fit import fit, resume
from gan.runs.reader import read_run

OFF = {section: {"every_n_steps": 0} for section in ("scalars", "image_grid", "evaluation")}
WATCHED = {
    "scalars": {"every_n_steps": 2},
    "image_grid": {"every_n_steps": 4, "num_images": 12},
    "evaluation": {"every_n_steps": 4, "num_samples": 40},
}


def trained(place: Path, steps: int = 6, variant: str = "MLPGAN", **given: Any) -> Any:
    """Two copies, with seeds 3 and 4, or whatever else is given."""
    settings: dict[str, Any] = {
        **{"model": variant, "recipe": tiny_change(variant), "data": {"source": "embedded"}, "copies": 2},
        **{"run": place, "seed_everything": 3, "checkpoints": {"every_n_steps": 4}, **OFF},
    }
    trainer = {"max_steps": steps, "enable_progress_bar": False} | given.pop("trainer", {})
    return fit(**settings | {"trainer": trainer} | given)


def files(run: Path) -> set[str]:
    return {str(file.relative_to(run)) for file in run.rglob("*") if "events" not in file.name}


def same_weights(one: Path, other: Path) -> bool:
    first, second = (checkpoint(run)["state_dict"] for run in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first)


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """The values of a nested structure by their paths."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else None
    if items is None:
        return {path: tree}
    return {k: v for key, value in items for k, v in leaves(value, f"{path}/{key}").items()}


@pytest.mark.parametrize(
    ("variant", "change"), [("MLPGAN", {"output_bias": "marginals", "ema_decay": 0.9}), ("SNGAN", {})]
)
def test_a_copy_is_an_ordinary_run_that_says_that_it_was_packed(variant, change, tmp_path):
    given: dict[str, Any] = {**WATCHED, "checkpoints": {"every_n_steps": 4, "milestones": [3]}}
    given["recipe"] = tiny_change(variant) | change
    outcome = trained(tmp_path / "pack", variant=variant, **given)
    trained(tmp_path / "single", variant=variant, copies=None, seed_everything=4, **given)
    assert [one.directory for one in outcome.copies] == [tmp_path / "pack/seed_3", tmp_path / "pack/seed_4"]
    assert (outcome.state, outcome.code, outcome.step) == ("finished", 0, 6)
    packed, single = tmp_path / "pack/seed_4", tmp_path / "single"
    assert files(packed) == files(single)
    one, other = read_run(packed), read_run(single)
    assert one.config == {**other.config, "run": str(packed)}
    assert (one.state, one.seed, one.step) == ("finished", 4, 6)
    assert one.provenance[0]["copies"] == 2
    assert "copies" not in other.provenance[0]

    snapshots = [load(run / "checkpoints/generator_step_0000003.safetensors") for run in (packed, single)]
    ours, theirs = (snapshot.sample(12).float() for snapshot in snapshots)
    assert (ours - theirs).abs().mean() < 1

    content, expected = leaves(checkpoint(packed)), leaves(checkpoint(single))
    assert content.keys() == expected.keys()
    for path, value in expected.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(content[path], value, rtol=0, atol=5e-4)
        elif "seconds" not in path and not isinstance(value, float):
            assert content[path] == value, path
    for row, expected_row in zip(rows(packed), rows(single), strict=True):
        assert row.pop("copies") == 2
        assert row.keys() == expected_row.keys()
        assert row["fid"] == pytest.approx(expected_row["fid"], rel=0.01)
        assert {k: row[k] for k in ("step", "seed", "images_seen", "protocol")} == {
            k: expected_row[k] for k in ("step", "seed", "images_seen", "protocol")
        }
    told, expected_told = scalars(packed), scalars(single)
    assert told.keys() == expected_told.keys()
    for tag in told.keys() - {tag for tag in told if tag.startswith(("throughput", "metric"))}:
        assert told[tag] == pytest.approx(expected_told[tag], rel=1e-3, abs=1e-5), tag
    assert images(packed) == images(single)


@pytest.mark.parametrize("variant", ["MLPGAN", pytest.param("FullResolutionDCGAN", marks=pytest.mark.slow)])
def test_copies_go_on_together_bit_for_bit_and_one_goes_on_alone(variant, tmp_path):
    straight = trained(tmp_path / "straight", 8, variant)
    for place in ("whole", "alone"):
        trained(tmp_path / place, 6, variant)
    runs = [tmp_path / "whole/seed_3", tmp_path / "whole/seed_4"]
    outcome = resume(runs, trainer={"max_steps": 8})
    assert outcome.state == "finished"
    for one, expected in zip(outcome.copies, straight.copies, strict=True):
        assert same_weights(one.directory, expected.directory)
        assert read_run(one.directory).provenance[1]["resumed_from"] == "last_step_0000006.ckpt"

    alone = tmp_path / "alone/seed_4"
    resume(alone, trainer={"max_steps": 8})
    first, second = (checkpoint(run)["state_dict"] for run in (alone, straight.copies[1].directory))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=5e-4)
    assert "copies" not in read_run(alone).provenance[1]
    # The other is at step 6, of which this one has a checkpoint, too.
    again = resume([tmp_path / "alone/seed_3", alone], trainer={"max_steps": 8})
    for one, expected in zip(again.copies, straight.copies, strict=True):
        assert same_weights(one.directory, expected.directory)


def test_the_same_line_again_goes_on_with_copies_that_were_stopped_and_leaves_those_that_ended(tmp_path, capsys):
    words = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--copies=2", f"--run={tmp_path / 'pack'}")
    words = (*words, "--trainer.max_steps=5", "--checkpoints.every_n_steps=2", "--trainer.enable_progress_bar=false")
    assert gan(*words, "--trainer.max_time=00:00:00:00") == 3
    runs = [tmp_path / "pack/seed_1", tmp_path / "pack/seed_2"]
    assert [(read_run(run).state, read_run(run).step) for run in runs] == [("stopped", 1)] * 2
    assert "go on with: gan resume" in capsys.readouterr().out
    assert gan("resume", *runs, "--trainer.max_time=null") == 0
    assert gan(*words, "--resume") == 0
    out = capsys.readouterr().out
    assert out.count("it had finished its 5 steps before") == 2
    straight = trained(tmp_path / "straight", 5, seed_everything=1, checkpoints={"every_n_steps": 2})
    assert all(same_weights(run, one.directory) for run, one in zip(runs, straight.copies, strict=True))


@pytest.mark.slow
def test_fids_of_packed_runs_are_those_of_single_runs(tmp_path):
    """Equivalent within 50 % at 99 %, over 8 seeds: rounding makes other runs of them in some hundred updates."""
    given: dict[str, Any] = {"evaluation": {"every_n_steps": 1000, "num_samples": 1000}, "seed_everything": 1}
    given["recipe"] = tiny_change("DCGAN") | {"batch_size": 32}
    packed = trained(tmp_path / "pack", 300, "DCGAN", copies=8, **given).copies
    ratios = []
    for seed, one in enumerate(packed, start=1):
        given["seed_everything"] = seed
        single = trained(tmp_path / f"seed_{seed}", 300, "DCGAN", copies=None, **given)
        ratios.append(math.log(one.report["fid"] / single.report["fid"]))
    error = statistics.stdev(ratios) / len(ratios) ** 0.5
    assert abs(statistics.fmean(ratios)) + 2.998 * error < math.log(1.5)  # Student's t with 7 degrees of freedom


def test_copies_that_diverge_are_recorded_as_such(tmp_path):
    outcome = trained(tmp_path / "pack", recipe={**tiny_change("MLPGAN"), "generator_optimizer": {"lr": 1e38}})
    assert (outcome.state, outcome.code) == ("diverged", 5)
    assert [read_run(one.directory).state for one in outcome.copies] == ["diverged", "diverged"]


def test_what_copies_cannot_share_is_refused_in_one_line(tmp_path):
    for given, said in (
        ({"copies": 1}, "copies must be a whole number of at least 2"),
        ({"seed_everything": 2**32 - 1}, "copies: seeds 4294967295 to 4294967296 are needed"),
        ({"trainer": {"callbacks": "ModelSummary"}}, r"copies: trainer\.callbacks is for one run"),
        ({"trainer": {"devices": 2}}, "copies: are trained in one process"),
        ({"trainer": {"precision": "bf16-mixed"}}, r"copies: trainer\.precision bf16-mixed"),
        ({"trainer": {"logger": "WandbLogger"}}, r"trainer\.logger"),
        ({"recipe": {"balance": {"low": 0.1, "high": 0.9}}}, r"copies: recipe\.balance"),
    ):
        with pytest.raises(UserError, match=said):
            trained(tmp_path / "pack", **given)
    assert not list(tmp_path.rglob("config.yaml"))
    fitted(tmp_path / "run", steps=1)
    with pytest.raises(UserError, match="is a run, and copies are runs in a directory"):
        trained(tmp_path / "run")


def test_runs_that_are_no_copies_of_each_other_do_not_go_on_together(tmp_path):
    fitted(tmp_path / "one", steps=1)
    fitted(tmp_path / "other", "--seed_everything=2", "--model.recipe.prior=uniform", steps=1)
    fitted(tmp_path / "later", "--seed_everything=2", steps=2)
    with pytest.raises(UserError, match="prior"):
        resume([tmp_path / "one", tmp_path / "other"], trainer={"max_steps": 3})
    with pytest.raises(UserError, match="have no checkpoint of one step"):
        resume([tmp_path / "one", tmp_path / "later"], trainer={"max_steps": 3})
    with pytest.raises(UserError, match="have done their 1 steps"):
        resume([tmp_path / "one", tmp_path / "one"])
    with pytest.raises(UserError, match="--other-world-size is for one run"):
        resume([tmp_path / "one", tmp_path / "later"], other_world_size=True)
