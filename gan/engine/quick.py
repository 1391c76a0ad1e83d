"""What of Lightning's own work within a step is left out, as it takes as long as a small network."""

from typing import Any

import pytorch_lightning as pl

BATCH_HOOKS = (
    *("on_train_batch_start", "on_train_batch_end", "on_before_zero_grad"),
    *("on_before_backward", "on_after_backward", "on_before_optimizer_step"),
)


class QuickModule(pl.LightningModule):
    """A LightningModule that notes the name of the running hook at once: Lightning sets it 40 times a step."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. nn.Module's own way looks through parameters, buffers and modules first."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)


def pass_over_empty_hooks(callbacks: list[pl.Callback]) -> None:
    """Let the trainer pass over what a callback does not do within a batch. It calls only what is callable."""
    for callback in callbacks:
        for hook in BATCH_HOOKS:
            if getattr(getattr(callback, hook), "__func__", None) is getattr(pl.Callback, hook):
                setattr(callback, hook, None)
