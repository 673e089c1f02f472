"""Learning-rate schedules as pure functions of the point in training.

Each is called with (epoch, max_epochs), epoch a decimal number of epochs done, and gives the factor on every
learning rate. Warm-up is linear from zero over the first `warmup_epochs`, and the rest of the schedule is laid
over what remains.
"""

import math
from collections.abc import Sequence


class Schedule:
    """Warm-up, then `after`; constant unless a subclass says otherwise.

    Args:
        warmup_epochs: epochs of linear warm-up.
    """

    def __init__(self, warmup_epochs: float = 0.0):
        self.warmup_epochs = warmup_epochs

    def __call__(self, epoch: float, max_epochs: float) -> float:
        """The factor at `epoch` of `max_epochs`."""
        if epoch < self.warmup_epochs:
            return epoch / self.warmup_epochs
        return self.after(epoch, max_epochs)

    def after(self, epoch: float, max_epochs: float) -> float:
        """The factor after warm-up."""
        return 1.0


class Constant(Schedule):
    """Always 1."""


class MultiStep(Schedule):
    """Times `gamma` at each milestone.

    Args:
        milestones: epochs, ascending.
        gamma: factor of each drop.
        warmup_epochs: epochs of linear warm-up.
    """

    def __init__(self, milestones: Sequence[float], gamma: float = 0.1, warmup_epochs: float = 0.0):
        super().__init__(warmup_epochs)
        self.milestones, self.gamma = tuple(milestones), gamma

    def after(self, epoch: float, max_epochs: float) -> float:
        """Gamma ** milestones passed."""
        return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)


class Cosine(Schedule):
    """Half a cosine from 1 to `final` (Loshchilov and Hutter 2017, without restarts).

    Args:
        final: the factor at the end.
        warmup_epochs: epochs of linear warm-up.
    """

    def __init__(self, final: float = 0.0, warmup_epochs: float = 0.0):
        super().__init__(warmup_epochs)
        self.final = final

    def after(self, epoch: float, max_epochs: float) -> float:
        """Final + (1 - final) (1 + cos(pi t)) / 2, t from 0 to 1 after warm-up."""
        done = min(1.0, (epoch - self.warmup_epochs) / max(max_epochs - self.warmup_epochs, 1e-9))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2


class OneCycle(Schedule):
    """Up and down again along half cosines (Smith and Topin 2018), as torch's OneCycleLR, momentum left alone.

    Args:
        rise: share of training that goes up.
        start: the factor at the start.
        final: the factor at the end.
    """

    def __init__(self, rise: float = 0.25, start: float = 0.1, final: float = 1e-4):
        super().__init__()
        self.rise, self.start, self.final = rise, start, final

    def after(self, epoch: float, max_epochs: float) -> float:
        """Start -> 1 over `rise` of training, then 1 -> final."""
        done = min(1.0, epoch / max(max_epochs, 1e-9))
        if done < self.rise:
            low, share = self.start, done / self.rise
        else:
            low, share = self.final, 1 - (done - self.rise) / max(1 - self.rise, 1e-9)
        return low + (1 - low) * (1 - math.cos(math.pi * share)) / 2


class Linear(Schedule):
    """Up and down again along straight lines, as in the CIFAR-10 speed records (Page 2019, Jordan 2024).

    Args:
        rise: share of training that goes up, 0..1.
        start: the factor at the start; without a rise it is 1.
        final: the factor at the end.
    """

    def __init__(self, rise: float = 0.0, start: float = 0.2, final: float = 0.0):
        super().__init__()
        self.rise, self.start, self.final = rise, start, final

    def after(self, epoch: float, max_epochs: float) -> float:
        """Start -> 1 over `rise` of training, then 1 -> final."""
        done = min(1.0, epoch / max(max_epochs, 1e-9))
        if done < self.rise:
            return self.start + (1 - self.start) * done / self.rise
        return 1 - (1 - self.final) * (done - self.rise) / max(1 - self.rise, 1e-9)
