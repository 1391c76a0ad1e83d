"""A checkpoint is looked at before anything is built: whatever a going on needs is there."""

import pytest
import torch
from support import tiny, train

from gan.base.errors import UserError
from gan.engine.structure import check_optimizers


def test_states_of_other_weights_are_refused():
    module = tiny("MLPGAN")
    trainer = train(module, 2)
    states = {"optimizer_states": [optimizer.state_dict() for optimizer in trainer.optimizers]}
    check_optimizers(states, trainer.optimizers, "x.ckpt")
    states["optimizer_states"][1]["state"][0]["momentum_buffer"] = torch.zeros(3)
    with pytest.raises(UserError, match=r"x\.ckpt: optimizer_states\[1\] does not fit"):
        check_optimizers(states, trainer.optimizers, "x.ckpt")
