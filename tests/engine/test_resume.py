"""Resuming with a bare trainer is bitwise, wherever a run was stopped."""

import pytest
import torch
from support import EVERY, Recorder, Replay, same, tiny, train, weights

RESUMABLE = [
    {},
    {"d_steps": 3},
    {"latent": "shared", "g_steps": 2},
    {"latent": "fresh", "d_steps": 2, "g_steps": 3},
    {"balance": {"low": 0.4, "high": 0.6, "patience": 2}, "d_steps": 1},
    {"balance": {"low": 0.0, "high": 0.0, "patience": 2}, "latent": "shared", "d_steps": 1},
    {"discriminator": {"dropout": 0.5}},
    {"pretraining": 3, "ema_decay": 0.9, "augmentations": {"translation": {}, "instance_noise": {}}},
    {"updates": "simultaneous", "discriminator_penalties": {"r1": {"weight": 1.0, "interval": 2}}},
]
# Every variant resumes; every rule of a round is resumed with these.
ROUNDS = ("DCGAN", "FullResolutionDCGAN", "MLPGAN")


@pytest.mark.parametrize(
    ("variant", "change"),
    [
        (variant, change)
        for variant in sorted(EVERY)
        for change in RESUMABLE
        if (variant in ROUNDS or not change)
        and change.get("discriminator", {}).keys() <= EVERY[variant].defaults.discriminator.keys()
        and not ("updates" in change and EVERY[variant].defaults.discriminator_update == "real_then_fake")
    ]
    + [("BiGAN", {"ema_decay": 0.9}), ("ADA", {"d_steps": 3})],
    ids=str,
)
def test_resume_is_bitwise(variant, change, tmp_path):
    """Stop at step 3, also in mid-round, go on to 6 in a fresh module: the weights of six steps at once."""
    straight, record = tiny(variant, change, seed=4), Recorder()
    torch.manual_seed(4)
    train(straight, 6, record)
    first, first_record = tiny(variant, change, seed=4), Recorder()
    torch.manual_seed(4)
    train(first, 3, first_record).save_checkpoint(tmp_path / "a.ckpt")
    second = tiny(variant, change, seed=7)  # other initial weights
    rest = Replay(record.batches[len(first_record.batches) :])
    torch.manual_seed(99)  # whatever the new process's random state is
    train(second, 6, batches=rest, ckpt_path=tmp_path / "a.ckpt")
    assert same(weights(straight), weights(second))
    assert straight.images_seen == second.images_seen
    assert straight.players["discriminator"].updates == second.players["discriminator"].updates
