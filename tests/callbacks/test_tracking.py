"""What trackers are told and when, by a tracker that writes it down; the files of the one that needs no package."""

import csv
import logging
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf
from pytorch_lightning.utilities import rank_zero_only
from tests.conftest import CONF, composed

from netgaze import tracking
from netgaze.callbacks.history import History
from netgaze.early_checks import check_store, check_train
from netgaze.errors import NetgazeError, Stopped
from netgaze.files import read_json, write_json
from netgaze.loggers.base import Tracker, own_variables
from netgaze.loggers.csv import Csv
from netgaze.request import Request
from netgaze.run import Run
from netgaze.tracking import Tracking, build_trackers

STRANGER = "http://tracker.example"


class Diary(Tracker):
    """Keeps all that it is told, and fails at what it is told to fail at."""

    elsewhere = ("place",)

    def __init__(self, *, place: str = "here", id: str | None = "abc", fails: str = ""):
        super().__init__()
        self.place, self.id, self.fails, self.said = place, id, fails, []

    @property
    def address(self):
        return self.place

    def _begin(self, card):
        self._note("open", card)
        return self.id

    def log_config(self, config):
        self._note("config", dict(config))

    def log_epoch(self, row, pictures):
        self._note("epoch", dict(row), list(pictures))

    def log_results(self, numbers, told, pictures):
        self._note("results", dict(numbers), set(told), [picture.name for picture in pictures])

    def _end(self, status):
        self._note("close", status)

    def _note(self, *said):
        if said[0] == self.fails:
            raise ConnectionError(f"no {said[0]}")
        self.said.append(said)

    def list(self, kind):
        return [said[1:] for said in self.said if said[0] == kind]


@pytest.fixture
def run(tmp_path):
    """A run of two epochs, the first of which was best, with a figure."""
    choices = {"task": "rotation", "model": "resnet20", "data": "digits", "optim": "sgd"}
    write_json(tmp_path / "run.json", {"status": "running", "config": {"seed": 3}, "choices": choices})
    write_json(tmp_path / "metrics.json", {"best/epoch": 1, "val/acc": 0.5, "test/acc": 0.25, "test/top5": None})
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "cam.png").write_bytes(b"")
    return Run(tmp_path)


def follow(run, trainer, task, tracking, epochs):
    """Train inside, so many epochs, with a picture in each."""
    with tracking.following(run):
        train(trainer, task, tracking, epochs)


def train(trainer, task, tracking, epochs):
    tracking.on_train_start(trainer, task)
    for _ in range(epochs):
        epoch = trainer.current_epoch + 1
        task.pictures = {f"knn{epoch}": np.zeros((2, 2, 3), dtype=np.uint8)}
        trainer.end_epoch(task, acc=epoch / 8)


def test_each_epoch_is_told_with_the_row_of_the_history(make_trainer, task, run, tmp_path):
    diary, history = Diary(), History()
    follow(run, trainer := make_trainer(history, own := Tracking({"diary": diary})), task, own, 2)
    assert trainer.callbacks[-1] is own
    assert diary.list("epoch") == [(history.rows[0], ["knn1"]), (history.rows[1], ["knn2"])]
    assert [kind for kind, *_ in diary.said] == ["open", "config", "epoch", "epoch", "results", "close"]
    assert diary.list("config") == [({"seed": 3},)]
    with open(tmp_path / "history.csv", newline="") as file:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)] == history.rows


def test_results_are_the_final_numbers_and_say_which_the_best_epoch_has_told(make_trainer, task, run):
    diary = Diary()
    follow(run, make_trainer(History(), own := Tracking({"diary": diary})), task, own, 2)
    ((numbers, told, pictures),) = diary.list("results")
    assert numbers == {"best/epoch": 1.0, "val/acc": 0.5, "test/acc": 0.25}
    assert told == {"epoch", "val/acc", "lr", "seconds"}
    assert pictures == ["cam.png"]


def test_a_resumed_run_tells_what_was_missed_and_nothing_twice(make_trainer, task, run, tmp_path):
    """The tracker was gone in the second epoch; then the run was killed after its third, before its checkpoint."""
    history, first = History(), Diary()
    trainer = make_trainer(history, own := Tracking({"diary": first}))
    follow(run, trainer, task, own, 1)
    assert read_json(tmp_path / "trackers.json") == {"diary": {"id": "abc", "address": "here", "epoch": 1}}
    trainer.callbacks = [history]
    trainer.end_epoch(task, acc=0.25)
    second = Diary()
    trainer.callbacks = [history, own := Tracking({"diary": second})]
    follow(run, trainer, task, own, 1)
    assert second.list("open")[0][0].id == "abc"
    assert [row["epoch"] for row, _ in second.list("epoch")] == [2, 3]
    assert [pictures for _, pictures in second.list("epoch")] == [[], ["knn3"]]
    history.rows.pop()
    trainer.current_epoch -= 1
    third = Diary()
    trainer.callbacks = [history, own := Tracking({"diary": third})]
    follow(run, trainer, task, own, 2)
    assert [row["epoch"] for row, _ in third.list("epoch")] == [4]


@pytest.mark.parametrize(("place", "id"), [("there", "abc"), ("here", None)])
def test_where_nothing_is_known_of_a_run_all_is_told(place, id, make_trainer, task, run, tmp_path):
    """It is another store, or one that begins anew each time."""
    history = History()
    trainer = make_trainer(history, own := Tracking({"diary": Diary()}))
    follow(run, trainer, task, own, 2)
    diary = Diary(place=place, id=id)
    trainer.callbacks = [history, own := Tracking({"diary": diary})]
    follow(run, trainer, task, own, 1)
    assert [row["epoch"] for row, _ in diary.list("epoch")] == [1, 2, 3]
    assert (diary.list("open")[0][0].id is None) is (place == "there")
    assert ("diary" in read_json(tmp_path / "trackers.json")) is (id is not None)


@pytest.mark.parametrize("fails", ["open", "config", "epoch", "results", "close"])
def test_a_tracker_that_fails_costs_itself_and_is_told_nothing_more(fails, make_trainer, task, run, caplog):
    bad, good = Diary(fails=fails), Diary()
    trainer = make_trainer(history := History(), own := Tracking({"bad": bad, "good": good}))
    with caplog.at_level(logging.WARNING):
        follow(run, trainer, task, own, 2)
    assert [record.message for record in caplog.records] == [f"logger.bad failed and gets no more numbers: no {fails}"]
    assert len(good.list("epoch")) == len(history.rows) == 2
    assert good.list("close") == [("finished",)]
    assert bad.list("close") == ([] if fails in ("open", "close") else [("failed",)])


def test_a_mistake_that_a_tracker_finds_at_the_start_is_said(make_trainer, task, run):
    class Lacking(Diary):
        def _begin(self, card):
            raise NetgazeError("no login")

    first = Diary()
    with pytest.raises(NetgazeError, match="no login"), Tracking({"a": first, "b": Lacking()}).following(run):
        raise AssertionError("trained without")
    assert first.list("close") == [("failed",)]


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError(), "failed"), (KeyboardInterrupt(), "interrupted"), (Stopped(None, "here"), "interrupted")],
)
def test_how_a_run_ended_is_told(error, status, run):
    diary = Diary()
    with pytest.raises(type(error)), Tracking({"diary": diary}).following(run):
        raise error
    assert diary.list("close") == [(status,)]
    assert not diary.list("results")


def test_a_run_is_called_by_its_folder_and_a_job_grouped_by_its_sweep(run, tmp_path, monkeypatch):
    diary = Diary()
    with Tracking({"diary": diary}).following(run):
        pass
    card = diary.list("open")[0][0]
    assert (card.folder, card.group) == (tmp_path, None)
    assert card.tags == {"task": "rotation", "model": "resnet20", "data": "digits"}
    monkeypatch.chdir(tmp_path)
    job = tmp_path / "outputs" / "sweeps" / "lr" / "noon" / "7"
    write_json(job / "run.json", {"status": "running"})
    (job.parent / "multirun.yaml").write_text("")
    card = tracking._make_card(Run(job.relative_to(tmp_path)), "abc")
    assert (card.name, card.group, card.id) == ("sweeps/lr/noon/7", "lr/noon", "abc")


@pytest.mark.parametrize(
    "note",
    [
        {"id": "../../x", "address": "here", "epoch": 1},
        {"id": 7, "address": "here", "epoch": 1},
        {"id": "abc", "address": "here", "epoch": "1"},
        {"id": "abc", "epoch": 1},
        "abc",
    ],
)
def test_what_nobody_here_has_noted_is_not_believed(note, run, tmp_path):
    write_json(tmp_path / "trackers.json", {"diary": note})
    diary = Diary()
    with Tracking({"diary": diary}).following(run):
        pass
    assert diary.list("open")[0][0].id is None


@pytest.fixture
def settings(monkeypatch):
    """A config that sends numbers to a stranger."""
    monkeypatch.setattr("netgaze.loggers.csv.Diary", Diary, raising=False)
    monkeypatch.setattr(Diary, "__module__", "netgaze.loggers.csv")
    return {"diary": {"_target_": "netgaze.loggers.csv.Diary", "place": STRANGER}}


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("python train.py logger=diary", STRANGER),
        ("python train.py resume=outputs/x", "here"),
        (f"python train.py resume=outputs/x logger.diary.place={STRANGER}", STRANGER),
        (f"python train.py resume=outputs/x data.logger.diary.place={STRANGER}", "here"),
        (f"fit(['resume=outputs/x', 'logger.diary.place={STRANGER}'])", STRANGER),
    ],
)
def test_a_stored_address_counts_only_where_it_is_typed_again(command, place, settings, caplog):
    """Also a resumed sweep, whose folder names the words that were typed, is not believed."""
    request = Request(command, overrides=(f"logger.diary.place={STRANGER}",))
    with caplog.at_level(logging.WARNING):
        (built,) = build_trackers(settings, request).values()
    assert built.place == place
    said = f"logger.diary.place={STRANGER} stands in the run's own config, which may come from a stranger"
    assert (said in caplog.text) is (place == "here")


def test_of_a_stored_address_that_is_the_usual_one_nothing_is_said(settings, caplog):
    settings["diary"]["place"] = "here"
    build_trackers(settings, Request("python train.py resume=outputs/x"))
    assert not caplog.records


def test_what_is_no_tracker_is_refused():
    with pytest.raises(NetgazeError, match=r"logger\.x: expected a tracker"):
        build_trackers({"x": {"_target_": "netgaze.callbacks.history.History"}}, Request())


def test_one_of_several_processes_has_trackers(settings, monkeypatch, tmp_path):
    """What helps may end before there are numbers."""
    monkeypatch.setattr(tracking, "is_main_process", lambda: False)
    (tmp_path / "history.csv").write_text("epoch,val/acc\n1,0.5\n")
    trackers = build_trackers(settings, Request())
    with Tracking(trackers).following(Run(tmp_path)):
        pass
    assert (trackers, [path.name for path in tmp_path.iterdir()]) == ({}, ["history.csv"])


def test_the_csv_has_the_numbers_of_the_history_to_the_bit_and_what_is_new_at_the_end(
    make_trainer, task, run, tmp_path, monkeypatch
):
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr(rank_zero_only, "rank", 3)  # left by a job's script
    trainer = make_trainer(History(), own := Tracking({"csv": Csv()}))
    with own.following(run):
        train(trainer, task, own, 2)
        assert len((tmp_path / "csv" / "metrics.csv").read_text().splitlines()) == 3, "written as it goes on"
    table, history = (pandas.read_csv(tmp_path / name) for name in ("csv/metrics.csv", "history.csv"))
    pandas.testing.assert_frame_equal(table[list(history)][:2], history, check_exact=True, check_dtype=False)
    assert table["step"].tolist() == [1, 2, 1]
    assert table.iloc[2].dropna().to_dict() == {"step": 1, "test/acc": 0.25, "best/epoch": 1}
    assert OmegaConf.load(tmp_path / "csv" / "hparams.yaml") == {"seed": 3}
    with Tracking({"csv": Csv()}).following(Run(tmp_path)):
        pass  # it was trained already
    assert pandas.read_csv(tmp_path / "csv" / "metrics.csv")["step"].tolist() == [1, 2, 1], "a resumed run has all"


def test_variables_are_as_they_were_and_a_persons_own_win(monkeypatch):
    monkeypatch.setenv("ZZZ_OWN", "mine")
    before = dict(os.environ)
    with own_variables("ZZZ_", ZZZ_OWN="usual", ZZZ_NEW="usual"):
        assert (os.environ["ZZZ_OWN"], os.environ["ZZZ_NEW"]) == ("mine", "usual")
        os.environ["ZZZ_LEFT"] = os.environ["ZZZ_OWN"] = "by a library"
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
@pytest.mark.parametrize("there", [None, SimpleNamespace(origin=None)], ids=["nothing", "a folder of that name"])
def test_a_tracker_without_its_package_is_said_before_torch_is_imported(name, there, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda asked: there)
    with pytest.raises(NetgazeError, match=rf"logger={name} needs {name}: pip install 'netgaze\[trackers\]'"):
        check_train(composed(f"logger=[{name}]"), tmp_path)


@pytest.mark.parametrize("given", ["file:mlruns", "mlruns", "ftp://x", "sqlite:x.db"])
def test_what_can_be_no_store_is_said_early(given, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda asked: sys)
    monkeypatch.setattr(sys, "origin", "built-in", raising=False)
    with pytest.raises(NetgazeError, match=f"logger.mlflow.tracking_uri={given}: expected"):
        check_train(composed("logger=[mlflow]", f"logger.mlflow.tracking_uri='{given}'"), tmp_path)


@pytest.mark.parametrize("given", [None, "http://localhost:5000", "sqlite:///x.db", "postgresql+psycopg://a/b"])
def test_what_can_be_a_store_is_none_of_our_business(given):
    check_store(given)


def test_nothing_is_tracked_unless_asked():
    assert composed().logger == {}
    assert sorted(composed("logger=[csv,wandb,mlflow]").logger) == sorted(path.stem for path in CONF.glob("logger/*"))
