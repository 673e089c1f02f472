"""A run that gets a stop signal saves within its epoch, and later resumes as if it had never stopped."""

import copy
import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, distributed

from netgaze.callbacks.keep import Keep
from netgaze.errors import Stopped
from netgaze.requeue import find_heard, listen

log = logging.getLogger(__name__)


class Preemption(Callback):
    """On SIGTERM, SIGUSR1 or SIGUSR2 end the step, write `last.ckpt` and stop; must stand after all that take part.

    Of an epoch that was cut off, the checkpoint also holds what is not the network's: the states of the generators, the
    sums of the steps so far, of each process. The batches that were trained on are left out when it goes on.

    Args:
        every: steps between two questions whether any process was told to stop; one alone asks itself in each step.

    Raises:
        Stopped: once all is saved.
    """

    def __init__(self, *, every: int = 10):
        self.every = every
        self._cut_off: list[dict[str, Any]] = []  # of each process, where an epoch was; else empty
        self._num_steps = 0  # in an epoch

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let counts of steps fit the steps that an epoch has now: of other devices, or another batch."""
        before = checkpoint["callbacks"].get("Preemption", {}).get("steps", 0)
        trainer.fit_loop.setup_data()
        if before not in (0, trainer.num_training_batches):
            log.info("From now on, an epoch has %d steps instead of %d.", trainer.num_training_batches, before)
            fit_steps(checkpoint, before, int(trainer.num_training_batches))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to signals, and begin what is left of an epoch that was cut off."""
        self._num_steps = int(trainer.num_training_batches)
        listen()  # Lightning has its own way with SIGTERM, which several processes do not survive
        if trainer.fit_loop.restarted_mid_epoch:  # Lightning takes this epoch for one that has begun
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                callback.on_train_epoch_start(trainer, pl_module)
            pl_module.on_train_epoch_start()
            self._restore(trainer.global_rank, trainer.world_size, pl_module)
        self._cut_off = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Stop here where it was said to; after an epoch's last step all goes its way first."""
        if trainer.is_last_batch or trainer.should_stop or not self._is_told(trainer):
            return
        self._cut_off = _collect(pl_module, trainer.world_size)
        Keep.save(trainer, "last")
        step = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        place = f"within epoch {trainer.current_epoch + 1}, after {step} of {self._num_steps} steps"
        raise Stopped(find_heard(), place)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before the test, where it was said in the last epoch."""
        if trainer.strategy.reduce_boolean_decision(find_heard() is not None, all=False):
            raise Stopped(find_heard(), "after its last epoch, before the test")

    def state_dict(self) -> dict[str, Any]:
        """What the rest of an epoch needs, for the checkpoint."""
        return {"steps": self._num_steps, "cut_off": self._cut_off}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What the rest of an epoch needs, from the checkpoint."""
        self._cut_off = state_dict["cut_off"]

    def _is_told(self, trainer: Trainer) -> bool:
        """Whether this process was told to stop, or any of several, which stop in the same step."""
        if trainer.world_size == 1:
            return find_heard() is not None
        if trainer.global_step % self.every:
            return False
        return trainer.strategy.reduce_boolean_decision(find_heard() is not None, all=False)

    def _restore(self, rank: int, world: int, task: LightningModule) -> None:
        if len(self._cut_off) == world:
            own = self._cut_off[rank]
            _set_generators(own["generators"])
            task.add_sums("train", *own["sums"])  # type: ignore[operator]
        elif rank == 0:  # another number of processes: the sums are those of all, the generators begin anew
            for each in self._cut_off:
                task.add_sums("train", *each["sums"])  # type: ignore[operator]


def fit_steps(checkpoint: dict[str, Any], before: int, now: int) -> None:
    """Count in a checkpoint as if its epochs, of `before` steps, had had `now`.

    The schedule, and all that counts steps, then stands where it stood in epochs. Of an epoch that was cut off, a step
    that does not come out even is taken again.
    """

    def scale(count: int) -> int:
        return count // before * now + count % before * now // before

    checkpoint["global_step"] = scale(checkpoint["global_step"])
    loops = checkpoint["loops"]["fit_loop"] = copy.deepcopy(checkpoint["loops"]["fit_loop"])
    epochs, steps = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]
    counts = {kind: scale(steps[kind]["processed"]) for kind in ("total", "current")}
    optimizer = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"].values()
    for progress in (steps, loops["epoch_loop.scheduler_progress"], *optimizer):
        for kind, count in counts.items():
            progress[kind] = dict.fromkeys(progress[kind], count)
    if epochs["started"] > epochs["processed"]:  # cut off in a step's last hooks
        for kind, count in counts.items():
            steps[kind]["completed"] = count - 1
    checkpoint["lr_schedulers"] = [
        each | {"last_epoch": scale(each["last_epoch"]), "_step_count": scale(each["last_epoch"]) + 1}
        for each in checkpoint["lr_schedulers"]
    ]


def _collect(task: LightningModule, world: int) -> list[dict[str, Any]]:
    """What each process has of an epoch that no weights, optimizers or callbacks hold."""
    own = {"generators": _read_generators(), "sums": task.read_sums("train")}  # type: ignore[operator]
    if world == 1:
        return [own]
    found: list[Any] = [None] * world
    distributed.all_gather_object(found, own)
    return found


def _read_generators() -> dict[str, Any]:
    kind, words, gauss = random.getstate()
    found = np.random.get_state()
    return {
        "python": [kind, list(words), gauss],
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in found],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def _set_generators(state: dict[str, Any]) -> None:
    kind, words, gauss = state["python"]
    random.setstate((kind, tuple(words), gauss))
    name, key, *rest = state["numpy"]
    np.random.set_state((name, np.array(key, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    cuda: Sequence[Tensor] = state["cuda"]
    if len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(list(cuda))
