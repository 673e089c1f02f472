"""Weights & Biases: offline in the run's folder, or uploaded during the run."""

import logging
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pytorch_lightning.loggers import WandbLogger

from netgaze.early_checks import check_tracker
from netgaze.errors import NetgazeError
from netgaze.loggers.base import Card, Status, Tracker, own_variables

log = logging.getLogger(__name__)

_EXIT_CODES = {"finished": 0, "failed": 1, "interrupted": 130}
_SECONDS = 60.0  # that a server has to answer, at the start and at the end


class Wandb(Tracker):
    """A run of wandb whose step is the epoch, and whose summary has the final numbers.

    Offline, nothing leaves the run's folder, and no login is needed; each attempt of a resumed run writes a file of its
    own there, under one id, which makes them one run when they are sent.

    Args:
        project: in which the run is listed.
        entity: a user or a team; None for the user who is logged in.
        mode: "offline", or "online" to send while the run goes on.

    Raises:
        NetgazeError: wandb is not installed; or, when it opens, nobody is logged in.
    """

    elsewhere = ("mode",)

    def __init__(
        self, *, project: str = "netgaze", entity: str | None = None, mode: Literal["offline", "online"] = "offline"
    ):
        super().__init__()
        check_tracker("wandb")
        self.project, self.entity, self.mode = project, entity, mode
        self._run: Any = None

    def _begin(self, card: Card) -> str:
        """Start wandb without its banners, hooks and reports to its maker."""
        self._resources.enter_context(
            own_variables(
                "WANDB_",
                WANDB_ERROR_REPORTING="false",
                WANDB_CACHE_DIR=str((card.folder / "wandb" / "cache").absolute()),
            )
        )
        for name in ("exit", "excepthook"):  # wandb puts its own in their place
            self._resources.callback(setattr, sys, name, getattr(sys, name))
        import wandb

        if self.mode == "online" and not wandb.login(prompt=False):
            raise NetgazeError("logger.wandb.mode=online needs a login. Type wandb login, or choose offline.")
        settings = wandb.Settings(
            console="off",  # train.log has it
            silent=True,
            disable_git=True,  # run.json has it
            disable_code=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            init_timeout=_SECONDS,
            finish_timeout=_SECONDS,
        )
        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=self.mode,
            dir=card.folder,
            id=card.id,
            resume="allow",
            name=card.name,
            group=card.group,
            tags=list(card.tags.values()),
            reinit="create_new",  # beside one that a notebook has open
            settings=settings,
        )
        self._run.define_metric("*", step_metric="epoch")
        self.logger = WandbLogger(experiment=self._run)
        return str(self._run.id)

    def log_epoch(self, row: Mapping[str, float], pictures: Mapping[str, np.ndarray]) -> None:
        """Tell it a row and the epoch's pictures in one step, under no other names than ours."""
        import wandb

        shown = {f"pictures/{name}": wandb.Image(picture) for name, picture in pictures.items()}
        self._run.log({**row, **shown}, step=int(row["epoch"]))

    def log_results(self, numbers: Mapping[str, float], told: Collection[str], pictures: Sequence[Path]) -> None:
        """Put the numbers into the summary, which tables of runs show; the figures belong to the last epoch's step."""
        import wandb

        self._run.log({f"figures/{picture.stem}": wandb.Image(str(picture)) for picture in pictures})
        self._run.summary.update(dict(numbers))

    def _end(self, status: Status) -> None:
        place = Path(self._run.settings.sync_dir)
        self._run.finish(exit_code=_EXIT_CODES[status])
        if self.mode == "offline":
            log.info("logger.wandb wrote offline. To send it: wandb sync %s", place)
