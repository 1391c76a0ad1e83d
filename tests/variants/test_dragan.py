"""DRAGAN: D's gradient is held near 1 around the real images."""

import torch
from support import Digits, Recorder, tiny, train

from gan.base.images import to_range


def gradient_norm(module):
    """Mean over real images, in evaluation mode, that no image's batch is in its gradient."""
    images = to_range(next(iter(Digits(8)))[0], (-1.0, 1.0)).requires_grad_()
    module.discriminator.eval()
    module.discriminator(images).sum().backward()
    return float(images.grad.flatten(1).norm(dim=1).mean())


def test_the_penalty_holds_d_s_gradient_at_real_images_near_1():
    fast = {"discriminator_optimizer": {"lr": 1e-2}, "discriminator": {"norm": "none"}}
    norms = []
    for weight in (0.0, 10.0):
        torch.manual_seed(0)
        module = tiny("DRAGAN", fast | {"discriminator_penalties": {"dragan": weight}})
        train(module, 60, Recorder())
        norms.append(gradient_norm(module))
    free, held = norms
    assert abs(held - 1) < 0.5
    assert abs(held - 1) < abs(free - 1)
