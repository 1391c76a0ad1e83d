"""A checkpoint is looked at before anything is built: whatever a going on needs is there."""

from copy import deepcopy

import pytest
import torch
from fuzz_support import REMOVED, with_alterations
from run_support import QUIET, TINY, checkpoint, gan
from support import same, tiny, train, weights

from gan.base.errors import UserError
from gan.engine.structure import CALLBACKS, check_optimizers, check_structure
from gan.variants.mlp_gan import MLPGAN


def test_states_of_other_weights_are_refused():
    module = tiny("MLPGAN")
    trainer = train(module, 2)
    states = {"optimizer_states": [optimizer.state_dict() for optimizer in trainer.optimizers]}
    check_optimizers(states, trainer.optimizers, "x.ckpt")
    states["optimizer_states"][1]["state"][0]["momentum_buffer"] = torch.zeros(3)
    with pytest.raises(UserError, match=r"x\.ckpt: optimizer_states\[1\] does not fit"):
        check_optimizers(states, trainer.optimizers, "x.ckpt")


@pytest.mark.parametrize(
    "junk", [{"a": None}, [1.0], "text", torch.zeros((), dtype=torch.bool), torch.zeros(9)], ids=str
)
@pytest.mark.parametrize(("variant", "key"), [("MLPGAN", "momentum_buffer"), ("DCGAN", "exp_avg"), ("DCGAN", "step")])
def test_states_that_allow_no_step_are_refused_and_no_weight_is_moved(variant, key, junk):
    module = tiny(variant)
    trainer = train(module, 2)
    before = weights(module)
    states = {"optimizer_states": [optimizer.state_dict() for optimizer in trainer.optimizers]}
    kept = deepcopy(states)
    check_optimizers(states, module.configure_optimizers()[0], "x.ckpt")
    assert same(before, weights(module))
    for now, then in zip(states["optimizer_states"], kept["optimizer_states"], strict=True):
        assert all(torch.equal(now["state"][0][name], then["state"][0][name]) for name in then["state"][0])
    states["optimizer_states"][1]["state"][0][key] = junk
    with pytest.raises(UserError, match=r"x\.ckpt: .*optimizer_states\[1\]"):
        check_optimizers(states, module.configure_optimizers()[0], "x.ckpt")


def test_a_checkpoint_whose_callbacks_lack_a_key_or_have_junk_is_refused(tmp_path):
    run = tmp_path / "run"
    words = (*TINY["MLPGAN"], *QUIET[:2], "--trainer.max_steps=3", "--scalars.every_n_steps=2", f"--run={run}")
    assert gan("fit", *words) == 0
    sound = checkpoint(run)
    check_structure(sound, "x.ckpt")
    keys = [("Checkpoints", "best"), ("Recording", "data"), *(("Scalars", key) for key in CALLBACKS["Scalars"])]
    cases = [(path, change) for path in keys for change in (REMOVED, "junk", [torch.zeros(2)])]
    tag = next(iter(sound["callbacks"]["Scalars"]["sums"]))
    cases += [(("Scalars", "sums", tag), change) for change in ("junk", torch.zeros(2), torch.zeros((), dtype=int))]
    cases += [(("Scalars", "counts", tag), change) for change in (REMOVED, "junk", 0)]
    cases += [(("Recording", "data", key), torch.zeros(2)) for key in sound["callbacks"]["Recording"]["data"]]
    cases += [((name,), "junk") for name in CALLBACKS]
    for path, change in cases:
        content = with_alterations(sound, [(("callbacks", *path), change)])
        with pytest.raises(UserError, match=r"x\.ckpt: damaged: .*callbacks\."):
            check_structure(content, "x.ckpt")


@pytest.mark.parametrize("junk", [torch.zeros(5056).byte(), torch.zeros(5056), torch.zeros(3).byte()], ids=str)
@pytest.mark.parametrize("place", [("random", 0), ("streams", "noise", 0)])
def test_what_is_no_state_of_a_generator_is_refused(place, junk, tmp_path):
    run = tmp_path / "run"
    assert gan("fit", *TINY["MLPGAN"], *QUIET, "--trainer.max_steps=1", f"--run={run}") == 0
    content = with_alterations(checkpoint(run), [(("adversarial", *place), junk)])
    with pytest.raises(UserError, match="holds no state of a generator"):
        check_structure(content, "x.ckpt")


def test_a_schedule_may_start_an_average_at_0():
    ramp = {"name": "linear_ramp", "final": 0.5, "updates": 2}
    module = tiny("MLPGAN", {"schedules": {"ema_decay": ramp}, "generator_optimizer": {"lr": 10.0}})
    train(module, 3)
    assert module.average is not None
    assert not same(weights(module.average), weights(module.generator))


@pytest.mark.parametrize(
    ("recipe", "says"),
    [({"prior": "uniform"}, r"give MLPGAN\(MLPGAN.defaults.merged\(.*uniform"), (3, "must be a Recipe")],
)
def test_what_a_variant_is_made_from_is_a_whole_recipe(recipe, says):
    with pytest.raises(UserError, match=says):
        MLPGAN(recipe)
