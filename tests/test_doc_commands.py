"""Every command in the README and on the pages can be typed: its words are known, and Hydra composes them.

A block that its page marks as short (```bash short, ```python short) is run, too.
"""

import re
import shlex
from collections.abc import Iterator

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from tests.commands import command as run
from tests.conftest import CONF, ROOT

from netgaze import schema
from netgaze.commands.arguments import prepare
from netgaze.commands.configs import find_configs
from netgaze.commands.flags import HELP, SWEEP, split_flags
from netgaze.commands.help import explain
from netgaze.commands.run_words import FOR_LATEST, Asked, asks_for_list, get_key, is_about_list
from netgaze.errors import NetgazeError

schema.register()

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)(?: short)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHORT = re.compile(r"^```(bash|python) short\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
PROGRAM = re.compile(r"(?:(?:python )?(?:train|analyze)\.py|(?:python -m )?netgaze (?:train|analyze|runs))(?= |$)")
SHELL = ("", "bash", "sh", "console")
ADDED = {"upside_down", "plain", "ramps", "norms"}  # choices that docs/extending.md adds: its own test types them
UNKNOWN = re.compile(r"<([^<>]+)>")  # what a reader puts in: outputs/<run>
CHOSEN = {"decathlon/<set>": "decathlon/dtd", "task=<task>": "task=rotation", "seed=<seed>": "seed=0"}
MISTYPED = {"python train.py optim.lrr=3"}  # on purpose: how long the answer takes
STARTER = re.compile(r"(?:[$>] )?(?:[A-Z_]+=\S+ )*(?:(?:srun|torchrun|exec) (?:-\S+ )*)?")  # what may stand before it


def find_commands(text: str) -> Iterator[str]:
    """The commands of a page as they are typed: the lines of blocks, without comments, and spans of code."""
    for language, block in BLOCK.findall(text):
        if language in SHELL:
            for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
                yield from cut(re.split(r"\s+# ", line)[0])
    for span in SPAN.findall(BLOCK.sub("", text)):
        yield from cut(re.sub(r"\s*\n\s*(?:>\s*)?", " ", span))


def cut(line: str) -> Iterator[str]:
    """The command in a line, from the program's name on, without what starts it; none in another line."""
    if (found := PROGRAM.search(line)) and STARTER.fullmatch(line[: found.start()]):
        yield line[found.start() :].strip()


# Where each is first typed; many a command is on several pages.
COMMANDS = {
    command: page.name for page in reversed(PAGES) for command in find_commands(page.read_text(encoding="utf-8"))
}


# What is run: the blocks that their pages mark as short, by page and number.
BLOCKS = {
    f"{page.name} {place}": block
    for page in PAGES
    for place, block in enumerate(SHORT.findall(page.read_text(encoding="utf-8")))
}


def divide(command: str) -> tuple[str, list[str]]:
    """`train`, `analyze` or `runs`, and the words behind it, with something in place of what a reader puts in.

    A word in which a page leaves something out (`runs=[...]`) is left out.
    """
    for placeholder, choice in CHOSEN.items():
        command = command.replace(placeholder, choice)
    command = UNKNOWN.sub(lambda found: re.sub(r"\W", "_", found[1]), command)
    program = PROGRAM.match(command)[0]
    words = shlex.split(command.removeprefix(program))
    return re.search(r"train|analyze|runs", program)[0], [word for word in words if "..." not in word]


def check(name: str, words: list[str]) -> None:
    """Compose what was typed, of a sweep its first run.

    Raises:
        NetgazeError: a word cannot be.
    """
    if set(HELP) & set(words):
        explain(name, words)
        return
    if name == "runs" or (name == "analyze" and asks_for_list(words)):
        Asked.of_words(words)
        return
    if any(word.startswith("runs=latest") for word in words):
        words = [word for word in words if not (is_about_list(word) and get_key(word) in FOR_LATEST)]
    # A run that is resumed has a config of its own, and a page has no run: its other words are held against ours.
    if any(word.startswith("resume=") for word in words):
        words = [word for word in words if not word.startswith(("resume=", "~"))]
    flags, rest = split_flags(prepare(words, CONF, name))
    overrides = OverridesParser.create().parse_overrides(rest)
    firsts = [next(each.sweep_string_iterator()) if each.is_sweep_override() else None for each in overrides]
    pairs = zip(rest, firsts, strict=True)
    typed = [word if first is None else f"{word.partition('=')[0]}={first}" for word, first in pairs]
    assert set(flags) <= {*SWEEP, "--cfg", "-c", "job", "hydra", "-p", "hydra.launcher"}, flags
    find_configs([], name).compose([word for word in typed if not word.startswith("hydra")])


def test_a_page_has_its_commands():
    block = "A=1 srun --ntasks=2 python train.py -m seed=0,1 \\\n   init=null  # a comment\nnetgaze runs sort=age\nls\n"
    text = f"Type `python train.py\nseed=1`, or look into `the train.py`.\n```\n{block}```\n```python\ntrain.py\n```\n"
    assert list(find_commands(text)) == [
        "python train.py -m seed=0,1 init=null",
        "netgaze runs sort=age",
        "python train.py seed=1",
    ]


def test_there_are_commands():
    assert len(set(COMMANDS.values())) > 15
    assert len(COMMANDS) > 100


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{COMMANDS[command]}: {command}"[:120])
def test_a_command_composes(command, monkeypatch, tmp_path):
    monkeypatch.setenv("NETGAZE_TRUST", "")  # what a command trusts, it trusts alone
    monkeypatch.chdir(tmp_path)
    name, words = divide(command)
    if ADDED & {choice for word in words for choice in word.partition("=")[2].strip("[]").split(",")}:
        pytest.skip("of choices that a reader adds: tests/test_extending.py types it")
    if command in MISTYPED:
        pytest.skip("mistyped on purpose")
    check(name, words)


@pytest.mark.parametrize(
    "command",
    [
        "python train.py task=rotatoin",
        "python train.py -m optim.lrr=0.1,0.2",
        "python train.py seed=0,1",
        "python analyze.py where.task=rotation figure=[cam]",
        "netgaze runs sort=",
        "python train.py --help task=rotatoin",
    ],
)
def test_a_command_that_cannot_be_is_found(command):
    with pytest.raises(NetgazeError):
        check(*divide(command))


def test_there_are_short_blocks():
    assert {language for language, _ in BLOCKS.values()} == {"bash", "python"}


@pytest.mark.slow
@pytest.mark.parametrize("name", BLOCKS)
def test_a_short_block_runs(name, tmp_path):
    language, block = BLOCKS[name]
    if language == "python":
        exec(compile(block, name, "exec"), {})  # our own page
        return
    commands = [divide(line) for line in find_commands(f"```\n{block}```\n")]
    assert commands
    for program, words in commands:
        code, printed = run(*words, cwd=tmp_path, script=f"{program}.py")
        assert code == 0, printed
