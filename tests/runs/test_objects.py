"""Loggers, callbacks and plugins of the section `trainer`: built by name, and the only names that are imported."""

import pytest
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import CSVLogger

from gan.base.errors import UserError
from gan.runs.objects import built, named_classes

CSV = {"class_path": "pytorch_lightning.loggers.CSVLogger", "init_args": {"save_dir": "here", "version": "v1.2"}}


def test_classes_go_by_bare_names_and_by_paths():
    logger = built(CSV, "logger")
    assert isinstance(logger, CSVLogger)
    assert logger.version == "v1.2"
    first, second = built([CSV, {"class_path": "CSVLogger", "init_args": {"save_dir": "there"}}], "logger")
    assert (first.save_dir, second.save_dir) == ("here", "there")
    (callback,) = built({"class_path": "EarlyStopping", "init_args": {"monitor": "x"}}, "callbacks")
    assert isinstance(callback, EarlyStopping)
    assert (built(False, "logger"), built(None, "callbacks"), built("simple", "profiler")) == (False, None, "simple")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("logger", "CSVLoger", "trainer.logger: CSVLoger is no Logger; did you mean 'CSVLogger'"),
        ("logger", "EarlyStopping", "is no Logger"),
        ("logger", "os.path", "os.path is no Logger"),
        ("logger", "__name__", "__name__ is no Logger"),
        ("logger", {"class_path": "CSVLogger", "init_args": 5}, "give a class's name"),
        ("callbacks", ".", "cannot import '.'"),
        ("logger", "nowhere.Logger", "trainer.logger: cannot import 'nowhere.Logger'"),
        ("callbacks", True, "trainer.callbacks: give a class's name"),
        ("callbacks", [[]], "trainer.callbacks: give a class's name"),
        ("callbacks", [{"class_path": "EarlyStopping", "args": {}}], "give a class's name"),
        ("callbacks", [{"class_path": "EarlyStopping", "init_args": [1]}], "give a class's name"),
        ("callbacks", "EarlyStopping", "trainer.callbacks EarlyStopping: cannot be used"),
        (
            "callbacks",
            {"class_path": "EarlyStopping", "init_args": {"monitr": "x"}},
            "unknown key 'trainer.callbacks.init_args.monitr'; did you mean 'monitor'",
        ),
        (
            "callbacks",
            {"class_path": "EarlyStopping", "init_args": {"monitor": "x", "patience": "long"}},
            "trainer.callbacks.init_args.patience must be int, got 'long'",
        ),
        ("profiler", "fast", "is no Profiler"),
        ("plugins", "nonsense", "is no Precision"),
    ],
)
def test_what_is_no_such_object_is_one_line(key, value, says):
    with pytest.raises(UserError) as refused:
        built(value, key)
    assert says in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_only_places_where_a_class_is_named_count_as_names():
    settings = {"logger": [CSV, "a.Logger"], "callbacks": {"class_path": "b.C"}, "max_time": "00.12", "plugins": None}
    assert sorted(named_classes(settings)) == ["a.Logger", "b.C", "pytorch_lightning.loggers.CSVLogger"]
