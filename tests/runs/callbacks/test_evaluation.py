"""Which data are measured in training, without a run."""

from types import SimpleNamespace

import pytest
import torch

from gan.base.notes import forget
from gan.data.split import LoadedData, Split
from gan.runs.callbacks.evaluation import Evaluation


@pytest.mark.parametrize("evaluator", [None, "mnist"])
def test_the_data_set_says_whether_it_is_measured(evaluator, tmp_path, capsys):
    """Not its name: a set from elsewhere may be called "mnist", too."""
    forget()
    images = torch.randint(0, 256, (10, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    part = Split(images, torch.arange(10))
    evaluation = Evaluation(1, 10, data=LoadedData("mnist", "elsewhere", part, part, part, evaluator=evaluator))
    trainer = SimpleNamespace(run_directory=tmp_path, is_global_zero=True)
    evaluation.on_fit_start(trainer, SimpleNamespace(device=torch.device("cpu")))
    assert evaluation.measures is (evaluator is not None)
    assert ("no FID is measured: the data set mnist names no evaluator" in capsys.readouterr().err) is (
        evaluator is None
    )
