"""The base of trackers: what a tracker gets of a run, through one of Lightning's loggers."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pytorch_lightning.loggers import Logger

Status = Literal["finished", "failed", "interrupted"]


@dataclass(frozen=True)
class Card:
    """What a run is called in a tracker.

    Attributes:
        folder: of the run.
        name: for people.
        group: of the sweep that it is a job of; None for a run by itself.
        tags: what was chosen of task, model and data.
        id: by which the tracker knows the run from before; None where it begins there.
    """

    folder: Path
    name: str
    group: str | None
    tags: Mapping[str, str]
    id: str | None = None


class Tracker(ABC):
    """One tracker of one run. The constructor opens nothing: `open` comes before all else, and `close` at the end.

    Whatever the methods raise costs the tracker alone, but for what `open` raises as a NetgazeError: a mistake.
    """

    elsewhere: ClassVar[tuple[str, ...]] = ()
    """Arguments that say where numbers go beyond the run's folder. In a resumed run they count only where typed anew:
    its config may be a stranger's."""

    logger: Logger
    """Lightning's; from `open` on."""

    def __init__(self) -> None:
        self._resources = ExitStack()

    @property
    def address(self) -> str:
        """Within what an id stands for a run: what is known by one address begins anew at another."""
        return ""

    def open(self, card: Card) -> str | None:
        """Begin the run in the tracker, or go on with it.

        Returns:
            The id by which it is found again; None where the tracker must be told all from the beginning then.
        """
        try:
            return self._begin(card)
        except BaseException:
            self._resources.close()
            raise

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Tell it the resolved config."""
        self.logger.log_hyperparams(dict(config))

    def log_epoch(self, row: Mapping[str, float], pictures: Mapping[str, np.ndarray]) -> None:
        """Tell it an epoch's row of `history.csv`; pictures that were drawn of it are for trackers that show them.

        Args:
            row: numbers by name, `epoch` among them: the step.
            pictures: [H,W,3], uint8, by the figure's name.
        """
        self.logger.log_metrics(dict(row), step=int(row["epoch"]))

    def log_results(self, numbers: Mapping[str, float], told: Collection[str], pictures: Sequence[Path]) -> None:
        """Tell it a finished run's numbers, at the best epoch; its figures are for trackers that show them.

        Args:
            numbers: final ones by name, `best/epoch` among them.
            told: names of those that stand there already, in the best epoch's row.
            pictures: files.
        """
        new = {name: value for name, value in numbers.items() if name not in told}
        self.logger.log_metrics(new, step=int(numbers["best/epoch"]))

    def close(self, status: Status) -> None:
        """Say how the run ended; nothing of the tracker is left in this process."""
        with self._resources:
            self._end(status)

    @abstractmethod
    def _begin(self, card: Card) -> str | None:
        """What `open` does; sets `logger`. What is to be undone at the end goes to `self._resources`."""

    def _end(self, status: Status) -> None:
        """What `close` does first."""
        self.logger.finalize("success" if status == "finished" else "failed")


@contextmanager
def own_variables(prefix: str, **usual: str) -> Iterator[None]:
    """Let a library find its usual settings in the environment, where a person has not set others, and take away after.

    Args:
        prefix: of the names of all its variables.
        usual: by name.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
    os.environ.update(usual | before)
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith(prefix)]:
            del os.environ[name]
        os.environ.update(before)
