"""Reading trained generators: what fit wrote loads in one line, everything else is refused in one, and nothing runs."""

import json
import pickle
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from run_support import equal, error_line, fit, gan, same_end
from support import KINDS_OF_GENERATORS, tiny, train

import gan as package
from gan.base.errors import UserError
from gan.runs.checkpoint import build_sampler, load, read_checkpoint, save_snapshot
from gan.runs.integrity import damage
from gan.runs.reader import find_checkpoint, read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("runs") / "run", "--checkpoints.milestones=[3]", steps=3)


@pytest.fixture(scope="module")
def content(run):
    return read_checkpoint(find_checkpoint(run))


@pytest.mark.parametrize("variant", KINDS_OF_GENERATORS)
def test_run_checkpoint_and_snapshot_give_the_same_images(variant, tmp_path):
    flags = ("--checkpoints.milestones=[3]", "--model.recipe.generator_optimizer.lr=0.1")
    run = fit(tmp_path / "run", *flags, variant=variant, steps=3)
    checkpoint, snapshot = read_run(run).checkpoint(), read_run(run).snapshots[3]
    images = [package.load(path).sample(8, seed=5) for path in (run, str(run), checkpoint, snapshot)]
    assert all(torch.equal(images[0], other) for other in images[1:])
    state = read_checkpoint(checkpoint)["state_dict"]
    loaded = package.load(run).generator.state_dict()
    assert all(torch.equal(state[f"generator.{name}"], tensor) for name, tensor in loaded.items())


def test_a_loaded_generator_is_ready_to_use(run):
    state = torch.get_rng_state()
    sampler = package.load(run)
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module.training for module in sampler.modules())
    assert not any(parameter.requires_grad for parameter in sampler.parameters())
    assert sampler(torch.zeros(2, sampler.latent_dim)).shape == (2, 1, 28, 28)


def test_load_is_part_of_the_package_and_importing_it_is_cheap():
    assert "load" in package.__all__
    assert package.load is load
    with pytest.raises(AttributeError, match="laod"):
        _ = package.laod
    code = "import gan, sys; assert 'torch' not in sys.modules; sys.modules['torch'] = None; gan.load"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "import of torch halted" in done.stderr


def test_a_checkpoint_holds_plain_values_only(content):
    assert content["adversarial"]["variant"] == "gan.variants.mlp_gan.MLPGAN"
    assert content["hyper_parameters"]["recipe"]["prior"] == {"name": "normal"}
    assert content["global_step"] == 3


def test_a_snapshot_needs_no_pickle_and_says_what_it_is(run):
    with safetensors.safe_open(read_run(run).snapshots[3], framework="pt") as file:
        header = json.loads(file.metadata()["gan"])
    assert header["step"] == 3
    assert header["variant"] == "gan.variants.mlp_gan.MLPGAN"
    assert header["hyper_parameters"]["recipe"]["latent_dim"] == 8


class Code:
    """Pickles to a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def files(tmp_path: Path, run: Path, content: dict) -> dict[str, Path]:
    """Files that are no checkpoint, by what they are."""
    good = find_checkpoint(run).read_bytes()
    snapshot = read_run(run).snapshots[3].read_bytes()
    raw = {
        "empty.ckpt": b"",
        "text.ckpt": b"hello\n" * 100,
        "zeros.ckpt": bytes(5000),
        "random.ckpt": torch.randint(0, 256, (5000,), dtype=torch.uint8).numpy().tobytes(),
        "cut.ckpt": good[: len(good) // 2],
        "headless.ckpt": good[100:],
        "flipped.ckpt": good[:1000] + bytes(200) + good[1200:],
        "pickle.ckpt": pickle.dumps({"state_dict": Code(tmp_path / "hacked")}),
        "protocol0.ckpt": pickle.dumps(Code(tmp_path / "hacked"), protocol=0),
        "empty.safetensors": b"",
        "text.safetensors": b"hello\n" * 100,
        "cut.safetensors": snapshot[: len(snapshot) // 2],
        "cut_header.safetensors": snapshot[:50],
        "huge_header.safetensors": (2**62).to_bytes(8, "little") + snapshot[8:],
        "checkpoint_named.safetensors": good,
        "snapshot_named.ckpt": snapshot,
    }
    found = {}
    for name, data in raw.items():
        (tmp_path / name).write_bytes(data)
        found[name] = tmp_path / name

    def saved(name: str, value: object) -> None:
        torch.save(value, tmp_path / name)
        found[name] = tmp_path / name

    saved("code.ckpt", {**content, "extra": Code(tmp_path / "hacked")})
    saved("tensor.ckpt", torch.zeros(3))
    saved("list.ckpt", [1, 2])
    saved("other.ckpt", {"state_dict": {}, "epoch": 3})
    for key in ("adversarial", "hyper_parameters", "state_dict"):
        saved(f"no_{key}.ckpt", {k: v for k, v in content.items() if k != key})
        for value in (None, 5, [], {}):
            saved(f"{key}_{value}.ckpt", {**content, key: value})
    for key in content["hyper_parameters"]:
        for value in (None, "x", [1], {"a": 1}, -1):
            if (key, value) != ("num_classes", -1):
                hyper_parameters = {**content["hyper_parameters"], key: value}
                saved(f"{key}_{value}.ckpt", {**content, "hyper_parameters": hyper_parameters})
    for variant in (None, 3, "MLPGAN", "gan.variants.mlp_gan.NoGAN", "gan.engine.recipe.Recipe", "gan..x", ".", "gan."):
        saved(f"variant_{variant}.ckpt", {**content, "adversarial": {**content["adversarial"], "variant": variant}})
    recipe = content["hyper_parameters"]["recipe"]
    for change in ({"latent_dim": 9}, {"prior": {"name": 5}}, {"prior": "nothing"}, {"generator": {}}, {1: 2}):
        hyper_parameters = {**content["hyper_parameters"], "recipe": {**recipe, **change}}
        saved(f"recipe_{len(found)}.ckpt", {**content, "hyper_parameters": hyper_parameters})
    name = next(name for name in content["state_dict"] if name.startswith("generator."))
    for value in (None, 3, "x", torch.zeros(1)):
        saved(f"weights_{len(found)}.ckpt", {**content, "state_dict": {**content["state_dict"], name: value}})
    safetensors.torch.save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    found["foreign.safetensors"] = tmp_path / "foreign.safetensors"
    for i, header in enumerate(("{", "[]", "{}", '{"variant": 3, "hyper_parameters": 4}', "null")):
        path = tmp_path / f"header_{i}.safetensors"
        safetensors.torch.save_file({"a": torch.zeros(2)}, path, {"gan": header})
        found[path.name] = path
    return found


def test_what_is_no_checkpoint_is_refused_in_one_line_and_runs_no_code(run, content, tmp_path):
    found = files(tmp_path, run, content)
    assert len(found) > 60
    for name, path in found.items():
        with pytest.raises(UserError) as error:
            load(path)
        assert "\n" not in str(error.value), name
        assert len(str(error.value)) < 600, name
    assert not (tmp_path / "hacked").exists()


def test_a_recipe_of_very_many_layers_is_refused_soon(content, tmp_path):
    recipe = content["hyper_parameters"]["recipe"]
    recipe = {**recipe, "generator": {**recipe["generator"], "widths": [1] * 30_000}}
    torch.save({**content, "hyper_parameters": {**content["hyper_parameters"], "recipe": recipe}}, tmp_path / "x.ckpt")
    start = time.process_time()
    with pytest.raises(UserError, match="widths has 30,000 numbers; allowed: 200"):
        load(tmp_path / "x.ckpt")
    assert time.process_time() - start < 5


def test_absent_files_directories_and_giants_are_refused(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    for path, says in ((tmp_path / "none.ckpt", "no such file"), (tmp_path / "empty", "holds no checkpoints")):
        with pytest.raises(UserError, match=says):
            load(path)
    (tmp_path / "big.ckpt").write_bytes(b"x" * 11)
    monkeypatch.setattr("gan.runs.checkpoint.MAX_BYTES", 10)
    with pytest.raises(UserError, match="11 bytes"):
        load(tmp_path / "big.ckpt")


@pytest.mark.parametrize(
    "change",
    [
        {"prior": {"name": "os.system"}},
        {"prior": "evil_module.prior"},
        {"generator_penalties": {"evil_module.penalty": 1.0}},
        {"loss": {"name": "gan.cli.main", "arguments": ["--version"]}},  # of gan, but called with a file's parameters
        {"auxiliary": {"name": "gan.cli.main", "arguments": ["--version"]}},
        {"augmentations": {"evil_module.augment": {}}},
        {"discriminator": {"name": "mlp", "widths": [4], "activation": "evil_module.activation"}},
        {"generator_schedules": {"lr": {"name": "evil_module.schedule"}}},
    ],
    ids=str,
)
def test_code_outside_the_package_is_refused_before_it_is_imported(change, content, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'hacked')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    hyper_parameters = content["hyper_parameters"]
    recipe = hyper_parameters["recipe"] | change
    torch.save({**content, "hyper_parameters": {**hyper_parameters, "recipe": recipe}}, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match=r"--allow-import (os|evil_module|gan)$"):
        load(tmp_path / "x.ckpt")
    assert not (tmp_path / "hacked").exists()


def test_a_foreign_variant_is_refused_before_it_is_imported(content, tmp_path, monkeypatch):
    (tmp_path / "evil_variant.py").write_text(f"open({str(tmp_path / 'hacked')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    torch.save({**content, "adversarial": {"variant": "evil_variant.GAN"}}, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match="--allow-import evil_variant"):
        load(tmp_path / "x.ckpt")
    assert not (tmp_path / "hacked").exists()
    with pytest.raises(UserError, match="cannot import"):  # allowed: imported, and found to lack the class
        load(tmp_path / "x.ckpt", allow_import=["evil_variant"])
    assert (tmp_path / "hacked").exists()


def test_a_module_trained_without_the_command_line_loads_too(tmp_path):
    module = tiny("MLPGAN")
    trainer = train(module, 2)
    trainer.save_checkpoint(tmp_path / "mine.ckpt")
    save_snapshot(module, 2, tmp_path / "mine.safetensors")
    images = module.sampler().sample(4)
    for name in ("mine.ckpt", "mine.safetensors"):
        assert torch.equal(load(tmp_path / name).sample(4), images)


def flipped(file: Path, place: int) -> bytes:
    """The bytes of a file with one bit changed."""
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    return bytes(content)


def weights_of(file: Path) -> int:
    """A place in the middle of a checkpoint's largest part, which is a tensor."""
    with zipfile.ZipFile(file) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
    return largest.header_offset + len(largest.filename) + 100 + largest.file_size // 2


def test_one_changed_bit_is_found_wherever_it_matters(run, content, tmp_path):
    good = find_checkpoint(run)
    size = good.stat().st_size
    with zipfile.ZipFile(good) as archive:
        directory = range(archive.start_dir, size, 11)  # of the archive: PyTorch reads fields that Python ignores
    for place in [weights_of(good), *random.Random(0).sample(range(size), 60), *directory]:
        (tmp_path / "x.ckpt").write_bytes(flipped(good, place))
        if place == weights_of(good) or damage(tmp_path / "x.ckpt"):
            with pytest.raises(UserError, match="damaged"):
                read_checkpoint(tmp_path / "x.ckpt")
        else:
            assert equal(read_checkpoint(tmp_path / "x.ckpt"), content), place


def test_one_changed_bit_of_a_snapshot_is_found(run, tmp_path):
    good, header = read_run(run).snapshots[3], b'"latent_dim'
    size = good.stat().st_size
    for place in [good.read_bytes().index(header) + 3, *random.Random(0).sample(range(size // 2, size), 20)]:
        (tmp_path / "x.safetensors").write_bytes(flipped(good, place))
        with pytest.raises(UserError, match="damaged"):
            load(tmp_path / "x.safetensors")


def test_a_snapshot_without_a_checksum_is_an_older_one(run, tmp_path):
    with safetensors.safe_open(read_run(run).snapshots[3], framework="pt") as file:
        header = json.loads(file.metadata()["gan"])
    del header["sha256"]
    weights = safetensors.torch.load_file(read_run(run).snapshots[3])
    safetensors.torch.save_file(weights, tmp_path / "old.safetensors", {"gan": json.dumps(header)})
    assert torch.equal(load(tmp_path / "old.safetensors").sample(4), load(read_run(run).snapshots[3]).sample(4))


def test_a_run_with_a_damaged_checkpoint_has_a_sound_one(tmp_path, capsys):
    run = fit(tmp_path / "run", "--checkpoints.every_n_steps=2", steps=4)
    older, newest = read_run(run).saved("last").values()
    newest.write_bytes(flipped(newest, weights_of(newest)))
    capsys.readouterr()
    assert gan("sample", run, "--num=4", "--out", tmp_path / "a.png") == 0
    note = capsys.readouterr().err
    assert note.startswith(f"note: {newest}: damaged (")
    assert note.endswith(f"taking {older.name}, which was saved before it\n")
    assert gan("sample", older, "--num=4", "--out", tmp_path / "b.png") == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    for words in (("sample", newest, "--out", tmp_path / "c.png"), ("evaluate", newest)):
        capsys.readouterr()
        assert gan(*words) == 2, "a file that is named is not replaced by another"
        assert "damaged" in error_line(capsys.readouterr().err)
    assert gan("resume", run, "--trainer.max_steps=5") == 0
    assert [step for step in read_run(run).saved("last")] == [4, 5], "the damaged one is done again"
    same_end(fit(tmp_path / "whole", steps=5), run)
    for file in read_run(run).saved("last").values():
        file.write_bytes(flipped(file, weights_of(file)))
    assert gan("resume", run, "--trainer.max_steps=6") == 2
    assert "last_step_0000005.ckpt: damaged" in capsys.readouterr().err.splitlines()[-1]


def test_a_checkpoint_whose_parts_are_compressed_is_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(10**8))
    with pytest.raises(UserError, match="not stored as PyTorch stores them"):
        load(tmp_path / "bomb.ckpt")


def test_the_command_line_says_it_in_one_line(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as file:
        file.writestr("data.pkl", b"nonsense")
    assert gan("sample", tmp_path / "x.ckpt", "--out", tmp_path / "a.png") == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "x.ckpt" in captured


@pytest.mark.parametrize("name", ["gan.__main__.main", "gan.cli.main", "gan.engine.game.AdversarialModule"])
def test_a_file_may_name_no_other_part_of_the_package(name):
    with pytest.raises(UserError, match=r"is not a variant; those of gan are in gan\.variants"):
        build_sampler(name, {"recipe": {}, "image_shape": [1, 28, 28], "num_classes": 10}, 2, {}, "raw", (), "file")
