"""Teacher and student: stages in folders of their own, resumed, shared in a sweep; labels taken away are not seen."""

import csv
import json
import shutil

import pytest
import torch
from omegaconf import OmegaConf
from tests import tiny_runs
from tests.commands import command
from tests.conftest import NO_FIGURES, TINY, composed
from tests.tiny_runs import read_history, read_metrics, read_run, same, sum_seconds, tabulate, weights

from netgaze.build import build, resolve_config
from netgaze.data import training
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run
from netgaze.pseudo_labels import read
from netgaze.stages import make_stage_config

pytestmark = pytest.mark.slow  # each test trains

STAGES = ("teacher", "pseudo_labels", "student")
SMALL = ["data.per_class=4", "data.epoch_size=80", "stages.pseudo_labels.task.k=6"]
WORDS = [*TINY, *NO_FIGURES, "task=teacher_student", *SMALL, "trainer.max_epochs=1", "control=null"]


def train(folder, *words):
    return tiny_runs.train(folder, *WORDS, *words)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Teacher, pseudo-labels, student and finetuning, by one command, with a picture."""
    folder = tmp_path_factory.mktemp("chain")
    words = [*(word for word in WORDS if word not in NO_FIGURES), "figure=[confusion]", "hydra.run.dir=run"]
    code, printed = command(*words, cwd=folder)
    assert code == 0, printed
    return folder / "run"


def test_each_stage_is_a_run_of_its_own(run):
    for name in STAGES:
        place = run / "stages" / name
        assert read_run(place)["status"] == "finished"
        assert 0 <= read_metrics(place)["test/acc"] <= 1
        assert open_run(place).task.num_classes == 10
    assert read_run(run)["status"] == "finished"
    kinds = [read_run(place)["task"].rpartition(".")[2] for place in (*((run / "stages" / s) for s in STAGES), run)]
    assert kinds == ["Supervised", "PseudoLabels", "Supervised", "Finetune"]


def test_the_stages_are_joined_by_init_and_by_their_labels(run, monkeypatch):
    stages = run / "stages"
    monkeypatch.chdir(run.parent)  # where the command was typed
    assert same(weights(stages / "teacher", "best"), weights(stages / "pseudo_labels", "best"))
    assert read_run(stages / "student").get("init") is None, "the student starts from nothing"
    assert read_run(run)["init"]["source"].endswith("stages/student")
    assert not read_run(run)["init"]["skipped"], "the student's last layer goes on too"
    labels = read(stages / "pseudo_labels")
    data = open_run(stages / "student").data
    assert torch.equal(data.labels("train"), labels.label)
    assert torch.equal(data.images("train"), data.images("unlabeled", labels.index))


def test_a_chain_that_was_moved_finds_its_labels(run, tmp_path):
    moved = tmp_path / "moved"
    run.rename(moved)
    try:
        assert torch.equal(
            open_run(moved / "stages" / "student").data.labels("train"), read(moved / "stages" / "pseudo_labels").label
        )
    finally:
        moved.rename(run)


def test_a_sweep_that_was_moved_finds_the_labels_of_another_job(run, tmp_path):
    """The student of the second job learned from what the first had labeled."""
    known = str(run.resolve() / "stages" / "pseudo_labels")
    moved = tmp_path / "moved"
    shutil.copytree(run, moved / "0")
    shutil.copytree(run / "stages" / "student", moved / "1" / "stages" / "student")
    path = moved / "1" / "stages" / "student" / "checkpoints" / "best.ckpt"
    stored = torch.load(path, weights_only=True)
    assert stored["netgaze"]["config"]["data"]["pseudo_labels"] == known
    stored["netgaze"]["config"]["data"]["pseudo_labels"] = "/gone/sweep/0/stages/pseudo_labels"
    torch.save(stored, path)
    labels = open_run(moved / "1" / "stages" / "student").data.labels("train")
    assert torch.equal(labels, read(moved / "0" / "stages" / "pseudo_labels").label)


def test_the_run_tells_the_numbers_of_its_stages(run):
    numbers, stages = read_metrics(run), run / "stages"
    for name in ("teacher", "student"):
        assert numbers[f"{name}/acc"] == read_metrics(stages / name)["test/acc"]
    assert numbers["unlabeled/right"] == read_metrics(stages / "pseudo_labels")["unlabeled/right"]


def test_a_row_has_the_seconds_of_all_stages_and_a_stage_its_own(run):
    own = {name: read_run(run / "stages" / name)["seconds"] for name in STAGES} | {"finetune": read_run(run)["seconds"]}
    assert tabulate(run)[0]["seconds"] == pytest.approx(sum(own.values()))
    with open(run / "stages" / "results.csv", newline="", encoding="utf-8") as file:
        rows = {row["label"]: float(row["seconds"]) for row in csv.DictReader(file)}
    assert rows["teacher"] == pytest.approx(own["teacher"], rel=0.01)
    assert rows["finetune"] == pytest.approx(own["finetune"], rel=0.01)


def test_seconds_of_a_stage_that_failed_count_once(tmp_path):
    with pytest.raises(NetgazeError, match="non-finite"):
        train(tmp_path, "++stages.student.optim.lr=1e30", "++stages.student.trainer.max_epochs=3")
    own = [read_run(path.parent)["seconds"] for path in tmp_path.glob("stages/*/run.json")]
    assert len(own) == 3
    assert read_run(tmp_path)["status"] == "failed"
    assert sum_seconds(tmp_path) == pytest.approx(sum(own))


def test_the_report_shows_the_stages_side_by_side(run):
    page = (run / "stages" / "report.html").read_text(encoding="utf-8")
    for name in ("confusion", "pseudo_labels"):
        assert f'id="{name}"' in page
    said = json.loads((run / "stages" / "figures" / "confusion.json").read_text())
    assert list(said["numbers"]) == ["teacher", "student", "finetune"]


def test_a_finished_chain_is_left_alone_and_a_killed_one_goes_on(run, tmp_path):
    """Without the student and what came after it, the run is as a kill before the student leaves it."""
    again = tmp_path / "run"
    shutil.copytree(run, again)
    for name in ("checkpoints", "stages/student/checkpoints"):
        shutil.rmtree(again / name)
    teacher = (again / "stages" / "teacher" / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    code, printed = command(f"resume={again}", cwd=tmp_path)
    assert code == 0, printed
    assert (again / "stages" / "teacher" / "checkpoints" / "best.ckpt").stat().st_mtime_ns == teacher
    assert same(weights(again), weights(run))
    (tmp_path / "elsewhere").mkdir()
    (again / "stages" / "report.html").unlink()
    code, printed = command("resume=../run", cwd=tmp_path / "elsewhere")
    assert code == 0, printed
    assert "is already finished" in printed
    assert (again / "stages" / "report.html").exists(), "a kill after the last stage leaves no run without its page"


def test_labels_that_were_taken_away_change_nothing(run, tmp_path, monkeypatch):
    """Once the labeled part is drawn, all other labels become wrong ones: every weight and number stays."""
    draw = training.draw_per_class

    def poisoning(labels, per_class, seed):
        chosen = draw(labels, per_class, seed)
        others = torch.ones(len(labels), dtype=torch.bool)
        others[chosen] = False
        labels[others] = (labels[others] + 1 + torch.arange(int(others.sum())) % 9) % 10
        return chosen

    monkeypatch.setattr(training, "draw_per_class", poisoning)
    poisoned = train(tmp_path)
    for place in ("", *(f"stages/{name}" for name in STAGES)):
        assert same(weights(run / place), weights(poisoned / place))
        first, second = (read_metrics(folder / place) for folder in (run, poisoned))
        judged = ("unlabeled/right",)  # the one number that may look
        assert {k: v for k, v in first.items() if k not in judged} == {
            k: v for k, v in second.items() if k not in judged
        }
    assert read_metrics(run)["unlabeled/right"] != read_metrics(poisoned)["unlabeled/right"]


def test_a_sweep_trains_the_teacher_once(tmp_path):
    words = ["-m", *(word for word in WORDS if not word.startswith("stages.")), "hydra.sweep.dir=sweep"]
    code, printed = command(*words, "stages.pseudo_labels.task.k=3,6", "seed=0,1", cwd=tmp_path)
    assert code == 0, printed
    sweep = tmp_path / "sweep"
    there = sorted(str(path.parent.relative_to(sweep)) for path in sweep.glob("*/stages/*/run.json"))
    assert [place for place in there if "teacher" in place] == ["0/stages/teacher", "1/stages/teacher"]
    assert len([place for place in there if "student" in place]) == 4
    for job, seed in ((2, 0), (3, 1)):
        config = read_run(sweep / str(job) / "stages" / "pseudo_labels")["config"]
        assert config["init"].endswith(f"sweep/{seed}/stages/teacher")
    with open(sweep / "results.csv", encoding="utf-8") as file:
        assert len(file.readlines()) == 1 + 4
    assert (sweep / "figures" / "sweep.png").stat().st_size > 5000, "accuracy against K"


def test_a_stage_may_be_a_run_that_is_there(run, tmp_path):
    teacher = run / "stages" / "teacher"
    train(tmp_path / "own", f"++stages.teacher.run={teacher}")
    assert not (tmp_path / "own" / "stages" / "teacher").exists()
    assert same(weights(tmp_path / "own" / "stages" / "pseudo_labels", "best"), weights(teacher, "best"))
    with pytest.raises(NetgazeError, match=r"stages.teacher.run=.* is not a finished run"):
        train(tmp_path / "none", f"++stages.teacher.run={tmp_path}")


def test_a_stage_that_changes_under_what_came_of_it_is_refused_and_all_stays_as_it_was(run, tmp_path):
    again = tmp_path / "run"
    shutil.copytree(run, again)
    before = (again / "stages" / "student" / "run.json").read_bytes()
    code, printed = command(f"resume={again}", "stages.student.trainer.max_epochs=2", cwd=tmp_path)
    assert code == 1
    assert "was made from" in printed
    assert read_run(again)["status"] == "finished"
    assert (again / "stages" / "student" / "run.json").read_bytes() == before
    shutil.rmtree(again / "checkpoints")  # as a kill in the student's training leaves it
    code, printed = command(f"resume={again}", "stages.pseudo_labels.task.k=3", cwd=tmp_path)
    assert code == 1
    assert "stages/student was made from" in printed


def test_a_stage_has_the_network_of_the_one_from_which_it_starts():
    """A larger teacher labels by its own weights, not by as many of them as fit the student's network."""
    config = composed(*WORDS, "+model@stages.teacher.model=resnet20")
    models = {name: resolve_config(make_stage_config(config, name, {}))["model"] for name in config.stages}
    assert models["pseudo_labels"] == models["teacher"] != models["student"] == models["finetune"]


def test_a_teacher_that_knows_more_labels_is_named(run, tmp_path, caplog):
    with caplog.at_level("WARNING", "netgaze"):
        train(tmp_path, f"++stages.teacher.run={run / 'stages' / 'teacher'}", "data.per_class=5")
    assert "it may know labels that were removed" in caplog.text


@pytest.mark.parametrize("init", ["null", "rotation"])
def test_labels_by_a_network_that_was_not_trained_for_them_are_refused(init, tmp_path):
    words = [*TINY, *NO_FIGURES, "control=null", "data.per_class=4"]
    if init == "rotation":
        tiny_runs.train(tmp_path / "source", *words, "task=rotation", "trainer.max_epochs=1")
        init = str(tmp_path / "source")
    words += ["task=pseudo_labels", f"init={init}", "~figure.pseudo_labels"]
    with pytest.raises(NetgazeError, match=r"needs a trained network, but .*\. Give init=outputs/<run>"):
        tiny_runs.train(tmp_path / "labels", *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.per_class=null"], "needs unlabeled images, but there are none"),
        (["data.per_class=10", "data.limit=100"], "labels all of them. Give less"),
        (["++stages.student.data.sampler=cubic"], "data.sampler=cubic: expected natural, sqrt or uniform"),
        (["init=imagenet"], "this run has stages. Choose the stage that starts there: stages.teacher.init="),
        (["stages.pseudo_labels.task.p=11"], "p from 1 to the 10 classes"),
        (["stages.pseudo_labels.task.k=0"], "k of 1 or more"),
        (["stages.finetune.init=null"], "No stage starts from student"),
        (["stages.student.data.pseudo_labels=labels"], "There are no pseudo-labels at labels"),
    ],
)
def test_what_a_later_stage_would_refuse_is_said_before_the_first_is_trained(tmp_path, words, said):
    with pytest.raises(NetgazeError, match=said):
        train(tmp_path, *words)
    assert not (tmp_path / "stages").exists()
    assert read_run(tmp_path)["status"] == "failed"


def test_a_stage_takes_the_runs_settings_but_for_its_own(tmp_path):
    config = composed(*WORDS, "optim=adamw", "data.seed=7", "+model@stages.teacher.model=resnet20")
    stages = {name: resolve_config(make_stage_config(config, name, {})) for name in config.stages}
    assert {stage["optim"]["_target_"] for stage in stages.values()} == {"torch.optim.AdamW"}
    assert {stage["data"]["seed"] for stage in stages.values()} == {7}
    assert [stage["data"]["epoch_size"] for stage in stages.values()] == [80, 80, 80, 2500]
    assert stages["teacher"]["model"]["_target_"].endswith("CifarResNet")
    assert build(stages["teacher"]["model"]).num_features == 64
    assert stages["student"]["model"]["widths"] == [8, 16]
    assert all(stage["stages"] == {} for stage in stages.values())
    assert config.stages.teacher == OmegaConf.select(config, "stages.teacher"), "the config itself is as it was"
    assert config.init is None


def test_labeling_trains_nothing_whatever_the_epochs(run, tmp_path):
    teacher = run / "stages" / "teacher"
    words = [*TINY, *NO_FIGURES, "task=pseudo_labels", "data.per_class=4", "trainer.max_epochs=3", "control=null"]
    words += [f"init={teacher}", "task.k=6", "~figure.pseudo_labels"]
    tiny_runs.train(tmp_path, *words)
    assert read_history(tmp_path) == []
    assert same(weights(tmp_path, "best"), weights(teacher, "best"))
    first, second = (read(place) for place in (tmp_path, run / "stages" / "pseudo_labels"))
    assert torch.equal(first.index, second.index)
    assert torch.equal(first.label, second.label)
