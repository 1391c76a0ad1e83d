"""Any words in the place of a config file, of flags and of arguments make a plan, or are refused in one line."""

from datetime import timedelta

import numpy as np
import pytest
import yaml
from fuzz_support import WORDS, altered, fuzz, junk, lawful, long_too
from hypothesis import strategies as st

from gan.cli.flags import parse_flags
from gan.runs.config import KEYS, read_config
from gan.runs.fit import configuration

# The tree of a small plan, whose keys the fuzz meets most often.
TREE = configuration(
    model="MLPGAN", recipe={"generator": {"widths": [4]}, "discriminator": {"widths": [4]}, "batch_size": 8}
)
FLAGS = (
    *(f"--{key}" for key in (*KEYS, "config", "allow-import")),
    *("--model.recipe.prior", "--model.recipe.generator_optimizer", "--model.recipe.generator.widths", "--data.name"),
    *("--model.recipe.schedules.ema_decay", "--model.recipe.batch_size", "--model.recipe.d_steps", "--trainer.logger"),
    *("--trainer.max_steps", "--trainer.callbacks", "--trainer.profiler", "--evaluation.every_n_steps", "--data.root"),
    *("--" + "a." * 1500 + "b", "--model." + "a." * 40 + "b", "--..", "--=", "---", "--seed", "--lr", "stray"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@long_too
def test_config_files(seconds, watch, folder):
    def check(text):
        (folder / "c.yaml").write_text(text, errors="surrogateescape")
        with lawful(watch, folder):
            read_config("c.yaml")
            configuration("c.yaml")

    keys = st.sampled_from(("model", "trainer", "data", "seeds", "run", "a", "<<", "?", "-", "pythonpath", "format"))
    lines = st.tuples(keys, st.sampled_from(WORDS) | st.text(max_size=8)).map(": ".join)
    written = altered(TREE).map(lambda tree: yaml.safe_dump(tree, allow_unicode=True))
    fuzz(check, st.lists(lines, max_size=4).map("\n".join) | st.text(max_size=30) | written, 40, seconds)


@long_too
def test_flags(seconds, watch, folder):
    def check(words):
        with lawful(watch, folder):
            flags = parse_flags(words, words=("config", "allow-import"))
            configuration(flags.words["config"], **flags.tree)

    values = st.sampled_from(WORDS) | st.text(max_size=6)
    flag = st.tuples(st.sampled_from(FLAGS), values).map("=".join)
    small = ["--model=MLPGAN", "--model.recipe.generator.widths=[4]", "--model.recipe.discriminator.widths=[4]"]
    fuzz(check, st.lists(flag, min_size=1, max_size=3).map(lambda words: [*small, *words]), 50, seconds)


@long_too
def test_arguments_in_python(seconds, watch, folder):
    class Text(str):
        pass

    objects = st.sampled_from(
        (np.int64(3), np.float32(0.5), np.zeros(2), timedelta(hours=1), Text("x"), {1}, b"x", object(), ...)
    )
    huge = st.builds(pow, st.just(10), st.just(5000))  # hypothesis cannot print the number itself
    values = objects | huge | junk

    def check(given):
        with lawful(watch, folder):
            tree = configuration(**{"model": "MLPGAN", **given})
            assert yaml.safe_load(yaml.safe_dump(tree)) == tree or "nan" in repr(tree)

    sections = {key: TREE[key] for key in ("model", "data", "trainer", "scalars", "seeds", "checkpoints")}
    trees = altered(sections, values) | st.dictionaries(st.sampled_from(KEYS), values, max_size=2)
    fuzz(check, trees, 40, seconds)
