"""A trainer and a task of which nothing is true but what callbacks read and write: no test here trains."""

from types import SimpleNamespace

import pytest
import torch


class Task(torch.nn.Module):
    """What callbacks see of a task; its numbers are set by the test."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.monitor, self.monitor_mode = "val/acc", "max"
        self.numbers, self.pictures, self.logged = {}, {}, {}

    def epoch_numbers(self):
        return self.numbers

    def log(self, name, value):
        self.logged[name] = value


class Trainer(SimpleNamespace):
    """What callbacks see of a trainer: two groups of weights with learning rates of their own, checkpoints by name."""

    def __init__(self, folder, *callbacks):
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.5, 0.25)]
        super().__init__(
            default_root_dir=folder,
            callbacks=list(callbacks),
            optimizers=[torch.optim.SGD(groups, lr=1.0)],
            current_epoch=0,
            max_epochs=4,
            global_step=0,
            global_rank=0,
            is_global_zero=True,
            world_size=1,
            precision="32-true",
            strategy=SimpleNamespace(
                broadcast=lambda content: content, reduce_boolean_decision=lambda decision, all: decision
            ),
            fit_loop=SimpleNamespace(restarted_mid_epoch=False),
            should_stop=False,
            saved=[],
        )

    def save_checkpoint(self, path, weights_only):
        assert path.parent == self.default_root_dir / "checkpoints"
        self.saved.append((path.name, self.current_epoch))

    def end_epoch(self, task, **numbers):
        """Let every callback see an epoch end with these numbers of the validation."""
        task.numbers = {f"val/{name}": value for name, value in numbers.items()}
        for callback in self.callbacks:
            callback.on_train_epoch_end(self, task)
        self.current_epoch += 1


@pytest.fixture
def task():
    return Task()


@pytest.fixture
def make_trainer(tmp_path):
    return lambda *callbacks: Trainer(tmp_path, *callbacks)
