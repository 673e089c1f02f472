"""Renames of earlier versions: old run folders open, and an old key is answered with the new one.

Nothing else knows that there were other words. Imports no torch: the command line asks here, too.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from netgaze.files import read_config, read_json_object, write_text

# The end of a key's path, and its last part today.
_KEYS = {
    "data.labelled_share": "labeled_fraction",
    "augment.crop": "crop_padding",
    "augment.jitter": "color_jitter",
    "task.mined_share": "mined_fraction",
    "task.num_views": "cached_views",
    "callback.look": "online_eval",
    "figure.neighbours": "neighbors",
    "num_neighbours": "num_neighbors",
}
_CLASSES = {
    "netgaze.callbacks.look.Look": "netgaze.callbacks.online_eval.OnlineEval",
    "netgaze.figures.neighbours.Neighbours": "netgaze.figures.neighbors.Neighbors",
}
_CHOICES = {
    "figure=neighbours": "figure=neighbors",
    "callback=look": "callback=online_eval",
    "control=random": "control=untrained",
}
_GONE = {"figure.accuracy_vs_k": "the plot of a sweep, in its report, shows accuracy against any swept number"}
_NUMBERS = {
    "train/spread": "train/embedding_std",
    "val/spread": "val/embedding_std",
    "test/spread": "test/embedding_std",
    "unlabelled/images": "unlabeled/images",
    "unlabelled/labels": "unlabeled/labels",
    "unlabelled/right": "unlabeled/right",
}
_FACTS = {"judged_on": "eval_fingerprint"}
_TENSORS = {"centre": "center"}
_ARRAYS = {"unlabelled": "unlabeled"}


def upgrade_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of version 0.1, resolved or not, in today's words; the plain dict that was given stays as it is."""
    return _upgrade(config, "")


def upgrade_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of a run, a row of its history among them, by today's names."""
    return {_NUMBERS.get(name, name): value for name, value in numbers.items()}


def upgrade_arrays(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a stored file by today's names."""
    return {_ARRAYS.get(name, name): value for name, value in arrays.items()}


def upgrade_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The content of a `run.json` in today's words; in one of this version only the control may change."""
    if "netgaze" in facts.get("versions", {}):
        return _rename_control(facts)
    facts = {_FACTS.get(name, name): value for name, value in facts.items()}
    if "config" in facts:
        facts["config"] = upgrade_config(facts["config"])
    if "overrides" in facts:
        facts["overrides"] = [_upgrade_word(word) for word in facts["overrides"]]
    return facts


def upgrade_checkpoint(content: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of a run in today's words; in one of this version only the control may change, in others nothing."""
    facts = content.get("netgaze")
    if not isinstance(facts, dict) or "config" not in facts or "state_dict" not in content:
        return content
    if "version" in facts:
        renamed = _rename_control(facts)
        return content if renamed is facts else content | {"netgaze": renamed}
    content = content | {
        "netgaze": facts | {"config": upgrade_config(facts["config"])},
        "state_dict": {_TENSORS.get(name, name): value for name, value in content["state_dict"].items()},
    }
    if history := content.get("callbacks", {}).get("History"):
        rows = [upgrade_numbers(row) for row in history["rows"]]
        content["callbacks"] = content["callbacks"] | {"History": {"rows": rows}}
    return content


def upgrade_stored_config(path: Path) -> None:
    """Bring the `.hydra/config.yaml` of an old run to today's words, so that it can be resumed."""
    content: Any = OmegaConf.to_container(read_config(path))
    is_old = _is_old(path.parent.parent)
    renamed = upgrade_config(content) if is_old else _rename_control({"config": content})["config"]
    if is_old or renamed is not content:
        write_text(path, OmegaConf.to_yaml(OmegaConf.create(renamed)))


def upgrade_words(words: Sequence[str], sweep: Path) -> list[str]:
    """What was typed for a sweep, in today's words where version 0.1 trained its first job."""
    if _is_old(sweep / "0"):
        return [_upgrade_word(word) for word in words]
    return [_CHOICES[word] if word.startswith("control=") and word in _CHOICES else word for word in words]


def find_new_name(key: str) -> str | None:
    """What an old key, or an old choice such as `figure=neighbours`, is called today; None for any other.

    Args:
        key: as typed; without its value, but for choices.
    """
    if key in _CHOICES:
        return _CHOICES[key]
    parts = key.split(".")
    renamed = [_new_part(".".join(parts[: place + 1])) for place in range(len(parts))]
    return None if renamed == parts else ".".join(renamed)


def explain_gone(choice: str) -> str | None:
    """Where to look for what a choice, such as `figure=accuracy_vs_k`, once gave; None for any other."""
    return _GONE.get(choice.replace("=", "."))


def _rename_control(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts with today's word for the control, which version 0.2.0 got last; others as they are."""
    config = facts.get("config")
    if not isinstance(config, dict) or config.get("control") != "random":
        return facts
    return facts | {"config": config | {"control": "untrained"}}


def _is_old(folder: Path) -> bool:
    """Whether a run's folder was written by version 0.1, which did not say so."""
    path = folder / "run.json"
    return path.is_file() and "netgaze" not in (read_json_object(path).get("versions") or {})


def _new_part(path: str) -> str:
    """The last part of a key's path in today's words."""
    for old, new in _KEYS.items():
        if path == old or path.endswith(f".{old}"):
            return new
    return path.rpartition(".")[2]


def _upgrade(content: Any, path: str) -> Any:
    if isinstance(content, Mapping):
        inner = {name: f"{path}.{name}".removeprefix(".") for name in content}
        kept = [name for name in content if not any(inner[name].endswith(gone) for gone in _GONE)]
        return {_new_part(inner[name]): _upgrade(content[name], inner[name]) for name in kept}
    if isinstance(content, list):
        return [_upgrade(value, path) for value in content]
    if isinstance(content, str):
        choice = f"{path.rpartition('.')[2]}={content}"
        if choice in _CHOICES:
            return _CHOICES[choice].partition("=")[2]
        content = re.sub(r"(?<=\$\{)[\w.]+(?=\})", lambda key: find_new_name(key[0]) or key[0], content)
        return _CLASSES.get(content, content)
    return content


def _upgrade_word(word: str) -> str:
    key, equals, value = word.partition("=")
    return _CHOICES.get(word) or f"{find_new_name(key) or key}{equals}{value}"
