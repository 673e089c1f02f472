"""Hydra's hooks at a sweep's two ends: pin its folder, and compare its runs. Imports nothing heavy."""

import logging
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict

from netgaze.commands.arguments import quote_value
from netgaze.errors import NetgazeError
from netgaze.program import spell

log = logging.getLogger(__name__)


class Compare(Callback):
    """A sweep ends in one comparison; the process exits with 1 if any of its runs did not finish."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Resolve the sweep's folder once: each job resolves it anew, and experiments would scatter."""
        folder = str(config.hydra.sweep.dir)
        with open_dict(config):
            config.hydra.sweep.dir = folder
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quote_value(folder)}")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare the runs in the sweep's folder."""
        from netgaze.analysis import compare

        try:
            rows = compare(Path(config.hydra.sweep.dir))
        except Exception as error:  # Hydra would turn it into a warning, and the exit code into 0
            own = isinstance(error, NetgazeError)  # it failed itself, or says which figures did
            log.error("%s", error) if own else log.error("The comparison failed: %s", error, exc_info=True)
            sys.exit(1)
        if any(row["status"] != "finished" for row in rows):
            log.error(
                "Not every run finished. %s resume=%s goes on with the rest.", spell("train"), config.hydra.sweep.dir
            )
            sys.exit(1)
