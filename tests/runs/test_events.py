"""Scalars of event files: those that were asked for, as far as the files are whole."""

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from gan.runs.events import read_scalars


def written(directory):
    with SummaryWriter(str(directory)) as writer:
        for step in range(1, 6):
            writer.add_scalar("loss/generator", 0.1 * step, step)
            writer.add_scalar("loss/new", 0.2 * step, step, new_style=True)
            writer.add_image("samples/raw", torch.zeros(1, 8, 8), step)
        writer.add_text("recipe", "text", 1)
        writer.add_histogram("weights", np.arange(5), 1)


def test_they_are_those_of_tensorboard_s_reader(tmp_path):
    written(tmp_path)
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    found = read_scalars(tmp_path)
    assert found.keys() == {"loss/generator", "loss/new"}
    assert found["loss/generator"] == {e.step: e.value for e in events.Scalars("loss/generator")}
    assert list(found["loss/new"]) == [1, 2, 3, 4, 5]
    assert read_scalars(tmp_path, ["loss/new", "none"]) == {"loss/new": found["loss/new"]}
    assert read_scalars(tmp_path / "nothing") == {}


def test_a_file_that_was_cut_or_damaged_ends_there(tmp_path):
    written(tmp_path)
    (file,) = tmp_path.glob("events*")
    content = file.read_bytes()
    for cut in range(0, len(content), 97):
        file.write_bytes(content[:cut])
        assert set(read_scalars(tmp_path).get("loss/generator", {})) <= {1, 2, 3, 4, 5}
    file.write_bytes(content[:400] + bytes(50) + content[400:])
    assert set(read_scalars(tmp_path).get("loss/generator", {})) <= {0, 1, 2, 3, 4, 5}
