"""Random commands: words that can be meant and words that cannot, each command from its own seed."""

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from tests.conftest import CONF, composed

from netgaze.configs import Configs
from netgaze.errors import NetgazeError

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
        "[tsne]",
        "knn",
    ],
    "callback": ["[history,keep]", "[keep]", "[reseed,finite,history,budget,progress,keep]", "[]"],
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
    "control": ["null", "random"],
    "checkpoint": ["best", "last"],
}
NASTY = [
    *(
        "-1",
        "0",
        "1",
        "2.5",
        "1e30",
        "-1e30",
        "1e-300",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1_000",
        "0x10",
        "1000000",
        "2147483648",
    ),
    *(
        "9223372036854775808",
        "1" + "0" * 30,
        "true",
        "false",
        "null",
        "''",
        "' '",
        "[]",
        "[[]]",
        "[1,2]",
        "[-1]",
        "[null]",
    ),
    *(
        "[a,b]",
        "{}",
        "{a:1}",
        "text",
        "é",
        "'a b'",
        "a=b",
        "???",
        "'???'",
        "auto",
        "none",
        "None",
        "True",
        "~",
        "/dev/null",
    ),
    *(
        "../..",
        "a/b",
        "'it''s'",
        "it's",
        '"',
        "'",
        "\\",
        "$x",
        "%",
        "🙂",
        "(",
        ")",
        "[",
        "a,b",
        "1,2",
        "range(3)",
        "glob(*)",
    ),
    *(
        "interval(0,1)",
        "choice(1,2)",
        "'${seed}'",
        "'${nope}'",
        "'${optim.lr}'",
        "'${oc.env:NOPE}'",
        "'${oc.env:HOME}'",
    ),
    *("'${num_cpus:}'", "'${now:%Y}'", "'${'", "'${}'", "'${.x}'", "'${a:b}'", "", "nul", "x" * 300, "-", "--", "+1"),
]
STRANGE = [
    *(
        "lr=0.1",
        "epochs=3",
        "model.pretrained=true",
        "trainer.fast_dev_run=true",
        "data.num_workers=4",
        "gpus=1",
        "seeds=1",
    ),
    *("+nope=1", "++nope=1", "~nope", "~optim.lr", "~callback.tensorboard", "~figure.knn", "~figure", "~data", "~seed"),
    *("+optim.amsgrad=true", "+optim.nope=1", "++optim.nope=1", "+trainer.nope=1", "+model.nope=1", "+data.nope=1"),
    *(
        "+data.augment.nope=1",
        "+figure.nope=1",
        "+figure.cam.num_scored=3",
        "++figure.cam.num_scored=3",
        "+callback.x=1",
    ),
    *("+callback.x._target_=os.system", "+model._target_=os.system", "model._target_=os.system", "model._target_=1"),
    *("model._target_=netgaze.models.vgg.VGG", "optim._target_=torch.optim.Adam", "optim._partial_=false", "+x.y=1"),
    *("optim._target_=torch.optim.LBFGS", "callback.keep._target_=netgaze.callbacks.keep.Nope", "model._target_=''"),
    *(
        "+model._partial_=true",
        "+model._args_=[1]",
        "+model._recursive_=false",
        "=1",
        "nope",
        "-",
        "a b",
        ".",
        "a.b.c=1",
    ),
    *(
        "model=nope",
        "data=null",
        "task=null",
        "optim=null",
        "trainer=null",
        "schedule=null",
        "callback=null",
        "figure=null",
    ),
    *(
        "experiment=quickstart",
        "experiment=nope",
        "data=folder",
        "data=folder data.dir=.",
        "data=folder data.dir=/nope",
    ),
    *(
        "data=cifar10 data.dir=.",
        "data=decathlon/dtd data.dir=.",
        "data=att_faces data.dir=.",
        "task=siamese",
        "data/decathlon=dtd",
    ),
    *(
        "task=siamese data=doodle_faces",
        "task=pseudo_labels",
        "task=pseudo_labels init=/nope",
        "figure@x=knn",
        "+model=vgg19",
    ),
    *(
        "init=/dev/null",
        "init=.",
        "init=/nope.pt",
        "init=''",
        "init=imagenet",
        "init={RUN}",
        "init={RUN} init.key=state_dict",
    ),
    *("init.key=model", "init={file:a}", "init={RUN}/run.json", "data.pseudo_labels={RUN}", "data.pseudo_labels=/nope"),
    *(
        "stages.a.b=1",
        "stages={a:{}}",
        "stages={a:{init:b},b:{init:a}}",
        "+stages.a.init=b",
        "stages=null",
        "++stages.a=1",
    ),
    *(
        "hydra.run.dir=/dev/null/x",
        "hydra.nope=1",
        "hydra/launcher=joblib",
        "hydra/launcher=nope",
        "hydra.searchpath=[/nope]",
    ),
    *(
        "hydra.job.name=''",
        "hydra=1",
        "hydra.verbose=true",
        "name=''",
        "name=a/b",
        "name=../x",
        "name=🙂",
        "seed.x=1",
        "trainer.max_time=00:01",
    ),
    *(
        "trainer.max_time=1e-9",
        "trainer.max_time=soon",
        "trainer.max_time=-1",
        "trainer.patience=0",
        "trainer.patience=-1",
    ),
    *(
        "data.mean=[0.1,0.2]",
        "data.std=[0]",
        "data.per_class=2",
        "data.labeled_fraction=0.5",
        "data.long_tail=5",
        "data.label_noise=0.3",
    ),
    *(
        "data.sampler=uniform",
        "data.sampler=sqrt",
        "export_predictions=true",
        "task.num_classes=3",
        "data.num_classes=3",
    ),
    *(
        "model.in_channels=3",
        "data.num_channels=3",
        "optim.lr=1e30",
        "optim.lr=0",
        "optim.weight_decay=1e30",
        "optim.momentum=0",
    ),
]
STAGED = [
    *(
        "stages.teacher.optim.lr=0.1",
        "stages.teacher.model=resnet20",
        "stages.nope.optim.lr=1",
        "stages.pseudo_labels.task.k=5",
    ),
    *(
        "stages.teacher.run=/nope",
        "stages.teacher.init=/nope",
        "~stages.teacher",
        "~stages.finetune",
        "stages.student.init=teacher",
    ),
    *(
        "stages.finetune.init=null",
        "stages.teacher.trainer.max_epochs=0",
        "stages.teacher.data.limit=0",
        "data.per_class=2",
    ),
]


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
    script = rng.choices(["train", "analyze", "resume", "sweep", "stages"], [80, 9, 4, 4, 3])[0]
    wild = rng.random() < 0.4
    if script == "analyze":
        chosen = ["control=null", f"runs=[{run}]", f"figure={rng.choice(CHEAP['figure'][1:])}"]
        typed = _draw_words(rng, "analyze", (), wild)
    elif script == "resume":
        chosen, typed = [f"resume={run}"], [_draw_word(rng, "train", (), wild) for _ in range(rng.randint(0, 2))]
    elif script == "stages":
        chosen = [
            *TINY,
            "task=teacher_student",
            "data.per_class=2",
            "stages.pseudo_labels.task.k=3",
            "data.epoch_size=20",
        ]
        chosen += ["stages.finetune.data.epoch_size=20"]
        typed = [rng.choice(STAGED) for _ in range(rng.randint(0, 2))]
    else:
        groups = _draw_choices(rng, wild)
        chosen, typed = [*TINY, *groups], _draw_words(rng, "train", tuple(groups), wild)
        chosen = [
            word for word in chosen if not (word.startswith("model.") and any(g.startswith("model=") for g in groups))
        ]
    typed = [part for word in typed for part in word.replace("{RUN}", run).split(" init.key")]
    typed = [f"init.key{word}" if word.startswith("=") and index else word for index, word in enumerate(typed)]
    typed = [part for word in typed for part in (word.split(" ") if " data" in word or " init=" in word else [word])]
    words = [*(word for word in chosen if _key(word) not in map(_key, typed)), *typed]
    if script == "sweep":
        words += [
            "-m",
            rng.choice(["seed=0,1", "optim.lr=0.1,0.01", "model=glob(resnet_s*)", "seed=range(0,2)", "optim.lr=0.1,x"]),
        ]
    return Command("analyze" if script == "analyze" else "train", tuple(words))


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
    defaults = _list_keys(name, groups)
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
    try:
        config = Configs(CONF, name).compose([word for word in groups if _is_choice(word)])
    except (NetgazeError, ValueError):
        config = composed(name=name)
    found: dict[str, Any] = {}
    _collect(config, "", found)
    return found


def _is_choice(word: str) -> bool:
    return word.partition("=")[0] in CHEAP


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
