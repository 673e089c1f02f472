"""What may be cleared away goes, and nothing else does."""

import csv
import os
import platform
import subprocess
import sys
import time

import pytest
from tests.run_list.made import LONG_AGO, age, make_run

from netgaze.errors import NetgazeError
from netgaze.files import write_csv
from netgaze.run_list.clean import plan, remove
from netgaze.run_list.entry import Entry
from netgaze.run_list.find import find_entries


@pytest.fixture
def below(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    return tmp_path / "outputs"


def planned(below):
    """What can go, and why the rest of what failed stays, by name."""
    every = find_entries(below)
    made = plan(every, every)
    return {it.folder.name for it in made.removable}, {it.folder.name: why for it, why in made.kept.items()}


def clean(below):
    every = find_entries(below)
    for entry in plan(every, every).removable:
        assert remove(entry, below)


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return {"host": platform.node(), "pid": process.pid}


@pytest.mark.parametrize(
    ("status", "goes"),
    [("failed", True), ("interrupted", True), ("finished", False), ("running", True), ("paused", False)],
)
def test_what_goes_by_its_status(status, goes, below):
    make_run(below / "a", status, **ended_process())
    assert planned(below) == ({"a"} if goes else set(), {})


def test_a_run_whose_process_lives_stays(below):
    make_run(below / "a", "running", host=platform.node(), pid=os.getpid())
    assert planned(below) == (set(), {})


def test_a_run_of_another_machine_stays_for_a_day_after_it_last_wrote(below):
    make_run(below / "a", "running", written=time.time() - 20 * 3600, host="elsewhere", pid=1)
    make_run(below / "b", "running", written=time.time() - 30 * 3600, host="elsewhere", pid=1)
    assert planned(below) == ({"b"}, {})


def test_a_damaged_run_stays(below):
    make_run(below / "a")
    (below / "a" / "run.json").write_text("{")
    assert planned(below) == (set(), {})


def test_a_dead_run_stays_for_some_minutes_after_it_last_wrote(below):
    folder = make_run(below / "a", "running", **ended_process())
    os.utime(folder / "run.json", (time.time() - 300,) * 2)
    assert planned(below) == (set(), {"a": "a file in it changed in the last 10 minutes"})
    os.utime(folder / "run.json", (time.time() - 900,) * 2)
    assert planned(below) == ({"a"}, {})


def test_a_failed_run_that_is_just_being_resumed_stays(below):
    folder = make_run(below / "a", "failed", written=time.time() - 120)
    assert planned(below)[0] == {"a"}
    (folder / "train.log").write_text("again")
    assert planned(below)[0] == set()


@pytest.mark.parametrize(
    "facts",
    [
        {"config": {"init": "outputs/a"}},
        {"config": {"init": {"file": "outputs/a/checkpoints/best.ckpt", "key": "x"}}},
        {"overrides": ["stages.teacher.run='outputs/a'"]},
        {"config": {"data": {"pseudo_labels": "{absolute}/outputs/a/pseudo_labels.npz"}}},
        {"init": {"source": "{absolute}/outputs/a/stages/teacher"}},
        {"config": {"init": "linked/a"}},
    ],
)
def test_what_another_run_needs_stays(facts, below):
    (below.parent / "linked").symlink_to(below)
    make_run(below / "a", "failed")
    text = repr(facts).replace("{absolute}", str(below.parent))
    make_run(below / "b", **eval(text))
    assert planned(below) == (set(), {"a": f"{below}/b needs it"})


def test_what_a_stage_of_another_run_needs_stays(below):
    make_run(below / "a", "failed")
    make_run(below / "a" / "stages" / "teacher")
    make_run(below / "b")
    make_run(below / "b" / "stages" / "student", init={"source": str(below / "a" / "stages" / "teacher")})
    assert planned(below) == (set(), {"a": f"{below}/b needs it"})


def test_what_is_needed_only_by_what_goes_goes_too_and_names_that_begin_alike_are_others(below):
    make_run(below / "a", "failed")
    make_run(below / "b", "failed", config={"init": "outputs/a"})
    make_run(below / "c", "failed")
    make_run(below / "d", config={"init": "outputs/c2"})
    assert planned(below) == ({"a", "b", "c"}, {})


def test_what_stays_for_the_sake_of_one_that_stays_keeps_what_it_needs_itself(below):
    make_run(below / "a", "failed")
    make_run(below / "b", "failed", config={"init": "outputs/a"})
    make_run(below / "c", config={"init": "outputs/b"})
    removable, kept = planned(below)
    assert (removable, set(kept)) == (set(), {"a", "b"})


def test_a_failed_job_of_a_running_sweep_stays(below):
    sweep = below / "sweeps" / "s"
    make_run(sweep / "0", "failed")
    make_run(sweep / "1", "running", host=platform.node(), pid=os.getpid())
    assert planned(below) == ({"0"}, {})  # no sweep, it only lies beside
    (sweep / "multirun.yaml").write_text("x: 1")
    assert planned(below) == (set(), {"0": "its sweep is running"})


def test_a_run_in_which_others_lie_stays_but_its_own_stages_go_with_it(below):
    make_run(below / "a", "failed")
    make_run(below / "a" / "again" / "b")
    make_run(below / "c", "failed")
    make_run(below / "c" / "stages" / "teacher")
    removable, kept = planned(below)
    assert removable == {"c"}
    assert kept == {"a": f"it contains another run, {below}/a/again/b"}


def test_only_chosen_runs_go(below):
    make_run(below / "a", "failed")
    make_run(below / "b", "failed")
    every = find_entries(below)
    assert [it.folder.name for it in plan(every[:1], every).removable] == [every[0].folder.name]


def test_what_is_removed_is_gone_with_its_empty_parents_and_all_else_is_there(below):
    make_run(below / "x" / "y" / "a", "failed")
    (below / "x" / "y" / "a" / ".hydra").mkdir()
    make_run(below / "z" / "b", "interrupted")
    (below / "z" / "note.txt").write_text("mine")
    kept = make_run(below / "kept" / "c")
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    clean(below)
    assert {path.name for path in below.iterdir()} == {"z", "kept"}
    assert [path.name for path in (below / "z").iterdir()] == ["note.txt"]
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_the_folder_that_is_looked_through_stays_when_it_is_empty(below):
    make_run(below / "x" / "a", "failed")
    clean(below)
    assert list(below.iterdir()) == []


def test_links_go_and_what_they_lead_to_stays(below):
    away = below.parent / "away"
    away.mkdir()
    (away / "mine.txt").write_text("mine")
    folder = make_run(below / "a", "failed")
    (folder / "folder").symlink_to(away)
    (folder / "file").symlink_to(away / "mine.txt")
    age(folder)
    clean(below)
    assert not folder.exists()
    assert (away / "mine.txt").read_text() == "mine"


def test_run_json_goes_last(below, monkeypatch):
    folder = make_run(below / "a", "failed")
    (folder / "z").mkdir()
    (folder / "z" / "file").write_text("x")
    age(folder)

    def refuse(path, *rest, **more):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("netgaze.run_list.clean.shutil.rmtree", refuse)
    (entry,) = find_entries(below)
    with pytest.raises(NetgazeError, match=r"Cannot remove .*/a/z: Permission denied"):
        remove(entry, below)
    assert [it.folder for it in find_entries(below)] == [folder]


def test_a_run_that_was_taken_up_again_meanwhile_stays(below):
    folder = make_run(below / "a", "failed")
    (entry,) = find_entries(below)
    assert entry.status == "failed"
    make_run(folder, "running", host=platform.node(), pid=os.getpid())
    assert not remove(entry, below)
    assert Entry(folder).status == "running"


def test_the_table_of_a_sweep_loses_the_rows_of_the_run_alone(below):
    sweep = below / "sweeps" / "s" / "t"
    for name, status in (("1", "failed"), ("11", "finished"), ("2", "finished")):
        make_run(sweep / name, status)
    (sweep / "multirun.yaml").write_text("x: 1")
    rows = [
        {"label": f'a, "{name}"\nx', "folder": f"outputs/sweeps/s/t/{name}", "lr": 0.1} for name in ("1", "11", "2")
    ]
    write_csv(sweep / "results.csv", rows)
    clean(below)
    assert {path.name for path in sweep.iterdir()} == {"11", "2", "multirun.yaml", "results.csv"}
    with open(sweep / "results.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{**row, "lr": "0.1"} for row in rows[1:]]


def test_a_sweep_without_a_run_left_has_no_table(below):
    make_run(below / "s" / "0", "failed")
    (below / "s" / "multirun.yaml").write_text("x: 1")
    write_csv(below / "s" / "results.csv", [{"label": "a", "folder": "s/0"}])
    clean(below)
    assert [path.name for path in (below / "s").iterdir()] == ["multirun.yaml"]


def test_what_is_counted_is_what_becomes_free(below):
    for name in ("a", "b"):
        folder = make_run(below / name, "failed")
        (folder / "x").write_bytes(b"x" * 1000)
        age(folder, LONG_AGO)
    every = find_entries(below)
    before = sum(path.stat().st_size for path in below.rglob("*") if path.is_file())
    assert plan(every, every).size == before
