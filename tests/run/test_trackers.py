"""Runs that wandb and MLflow are told of, offline, read back by these tools' own readers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import command
from tests.conftest import NO_FIGURES, TINY
from tests.tiny_runs import read_history, read_metrics, same, train, weights

from netgaze import experiment
from netgaze.files import read_json

wandb = pytest.importorskip("wandb", reason="wandb is not installed: pip install 'netgaze[trackers]'")
pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'netgaze[trackers]'")
pytest.importorskip("sqlalchemy", reason="mlflow has no database: pip install 'netgaze[trackers]'")

pytestmark = pytest.mark.slow

BOTH = "logger=[wandb,mlflow]"


class Told:
    """What MLflow's client and wandb's command `leet inspect` find of a run below a folder.

    Args:
        home: where the database lies.
        folder: of the run.
    """

    def __init__(self, home: Path, folder: Path):
        from mlflow.tracking import MlflowClient

        self.folder, notes = folder, read_json(folder / "trackers.json")
        self.client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
        self.run = self.client.get_run(notes["mlflow"]["id"])
        self.files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
        assert {file.stem for file in self.files} == {f"run-{notes['wandb']['id']}"}

    def list_steps(self, name: str) -> list[tuple[int, float]]:
        """The steps and values of a number in MLflow."""
        return [(each.step, each.value) for each in self.client.get_metric_history(self.run.info.run_id, name)]

    def read_wandb(self, kind: str) -> list[dict]:
        """The records of a kind, of all attempts in order."""
        records = []
        for file in self.files:
            words = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
            printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            records += [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        return [record[kind] for record in records if record["type"] == kind]

    def read_rows(self) -> list[dict]:
        """The history in wandb, without what wandb adds."""
        items = [record["item"] for record in self.read_wandb("history")]
        return [{name: value for name, value in item.items() if not name.startswith("_")} for item in items]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("trackers")


def address(home: Path) -> str:
    return f"logger.mlflow.tracking_uri=sqlite:///{home / 'mlflow.db'}"


def list_left() -> tuple:
    """What wandb and mlflow set for the whole process."""
    import mlflow

    variables = {name: value for name, value in os.environ.items() if name.startswith(("WANDB_", "MLFLOW_"))}
    return variables, sys.exit, sys.excepthook, wandb.run, mlflow.is_tracking_uri_set(), mlflow.active_run()


@pytest.fixture(scope="module")
def told(home):
    """A run of two epochs that went on to a third."""
    before = list_left()
    for epochs in (2, 3):
        words = [*TINY, BOTH, address(home), f"trainer.max_epochs={epochs}", "figure=[curves]", "control=null"]
        folder = train(home / "run", *words, "callback.online_eval.every=2", typed=["seed=0"])
    assert list_left() == before, "a next run would find what this one left"
    return Told(home, folder)


def test_mlflow_has_the_history_to_the_bit_each_epoch_once(told):
    rows = read_history(told.folder)
    assert len(rows) == 3
    for name in rows[-1]:
        expected = [(int(row["epoch"]), row[name]) for row in rows if name in row]
        assert sorted(told.list_steps(name)) == expected, name


def test_wandb_has_the_history_to_the_bit_each_epoch_once(told):
    assert len(told.files) == 2, "each attempt writes its own, under one id"
    rows = read_history(told.folder)
    found = [{name: value for name, value in row.items() if name in rows[-1]} for row in told.read_rows()]
    assert found == rows
    steps = [record["item"]["_step"] for record in told.read_wandb("history")]
    assert steps == [1, 2, 3]


def test_both_have_the_final_numbers(told):
    metrics = {name: value for name, value in read_metrics(told.folder).items() if value is not None}
    summary = {}
    for record in told.read_wandb("summary"):
        summary |= record["update"]
    assert {name: summary[name] for name in metrics} == metrics
    for name in ("test/acc", "test/loss", "best/epoch"):
        assert (metrics["best/epoch"], metrics[name]) in told.list_steps(name)


def test_both_have_the_config(told):
    assert told.run.data.params["optim.lr"] == "0.05"
    assert told.run.data.params["data.batch_size"] == "40"
    (config,) = [record["update"] for record in told.read_wandb("config") if "optim" in record.get("update", {})][:1]
    assert (config["optim"]["lr"], config["data"]["batch_size"], config["seed"]) == (0.05, 40, 0)


def test_both_have_the_pictures(told, home, tmp_path):
    """The figures of the end, and those that were drawn while the network learned."""
    listed = [file.path for file in told.client.list_artifacts(told.run.info.run_id, "figures")]
    assert listed == ["figures/curves.png"]
    local = told.client.download_artifacts(told.run.info.run_id, "figures/curves.png", str(tmp_path))
    assert Path(local).read_bytes() == (told.folder / "figures" / "curves.png").read_bytes()
    assert told.run.info.artifact_uri.startswith((home / "artifacts").as_uri()), "beside the database"
    drawn = {file.path for file in told.client.list_artifacts(told.run.info.run_id, "pictures")}
    assert {"pictures/knn_0002.png", "pictures/knn_0003.png"} <= drawn
    files = [each["path"] for record in told.read_wandb("files") for each in record["files"]]
    for start in ("media/images/figures/curves_", "media/images/pictures/knn_"):
        assert any(name.startswith(start) for name in files)
    last = Path([name for name in files if "figures/curves_" in name][-1])
    assert (told.files[-1].parent / "files" / last).read_bytes() == Path(local).read_bytes()


def test_both_know_what_the_run_is_and_that_it_ended_well(told):
    assert told.run.info.status == "FINISHED"
    assert (told.run.data.tags["task"], told.run.data.tags["data"]) == ("supervised", "digits")
    (run,) = told.read_wandb("run")[:1]
    assert (run["project"], run["tags"]) == ("netgaze", ["supervised", "resnet_small", "digits"])
    assert run["display_name"] == told.run.info.run_name
    assert [record["exit_code"] for record in told.read_wandb("exit")] == [0, 0]


def test_what_is_told_changes_nothing(told, tmp_path):
    for epochs in (2, 3):
        words = [*TINY, *NO_FIGURES, f"trainer.max_epochs={epochs}", "callback.online_eval.every=2"]
        plain = train(tmp_path / "run", *words, typed=["seed=0"])
    assert same(weights(plain), weights(told.folder))


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_fails_is_marked_so(error, status, home, monkeypatch, tmp_path):
    def fail(*_):
        raise error

    monkeypatch.setattr(experiment, "test_best", fail)
    words = [*TINY, *NO_FIGURES, "trainer.max_epochs=1", BOTH, address(home)]
    with pytest.raises(error):
        train(tmp_path / "run", *words, typed=[])
    told = Told(home, tmp_path / "run")
    assert told.run.info.status == status
    assert told.read_wandb("exit")[0]["exit_code"] == {"FAILED": 1, "KILLED": 130}[status]


def test_the_commands_own_store_and_the_lines_that_say_how_to_look(tmp_path):
    """Nothing lies outside `outputs`; and a stranger's address is not written to."""
    home = tmp_path / "home"
    words = [*TINY, *NO_FIGURES, "trainer.max_epochs=1", "hydra.run.dir=outputs/run", BOTH]
    code, printed = command(*words, cwd=tmp_path, HOME=str(home))
    assert code == 0, printed
    assert "To send it: wandb sync outputs/run/wandb/offline-run-" in printed
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/outputs/mlflow/mlflow.db" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    stored = tmp_path / "outputs" / "run" / ".hydra" / "config.yaml"
    stored.write_text(stored.read_text().replace("tracking_uri: null", "tracking_uri: http://127.0.0.1:9"))
    code, printed = command("resume=outputs/run", "trainer.max_epochs=2", cwd=tmp_path, HOME=str(home))
    assert code == 0, printed
    assert "logger.mlflow.tracking_uri=http://127.0.0.1:9 stands in the run's own config" in printed
    assert "fails" not in printed
    assert read_json(tmp_path / "outputs" / "run" / "trackers.json")["mlflow"]["epoch"] == 2
