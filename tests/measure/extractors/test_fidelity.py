"""Inception and DINOv2 with RANDOM weights: the wiring alone. What their real weights give is not tested here."""

import pickle

import pytest
import torch

from gan.base.errors import UserError
from gan.measure.extractors.fidelity import dinov2, inception

IMAGES = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights for each network."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason="gan[features] is missing")
    timm = pytest.importorskip("timm", reason="gan[features] is missing")
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:  # it is built from a file alone
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    torch.save(network.state_dict(), folder / "inception.pth")
    network = timm.create_model("vit_small_patch14_dinov2.lvd142m", pretrained=False, num_classes=0, img_size=224)
    torch.save(network.state_dict(), folder / "dinov2.pth")
    return folder


@pytest.mark.slow  # larger than all other networks here together
@pytest.mark.parametrize(
    ("make", "name", "features", "classes"), [(inception, "inception", 2048, 1008), (dinov2, "dinov2", 384, 0)]
)
def test_random_weights_give_features_that_stay(make, name, features, classes, weights):
    state = torch.get_rng_state()
    extractor = make(weights=str(weights / f"{name}.pth"))
    assert torch.equal(torch.get_rng_state(), state)
    seen, logits = extractor(IMAGES)
    assert seen.shape == (3, features)
    assert (logits is None) is (classes == 0)
    assert extractor.num_classes == classes
    assert torch.equal(make(weights=str(weights / f"{name}.pth"))(IMAGES).features, seen)
    coloured = extractor(IMAGES.expand(-1, 3, -1, -1)).features
    torch.testing.assert_close(coloured, seen)
    with pytest.raises(UserError, match="not 2 channels"):
        extractor(IMAGES.expand(-1, 2, -1, -1))
    other = {"inception": dinov2, "dinov2": inception}[name]
    with pytest.raises(UserError, match="not the weights of"):
        other(weights=str(weights / f"{name}.pth"))


class Hostile:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('it ran')",)


@pytest.mark.parametrize("make", [inception, dinov2])
def test_hostile_and_missing_files_are_refused(make, tmp_path):
    pytest.importorskip("torch_fidelity", reason="gan[features] is missing")
    pytest.importorskip("timm", reason="gan[features] is missing")
    torch.save({"a": Hostile()}, tmp_path / "hostile.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile()))
    (tmp_path / "noise.pth").write_bytes(b"noise")
    for name in ("hostile", "plain", "noise"):
        with pytest.raises(UserError, match=f"{name}.pth: not the weights of") as caught:
            make(weights=str(tmp_path / f"{name}.pth"))
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot read the weights"):
        make(weights=str(tmp_path / "none.pth"))


@pytest.mark.parametrize("make", [inception, dinov2])
def test_without_the_extra_a_line_names_it(make, tmp_path, monkeypatch):
    for module in ("torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3", "timm"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    (tmp_path / "w.pth").write_bytes(b"")
    with pytest.raises(UserError, match=r"install gan\[features\]"):
        make(weights=str(tmp_path / "w.pth"))
