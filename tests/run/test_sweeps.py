"""Many runs, one answer."""

import csv
import json
import re

import pytest
from tests.callbacks.test_tensorboard import open_hparams
from tests.commands import command
from tests.conftest import TINY, typed

from netgaze.analysis import COMPARISONS, _complete_figures

pytestmark = pytest.mark.slow

FAST = [*TINY, "figure=[curves,confusion,knn]"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two tasks, and one learning rate at which training fails, in a process of its own."""
    folder = tmp_path_factory.mktemp("sweep")
    words = ["-m", *FAST, "task=supervised,rotation", "optim.lr=0.05,1e30", "hydra.sweep.dir=sweep"]
    code, printed = typed(*words, cwd=folder)
    return folder, code, printed


def table(folder):
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_failed_run_stays_in_the_table_and_the_others_finish(sweep):
    folder, code, printed = sweep
    assert code == 1
    assert sorted(row["status"] for row in table(folder / "sweep")) == ["failed", "failed", "finished", "finished"]
    assert "non-finite" in printed
    assert "Traceback" not in printed


def test_the_report_holds_everything(sweep):
    folder, _, _ = sweep
    page = (folder / "sweep" / "report.html").read_text(encoding="utf-8")
    for name in ("curves", "confusion", "knn", "agreement", "similarity", "layers"):
        said = json.loads((folder / "sweep" / "figures" / f"{name}.json").read_text())
        assert said["question"].replace("'", "&#39;") in page
        assert f'id="{name}"' in page
    assert page.count("data:image/png;base64,") == 7
    assert "non-finite" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "the page needs another file"


def test_tensorboard_compares_by_what_differs(sweep):
    """Nothing else is a column: neither what was typed for all runs nor what all have by default."""
    folder, _, _ = sweep
    names, differing, numbers = open_hparams(folder / "sweep")
    assert names == differing == ["task"], "the runs that finished have the same learning rate"
    assert numbers[0] == "test.acc"
    content = (folder / "sweep" / "0" / "run.json").read_text()
    assert json.loads(content)["overrides"][0] == "data=digits", "which was typed, too"


def test_controls_stand_beside(sweep):
    folder, _, _ = sweep
    said = json.loads((folder / "sweep" / "figures" / "knn.json").read_text())
    assert len(said["controls"]) == 3
    assert "raw pixels" in said["controls"]
    assert len(said["numbers"]) == 5


def test_different_tasks_compare_by_what_they_share(sweep):
    _, _, printed = sweep
    assert re.search(r"Winner: .* with 20-neighbor accuracy", printed)


@pytest.mark.parametrize(
    ("words", "tasks"), [([], ["supervised", "rotation", "simclr"]), (["task=rotation"], ["rotation"])]
)
def test_an_experiment_says_what_is_swept_unless_it_is_typed(words, tasks, tmp_path):
    code, printed = command(
        "-m", "experiment=quickstart", *TINY, "figure=[]", "hydra.sweep.dir=sweep", *words, cwd=tmp_path
    )
    assert code == 0, printed
    runs = sorted((tmp_path / "sweep").glob("[0-9]/run.json"))
    chosen = [word for run in runs for word in json.loads(run.read_text())["overrides"] if word.startswith("task=")]
    assert chosen == [f"task={task}" for task in tasks]


def test_starting_again_finishes_the_rest(sweep):
    """The finished runs return at once; the failed ones are tried again."""
    folder, _, _ = sweep
    finished = [row["folder"] for row in table(folder / "sweep") if row["status"] == "finished"]
    before = [(folder / run / "metrics.json").stat().st_mtime_ns for run in finished]
    code, printed = command("resume=sweep", cwd=folder)
    assert code == 1
    assert printed.count("is already finished") == 2
    assert [(folder / run / "metrics.json").stat().st_mtime_ns for run in finished] == before


def test_a_swept_number_gets_a_plot_and_a_winner(tmp_path):
    words = ["-m", *FAST, "figure=[curves]", "optim.lr=0.001,0.01,0.1", "experiment=two_networks", "data=digits"]
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    (folder,) = (tmp_path / "outputs" / "sweeps" / "two_networks").iterdir()
    assert (folder / "figures" / "sweep.png").stat().st_size > 5000
    assert re.search(r"Winner: lr=0\.\d+, with validation accuracy", printed) or "tie" in printed
    assert [row["optim.lr"] for row in table(folder)] == ["0.001", "0.01", "0.1"]


def test_analyze_lays_runs_side_by_side(sweep, tmp_path):
    folder, _, _ = sweep
    done = [row["folder"] for row in table(folder / "sweep") if row["status"] == "finished"]
    runs = ",".join(str(folder / run) for run in done)
    words = [f"runs=[{runs}]", "labels=[a b,c]", "figure=[confusion,knn]", "hydra.run.dir=seen"]
    code, printed = command(*words, cwd=tmp_path, script="analyze.py")
    assert code == 0, printed
    said = json.loads((tmp_path / "seen" / "figures" / "confusion.json").read_text())
    assert list(said["numbers"])[:2] == ["a b", "c"]
    assert (tmp_path / "seen" / "report.html").exists()


def test_analyze_without_a_run_says_so(tmp_path):
    code, printed = command("runs=nowhere", cwd=tmp_path, script="analyze.py")
    assert code == 1
    assert "contains no run" in printed


def test_several_devices_do_not_sweep(tmp_path):
    code, printed = command("-m", *TINY, "trainer.devices=2", "seed=0,1", cwd=tmp_path)
    assert code == 1
    assert "cannot be combined with several devices" in printed


def test_the_explorer_and_of_two_networks_what_compares_join_the_figures():
    own = {"knn": {}}
    assert list(_complete_figures(own, ["one", "two"])) == ["explore", "knn", *COMPARISONS]
    assert list(_complete_figures(own, ["one"])) == ["explore", "knn"]
    assert _complete_figures({"explore": {"num_images": 3}}, ["one"]) == {"explore": {"num_images": 3}}
    assert _complete_figures({}, ["one", "two"]) == {}, "figure=[] wants none"
