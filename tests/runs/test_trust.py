"""Consent: what a configuration of somebody else may do without it."""

import pytest

from gan.base.errors import UserError
from gan.runs.config import Part
from gan.runs.fit import configuration
from gan.runs.trust import refuse_foreign_code, trusted


@pytest.mark.parametrize(
    ("key", "item", "place"),
    [
        ("callbacks", {"class_path": "ModelCheckpoint", "init_args": {"dirpath": "/any/dir"}}, "'/any/dir'"),
        ("callbacks", [{"class_path": "ModelCheckpoint", "init_args": {"dirpath": "here"}}], "'here'"),
        ("callbacks", {"class_path": "ModelCheckpoint", "init_args": {"filename": "../../x"}}, "'../../x'"),
        ("logger", {"class_path": "CSVLogger", "init_args": {"save_dir": "~"}}, "'~'"),
        ("logger", {"class_path": "CSVLogger", "init_args": {"name": "$HOME/x"}}, r"'\$HOME/x'"),
        ("logger", {"class_path": "TensorBoardLogger", "init_args": {"save_dir": "s3://b/x"}}, "'s3://b/x'"),
        ("logger", "WandbLogger", "a server"),
        ("profiler", {"class_path": "SimpleProfiler", "init_args": {"dirpath": "/any"}}, "'/any'"),
        ("profiler", {"class_path": "PyTorchProfiler", "init_args": {"a": [{"path": "/any"}]}}, "'/any'"),
        ("plugins", {"class_path": "pytorch_lightning.plugins.X", "init_args": {"root": "/any"}}, "'/any'"),
    ],
)
def test_an_object_of_a_run_stays_inside_it_or_needs_consent(key, item, place, tmp_path):
    tree = {"trainer": {key: item}}
    says = rf"config\.yaml: trainer\.{key} \w+ writes to {place}, outside the run; .*--allow-import pytorch_lightning$"
    with pytest.raises(UserError, match=says):
        refuse_foreign_code(tree, tmp_path, (), "config.yaml")
    refuse_foreign_code(tree, tmp_path, ["pytorch_lightning"], "config.yaml")
    with pytest.raises(UserError, match=f"writes to {place}"):  # `gan fit --config` of somebody's run
        trusted([Part("config.yaml", tree, format=2, name="config")], ())


def test_what_stays_inside_needs_none(tmp_path):
    inside = {"save_dir": str(tmp_path / "logs"), "name": "mine", "version": "v1.2"}
    tree = {
        "trainer": {
            "logger": [{"class_path": "CSVLogger", "init_args": inside}, "TensorBoardLogger"],
            "callbacks": [{"class_path": "EarlyStopping", "init_args": {"monitor": "loss/generator"}}],
            "profiler": "simple",
        }
    }
    refuse_foreign_code(tree, tmp_path, (), "config.yaml")


def test_a_link_out_of_the_run_is_outside(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "logs").symlink_to(tmp_path)
    tree = {"trainer": {"callbacks": {"class_path": "ModelCheckpoint", "init_args": {"filename": "logs/x"}}}}
    with pytest.raises(UserError, match="outside the run"):
        refuse_foreign_code(tree, tmp_path / "run", (), "config.yaml")


def test_a_config_file_names_code_in_the_working_directory_alone(tmp_path, monkeypatch):
    """Its folder is not imported from without consent, and neither are installed libraries."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "mine").mkdir()
    for folder in ("theirs", "mine"):
        text = f"open({str(tmp_path / folder / 'imported')!r}, 'w')\nfrom gan.parts.priors import normal\n"
        (tmp_path / folder / "their_code.py").write_text(text)
    config = tmp_path / "theirs" / "config.yaml"
    prior = "model: {class_path: MLPGAN, recipe: {prior: their_code.normal}}\n"
    config.write_text(f"{prior}pythonpath: {tmp_path / 'theirs'}\n")
    with pytest.raises(UserError, match=r"names code by its path, their_code\.normal.*--allow-import their_code"):
        configuration(config)
    assert not (tmp_path / "theirs" / "imported").exists()
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.syspath_prepend(tmp_path / "mine")
    configuration(config)
    assert (tmp_path / "mine" / "imported").exists()
    assert not (tmp_path / "theirs" / "imported").exists()
    config.write_text("data: {name: {name: subprocess.run, args: 'touch hacked', shell: true}}\nmodel: MLPGAN\n")
    with pytest.raises(UserError, match="--allow-import subprocess"):
        configuration(config)


def test_with_consent_code_is_imported_from_where_the_run_found_it(tmp_path, monkeypatch):
    (tmp_path / "allowed_code.py").write_text("from gan.parts.priors import normal\n")
    (tmp_path / "c.yaml").write_text(
        f"model: {{class_path: MLPGAN, recipe: {{prior: allowed_code.normal}}}}\npythonpath: {tmp_path}\n"
    )
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    tree = configuration(tmp_path / "c.yaml", allow_import=["allowed_code"])
    assert tree["pythonpath"] == str(tmp_path)


@pytest.mark.parametrize("wrong", [3, [4], None])
def test_consent_is_names_of_packages(wrong):
    with pytest.raises(UserError, match="allow_import must be names of packages"):
        refuse_foreign_code({"model": "a.B"}, None, wrong, "x")
