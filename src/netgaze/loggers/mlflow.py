"""MLflow: a run of an experiment in a local database, or on a server."""

import importlib.util
import logging
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import MLFlowLogger

from netgaze.early_checks import check_store, check_tracker
from netgaze.errors import NetgazeError
from netgaze.locks import one_at_a_time
from netgaze.loggers.base import Card, Status, Tracker, own_variables

log = logging.getLogger(__name__)

_DATABASE = Path("outputs/mlflow/mlflow.db")  # of all runs, so that one page shows them together
_CHATTY = ("mlflow", "alembic", "pytorch_lightning.loggers.mlflow", "urllib3.connectionpool")  # a line for each table
_STATUSES = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_NO_NAME = re.compile(r"[^\w/. -]")  # what mlflow takes in no name of a number


class Mlflow(Tracker):
    """A run of mlflow whose steps are epochs; figures are artifacts in `figures`, an epoch's pictures in `pictures`.

    Names of numbers have _ where mlflow does not take a sign, as in `val/acc lr_0.1`. What the config said when the run
    began stays: mlflow changes no parameter.

    Args:
        experiment: in which the run is listed; it is made where there is none.
        tracking_uri: a server's address, or a database as sqlite:///<file>; None for `$MLFLOW_TRACKING_URI`, else
            `outputs/mlflow/mlflow.db`.

    Raises:
        NetgazeError: mlflow, or what it needs for a database, is not installed; or an address that cannot be one.
    """

    elsewhere = ("tracking_uri",)

    def __init__(self, *, experiment: str = "netgaze", tracking_uri: str | None = None):
        super().__init__()
        check_tracker("mlflow")
        self.experiment, self._is_new = experiment, True
        given = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        self._uri = given or f"sqlite:///{_DATABASE.absolute()}"
        check_store(self._uri)
        if "sql" in self._uri.partition("://")[0] and importlib.util.find_spec("sqlalchemy") is None:
            raise NetgazeError("logger.mlflow keeps numbers in a database: pip install 'netgaze[trackers]'.")

    @property
    def address(self) -> str:
        """The store's."""
        return self._uri

    def _begin(self, card: Card) -> str:
        """Begin or find the run; of several jobs that begin at once one makes the store and the experiment."""
        variables = own_variables(
            "MLFLOW_",
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="2",
            MLFLOW_HTTP_REQUEST_TIMEOUT="20",
        )
        self._resources.enter_context(variables)
        import mlflow

        before: Any = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # which sets none
        self._resources.callback(mlflow.set_tracking_uri, before)
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.ERROR)
        file = _find_file(self._uri)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        with nullcontext() if file is None else one_at_a_time(file):
            self.logger = MLFlowLogger(
                experiment_name=self.experiment,
                tracking_uri=self._uri,
                artifact_location=None if file is None else (file.parent / "artifacts").as_uri(),
                run_name=card.name,
                tags=_make_tags(card),
                run_id=card.id,
            )
            self._id = str(self.logger.run_id)
        self._is_new = card.id is None
        self._client.update_run(self._id, status="RUNNING")
        return self._id

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Tell it the config of a run that begins, by the keys as they are typed."""
        if self._is_new:
            self.logger.log_hyperparams(_flatten(config))

    def log_epoch(self, row: Mapping[str, float], pictures: Mapping[str, np.ndarray]) -> None:
        """Tell it a row, and the epoch's pictures."""
        super().log_epoch(_rename(row), pictures)
        for name, picture in pictures.items():
            file = f"pictures/{name}_{int(row['epoch']):04}.png"
            self._client.log_image(self._id, Image.fromarray(picture), artifact_file=file)

    def log_results(self, numbers: Mapping[str, float], told: Collection[str], pictures: Sequence[Path]) -> None:
        """Tell it the numbers that it lacks, and the figures."""
        super().log_results(_rename(numbers), list(map(_rename_one, told)), pictures)
        for picture in pictures:
            self._client.log_artifact(self._id, str(picture), "figures")

    @property
    def _client(self) -> Any:
        return self.logger.experiment  # type: ignore[attr-defined]

    def _end(self, status: Status) -> None:
        self.logger.finalize(_STATUSES[status])
        if _find_file(self._uri) is not None:
            log.info("logger.mlflow wrote locally. To look at it: mlflow ui --backend-store-uri %s", self._uri)


def _find_file(uri: str) -> Path | None:
    """The file of a local database, beside which artifacts lie in `artifacts`; None for all others."""
    kind, _, path = uri.partition(":///")
    return Path(path).absolute() if kind.startswith("sqlite") else None


def _rename(numbers: Mapping[str, float]) -> dict[str, float]:
    return {_rename_one(name): value for name, value in numbers.items()}


def _rename_one(name: str) -> str:
    return _NO_NAME.sub("_", name)


def _make_tags(card: Card) -> dict[str, str]:
    group = {"group": card.group} if card.group else {}
    return {**card.tags, **group, "folder": str(card.folder.absolute())}


def _flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config by whole keys, `optim.lr`."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        is_nested = isinstance(value, Mapping) and value
        flat |= _flatten(value, f"{prefix}{name}.") if is_nested else {f"{prefix}{name}": value}
    return flat
