"""`csv/metrics.csv` and `csv/hparams.yaml` in the run's folder, as Lightning's CSVLogger writes them."""

from pytorch_lightning.loggers import CSVLogger

from netgaze.loggers.base import Card, Tracker


class Csv(Tracker):
    """A line per epoch with the columns of `history.csv` and `step`, and one for the final numbers, at the best epoch.

    Pictures lie in `figures/` already.
    """

    def _begin(self, card: Card) -> str | None:
        """Begin the files; those of an earlier attempt are written anew, as Lightning has it."""
        self.logger = CSVLogger(card.folder, name="csv", version="", flush_logs_every_n_steps=1)
        return None
