"""The trackers of a run, each opened, fed and closed so that none can stop the run."""

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only

from netgaze.build import build
from netgaze.callbacks.history import History
from netgaze.errors import NetgazeError, Stopped, sentence
from netgaze.files import read_json_object, write_json
from netgaze.loggers.base import Card, Status, Tracker
from netgaze.ranks import is_main_process
from netgaze.request import Request
from netgaze.run import Run

log = logging.getLogger(__name__)

NOTES = "trackers.json"  # in a run's folder: by which id each tracker knows it, and up to which epoch
_ID = re.compile(r"[\w-]{1,64}")
_MOST_NAME = 128  # signs of a name that all take
_MOST_SAID = 200  # signs of an error
_TAGS = ("task", "model", "data")


def build_trackers(settings: Mapping[str, Any], request: Request) -> dict[str, Tracker]:
    """The trackers of a run, by name, not yet open; none in processes that only help.

    They are no loggers of Lightning's Trainer, which would send all that tasks log a second time, by other steps, and
    stop where one of them fails.

    Args:
        settings: the group `logger` of a resolved config.
        request: what was typed. Of a config that was stored with a run, which may be a stranger's, it says which
            addresses may be used.

    Raises:
        NetgazeError: something that is no tracker, or one that lacks its package.
    """
    trackers = {}
    for name, content in settings.items() if is_main_process() else ():
        tracker = build(content)
        if not isinstance(tracker, Tracker):
            raise NetgazeError(f"logger.{name}: expected a tracker from conf/logger, got {content['_target_']}.")
        doubtful = _list_doubtful(name, tracker, content, request)
        for key in doubtful:
            log.warning(
                "logger.%s.%s=%s stands in the run's own config, which may come from a stranger, and is not used. Type "
                "it again to use it.",
                *(name, key, content[key]),
            )
        trackers[name] = build({key: value for key, value in content.items() if key not in doubtful})
    return trackers


def _list_doubtful(name: str, tracker: Tracker, content: Mapping[str, Any], request: Request) -> list[str]:
    """The addresses in a stored config that nobody has typed for this command."""
    usual = inspect.signature(type(tracker)).parameters
    return [
        key
        for key in tracker.elsewhere
        if request.is_of_stored_config
        and content.get(key, usual[key].default) != usual[key].default
        and not request.says(f"logger.{name}.{key}")
    ]


class Tracking(Callback):
    """Tell trackers each epoch's row of `history.csv`, once; in the end final numbers and figures, and how it ended.

    One that fails is left out from there on, with a warning. Which epochs a tracker knows is kept in the run's folder:
    where the run is resumed, those that it missed are told, and none is told again.

    Args:
        trackers: by name.
    """

    def __init__(self, trackers: Mapping[str, Tracker]):
        self._given = dict(trackers)
        self._trackers: dict[str, Tracker] = {}  # those that are open
        self._notes: dict[str, dict[str, Any]] = {}
        self._told = dict.fromkeys(trackers, 0)  # the last epoch
        self._folder = Path()

    @contextmanager
    def following(self, run: Run) -> Iterator[None]:
        """Open the trackers for what is done inside, and close them with how it ended.

        Raises:
            NetgazeError: a mistake that a tracker finds when it is opened.
        """
        status: Status = "failed"
        try:
            self._open(run)
            yield
            status = "finished"
            self._tell_results(run)
        except (KeyboardInterrupt, Stopped):
            status = "interrupted"
            raise
        finally:
            self._tell(lambda name, tracker: tracker.close(status))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell of epochs that a tracker has missed."""
        self._tell_rows(History.all_rows(trainer), {})

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell of this epoch, and show the pictures that were drawn of it."""
        self._tell_rows(History.all_rows(trainer), pl_module.pictures)  # type: ignore[arg-type]

    def _open(self, run: Run) -> None:
        if not self._given:
            return
        # Lightning's loggers do nothing where a job's script has left another number.
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
        self._folder, self._notes = run.folder, _read_notes(run.folder)

        def begin(name: str, tracker: Tracker) -> None:
            note = self._notes.get(name, {})
            known = note if note.get("address") == tracker.address else {}
            id = tracker.open(_make_card(run, known.get("id")))
            self._trackers[name] = tracker
            self._told[name] = known.get("epoch", 0) if id is not None else 0
            self._notes.pop(name, None)
            if id is not None:
                self._notes[name] = {"id": id, "address": tracker.address, "epoch": self._told[name]}
            tracker.log_config(run.config)

        self._tell(begin, self._given)
        write_json(run.folder / NOTES, self._notes)

    def _tell_rows(self, rows: Sequence[Mapping[str, float]], pictures: Mapping[str, Any]) -> None:
        def tell_new(name: str, tracker: Tracker) -> None:
            for row in rows:
                if row["epoch"] > self._told[name]:
                    tracker.log_epoch(row, pictures)
                    self._told[name] = int(row["epoch"])
            if name in self._notes:
                self._notes[name]["epoch"] = self._told[name]

        if self._trackers:
            self._tell(tell_new)
            write_json(self._folder / NOTES, self._notes)

    def _tell_results(self, run: Run) -> None:
        if not self._trackers:  # nobody asked for one; or this process only helps, and has no numbers
            return
        self._tell_rows(run.epochs, {})  # where training was over already
        numbers = {name: float(value) for name, value in run.metrics.items() if isinstance(value, int | float)}
        told = {name for row in run.epochs if row["epoch"] == numbers["best/epoch"] for name in row}
        self._tell(lambda name, tracker: tracker.log_results(numbers, told, run.figures))

    def _tell(self, say: Callable[[str, Tracker], None], trackers: Mapping[str, Tracker] | None = None) -> None:
        """Say something to each tracker, by default to those that are open; one that raises is let go."""
        for name, tracker in list((self._trackers if trackers is None else trackers).items()):
            try:
                say(name, tracker)
            except NetgazeError:
                raise
            except Exception as error:
                log.warning("logger.%s failed and gets no more numbers: %s", name, sentence(error)[:_MOST_SAID])
                log.debug("%s", name, exc_info=error)
                if self._trackers.pop(name, None):
                    with suppress(Exception):
                        tracker.close("failed")


def _make_card(run: Run, id: str | None) -> Card:
    """What a run is called: its folder below outputs/, which says most in its last parts."""
    name = run.folder.as_posix().removeprefix("outputs/")[-_MOST_NAME:]
    sweep = next((folder for folder in run.folder.absolute().parents if (folder / "multirun.yaml").is_file()), None)
    choices = run.request.choices
    tags = {group: str(choices[group]) for group in _TAGS if choices.get(group)}
    group = None if sweep is None else f"{sweep.parent.name}/{sweep.name}"
    return Card(run.folder, name, group, tags, id)


def _read_notes(folder: Path) -> dict[str, dict[str, Any]]:
    """What is known of trackers from before; of a file that is damaged, or nobody here wrote, nothing."""
    try:
        notes = read_json_object(folder / NOTES)
    except (OSError, NetgazeError):
        return {}
    return {name: note for name, note in notes.items() if _is_note(note)}


def _is_note(note: Any) -> bool:
    return (
        isinstance(note, dict)
        and isinstance(note.get("epoch"), int)
        and isinstance(note.get("address"), str)
        and isinstance(note.get("id"), str)
        and _ID.fullmatch(note["id"]) is not None
    )
