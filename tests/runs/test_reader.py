"""The reader of runs: what it tells of a directory, which measurement counts, and what it refuses in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.tensorboard import SummaryWriter

from gan.base.errors import UserError
from gan.runs.directory import CONFIG, METRICS, PROVENANCE
from gan.runs.reader import Run, find_checkpoint, find_runs, read_run, run_of

RECIPE = {"batch_size": 128, "prior": {"name": "normal"}, "loss": "non_saturating"}
CONFIGURATION = {
    "model": {"class_path": "gan.variants.mlp_gan.MLPGAN", "init_args": {"recipe": RECIPE}},
    "data": {"name": "mnist"},
    "trainer": {"max_steps": 8},
    "checkpoints": {"every_n_steps": 2},
    "seed_everything": 3,
    "run": "runs/mine",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run that has only started, as the command line left it before formats had numbers."""
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(yaml.safe_dump(CONFIGURATION))
    return folder


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def measured(folder: Path, *rows: dict) -> None:
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_it_is_light_to_import():
    heavy = "{'torch', 'tensorboard', 'pytorch_lightning', 'numpy'}"
    code = f"import sys, gan.runs.reader; assert not {heavy} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_old_run_that_has_only_started(folder):
    run = read_run(str(folder))
    assert run == Run(folder)
    assert run.config == CONFIGURATION
    assert (run.variant, run.seed, run.recipe, run.format) == ("MLPGAN", 3, RECIPE, 1)
    assert (run.status, run.step, run.checkpoints, run.snapshots) == ("started", None, {}, {})
    assert (run.rows, run.provenance, run.report, run.best) == ([], [], None, None)
    assert (run.pictures, run.newest_picture, run.real_picture) == ({}, None, None)
    assert (run.scalars(), run.image_steps()) == ({}, {})


def test_a_format_says_its_number_and_one_of_the_future_is_refused(folder):
    (folder / CONFIG).write_text(yaml.safe_dump(CONFIGURATION | {"format": 2}))
    assert read_run(folder).format == 2
    (folder / CONFIG).write_text(yaml.safe_dump(CONFIGURATION | {"format": 99}))
    with pytest.raises(UserError, match=r"config\.yaml: has format 99"):
        _ = read_run(folder).format


# Rows -----------------------------------------------------------------------------------------------------------------


def test_rows_keep_unknown_keys_and_numbers_that_are_not_finite_are_none(folder):
    rows = [{"step": 2, "role": "selection", "fid": None, "of_tomorrow": [1]}, {"step": 4, "role": "report"}]
    measured(folder, *rows)
    run = read_run(folder)
    assert run.rows == rows
    assert (run.selection_rows, run.report_rows, run.report) == (rows[:1], rows[1:], rows[1])
    assert run.best is None


def test_the_best_is_the_first_of_the_lowest_on_held_out_images(folder):
    fids = [("selection", 5.0), ("selection", None), ("selection", 3.0), ("selection", 3.0), ("report", 1.0)]
    measured(folder, *({"step": step, "role": role, "fid": fid} for step, (role, fid) in enumerate(fids)))
    assert read_run(folder).best["step"] == 2


@pytest.mark.parametrize(
    ("steps", "counts"),
    [([8, 12], 1), ([8, 12, 12], 2), ([8, 12, 8], 1), ([8], 0)],
    ids=["continued", "measured again", "an earlier step measured again", "stopped on the way"],
)
def test_of_a_continued_run_the_report_of_the_highest_step_counts_the_last_of_equal_ones(steps, counts, folder):
    rows = [{"step": step, "role": "report", "fid": float(i)} for i, step in enumerate(steps)]
    measured(folder, *rows, {"step": 20, "role": "selection", "fid": 0.0})
    assert read_run(folder).report == rows[counts]


@pytest.mark.parametrize("rest", ['{"step": 4, "fi', '{"step"', "{", '{"a": {"b": 1}', "\0\0\0", '"'])
def test_a_last_line_that_a_crash_cut_off_is_no_row(rest, folder):
    (folder / METRICS).write_text('{"step": 2}\n' + rest)
    assert read_run(folder).rows == [{"step": 2}]


def test_a_last_line_without_its_end_is_a_row_if_it_is_whole(folder):
    (folder / METRICS).write_text('{"step": 2}\n{"step": 4}')
    assert [row["step"] for row in read_run(folder).rows] == [2, 4]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"step": null}\n', "step must be a whole number"),
        ('{"step": null}', "step must be a whole number"),
        ('{"fid": 1.0}\n', "step must be a whole number"),
        ('{"step": true}\n', "step must be a whole number"),
        ('{"step": -1}\n', "step must be a whole number"),
        ('{"step": 2.0}\n', "step must be a whole number"),
        ('{"step": 2, "fid": NaN}\n', "NaN is no number"),
        ('{"step": 2, "fid": NaN}', "NaN is no number"),
        ('{"step": 2, "fid": -Infinity}\n', "-Infinity is no number"),
        ('{"step": 2, "fid": 1e999}\n', "1e999 is no number"),
        ('{"step": 2, "fi\n', "not readable as JSON"),
        ("[2]\n", "not a row"),
        ("\n", "not readable as JSON"),
        ("\udcff\n", "not readable as JSON"),
        ("[" * 100_000 + "\n", "not readable as JSON"),
    ],
    ids=range(15),
)
def test_a_damaged_row_is_named_by_file_and_line(line, says, folder):
    good = '{"step": 1}\n'
    for text in (good + line, good + line.rstrip() + "\n" + good):
        (folder / METRICS).write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(UserError, match=says) as caught:
            _ = read_run(folder).rows
        assert str(caught.value).startswith(f"{folder / METRICS}:2: ")
        assert "\n" not in str(caught.value)


# Files ----------------------------------------------------------------------------------------------------------------


def test_checkpoints_and_pictures_are_found_by_step_not_by_name(folder):
    names = ["last_step_9999999", "last_step_10000000", "best_step_0000004", "last_step_00.part", "last_step_x"]
    touched(folder, *(f"checkpoints/{name}.ckpt" for name in names), "checkpoints/last_step_0000011.part")
    touched(folder, "checkpoints/generator_step_0000002.safetensors")
    touched(folder, "samples/real.png", *(f"samples/step_{step:07d}.png" for step in (10**7, 0, 9999999)))
    run = read_run(folder)
    assert list(run.checkpoints) == [4, 9999999, 10**7]
    assert run.checkpoint() == find_checkpoint(folder) == run.checkpoints[10**7]
    assert run.checkpoint().name == "last_step_10000000.ckpt"
    assert run.checkpoint("best") == find_checkpoint(folder, "best") == run.checkpoints[4]
    assert [(step, file.name) for step, file in run.snapshots.items()] == [(2, "generator_step_0000002.safetensors")]
    assert list(run.pictures) == [0, 9999999, 10**7]
    assert run.newest_picture == run.pictures[10**7]
    assert run.real_picture == folder / "samples" / "real.png"
    assert find_checkpoint(run.newest_picture) == run.newest_picture  # a file is itself


@pytest.mark.parametrize("kind", ["last", "best"])
def test_a_run_without_a_checkpoint_says_which_it_lacks(kind, folder):
    for find in (read_run(folder).checkpoint, lambda kind: find_checkpoint(folder, kind)):
        with pytest.raises(UserError, match=rf"holds no checkpoints/{kind}_step_\*\.ckpt"):
            find(kind)


@pytest.mark.parametrize(
    ("trainer", "step", "status"),
    [
        ({"max_steps": 8}, 8, "finished"),
        ({"max_steps": 8}, 6, "stopped at 6"),
        ({"max_steps": -1}, 6, "stopped at 6"),
        ({}, 6, "stopped at 6"),
    ],
)
def test_status_is_told_by_the_last_checkpoint(trainer, step, status, folder):
    (folder / CONFIG).write_text(yaml.safe_dump(CONFIGURATION | {"trainer": trainer}))
    touched(folder, "checkpoints/best_step_0000002.ckpt")
    assert read_run(folder).status == "started"
    touched(folder, f"checkpoints/last_step_{step:07d}.ckpt")
    assert read_run(folder).status == status


def test_scalars_and_pictures_of_the_event_files_without_what_was_done_again(folder):
    for first, steps, value in ((None, (2, 4, 6), 1.0), (5, (6, 8), 2.0)):  # a crash after 6, resumed from 4
        with SummaryWriter(str(folder), purge_step=first, filename_suffix=str(first)) as writer:
            for step in steps:
                writer.add_scalar("loss/generator", value, step)
                writer.add_image("samples/raw", torch.zeros(1, 2, 2), step)
    run = read_run(folder)
    assert run.scalars() == {"loss/generator": {2: 1.0, 4: 1.0, 6: 2.0, 8: 2.0}}
    assert run.image_steps() == {"samples/raw": [2, 4, 6, 8]}


# Runs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "", "[1]", "model: DCGAN", yaml.safe_dump(CONFIGURATION | {"model": "DCGAN"})])
def test_what_is_no_run_is_refused(text, tmp_path):
    if text is not None:
        (tmp_path / CONFIG).write_text(text)
    with pytest.raises(UserError, match=r"not a run \(no config\.yaml of gan fit's\)"):
        read_run(tmp_path)


def test_broken_files_are_named(folder):
    (folder / PROVENANCE).write_text("[{]")
    with pytest.raises(UserError, match=r"provenance\.json: not readable as JSON"):
        _ = read_run(folder).provenance
    (folder / PROVENANCE).write_text("{}")
    with pytest.raises(UserError, match=r"provenance\.json: must be a list"):
        _ = read_run(folder).provenance
    (folder / CONFIG).write_text("model: [\n")
    for read in (read_run, lambda folder: find_runs(folder.parent)):
        with pytest.raises(UserError, match=r"config\.yaml: not readable as YAML") as caught:
            read(folder)
        assert "\n" not in str(caught.value)


def test_runs_are_found_at_every_depth(folder, tmp_path):
    (folder / PROVENANCE).write_text("[]")
    deeper = tmp_path / "runs" / "a" / "seed_1"
    deeper.mkdir(parents=True)
    (deeper / CONFIG).write_text(yaml.safe_dump(CONFIGURATION))
    (tmp_path / CONFIG).write_text("model: DCGAN")  # the user's own, no run
    assert find_runs(tmp_path) == [Run(deeper), Run(folder)]
    assert find_runs(folder) == [Run(folder)]
    assert find_runs(tmp_path / "nothing") == []


def test_the_run_of_a_checkpoint_file(folder, tmp_path, monkeypatch):
    touched(folder, "checkpoints/last_step_0000002.ckpt")
    assert run_of(folder / "checkpoints" / "last_step_0000002.ckpt") is None  # no run yet: nothing says where it began
    (folder / PROVENANCE).write_text("[]")
    for path in (folder, folder / "checkpoints", folder / "checkpoints" / "last_step_0000002.ckpt"):
        assert run_of(path) == Run(folder)
    monkeypatch.chdir(folder / "checkpoints")
    assert run_of("last_step_0000002.ckpt") == Run(folder)
    assert run_of(tmp_path / "elsewhere.ckpt") is None
