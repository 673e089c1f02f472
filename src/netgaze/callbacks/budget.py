"""A time budget that ends training between epochs, never within one."""

import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.errors import NetgazeError


def to_seconds(max_time: str | float) -> float:
    """Minutes as a number, or "HH:MM:SS" (or "MM:SS"), in seconds.

    Raises:
        NetgazeError: it is neither.
    """
    try:
        parts = [float(part) for part in str(max_time).split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or min(parts) < 0:
        raise NetgazeError(f"trainer.max_time={max_time} is neither minutes (2.5) nor HH:MM:SS (00:02:30).")
    if len(parts) == 1:
        return parts[0] * 60
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


class Budget(Callback):
    """Stop after the epoch in which `max_time` runs out; time before a resume counts.

    Args:
        max_time: minutes, or "HH:MM:SS"; None for no budget.
    """

    def __init__(self, *, max_time: str | float | None):
        self.seconds = None if max_time is None else to_seconds(max_time)
        self._spent = 0.0
        self._started = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if the budget is spent."""
        now = time.monotonic()
        self._spent += now - self._started
        self._started = now
        spent = self.seconds is not None and self._spent >= self.seconds
        if trainer.strategy.reduce_boolean_decision(spent, all=False):  # each process has a clock of its own
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Seconds spent, for the checkpoint."""
        return {"spent": self._spent + time.monotonic() - self._started}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Seconds spent, from the checkpoint."""
        self._spent = state_dict["spent"]
