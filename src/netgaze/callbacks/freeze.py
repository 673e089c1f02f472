"""Freezes parameters after the first epochs."""

from collections.abc import Sequence

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.errors import NetgazeError


class Freeze(Callback):
    """Freeze parameters of the network after some epochs.

    Args:
        parameters: their names or those of modules they belong to, as `whiten.bias` or `layer1`; none, nothing.
        after: epochs in which they are trained.

    Raises:
        NetgazeError: the network has no parameter of such a name.
    """

    def __init__(self, *, parameters: Sequence[str] = (), after: int = 0):
        self.parameters, self.after = tuple(parameters), after

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freeze what has learned long enough; in a resumed run too."""
        if not self.parameters or trainer.current_epoch < self.after:
            return
        for name in self.parameters:
            found = [
                parameter
                for own, parameter in pl_module.model.named_parameters()  # type: ignore[union-attr]
                if f"{own}.".startswith(f"{name}.")
            ]
            if not found:
                raise NetgazeError(f"callback.freeze.parameters={name}: the network has no such parameter or module.")
            for parameter in found:
                parameter.requires_grad_(False)
