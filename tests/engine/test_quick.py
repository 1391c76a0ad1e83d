"""Lightning's work within a step: what is left out is missed by nobody."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import LambdaCallback
from support import tiny, train

from gan.engine.quick import BATCH_HOOKS, pass_over_empty_hooks


class Counting(pl.Callback):
    """Has one hook of a batch, which a parent class gives it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_before_backward(self, trainer, pl_module, loss):
        self.seen.append(pl_module._current_fx_name)


class Derived(Counting):
    pass


def test_hooks_that_a_callback_has_are_called_and_no_others():
    called: list[str] = []
    given = LambdaCallback(on_train_batch_end=lambda *words: called.append("end"))
    callbacks = [Derived(), given, pl.Callback()]
    pass_over_empty_hooks(callbacks)
    assert [hook for hook in BATCH_HOOKS if callable(getattr(callbacks[0], hook))] == ["on_before_backward"]
    assert [hook for hook in BATCH_HOOKS if callable(getattr(given, hook))] == ["on_train_batch_end"]
    assert not any(callable(getattr(callbacks[2], hook)) for hook in BATCH_HOOKS)
    train(tiny("MLPGAN"), 2, *callbacks)
    assert callbacks[0].seen == ["on_before_backward"] * 4  # which Lightning's own messages name
    assert called == ["end"] * 2
