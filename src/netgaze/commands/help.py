"""`--help`: all choices and keys, and what each one means."""

from collections.abc import Iterable, Sequence

import netgaze
from netgaze.commands.answers import answer_old, answer_unknown, suggest
from netgaze.commands.choices import (
    LAUNCHERS,
    Choice,
    choose_defaults,
    find_choice,
    list_choices,
    list_default_keys,
    read_group_notes,
)
from netgaze.commands.columns import Columns
from netgaze.commands.configs import Configs, find_configs
from netgaze.commands.flags import split_flags
from netgaze.commands.words import write
from netgaze.commands.yamls import Key
from netgaze.errors import NetgazeError
from netgaze.program import spell

_PROGRAM = """\
netgaze {version}: train small vision networks in several ways, look inside them, and compare them side by side.

  netgaze train      train a network: netgaze train data=shapes
  netgaze analyze    compare runs side by side: netgaze analyze runs=[outputs/<a>,outputs/<b>]
  netgaze runs       list the runs in outputs/

netgaze train --help lists all choices and keys. With a word, as in --help task=siamese, it explains that word.
netgaze --version prints the version.

For completion with Tab, add this line to ~/.bashrc or ~/.zshrc:  eval "$(netgaze completion)"
"""
# What each command does, and examples of words after it, with what they do.
_INTRODUCTIONS = {
    "train": "Train a small vision network, look inside it, and keep everything in one folder in outputs/.",
    "analyze": (
        "Compare finished runs side by side: one column per run, untrained networks beside them, one report.html. "
        "Or show layer by layer what a network costs and sees, without any run. Without words: list all runs."
    ),
}
_EXAMPLES = {
    "train": {
        "": "a supervised ResNet on CIFAR-10",
        "task=rotation model=resnet_small": "self-supervision by rotations",
        "data=shapes trainer.max_epochs=3": "embedded data, no download",
        "-m optim.lr=0.1,0.03,0.01": "a sweep: table, plot, winner, report",
        "resume=outputs/<run>": "resume an interrupted run; resume=latest: the newest",
        "model=module model.target=my_nets.MyNet": "a network of your own",
        "--cfg job": "print every key with its value",
    },
    "analyze": {
        "runs=outputs/<run>": "every figure of one run",
        "runs=[outputs/<a>,outputs/<b>] figure=[cam,tsne]": "two figures of two runs",
        "runs=outputs/sweeps/<sweep>": "all runs of a sweep",
        "runs=[...] data=meglass figure=verification": "on data other than their own",
        "runs=[...] labels=[supervised,rotation]": "with your own column titles",
        "runs=latest:2": "the two newest runs side by side",
        "where.task=rotation sort=test/acc": "list some runs, the best first",
        "clean=list": "list failed and unfinished runs; clean=remove removes them",
        "runs=outputs/<run> export=[onnx,safetensors]": "write the network for other programs",
        "trust=my_nets runs=[...]": "runs of your own network, whose code you trust",
        "model=vgg19 input=[3,224,224] figure=[anatomy]": "a network without a run",
        "model=resnet18 input=[3,32,32] task.num_classes=10": "the same with another image size and number of classes",
    },
}
# The most common keys. An analysis has few: all of its own.
_SHOWN = {
    "train": (
        *("trainer.max_epochs", "optim.lr", "optim.weight_decay", "data.batch_size", "data.limit", "data.dir"),
        *("init", "seed", "trainer.precision", "trainer.devices"),
    ),
    "analyze": ("runs", "images", "labels", "checkpoint", "control", "data.dir", "input", "task.num_classes", "seed"),
}


def explain_program() -> str:
    """What `netgaze --help` prints."""
    return _PROGRAM.format(version=netgaze.__version__)


def explain(name: str, words: Sequence[str]) -> str:
    """What `--help` prints: all that there is, or what the words mean.

    Args:
        name: "train" or "analyze".
        words: what was typed after it, `--help` among it.

    Raises:
        NetgazeError: a flag that there is not, or a word that means nothing.
    """
    flags, words = split_flags(words)
    page = _Page(find_configs(flags, name))
    return "\n\n".join(page.explain(word) for word in words) if words else page.list_all()


class _Page:
    """Text about the configs of one command."""

    def __init__(self, configs: Configs):
        self.configs, self.columns = configs, Columns()
        self.name, self.program = configs.name, spell(configs.name)
        self.groups = [*configs.groups, LAUNCHERS]

    def list_all(self) -> str:
        """What the command does, its common keys, and every group with its choices."""
        keys = {key.path: key for key in list_default_keys(self.configs)}
        examples = [(f"{self.program} {words}", said) for words, said in _EXAMPLES[self.name].items()]
        parts = [
            self.columns.wrap(_INTRODUCTIONS[self.name]),
            self.columns.align(examples),
            "Common keys, with their defaults:\n" + self._list_keys([keys[path] for path in _SHOWN[self.name]]),
            *(self._list_group(group) for group in [*self.configs.defaults, LAUNCHERS]),
            self.columns.wrap(
                f"More: {self.program} --help task=siamese explains a choice and its keys, --help optim.lr a key. "
                "You can type any key, as in optim.lr=0.1; a mistyped key is answered with the nearest one."
            ),
        ]
        return "\n\n".join(parts)

    def explain(self, word: str) -> str:
        """What a word means: a choice `task=siamese`, a group `task`, a key `optim.lr`, or a name `siamese` alone."""
        key, _, value = word.lstrip("+~").partition("=")
        if key in self.groups:
            names = [name.strip() for name in value.strip("[]").split(",") if name.strip()]
            return "\n\n".join(self._explain_choice(key, name) for name in names) if names else self._list_group(key)
        if named := [group for group in self.groups if key in self.configs.list_options(group)]:
            return "\n\n".join(self._explain_choice(group, key) for group in named)
        return self._explain_key(key)

    def _list_group(self, group: str) -> str:
        """A group's choices, a line each, below what it is about."""
        said, default = read_group_notes(self.configs).get(group, ""), choose_defaults(self.configs).get(group)
        chosen = ", ".join(default) if isinstance(default, list) else default
        head = f"{group}=" + (f" {said}" if said else "") + (f" (default: {chosen})" if chosen else "")
        pairs = [(choice.name, choice.summary) for choice in list_choices(self.configs, group)]
        return f"{self.columns.wrap(head)}\n{self.columns.align(pairs)}"

    def _explain_choice(self, group: str, name: str) -> str:
        known = self.configs.list_options(group)
        if name not in known:
            answer_old(f"{group}={name}")
            raise NetgazeError(f"There is no {group}={name}.{suggest(name, known)} Choose from {', '.join(known)}.")
        choice = find_choice(self.configs, group, name)
        also = " ".join(f"{other}={write(value)}" for other, value in choice.others.items())
        keys = self._list_keys(choice.list_keys())
        parts = [
            f"{group}={name}",
            self._write_comment(choice),
            self.columns.wrap(f"It also sets {also}.") if also else "",
            f"Keys, with their defaults:\n{keys}" if keys else "",
            "${...} is the value of another key." if "${" in keys else "",
        ]
        return "\n\n".join(filter(None, parts))

    def _write_comment(self, choice: Choice) -> str:
        """The comment at the head of a choice's file: sentences wrapped, commands as they stand."""
        shown, sentences = list[str](), list[str]()
        for line in [*choice.file.comment, "  "]:
            if not line.startswith("  "):
                sentences.append(line.replace("`", ""))
                continue
            shown += [self.columns.wrap(" ".join(sentences))] if sentences else []
            sentences.clear()
            shown.append(line.replace("python train.py", spell("train")).replace("python analyze.py", spell("analyze")))
        return "\n".join(shown).rstrip()

    def _explain_key(self, path: str) -> str:
        """What is said of a key, or of those below it, with the choices that bring it."""
        found = dict[Key, list[str]]()
        for key, source in self._list_sources():
            if key.path == path or key.path.startswith(f"{path}."):
                found.setdefault(key, []).append(source)
        if not found:
            answer_unknown(path, list(dict.fromkeys(key.path for key, _ in self._list_sources())), "", self.configs)
        return self.columns.align([(f"{key.path}={key.value}", _join(key, found[key])) for key in found])

    def _list_sources(self) -> Iterable[tuple[Key, str]]:
        """Every key with the choice that brings it, first those that are there if nothing is chosen."""
        yield from ((key, "") for key in list_default_keys(self.configs))
        for group in self.configs.defaults:
            if group != "experiment":  # which sets what others bring
                for choice in list_choices(self.configs, group):
                    yield from ((key, f"{group}={choice.name}") for key in choice.list_keys())

    def _list_keys(self, keys: Sequence[Key]) -> str:
        return self.columns.align([(f"{key.path}={key.value}", key.said) for key in keys])


def _join(key: Key, sources: Sequence[str]) -> str:
    """What is said of a key, and which choices bring it."""
    named = [source for source in sources if source]
    more = f" and {len(named) - 4} more" if len(named) > 4 else ""
    return "; ".join(filter(None, [key.said, f"with {', '.join(named[:4])}{more}" if named else ""]))
