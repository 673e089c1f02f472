"""What was typed, made fit for Hydra: paths quoted, `resume=` turned into the run's own config, all of it checked."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from netgaze.errors import NetgazeError
from netgaze.files import read_config
from netgaze.overrides import check_overrides, list_groups, split_stage
from netgaze.upgrade import upgrade_stored_config, upgrade_words

PATHS = ("init", "resume", "run", "data.dir", "data.pseudo_labels")
PATH_LISTS = ("runs", "images", "labels")
FLAGS_WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--info", "-i", "--config-path", "--config-name", "--config-dir")


def prepare(words: Sequence[str], conf: Path, name: str) -> list[str]:
    """The argument line for Hydra.

    Args:
        words: what was typed after the script's name.
        conf: the folder of configs.
        name: of the primary config.

    Raises:
        NetgazeError: a key, a choice or a value that cannot be.
    """
    sweeps = "-m" in words or "--multirun" in words
    words = [staged for word in words for staged in _staged(quote(word, sweeps), conf)]
    resumed = [word for word in words if word.startswith("resume=")]
    if not resumed:
        check_overrides(drop_flags(words), conf, name, sweeps)
        return words
    rest = [word for word in words if word not in resumed]
    folder = Path(_unquote(resumed[-1].partition("=")[2])).resolve()
    is_sweep = (folder / "multirun.yaml").is_file()
    return _resume_sweep(folder, rest, conf, name) if is_sweep else _resume_run(folder, rest, conf)


def drop_flags(words: Sequence[str]) -> list[str]:
    """The words that are no flags, nor a flag's value."""
    values = {after + 1 for after, word in enumerate(words) if word in FLAGS_WITH_VALUE}
    return [word for place, word in enumerate(words) if place not in values and not word.startswith("-")]


def _resume_run(folder: Path, rest: Sequence[str], conf: Path) -> list[str]:
    """The run's own config in place of ours; the file may come from a stranger, so Hydra itself is out of reach."""
    stored = folder / ".hydra" / "config.yaml"
    if not stored.is_file():
        raise NetgazeError(f"resume={folder}: there is no run (no .hydra/config.yaml). Give a folder below outputs/.")
    config = read_config(stored)
    if set(config) & {"hydra", "defaults"} or any(path.is_dir() for path in stored.parent.iterdir()):
        raise NetgazeError(f"{stored} was not written by train.py: it would change how commands are run.")
    _check_references(OmegaConf.to_container(config), stored)
    if groups := [word for word in rest if word.partition("=")[0].lstrip("+").partition("@")[0] in list_groups(conf)]:
        raise NetgazeError(f"{groups[0]}: a resumed run keeps its choices; figures are chosen anew with analyze.py.")
    upgrade_stored_config(stored)
    check_overrides(drop_flags(rest), stored.parent, "config")
    if missing := [key for key in ("data", "model", "task", "trainer", "stages") if key not in config]:
        raise NetgazeError(f"{stored} was not written by train.py: it has no {missing[0]}.")
    return [
        *("--config-path", str(stored.parent), "--config-name", "config", "--config-dir", str(conf)),
        *(f"hydra.run.dir={quote_value(str(folder))}", "hydra.output_subdir=null"),
        *("hydra/job_logging=netgaze", "hydra/hydra_logging=netgaze", "hydra.job.name=train"),
        *rest,
    ]


def _resume_sweep(folder: Path, rest: Sequence[str], conf: Path, name: str) -> list[str]:
    """What was typed for the sweep, typed again."""
    stored = folder / "multirun.yaml"
    typed = _find_typed(OmegaConf.to_container(read_config(stored)))
    if not typed or any(word.startswith("-") or "hydra" in word.partition("=")[0] for word in typed):
        raise NetgazeError(f"{stored} was not written by train.py: it would change how commands are run.")
    _check_references(dict(word.split("=", 1) for word in typed if "=" in word), stored)
    typed = upgrade_words(typed, folder)
    check_overrides([*typed, *drop_flags(rest)], conf, name, sweeps=True)
    return ["-m", *typed, f"hydra.sweep.dir={quote_value(str(folder))}", *rest]


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
            raise NetgazeError(f"{stored} was not written by train.py: {key}={content[:80]} reads what is none of its.")


def _staged(word: str, conf: Path) -> list[str]:
    """A key of one stage in Hydra's words: any key of a run may be given, or a choice, `stages.teacher.model=vgg19`."""
    key, _, value = word.partition("=")
    stage, own = split_stage(key)
    if stage is None or word.startswith(("~", "+")):
        return [word]
    if not own:
        raise NetgazeError(f"{word}: type the keys of a stage, as in stages.{stage}.trainer.max_epochs=3.")
    if not (conf / own).is_dir() or value == "null":
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
    if not equals or own not in PATHS + PATH_LISTS or value in ("null", ""):
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
