"""What is measured in training, and how often, without a run."""

from types import SimpleNamespace

import pytest
import torch

from gan.base.errors import UserError
from gan.data.split import LoadedData, Split
from gan.runs.callbacks.evaluation import Evaluation


def started(tmp_path, evaluator, **settings):
    """An evaluation that knows its data."""
    images = torch.randint(0, 256, (10, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    part = Split(images, torch.arange(10))
    data = LoadedData("mnist", "elsewhere", part, part, part, evaluator=evaluator)
    evaluation = Evaluation(1, 10, data=data, **settings)
    trainer = SimpleNamespace(run_directory=tmp_path, is_global_zero=True)
    evaluation.on_fit_start(trainer, SimpleNamespace(device=torch.device("cpu")))
    return evaluation


@pytest.mark.parametrize(("evaluator", "measures"), [(None, ["patches"]), ("mnist", ["frechet", "classes", "variety"])])
def test_the_data_set_says_how_it_is_measured(evaluator, measures, tmp_path):
    """Not its name: a set from elsewhere may be called "mnist", too."""
    evaluation = started(tmp_path, evaluator)
    assert [one.key for one in evaluation.selection.measures] == measures


def test_a_configuration_may_name_measures_and_an_extractor(tmp_path):
    evaluation = started(tmp_path, None, measures={"kernel": {}, "frechet": {}}, extractor="mnist")
    assert [one.key for one in evaluation.reporting.measures] == ["kernel", "frechet"]
    assert evaluation.reporting.extractor.name == "mnist"


@pytest.mark.parametrize(
    ("measures", "says"),
    [
        ({}, "names no measure"),
        ({"frechte": {}}, "did you mean 'frechet'"),
        ({"neighbours": {"k": 0}}, "k must be at least 1"),
        ({"neighbours": {"k": "five"}}, "k must be int"),
        ({"kernel": {"every_n_steps": 0}}, "evaluation.measures.kernel.every_n_steps must be a whole number"),
        ({"kernel": 3}, "must be a mapping"),
        ({"gan.parts.priors.normal": {}}, "cannot be used"),
    ],
)
def test_mistakes_in_measures_are_one_line(measures, says):
    with pytest.raises(UserError, match=says) as caught:
        Evaluation(measures=measures)
    assert "\n" not in str(caught.value)
