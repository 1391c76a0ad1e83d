"""Configs compose key by key, are found from anywhere, and what a run saves resolves to itself."""

import os

import pytest
import yaml
from run_support import DATA, QUIET, SMALL, TINY, error_line, fit, gan, same_end

from gan.base.errors import UserError
from gan.engine.recipe import Recipe
from gan.runs.config import Flags, compose, parse_flags, parse_value, resolve_model, shipped_configs
from gan.variants import VARIANTS


def resolved(*words):
    return resolve_model(compose(parse_flags([str(word) for word in words])))


def recipe(*words):
    return resolved("--model=MLPGAN", *words)["model"]["init_args"]["recipe"]


def test_configs_and_flags_merge_key_by_key_and_the_last_wins(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "model: {class_path: MLPGAN, recipe: {prior: uniform, d_steps: 2}}\ntrainer: {max_steps: 5}"
    )
    (tmp_path / "b.yaml").write_text("model: {recipe: {prior: {bound: 2.0}}}\ntrainer: {max_epochs: 7}")
    words = [f"--config={tmp_path / 'a.yaml'}", "--config", tmp_path / "b.yaml", "--trainer.max_steps", 9]
    tree = resolved(*words)
    values = tree["model"]["init_args"]["recipe"]
    assert tree["trainer"] == {"max_steps": 9, "max_epochs": 7}
    assert values["prior"] == {"name": "uniform", "bound": 2.0}
    assert values["d_steps"] == 2
    assert values["generator"] == VARIANTS["MLPGAN"].defaults.to_dict()["generator"]


def test_the_order_of_configs_counts_and_flags_come_last(tmp_path):
    for name, steps in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.yaml").write_text(f"model: MLPGAN\ntrainer: {{max_steps: {steps}}}")
    a, b = (f"--config={tmp_path / name}.yaml" for name in "ab")
    assert resolved(a, b)["trainer"]["max_steps"] == 2
    assert resolved(b, a)["trainer"]["max_steps"] == 1
    assert resolved("--trainer.max_steps=3", a, b)["trainer"]["max_steps"] == 3


def test_null_removes_a_key_and_elsewhere_restores_the_default():
    defaults = recipe()
    assert recipe("--model.recipe.generator_schedules.momentum=null")["generator_schedules"].get("momentum") is None
    assert Recipe.from_dict(recipe("--model.recipe.generator_schedules.momentum=null")).generator_schedules.keys() == {
        "lr"
    }
    assert recipe("--model.recipe.prior=uniform", "--model.recipe.prior.bound=null")["prior"] == {"name": "uniform"}
    assert defaults["generator_schedules"]["momentum"]["final"] == 0.7
    tree = resolved("--model=MLPGAN", "--trainer.max_steps=3", "--trainer.max_steps=null", "--run=null")
    assert tree["trainer"] == {}
    assert "run" not in tree


def test_another_name_replaces_the_whole_choice():
    changed = recipe(
        "--model.recipe.generator_optimizer=adam",
        "--model.recipe.generator_schedules.momentum=null",
        "--model.recipe.generator_schedules.lr=null",
    )
    assert changed["generator_optimizer"] == {"name": "adam"}
    weights = recipe("--model.recipe.generator_weights.name=glorot_uniform")["generator_weights"]
    assert weights == {"name": "glorot_uniform"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1e-4", 1e-4), ("2E3", 2000.0), ("-1e-4", -1e-4), ("1.5e-3", 0.0015), (".5e1", 5.0), ("100_000", 100_000)],
        *[("3", 3), ("0.5", 0.5), ("true", True), ("null", None), ("[1, 2]", [1, 2]), ("1e", "1e"), ("e5", "e5")],
    ],
)
def test_values_are_yaml_and_1e_4_is_a_number(text, value):
    found = parse_value(text, "--x")
    assert found == value
    assert type(found) is type(value)


def test_1e_4_in_a_config_file_is_a_number_too(tmp_path):
    (tmp_path / "c.yaml").write_text("model: {class_path: MLPGAN, recipe: {generator_optimizer: {lr: 1e-4}}}")
    assert (
        resolved(f"--config={tmp_path / 'c.yaml'}")["model"]["init_args"]["recipe"]["generator_optimizer"]["lr"] == 1e-4
    )


def test_a_folder_may_be_called_2024():
    tree = resolved("--model=MLPGAN", "--run=2024", "--data.root", "1e3", "--data.name=glyphs", "--data.fonts=2024")
    assert tree["run"] == "2024"
    assert tree["data"] == {"root": "1e3", "name": {"name": "glyphs", "fonts": "2024"}}


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_every_shipped_config_resolves_from_any_directory(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree = resolved("--config", name, *([] if "trainer/" not in str(shipped_configs()[name]) else ["--model=MLPGAN"]))
    assert resolve_model(tree) == tree
    text = shipped_configs()[name].read_text()
    assert text.startswith("# "), "a config opens like a lab note"
    assert "gan fit --config" in text.split("\n\n")[0]


def test_there_are_shipped_configs_and_short_names():
    found = shipped_configs()
    assert found["mlp_gan"] == found["systems/mlp_gan"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"model: [unclosed", "YAML"),
        (b"- model\n- data\n", "mapping"),
        (b"", "mapping"),
        (b"just words", "mapping"),
        (bytes(range(256)), "YAML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "YAML"),
        (b"!!python/object/apply:os.system ['touch hacked']", "YAML"),
        (b"model: MLPGAN\ntrainer: 5", "trainer must be a mapping"),
        (b"model: MLPGAN\ntrainer: {max_step: 5}", "did you mean 'max_steps'"),
        (b"model: MLPGAN\nmdata: {}", "did you mean 'data'"),
        (b"model: {class_path: MLPGAN, recipe: {piror: normal}}", "did you mean 'prior'"),
        (b"model: MLPGAN\nrun: [a]", "run must be"),
        (b"model: MLPGAN\n1: 2", "unknown key 1"),
        (b"trainer: {max_steps: 5}", "no variant"),
        (b"model: {class_path: MLPGAN, recipe: {1: 2}}", "no field 1"),
        (b"model: {class_path: MLPGAN, recipe: {prior: {name: normal, 1: 2}}}", "no parameter 1"),
    ],
)
def test_a_broken_config_is_refused_in_one_line(content, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_bytes(content)
    assert gan("fit", "--config=c.yaml", "--run=run") == 2
    assert says in error_line(capsys.readouterr().err)
    assert os.listdir() == ["c.yaml"]


def test_a_config_that_is_a_directory_or_absent_is_refused(tmp_path, capsys):
    for place in (tmp_path, tmp_path / "none.yaml"):
        assert gan("fit", f"--config={place}") == 2
        assert "--config" in error_line(capsys.readouterr().err)


def test_a_flag_needs_its_value():
    for words in (["--trainer.max_steps"], ["--trainer.max_steps", "--run=x"]):
        with pytest.raises(UserError, match="needs a value"):
            parse_flags(words)


REMOVALS = (
    ["--model.recipe.generator_schedules.momentum=null"],
    ["--model.recipe.generator_schedules.lr.minimum=null"],
    ["--model.recipe.generator.activation.slope=null"],
    ["--model.recipe.generator.activation=relu"],
    ["--model.recipe.prior=uniform", "--model.recipe.generator_penalties.l2=0.5"],
    ["--model.recipe.balance.low=0.5", "--model.recipe.balance.high=0.9"],
)


@pytest.mark.parametrize("flags", REMOVALS, ids=" ".join)
def test_a_resolved_tree_resolves_to_itself(flags):
    tree = resolved("--model=MLPGAN", *flags)
    again = resolve_model(compose_tree(tree))
    assert again == tree
    before, after = (Recipe.from_dict(t["model"]["init_args"]["recipe"]) for t in (tree, again))
    assert before == after
    assert before != VARIANTS["MLPGAN"].defaults


def compose_tree(tree):
    """The tree as it comes back from a file."""
    from gan.runs.config import canonical

    return canonical(yaml.safe_load(yaml.safe_dump(tree)), "tree")


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_variants_defaults_resolve_to_themselves(variant):
    tree = resolved(f"--model={variant}")
    assert Recipe.from_dict(tree["model"]["init_args"]["recipe"]) == VARIANTS[variant].defaults
    assert resolve_model(compose_tree(tree)) == tree


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_a_runs_own_config_makes_the_same_run_again(variant, tmp_path):
    flags = ["--model.recipe.generator_biases.value=0.2"]
    if variant == "MLPGAN":
        flags += ["--model.recipe.generator_schedules.momentum=null", "--model.recipe.discriminator_optimizer.lr=1e-3"]
    first = fit(tmp_path / "first", *flags, variant=variant, steps=3)
    assert gan("fit", f"--config={first / 'config.yaml'}", f"--run={tmp_path / 'second'}") == 0
    same_end(first, tmp_path / "second")
    configs = [yaml.safe_load((tmp_path / name / "config.yaml").read_text()) for name in ("first", "second")]
    for config in configs:
        del config["run"]
    assert configs[0] == configs[1]


def test_print_config_shows_what_would_be_saved_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gan("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--print_config") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["init_args"]["recipe"].keys() == Recipe.__dataclass_fields__.keys()
    assert list(tmp_path.iterdir()) == []


def test_flags_of_nothing_make_an_empty_tree():
    assert compose(Flags()) == {}


def test_a_data_set_s_own_parameters_are_keys_of_data():
    tree = resolve_model(compose(parse_flags(["--model=MLPGAN", "--data.name=mylab.data.Blobs", "--data.blobs=8"])))
    assert tree["data"] == {"name": {"name": "mylab.data.Blobs", "blobs": 8}}


def test_another_data_set_keeps_the_root_and_drops_the_first_one_s_split_and_source():
    flags = ["--config=mlp_gan", "--data.root=here", "--data.source=idx", "--data.name=mylab.data.Blobs"]
    assert compose(parse_flags(flags))["data"] == {"root": "here", "name": {"name": "mylab.data.Blobs"}}
