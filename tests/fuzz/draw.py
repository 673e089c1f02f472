"""Random commands: words that can be meant and words that cannot, each command from its own seed."""

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from tests.conftest import composed

# So small that a run takes a second. A drawn word takes the place of the one about its key.
TINY = [
    *("data=digits", "data.limit=40", "data.batch_size=20", "model.depths=[1]", "model.widths=[8]"),
    *(
        "optim.lr=0.05",
        "trainer.max_epochs=1",
        "trainer.precision=32",
        "trainer.threads=1",
        "control=null",
        "figure=[]",
    ),
]
TINY_STAGES = [
    *("task=teacher_student", "data.per_class=2", "stages.pseudo_labels.task.k=3", "data.epoch_size=20"),
    "stages.finetune.data.epoch_size=20",
]
SWEEPS = ["seed=0,1", "optim.lr=0.1,0.01", "model=glob(resnet_s*)", "seed=range(0,2)", "optim.lr=0.1,x"]
CHEAP = {
    "task": ["supervised", "rotation", "linear_probe", "finetune", "dynamic_conv"],
    "model": ["resnet_small", "resnet20", "grid_resnet", "siamese_cnn"],
    "optim": ["sgd", "adamw"],
    "schedule": ["constant", "cosine", "multistep", "one_cycle"],
    "data": ["digits", "shapes", "doodle_faces"],
    "figure": [
        "[]",
        "[curves]",
        "[filters]",
        "[knn]",
        "[confusion]",
        "[data_card]",
        "[extremes,curves]",
        "[explore]",
        "[tsne]",
        "[attention]",
        "knn",
    ],
    "callback": ["[history,keep]", "[keep]", "[reseed,finite,history,budget,progress,keep]", "[]"],
    "logger": ["[]", "[csv]", "csv"],
    "trainer": ["default"],
    "experiment": ["null"],
}
# Numbers that only make a run long, and what may be drawn of them.
BOUNDED = {
    "trainer.max_epochs": ["0", "1"],
    "trainer.threads": ["1", "2"],
    "data.limit": ["20", "40", "60"],
    "data.num_train": ["100", "200"],
    "data.num_val": ["20", "30"],
    "data.num_test": ["20", "30"],
    "data.image_size": ["32", "16", "28"],
    "data.epoch_size": ["null", "10", "50"],
    "model.depths": ["[1]", "[1,1]", "[2]"],
    "model.widths": ["[8]", "[4]", "[8,8]", "[16]"],
    "trainer.precision": ["32", "bf16-mixed", "auto", "'32-true'"],
    "trainer.accelerator": ["cpu", "auto"],
    "trainer.strategy": ["auto"],
    "trainer.devices": ["1"],
    "trainer.compile": ["false"],  # minutes
    "control": ["null", "untrained"],
    "checkpoint": ["best", "last"],
}


def _read(name: str) -> list[str]:
    return Path(__file__).with_name(name).read_text(encoding="utf-8").split("\n")[:-1]


NASTY = _read("nasty.txt")  # values
STRANGE = _read("strange.txt")  # words: {RUN} is a finished run's folder; what is joined by `and` are two
STAGED = _read("staged.txt")  # words about a run of stages


@dataclass(frozen=True)
class Command:
    """What is called, and with which words."""

    script: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        call = "fit" if self.script == "train" else "analyze"
        return f"{call}({list(self.words)})"


def draw_command(seed: int, number: int, run: str) -> Command:
    """The command of a number, the same whatever was drawn before it.

    Args:
        seed: of all commands.
        number: of this one.
        run: the folder of a finished run, for words that name one.
    """
    rng = random.Random(f"{seed} {number}")
    kind = rng.choices(["train", "analyze", "resume", "sweep", "stages"], [80, 9, 4, 4, 3])[0]
    wild = rng.random() < 0.4
    if kind == "analyze":
        chosen = ["control=null", f"runs=[{run}]", f"figure={rng.choice(CHEAP['figure'][1:])}"]
        typed = _draw_words(rng, "analyze", (), wild)
    elif kind == "resume":
        chosen, typed = [f"resume={run}"], [_draw_word(rng, "train", (), wild) for _ in range(rng.randint(0, 2))]
    elif kind == "stages":
        chosen, typed = [*TINY, *TINY_STAGES], [rng.choice(STAGED) for _ in range(rng.randint(0, 2))]
    else:
        groups = _draw_choices(rng, wild)
        chosen, typed = [*TINY, *groups], _draw_words(rng, "train", tuple(groups), wild)
        if any(word.startswith("model=") for word in groups):
            chosen = [word for word in chosen if not word.startswith("model.")]
    typed = [part for word in typed for part in word.replace("{RUN}", run).split(" and ")]
    words = [*(word for word in chosen if _key(word) not in map(_key, typed)), *typed]
    return Command(
        "analyze" if kind == "analyze" else "train", (*words, *(["-m", rng.choice(SWEEPS)] if kind == "sweep" else []))
    )


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _draw_choices(rng: random.Random, wild: bool) -> list[str]:
    """Words that choose of some groups; of those that mean heavy work only where the word is wrong anyway."""
    words = []
    for group in rng.sample(sorted(CHEAP), rng.choice([0, 0, 1, 1, 2])):
        words.append(f"{group}={rng.choice(CHEAP[group])}")
    if "data=shapes" in words:
        words += ["data.num_train=200", "data.num_val=50", "data.num_test=50"]
    if wild and rng.random() < 0.1:
        group = rng.choice(sorted(CHEAP))
        words = [word for word in words if _key(word) != group] + [f"{group}={rng.choice(NASTY)}"]
    return words


def _draw_words(rng: random.Random, name: str, groups: tuple[str, ...], wild: bool) -> list[str]:
    return [_draw_word(rng, name, groups, wild) for _ in range(rng.choice([1, 1, 2, 3]))]


def _draw_word(rng: random.Random, name: str, groups: tuple[str, ...], wild: bool) -> str:
    if wild and rng.random() < 0.35:
        return rng.choice(STRANGE)
    # What is meant is about what the run has; what is not may as well be about a figure that it does not draw.
    there = () if wild or name == "analyze" else ("data=digits", "figure=[]")
    defaults = _list_keys(name, (*there, *groups))
    key = rng.choice(sorted(defaults))
    if not wild:
        return f"{key}={_draw_meant(rng, key, defaults[key])}"
    if rng.random() < 0.1:
        place = rng.randrange(len(key))
        key = key[:place] + rng.choice(["", "x", ".", "_", "/", "@", " "]) + key[place + 1 :]
    return f"{rng.choice(['', '', '', '', '+', '++', '~'])}{key}={rng.choice(NASTY)}"


def _draw_meant(rng: random.Random, key: str, default: Any) -> str:
    """A value that may well be right."""
    if key in BOUNDED:
        return rng.choice(BOUNDED[key])
    if isinstance(default, bool):
        return rng.choice(["true", "false"])
    if isinstance(default, int):
        return str(rng.choice([default, default, 1, 2, 3, max(1, min(default, 40) // 2)]))
    if isinstance(default, float):
        return str(rng.choice([default, default, default / 2, 0.0, 0.1, 0.5, 1.0]))
    if isinstance(default, list):
        return str(rng.choice([default, default, default[:1]])).replace(" ", "").replace("'", "")
    if default is None:
        return rng.choice(["null", "null", "1", "2", "0.5", "0.1", "[1]"])
    return str(default) if str(default).isidentifier() else f"'{default}'"


@cache
def _list_keys(name: str, groups: tuple[str, ...]) -> dict[str, Any]:
    """The keys of a config with some choices, with their defaults as far as these are known before it is whole."""
    known = [word for word in groups if (split := word.partition("="))[2] in CHEAP.get(split[0], [])]
    chosen = {_key(word): word for word in known if word not in ("experiment=null", "figure=knn")}
    config = composed(*chosen.values(), name=name)
    found: dict[str, Any] = {}
    _collect(config, "", found)
    return found


def _collect(config: DictConfig, prefix: str, found: dict[str, Any]) -> None:
    for name in map(str, config):
        key = f"{prefix}{name}"
        if OmegaConf.is_missing(config, name) or OmegaConf.is_interpolation(config, name) or name.startswith("_"):
            if not name.startswith("_"):
                found[key] = None
            continue
        value = config[name]
        if OmegaConf.is_dict(value):
            _collect(value, f"{key}.", found)
        else:
            found[key] = OmegaConf.to_container(value) if OmegaConf.is_list(value) else value
