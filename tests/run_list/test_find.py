"""Which runs are found below a folder, and what the list knows of each."""

import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import datetime

import pytest
from tests.conftest import ROOT
from tests.run_list.made import LONG_AGO, make_run

from netgaze.files import write_json
from netgaze.results import rank
from netgaze.rows import make_rows
from netgaze.run import Run
from netgaze.run_list.alive import describe_process, is_alive
from netgaze.run_list.entry import MISSING, Entry
from netgaze.run_list.find import find_entries

GOLDEN = ROOT / "tests" / "golden" / "runs"


def names(below):
    return [entry.folder.relative_to(below).as_posix() for entry in find_entries(below)]


def test_runs_of_sweeps_are_found_and_stages_are_part_of_their_run(tmp_path):
    make_run(tmp_path / "a" / "1", started="2026-01-01T00:00:00+0000")
    make_run(tmp_path / "a" / "1" / "stages" / "teacher")
    make_run(tmp_path / "sweeps" / "s" / "t" / "0", started="2026-01-03T00:00:00+0000")
    make_run(tmp_path / "sweeps" / "s" / "t" / "1", started="2026-01-02T00:00:00+0000")
    (tmp_path / "analysis" / "x").mkdir(parents=True)
    assert names(tmp_path) == ["sweeps/s/t/0", "sweeps/s/t/1", "a/1"]


def test_the_newest_is_first_in_whatever_zone_it_was_begun(tmp_path):
    make_run(tmp_path / "a", started="2026-01-01T09:30:00+0000")
    make_run(tmp_path / "b", started="2026-01-01T12:00:00+0900")  # 3 o'clock
    make_run(tmp_path / "c", started="2026-01-01T02:00:00-0800")  # 10 o'clock
    assert names(tmp_path) == ["c", "a", "b"]


def test_of_runs_begun_in_the_same_second_the_one_noted_last_is_newer(tmp_path):
    for name, written in (("a", 30.0), ("b", 50.0), ("c", 40.0)):
        make_run(tmp_path / name, written=LONG_AGO + written)
    assert names(tmp_path) == ["b", "c", "a"]


def test_links_and_hidden_folders_are_passed_over(tmp_path):
    away = make_run(tmp_path / "away" / "run")
    below = tmp_path / "outputs"
    make_run(below / "own")
    (below / "link").symlink_to(away)
    make_run(below / ".trash" / "old")
    (below / "fake").mkdir()
    (below / "fake" / "run.json").symlink_to(away / "run.json")
    assert names(below) == ["own"]


def test_where_there_is_no_folder_there_are_no_runs(tmp_path):
    assert find_entries(tmp_path / "nowhere") == []


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"status": 3}', '{"started": "x"}', "\x00"])
def test_a_damaged_run_is_a_row(content, tmp_path):
    make_run(tmp_path / "a", numbers={"val/acc": 0.5})
    (tmp_path / "a" / "run.json").write_text(content)
    (entry,) = find_entries(tmp_path)
    assert entry.status == "damaged"
    assert entry.find("task") is MISSING
    assert entry.find("optim.lr") is MISSING


def test_damaged_numbers_cost_the_numbers_alone(tmp_path):
    folder = make_run(tmp_path / "a", numbers={"val/acc": "x"}, epochs=[{"epoch": 1, "val/acc": 0.5}])
    (folder / "history.csv").write_text("a,b\n1,x\n")
    entry = Entry(folder)
    assert (entry.status, entry.numbers, entry.epoch) == ("finished", {}, 0)


def test_runs_of_the_first_version_are_read_in_todays_words():
    entry = Entry(GOLDEN / "supervised")
    assert entry.status == "finished"
    assert entry.find("data.labeled_fraction") == 0.5
    assert entry.find("data.labelled_share") is MISSING
    assert entry.find("task") == "supervised"
    assert entry.find("seed") == 3
    assert entry.started == datetime.fromisoformat("2026-11-28T18:44:57+00:00").timestamp()


@pytest.mark.parametrize("name", ["supervised", "siamese"])
def test_the_key_number_is_the_one_by_which_a_comparison_ranks(name, tmp_path):
    shutil.copytree(GOLDEN / name, tmp_path / "a")
    number, (row,) = rank(make_rows([Run(tmp_path / "a")]))
    assert Entry(tmp_path / "a").key_number == (number, row[number])


def test_where_nothing_was_chosen_the_key_number_is_of_the_test(tmp_path):
    folder = make_run(tmp_path / "a", numbers={"test/acc": 0.7, "best/epoch": 0}, eval_fingerprint="e")
    number, (row,) = rank(make_rows([Run(folder)]))
    assert Entry(folder).key_number == (number, row[number]) == ("test/acc", 0.7)


@pytest.mark.parametrize(("mode", "best"), [("max", 0.6), ("min", 0.4)])
def test_before_its_end_a_run_is_known_by_its_best_epoch_so_far(mode, best, tmp_path):
    rows = [{"epoch": number, "val/acc": value, "lr": 1} for number, value in enumerate((0.5, 0.6, 0.4), start=1)]
    entry = Entry(make_run(tmp_path / "a", "failed", epochs=rows, monitor_mode=mode))
    assert entry.epoch == 3
    assert entry.numbers == {"val/acc": best}


def test_a_run_that_failed_before_it_had_a_config_is_known_by_what_was_typed(tmp_path):
    folder = make_run(tmp_path / "a", "failed", overrides=["optim.lr=0.3", "+data.dir='x y'"])
    facts = {name: value for name, value in Run(folder).facts.items() if name != "config"}
    write_json(folder / "run.json", facts)
    assert (Entry(folder).find("optim.lr"), Entry(folder).find("data.dir")) == ("0.3", "x y")
    assert Entry(folder).find("seed") is MISSING


def test_the_size_is_that_of_all_files_and_links_are_not_followed(tmp_path):
    folder = make_run(tmp_path / "a")
    (folder / "stages" / "deep").mkdir(parents=True)
    (folder / "stages" / "deep" / "x").write_bytes(b"x" * 1234)
    before = Entry(folder).disk.size
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (folder / "link").symlink_to(tmp_path / "large")
    counted = subprocess.run(["du", "-b", "--apparent-size", "-a", folder], capture_output=True, text=True).stdout
    files = [line.split("\t") for line in counted.splitlines()]
    plain = sum(int(size) for size, path in files if os.path.isfile(path) and not os.path.islink(path))
    assert before == plain
    assert before < Entry(folder).disk.size < before + 1000


def test_a_running_process_is_alive_and_one_that_has_ended_is_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    facts = {"host": platform.node(), "pid": process.pid}
    make_run(tmp_path / "a", "running", **facts)
    assert Entry(tmp_path / "a").status == "running"
    process.communicate(b"\n")
    assert Entry(tmp_path / "a").status == "unfinished"


@pytest.mark.parametrize("facts", [{}, {"host": "elsewhere", "pid": 1}, {"host": platform.node(), "pid": "1"}])
def test_where_a_process_cannot_be_asked_it_is_alive_for_a_day_after_it_last_wrote(facts):
    assert is_alive(facts, time.time() - 23 * 3600)
    assert not is_alive(facts, time.time() - 25 * 3600)
    assert is_alive(facts, time.time() + 3600)  # by another machine's clock


def test_a_run_says_which_process_it_is_of(tmp_path):
    from omegaconf import OmegaConf

    from netgaze.request import Request

    run = Run(tmp_path / "a")
    run.begin(Request("python train.py"), OmegaConf.create({"seed": 0}))
    assert {"host": run.facts["host"], "pid": run.facts["pid"]} == describe_process()
    assert describe_process()["pid"] == os.getpid()
    assert Entry(run.folder).status == "running"
