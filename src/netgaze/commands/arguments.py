"""Converts typed words for Hydra: paths quoted, `resume=` replaced by the run's own config, all checked."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Glob
from omegaconf import OmegaConf

from netgaze.commands.configs import Configs, find_configs
from netgaze.commands.flags import CFG, SWEEP, split_flags
from netgaze.commands.folders import name_folders
from netgaze.commands.overrides import check_overrides
from netgaze.commands.run_words import refuse_alone
from netgaze.commands.words import parse, split_stage
from netgaze.errors import NetgazeError
from netgaze.files import read_config
from netgaze.trusted import check_may_import, trust
from netgaze.upgrade import upgrade_stored_config, upgrade_words

PATHS = ("init", "resume", "run", "data.dir", "data.labels", "data.pseudo_labels")
PATH_LISTS = ("runs", "images", "labels")
TARGETS = ("target", "_target_")  # keys that name whose code runs


def prepare(words: Sequence[str], conf: Path, name: str) -> list[str]:
    """The argument line for Hydra: its flags, then the words.

    Args:
        words: what was typed after the script's name.
        conf: netgaze's folder of configs.
        name: of the primary config.

    Raises:
        NetgazeError: a flag, a folder, a key, a choice or a value that cannot be.
    """
    flags, words = split_flags(words)
    words = _note_trusted(words)
    sweeps, configs = bool(set(SWEEP) & set(flags)), find_configs(flags, name, conf)
    flags = name_folders(flags, configs.folder, conf)
    if sweeps and set(CFG) & set(flags):
        raise NetgazeError("-m starts a sweep, but --cfg shows the config of one run. Leave out one of them.")
    if name == "analyze":
        refuse_alone(words)
    words = [quote(word, sweeps) for word in _join_init_keys(words, sweeps)]
    words = [_name_choices(word, configs, sweeps) for word in words if not _is_default(word, configs)]
    words = [staged for word in words for staged in _staged(word, configs)]
    resumed = [word for word in words if word.startswith("resume=")]
    if not resumed:
        check_overrides(words, configs, sweeps)
        return [*flags, *words]
    rest = [word for word in words if word not in resumed]
    folder = Path(_unquote(resumed[-1].partition("=")[2])).resolve()
    if (folder / "multirun.yaml").is_file():
        return [*flags, *_resume_sweep(folder, rest, configs)]
    if sweeps:
        raise NetgazeError(
            f"{resumed[-1]}: a single run is resumed without -m. Leave out -m, or give the folder of a sweep."
        )
    return [*flags, *_resume_run(folder, rest, conf)]


def _resume_run(folder: Path, rest: Sequence[str], conf: Path) -> list[str]:
    """The run's own config in place of ours; the file may come from a stranger, so Hydra itself is out of reach."""
    stored = folder / ".hydra" / "config.yaml"
    if not stored.is_file():
        raise NetgazeError(f"resume={folder}: there is no run (no .hydra/config.yaml). Give a folder in outputs/.")
    config = read_config(stored)
    if set(config) & {"hydra", "defaults"} or any(path.is_dir() for path in stored.parent.iterdir()):
        raise NetgazeError(f"{stored} was not written by train.py: it would change how commands run.")
    _check_references(OmegaConf.to_container(config), stored)
    groups = Configs(conf, "train").groups
    if chosen := [word for word in rest if word.partition("=")[0].lstrip("+~").partition("@")[0] in groups]:
        raise NetgazeError(f"{chosen[0]}: a resumed run keeps its choices. Choose other figures with analyze.py.")
    upgrade_stored_config(stored)
    check_overrides(rest, Configs(stored.parent, "config"))
    if missing := [key for key in ("data", "model", "task", "trainer", "stages") if key not in config]:
        raise NetgazeError(f"{stored} was not written by train.py: it has no {missing[0]}.")
    return [
        *("--config-path", str(stored.parent), "--config-name", "config", "--config-dir", str(conf)),
        *(f"hydra.run.dir={quote_value(str(folder))}", "hydra.output_subdir=null"),
        *("hydra/job_logging=netgaze", "hydra/hydra_logging=netgaze", "hydra.job.name=train"),
        *rest,
    ]


def _resume_sweep(folder: Path, rest: Sequence[str], configs: Configs) -> list[str]:
    """What was typed for the sweep, typed again."""
    stored = folder / "multirun.yaml"
    typed = _find_typed(OmegaConf.to_container(read_config(stored)))
    if not typed or any(word.startswith("-") or "hydra" in word.partition("=")[0] for word in typed):
        raise NetgazeError(f"{stored} was not written by train.py: it would change how commands run.")
    _check_references(dict(word.split("=", 1) for word in typed if "=" in word), stored)
    for key, name in _list_targets(typed):
        check_may_import(name, key)
    typed = upgrade_words(typed, folder)
    check_overrides([*typed, *rest], configs, sweeps=True)
    return ["-m", *typed, f"hydra.sweep.dir={quote_value(str(folder))}", *rest]


def _note_trusted(words: Sequence[str]) -> list[str]:
    """The words without `trust=`, which names whose code may run, as does who types a `target`; both are noted."""
    for word in words:
        key, _, names = word.partition("=")
        if key == "trust":
            for name in names.strip("[]").split(","):
                trust(name.strip())
    for _, name in _list_targets(words):
        trust(name)
    return [word for word in words if not word.startswith("trust=")]


def _list_targets(words: Sequence[str]) -> list[tuple[str, str]]:
    """What words name whose code would run, by the key: of a sweep each, and those in values of many keys."""
    found = []
    for word in words:
        key, _, value = word.partition("=")
        if key.rpartition(".")[2] in TARGETS:
            found += [(key, name.strip(" '\"")) for name in value.split(",")]
        found += [(key, name) for _, name in re.findall(rf"({'|'.join(TARGETS)})\s*:\s*['\"]?([^\s,}}'\"]+)", value)]
    return found


def _join_init_keys(words: Sequence[str], sweeps: bool) -> list[str]:
    """The words with each `init=F init.key=K`, also of a stage, as the one value that Hydra knows."""
    joined = list(words)
    for word in words:
        key, _, names = word.partition("=")
        init = key.removesuffix(".key")
        if key == init or split_stage(init)[1].lstrip("+") != "init":
            continue
        files = [other for other in joined if other.partition("=")[0].lstrip("+") == init.lstrip("+")]
        file = files[-1].partition("=")[2] if files else ""
        if file in ("", "null", "imagenet") or file.startswith("{"):
            raise NetgazeError(f"{word} is a key inside a file of weights. Also type the file: init=<file> {word}.")
        pairs = [(one, each) for one in _divide(file, sweeps) for each in _divide(names, sweeps)]
        value = ",".join(f"{{file:{quote_value(one)},key:{quote_value(each)}}}" for one, each in pairs)
        joined = [other for other in joined if other not in (word, *files)] + [f"{init}={value}"]
    return joined


def _divide(value: str, sweeps: bool) -> list[str]:
    return value.split(",") if sweeps else [value]


def _is_default(word: str, configs: Configs) -> bool:
    """Whether a word chooses nothing, of a group of which nothing is chosen anyway: Hydra has no word for that."""
    group, _, value = word.partition("=")
    return value == "null" and group in configs.defaults and configs.defaults[group] is None


def _name_choices(word: str, configs: Configs, sweeps: bool) -> str:
    """A word about a group with its choices by name: patterns as what they fit, one of many in brackets."""
    key, equals, value = word.partition("=")
    group = split_stage(key)[1]
    if not equals or group not in configs.groups or not value:
        return word
    if value == "null" and configs.takes_many(group):
        return f"{key}=[]"
    if value.startswith("glob("):
        pattern = parse([f"{group}={value}"])[0].value()
        fitting: list[str] = pattern.filter(configs.list_options(group)) if isinstance(pattern, Glob) else []
        if not fitting:
            raise NetgazeError(f"{word} matches no choice. Choose from {', '.join(configs.list_options(group))}.")
        value = ",".join(fitting)
    known, names = configs.list_options(group), value.split(",")
    if configs.takes_many(group) and set(names) <= set(known) and (sweeps or len(names) == 1):
        value = ",".join(f"[{name}]" for name in names)
    return f"{key}={value}"


def _find_typed(content: Any) -> list[str]:
    """The words in a sweep's config, as they were typed; none where it does not say them."""
    for key in ("hydra", "overrides", "task"):
        content = content.get(key) if isinstance(content, dict) else None
    return [str(word) for word in content] if isinstance(content, list) else []


def _check_references(content: Any, stored: Path, key: str = "") -> None:
    """Refuse what a stranger's config would read of this machine, such as its environment, but for places of files.

    Raises:
        NetgazeError: a value does.
    """
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else ((key, value) for value in content)
        for name, value in pairs:
            _check_references(value, stored, str(name))
    elif isinstance(content, str):
        asked = {found for found in re.findall(r"\$\{\s*(oc\.[\w.]+)\s*:", content)} - {"oc.select"}
        if key.rpartition(".")[2] in (path.rpartition(".")[2] for path in PATHS):
            asked -= {"oc.env"}
        if asked:
            raise NetgazeError(
                f"{stored} was not written by train.py: {key}={content[:80]} would read from this machine."
            )


def _staged(word: str, configs: Configs) -> list[str]:
    """A key of one stage in Hydra's words: any key of a run may be given, or a choice, `stages.teacher.model=vgg19`."""
    key, _, value = word.partition("=")
    stage, own = split_stage(key)
    if stage is None or word.startswith(("~", "+")):
        return [word]
    if not own:
        raise NetgazeError(f"{word}: type the keys of a stage, as in stages.{stage}.trainer.max_epochs=3.")
    if own not in configs.groups or value == "null":
        return [f"++{word}"]
    if own == "task":  # its file says where it goes, and a stage has one
        return [f"task@stages.{stage}={value}"]
    if value.startswith("[") and value.endswith("]"):
        names = [name.strip() for name in value[1:-1].split(",") if name.strip()]
        return [f"+{own}@stages.{stage}.{own}.{name}={name}" for name in names]
    return [f"+{own}@stages.{stage}.{own}={value}"]


def quote(word: str, sweeps: bool = False) -> str:
    """Quote the value of a key that holds paths, so that Hydra's grammar takes it as it was typed.

    With `sweeps`, a comma outside brackets separates the values of a sweep.
    """
    key, equals, value = word.partition("=")
    own = split_stage(key)[1]
    if not equals or own not in PATHS + PATH_LISTS or value in ("null", "") or value.startswith("{file:"):
        return word
    if own in PATH_LISTS:
        items = value[1:-1].split(",") if value.startswith("[") and value.endswith("]") else [value]
        return f"{key}=[{','.join(quote_value(item.strip()) for item in items if item.strip())}]"
    items = value.split(",") if sweeps else [value]
    return f"{key}={','.join(item if item == 'null' else quote_value(item) for item in items)}"


def quote_value(value: str) -> str:
    """A text in Hydra's quotes, unless it stands in quotes already."""
    if value[:1] in "'\"" and value[-1:] == value[:1] and len(value) > 1:
        return value
    return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"


def _unquote(value: str) -> str:
    return value[1:-1].replace("\\'", "'") if value[:1] in "'\"" else value
