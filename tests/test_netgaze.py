"""`netgaze`: its commands, what it says of itself, and what Tab offers behind it."""

import shlex
import subprocess
import sys

import pytest
from tests.conftest import CONF, ROOT

import netgaze
from netgaze import __main__ as program
from netgaze.commands.completion import complete, write_script
from netgaze.commands.configs import Configs
from netgaze.program import spell


def call(monkeypatch, capsys, *words):
    """(exit code, what was printed, what was said of a mistake) of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["netgaze", *words])
    code = 0
    try:
        program.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    return code, *capsys.readouterr()


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_it_says_what_there_is(words, monkeypatch, capsys):
    code, said, _ = call(monkeypatch, capsys, *words)
    assert code == 0
    assert all(f"netgaze {name} " in said for name in ("train", "analyze", "runs"))
    assert max(map(len, said.splitlines())) <= 120


def test_it_says_its_version(monkeypatch, capsys):
    assert call(monkeypatch, capsys, "--version") == (0, f"netgaze {netgaze.__version__}\n", "")


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("tain", "There is no command tain. Did you mean train?"),
        ("analyse", "There is no command analyse. Did you mean analyze?"),
        ("xyz", "There is no command xyz. There are train, analyze and runs."),
        ("data=shapes", "data=shapes is for one of the commands: type netgaze train data=shapes, or netgaze analyze"),
        ("-m", "-m is for one of the commands: type netgaze train -m"),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(word, answer, monkeypatch, capsys):
    code, _, said = call(monkeypatch, capsys, word)
    assert code == 1
    assert said.startswith(f"Error: {answer}")


def test_its_commands_take_what_follows(monkeypatch, capsys):
    code, said, _ = call(monkeypatch, capsys, "train", "--help", "optim.lr")
    assert (code, said.split("=")[0].strip()) == (0, "optim.lr")
    assert "netgaze analyze runs=[" in call(monkeypatch, capsys, "analyze", "--help")[1]
    assert call(monkeypatch, capsys, "runs", "--help") == call(monkeypatch, capsys, "analyze", "--help")
    code, _, said = call(monkeypatch, capsys, "train", "optim.l=1")
    assert (code, said) == (1, "Error: There is no key optim.l. Did you mean optim.lr?\n")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("train.py", "python train.py"),
        ("/somewhere/analyze.py", "python train.py"),
        ("/venv/bin/netgaze", "netgaze train"),
        ("/site-packages/netgaze/__main__.py", "python -m netgaze train"),
        ("/site-packages/pytest/__main__.py", "netgaze train"),
        ("", "netgaze train"),
    ],
)
def test_a_command_is_spelled_as_it_was_started(script, said, monkeypatch):
    monkeypatch.setattr(sys, "argv", [script])
    assert spell("train") == said


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("netgaze ", ["train ", "analyze ", "runs "]),
        ("netgaze a", ["analyze "]),
        ("netgaze train task=ro", ["task=rotation"]),
        ("netgaze train data=decathlon/d", ["data=decathlon/daimlerpedcls", "data=decathlon/dtd"]),
        ("netgaze train figure=[cam,ts", ["figure=[cam,tsne"]),
        ("netgaze train -m seed=0,1  task=simclr,sup", ["task=simclr,supcon", "task=simclr,supervised"]),
        ("netgaze train hydra/launcher=", ["hydra/launcher=cores", "hydra/launcher=slurm"]),
        ("netgaze train tas", ["task.", "task="]),
        (
            "netgaze train task=siamese task.thr",
            ["task.threshold_far=", "task.threshold_from=", "task.threshold_rule="],
        ),
        ("netgaze analyze che", ["checkpoint="]),
        ("netgaze runs --help figure=tsn", ["figure=tsne"]),
        ("netgaze train task.thr", []),
        ("netgaze train task=nothing optim.", []),
        ("netgaze train data.dir=pho", []),
        ("netgaze fly task=", []),
    ],
)
def test_what_is_offered(line, offers):
    assert complete(line) == offers


def test_whole_groups_are_offered():
    assert complete("netgaze train model=") == [
        f"model={name}" for name in Configs(CONF, "train").list_options("model")
    ]
    assert not any("._" in offer for offer in complete("netgaze train optim."))


@pytest.mark.parametrize(
    ("line", "word", "replies"),
    [
        ("netgaze train task=ro", "ro", ["rotation"]),  # bash's own word begins behind the =
        ("netgaze train figure=[cam,ts", "[cam,ts", ["[cam,tsne"]),
        ("netgaze train task=ro", "task=ro", ["task=rotation"]),  # zsh's does not
        ("netgaze train hydra/launcher=", "", ["cores", "slurm"]),
        ("netgaze an", "an", ["analyze "]),
    ],
)
def test_bash_completes_the_word_that_it_is_at(line, word, replies, tmp_path):
    command = tmp_path / "netgaze"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m netgaze "$@"\n')
    command.chmod(0o755)
    script = [
        write_script(),
        f"PATH={shlex.quote(str(tmp_path))}:$PATH COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}",
        f"_netgaze netgaze {shlex.quote(word)} x",
        "printf '%s\\n' \"${COMPREPLY[@]}\"",
        "complete -p netgaze",
    ]
    done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=ROOT, capture_output=True, text=True, check=True)
    *found, registered = done.stdout.splitlines()
    assert found == replies
    assert registered.endswith("-F _netgaze netgaze")
