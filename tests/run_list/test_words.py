"""The list, `latest` and `clean` as they are typed: what is printed and written, and how mistakes are answered."""

import subprocess
import sys

import pytest
from tests.commands import command
from tests.conftest import CONF, ROOT
from tests.run_list.made import make_run

from netgaze.commands.arguments import prepare
from netgaze.commands.latest import name_latest
from netgaze.errors import NetgazeError

FIRST, SECOND, THIRD = "outputs/turned/3", "outputs/plain/2", "outputs/plain/1"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Four runs: of the newest first failed, rotation, and two plain ones."""
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "outputs/plain/4", "failed", started="2026-01-04T00:00:00+0000")
    make_run(tmp_path / FIRST, started="2026-01-03T00:00:00+0000", task="rotation", numbers={"test/acc": 0.5})
    make_run(tmp_path / SECOND, started="2026-01-02T00:00:00+0000", numbers={"test/acc": 0.7})
    make_run(tmp_path / THIRD, started="2026-01-01T00:00:00+0000", numbers={"test/acc": 0.9})
    return tmp_path


def ask(place, *words, expected=0):
    code, said = command(*words, cwd=place, script="analyze.py")
    assert code == expected, said
    return said.splitlines()


def list_files(place):
    return {path for path in place.rglob("*")}


def find_names(lines):
    return [line.split()[0] for line in lines if line.startswith("outputs/")]


def test_without_words_all_runs_are_listed_and_nothing_is_written(place):
    before = list_files(place)
    lines = ask(place)
    assert find_names(lines) == ["outputs/plain/4", FIRST, SECOND, THIRD]
    assert lines[0].split() == ["name", "task", "model", "data", "status", "epoch", "val/acc", "age", "size"]
    assert "python analyze.py runs=latest" in lines[-1]
    assert list_files(place) == before


def test_the_list_is_chosen_sorted_and_cut_by_words(place):
    lines = ask(place, "where.status=finished", "sort=test/acc", "limit=2")
    assert find_names(lines) == [THIRD, SECOND]
    assert "1 more; limit=null shows all." in lines
    assert "90.0%" in lines[1]
    assert lines[-1].endswith("python analyze.py runs=latest:2 where.status=finished")


def test_a_name_cannot_steer_the_terminal_whatever_is_said_of_it(place):
    make_run(place / "outputs" / "a\x1b[31mb", "failed")
    for words in ([], ["clean=list"], ["clean=remove", "where.name=*31mb"]):
        assert any(r"outputs/a\x1b[31mb" in line for line in ask(place, *words))
    assert not list((place / "outputs").glob("*31mb"))


def test_a_reader_that_has_seen_enough_is_no_error(place):
    for number in range(400):
        make_run(place / "outputs" / "many" / f"{number}{'x' * 200}")
    script = f"{sys.executable} {ROOT / 'analyze.py'} | head -n 1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=place)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 1


def test_another_folder_is_looked_through(place):
    make_run(place / "old" / "a")
    assert ask(place, "below=old")[1].startswith("old/a ")
    assert ask(place, "below=old")[-1].endswith("runs=latest below=old")


def test_where_there_is_no_run_the_first_command_is_named(tmp_path):
    (line,) = ask(tmp_path)
    assert line.startswith("There are no runs in outputs yet.")
    typed = line.partition("python train.py ")[2].split()
    assert prepare(typed, CONF, "train") == typed
    assert list_files(tmp_path) == set()


def test_where_none_fits_it_is_said(place):
    assert ask(place, "where.task=simclr") == [
        "None of 4 runs in outputs fits where.task=simclr. python analyze.py lists all."
    ]


def test_failed_runs_are_listed_and_then_removed(place):
    lines = ask(place, "clean=list")
    assert find_names(lines) == ["outputs/plain/4"]
    assert lines[-1].startswith("clean=remove deletes 1 run, ")
    size = sum(path.stat().st_size for path in (place / "outputs/plain/4").iterdir())
    assert ask(place, "clean=remove", "where.task=rotation")[-1].startswith("Nothing to remove: ")
    lines = ask(place, "clean=remove")
    assert lines[-1].startswith("Removed 1 run, ")
    assert f"({size:,} bytes)" in lines[-1]
    assert find_names(ask(place)) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sort=tset/acc"], "No run has a key tset/acc. Nearest keys: test/acc."),
        (["where.optm.lr=1"], "No run has a key optm.lr. Nearest keys: optim.lr"),
        (["where.task="], "Cannot read where.task=. Type it as in where.task=rotation."),
        (["where=rotation"], "Cannot read where=rotation."),
        (["sort.x=1"], "Cannot read sort.x=1."),
        (["where.test/acc=>high"], "expected a number after >"),
        (["limit=none"], "limit=none: expected the number of runs to show"),
        (["limit=0"], "limit=0: expected"),
        (["clean=all"], "Unknown clean=all. Choose clean=list or clean=remove."),
        (["clean=remove", "limit=1"], "limit cannot be combined with clean"),
        (["sort=age", "figure=[cam]"], "sort=age filters the list of runs. Type it alone."),
        (["where.task=rotation", "figure=[cam]"], "Type it with runs=latest, or alone."),
        (["runs=latest:5"], "There are only 3 finished runs in outputs."),
        (
            ["runs=latest:2", "where.task=rotation"],
            "only 1 finished run in outputs with where.task=rotation.",
        ),
        (["runs=latest", "where.task=simclr"], "There is no finished run in outputs with where.task=simclr."),
        (["runs=latest", "limit=3"], "limit=3 is for the list of runs."),
        (["runs=latest:0"], "count from 1, as in latest:2"),
        (["figure=[cam]"], "runs is missing. Type runs=latest or"),
    ],
)
def test_mistakes_are_sentences(words, said, place):
    before = list_files(place / "outputs" / "plain")
    lines = ask(place, *words, expected=1)
    assert lines[-1].startswith("Error: ")
    assert said in lines[-1]
    assert list_files(place / "outputs" / "plain") == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["runs=latest"], [f"runs=[{FIRST}]"]),
        (["runs=latest:2", "figure=[cam]"], [f"runs=[{FIRST},{SECOND}]", "figure=[cam]"]),
        (["runs=[latest,outputs/x]"], [f"runs=[{FIRST},outputs/x]"]),
        (["runs=latest:2", "where.task=supervised"], [f"runs=[{SECOND},{THIRD}]"]),
        (["where.test/acc=>0.8", "runs='latest'"], [f"runs=[{THIRD}]"]),
        (["init=latest"], [f"init={FIRST}"]),
        (["stages.teacher.init=latest"], [f"stages.teacher.init={FIRST}"]),
        (["stages.teacher.run=latest", "where.name=plain"], [f"stages.teacher.run={SECOND}"]),
        (["resume=latest", "optim.lr=1"], ["resume=outputs/plain/4", "optim.lr=1"]),
        (["name=latest", "where.x=1"], ["name=latest", "where.x=1"]),
        (["init=latest.pt"], ["init=latest.pt"]),
    ],
)
def test_latest_stands_for_the_newest_that_can_be_meant(words, expected, place, capsys):
    assert name_latest(words) == expected
    said = capsys.readouterr().out
    assert all(folder in said for folder in (FIRST, SECOND, THIRD) if folder in expected[0])


def test_a_file_of_that_name_goes_first(place):
    (place / "latest").mkdir()
    assert name_latest(["init=latest", "runs=[latest,latest:2]"]) == ["init=latest", f"runs=[latest,{FIRST},{SECOND}]"]


def test_a_run_that_is_being_trained_is_not_resumed(place):
    make_run(place / "outputs/plain/5", "running", started="2026-01-05T00:00:00+0000", host="elsewhere", written=2e9)
    assert name_latest(["resume=latest"]) == ["resume=outputs/plain/4"]


def test_of_runs_for_pseudo_labels_one_that_wrote_some_is_taken(place):
    (place / SECOND / "pseudo_labels.npz").write_bytes(b"")
    assert name_latest(["data.pseudo_labels=latest"]) == [f"data.pseudo_labels={SECOND}"]


@pytest.mark.parametrize("word", ["init=latest:2", "resume=latest:2"])
def test_where_one_run_is_meant_there_are_not_two(word, place):
    with pytest.raises(NetgazeError, match="takes one run, latest"):
        name_latest([word])


@pytest.mark.parametrize("words", [[], ["where.task=rotation", "sort=test/acc"], ["clean=list"], ["runs=latest:9"]])
def test_it_is_said_without_torch(words, place):
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['analyze.py', *{words!r}]\n"
        f"try: runpy.run_path({str(ROOT / 'analyze.py')!r}, run_name='__main__')\n"
        "finally: print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=place).stdout
    assert said.splitlines()[-1] == "False"


def test_in_a_notebook_the_list_is_a_table_and_each_row_a_run(place):
    from netgaze import runs
    from netgaze.run import Run

    found = runs(where={"status": "finished"}, sort="test/acc", limit=2)
    assert [str(run.folder) for run in found] == [THIRD, SECOND]
    assert isinstance(found[0], Run)
    assert found[0].metrics == {"test/acc": 0.9}
    assert [str(run.folder) for run in found[1:]] == [SECOND]
    assert found.table.loc[THIRD, "test/acc"] == 0.9
    assert found.table.loc[SECOND, "task"] == "supervised"
    assert found.table["age"].dt.days.min() > 0
    assert "90.0%" in found._repr_html_()
    assert len(runs()) == 4
    assert runs(below="nowhere").table.empty
    assert "There are no such runs." in runs(where={"task": "simclr"})._repr_html_()


def test_the_function_is_not_hidden_by_a_module():
    import netgaze.rows
    from netgaze import runs

    assert callable(runs)
    assert callable(netgaze.runs)
