"""A run's folder as one object: its files, each read once, and its network."""

import gc
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze.errors import NetgazeError, Stopped
from netgaze.files import write_json, write_text
from netgaze.inline import draw_page, make_table
from netgaze.places import locate_checkpoint
from netgaze.predictions import Predictions
from netgaze.provenance import collect_provenance
from netgaze.ranks import is_main_process
from netgaze.records import RECORD, SNAPSHOTS, Record, Snapshots
from netgaze.request import Request
from netgaze.run_list.alive import describe_process
from netgaze.stored import check_checkpoint, read_facts, read_history, read_numbers, read_variants
from netgaze.subject import Subject
from netgaze.subjects import open_subject
from netgaze.upgrade import upgrade_checkpoint, upgrade_facts, upgrade_numbers
from netgaze.weights import read_checkpoint


class Run:
    """One run; as the last line of a notebook's cell it shows its numbers and its pictures.

    Args:
        folder: where all of it lies, or will lie.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._has_begun = False  # an attempt, by this object
        self._trained_since: float | None = None

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.folder / "run.json").is_file()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `run.json` says: status, command, versions, device, seed, config, seconds, and so on.

        Raises:
            NetgazeError: the folder holds no run.
        """
        if not self.exists:
            raise NetgazeError(
                f"{self.folder} contains no run (no run.json). Give a folder in outputs/ that train.py wrote."
            )
        return upgrade_facts(read_facts(self.folder / "run.json"))

    @property
    def is_finished(self) -> bool:
        """Whether it was trained, tested and drawn to its end."""
        return self.exists and self.facts["status"] == "finished"

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config; empty for a run that failed before it had one."""
        return self.facts.get("config", {})

    @cached_property
    def request(self) -> Request:
        """What was typed for it."""
        return Request.of_facts(self.facts)

    @cached_property
    def epochs(self) -> list[dict[str, float]]:
        """The rows of `history.csv`, one per epoch; numbers that an epoch lacks are left out."""
        path = self.folder / "history.csv"
        return [upgrade_numbers(row) for row in read_history(path)] if path.exists() else []

    @property
    def history(self) -> Any:
        """`epochs` as a table for notebooks (pandas)."""
        return make_table(self.epochs)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The final numbers by name: `test/acc`, `best/epoch`, ...; empty where it has none yet."""
        path = self.folder / "metrics.json"
        return upgrade_numbers(read_numbers(path)) if path.exists() else {}

    @cached_property
    def variants(self) -> list[dict[str, Any]]:
        """Settings and numbers of each network that it trained at once; empty for a run of one."""
        path = self.folder / "variants.json"
        return read_variants(path) if path.exists() else []

    @cached_property
    def predictions(self) -> Predictions | None:
        """What it answered to each test example; None where it kept none, as runs of earlier versions."""
        return Predictions.load(self.folder / "predictions.npz")

    @cached_property
    def examples(self) -> Record:
        """What its network said of each training example in each epoch, where `callback.examples` recorded it.

        Raises:
            NetgazeError: it has no such record, or a damaged one.
        """
        return Record.load(self.folder / RECORD)

    @property
    def has_examples(self) -> bool:
        """Whether it has a record of its training examples."""
        return (self.folder / RECORD).exists()

    @cached_property
    def snapshots(self) -> Snapshots:
        """Some test images as its network saw them every so many epochs, where `callback.snapshots` kept them.

        Raises:
            NetgazeError: it has none, or damaged ones.
        """
        return Snapshots.load(self.folder / SNAPSHOTS)

    @property
    def has_snapshots(self) -> bool:
        """Whether it kept any."""
        return (self.folder / SNAPSHOTS).exists()

    @property
    def figures(self) -> list[Path]:
        """Its pictures, by name."""
        return sorted((self.folder / "figures").glob("*.png"))

    @property
    def seconds(self) -> float | None:
        """What it has taken, with the stages that lie in it; None before its first attempt has ended."""
        own = self.facts.get("seconds")
        stages = [Run(path.parent) for path in self.folder.glob("stages/*/run.json")]
        return None if own is None else own + sum(stage.facts.get("seconds") or 0 for stage in stages)

    def locate_checkpoint(self, name: str) -> Path:
        """Where the checkpoint "best" or "last" lies."""
        return locate_checkpoint(self.folder, name)

    def has_checkpoint(self, name: str) -> bool:
        """Whether it got far enough to have the checkpoint "best" or "last"."""
        return self.locate_checkpoint(name).exists()

    def read_checkpoint(self, name: str) -> dict[str, Any]:
        """The checkpoint "best" or "last"; under "netgaze" it says its config, class names and data.

        Raises:
            NetgazeError: there is none, it is damaged, or not one of ours.
        """
        path = self.locate_checkpoint(name)
        content = upgrade_checkpoint(read_checkpoint(path))
        check_checkpoint(path, content)
        data = content["netgaze"]["config"]["data"]
        if self.exists and "dir" in data:
            data["dir"] = self.config.get("data", {}).get("dir", data["dir"])  # where it was moved to since
        return content

    def begin(
        self, request: Request, original_config: DictConfig, trained_since: float | None = None, **facts: Any
    ) -> None:
        """Write what is known at the start, with the status "running"; what `run.json` said before stays.

        Args:
            request: what was typed now; a resumed run keeps what it was started with beside it.
            original_config: not resolved: what `resume` shall read.
            trained_since: when its own training began, by `time.time`; None while earlier stages are trained.
            facts: further ones.
        """
        known = dict(self.facts) if self.exists else {}
        for old in ("error", "trace", "figures_failed", "figures_left_out"):
            known.pop(old, None)
        started = {"status": "running", "started": known.get("started", time.strftime("%Y-%m-%dT%H:%M:%S%z"))}
        request = request.resume(Request.of_facts(known)) if "overrides" in known else request
        self._write_config(original_config)
        self._write_facts(known | started | collect_provenance() | describe_process() | request.as_facts() | facts)
        self._has_begun, self._trained_since = True, trained_since

    def move_data(self, dir: str, original_config: DictConfig) -> None:
        """Write down where the run's data lies now: here it is looked for from now on.

        Args:
            dir: the place.
            original_config: not resolved, with the place in it: what `resume` shall read.
        """
        self._write_config(original_config)
        self._write_facts(self.facts | {"config": self.config | {"data": self.config["data"] | {"dir": dir}}})

    def end(self, status: str, **facts: Any) -> None:
        """Write how the attempt ended, and add what it took to the seconds of earlier ones."""
        took = 0.0 if self._trained_since is None else time.time() - self._trained_since
        self._write_facts(self.facts | {"status": status, "seconds": took + (self.facts.get("seconds") or 0)} | facts)

    def note(self, **facts: Any) -> None:
        """Write what was found out later about a run that has ended."""
        self._write_facts(self.facts | facts)

    def list_missing(self, figures: Iterable[str]) -> list[str]:
        """Those of the figures that failed, or have no picture although the run has all that they need."""
        failed, left_out = (self.facts.get(f"figures_{how}", {}) for how in ("failed", "left_out"))
        drawn = {picture.stem for picture in self.figures}
        return [name for name in figures if name in failed or name not in drawn | set(left_out)]

    def _write_config(self, original_config: DictConfig) -> None:
        if is_main_process():
            write_text(self.folder / ".hydra" / "config.yaml", OmegaConf.to_yaml(original_config))

    def _write_facts(self, facts: dict[str, Any]) -> None:
        if is_main_process():
            write_json(self.folder / "run.json", facts)
        for stale in ("request", "epochs", "metrics", "variants", "predictions", "examples", "snapshots", "subject"):
            self.__dict__.pop(stale, None)
        self.facts = facts

    @contextmanager
    def noting_failure(self, request: Request, original_config: DictConfig) -> Iterator[None]:
        """Write into the run why an attempt ended, if it does not succeed.

        Where a run is there already and the attempt does not get as far as `begin`, what was typed does not fit it: it
        stays as it was.
        """
        was_there = self.has_checkpoint("last")
        try:
            yield
        except BaseException as error:
            with suppress(NetgazeError):  # on a full disk nothing can be noted, and why it failed is said at its end
                if not self._has_begun and not was_there:
                    self.begin(request, original_config)
                if self._has_begun:
                    status = "interrupted" if isinstance(error, KeyboardInterrupt | Stopped) else "failed"
                    self.end(status, error=str(error) or type(error).__name__, trace=traceback.format_exc())
            raise
        finally:
            gc.collect()  # a sweep's next job needs the memory

    @cached_property
    def subject(self) -> Subject:
        """The network of the best epoch, its data and its features, opened when first asked for."""
        return self.open()

    def open(
        self,
        checkpoint: str = "best",
        label: str | None = None,
        other: dict[str, Any] | None = None,
        data_dir: str | None = None,
        precision: str | None = None,
    ) -> Subject:
        """The run as a Subject: its network is opened from the folder alone, when first asked for.

        Args:
            checkpoint: "best" or "last".
            label: the column's title; by default the folder's name.
            other: settings of a data set to look at in place of the run's own; its images take the form that the
                network knows. Where it has other classes, what asks for the network's classes is left out.
            data_dir: where the run's own data lies now, if it was moved. What lies there and differs from what the run
                was trained on is taken for other data, with a warning.
            precision: of passes over whole splits, "auto" or "32"; by default as the run's `figures.precision` has it.

        Raises:
            NetgazeError: no run is there, or it has no such checkpoint.
        """
        _ = self.facts  # says it where there is no run
        return open_subject(self, checkpoint, label, other, data_dir, precision)

    def _repr_html_(self) -> str:
        failed = self.facts.get("figures_failed", {}) if self.exists else {}
        said = [f"{name} failed: {failure['error']}" for name, failure in failed.items()]
        return draw_page([str(self.folder), *said], make_table({"value": self.metrics}), self.figures)


def open_run(
    folder: Path | str,
    checkpoint: str = "best",
    label: str | None = None,
    other: dict[str, Any] | None = None,
    data_dir: str | None = None,
) -> Subject:
    """A run's folder as a Subject; see `Run.open`."""
    return Run(folder).open(checkpoint, label, other, data_dir)
