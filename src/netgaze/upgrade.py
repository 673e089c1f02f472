"""Words of earlier versions and today's: old run folders open, and an old key is answered with the new one.

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
_CHOICES = {"figure=neighbours": "figure=neighbors", "callback=look": "callback=online_eval"}
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
    """The content of a `run.json` in today's words; of this version's own as it is."""
    if "netgaze" in facts.get("versions", {}):
        return facts
    facts = {_FACTS.get(name, name): value for name, value in facts.items()}
    if "config" in facts:
        facts["config"] = upgrade_config(facts["config"])
    if "overrides" in facts:
        facts["overrides"] = [_upgrade_word(word) for word in facts["overrides"]]
    return facts


def upgrade_checkpoint(content: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of a run in today's words; of this version's own, or of others, as it is."""
    facts = content.get("netgaze")
    if not isinstance(facts, dict) or "version" in facts or "config" not in facts or "state_dict" not in content:
        return content
    content = content | {
        "netgaze": facts | {"config": upgrade_config(facts["config"])},
        "state_dict": {_TENSORS.get(name, name): value for name, value in content["state_dict"].items()},
    }
    if history := content.get("callbacks", {}).get("History"):
        rows = [upgrade_numbers(row) for row in history["rows"]]
        content["callbacks"] = content["callbacks"] | {"History": {"rows": rows}}
    return content


def upgrade_stored_config(path: Path) -> None:
    """Bring the `.hydra/config.yaml` of a run of version 0.1 to today's words, so that it can be resumed."""
    if _is_old(path.parent.parent):
        content = OmegaConf.to_container(read_config(path))
        write_text(path, OmegaConf.to_yaml(OmegaConf.create(upgrade_config(content))))  # type: ignore[arg-type]


def upgrade_words(words: Sequence[str], sweep: Path) -> list[str]:
    """What was typed for a sweep, in today's words where version 0.1 trained its first job."""
    return [_upgrade_word(word) for word in words] if _is_old(sweep / "0") else list(words)


def find_new_name(key: str) -> str | None:
    """What an old key, or an old choice such as `figure=neighbours`, is called today; None for any other.

    Args:
        key: as typed, without its value.
    """
    if key in _CHOICES:
        return _CHOICES[key]
    parts = key.split(".")
    renamed = [_new_part(".".join(parts[: place + 1])) for place in range(len(parts))]
    return None if renamed == parts else ".".join(renamed)


def explain_gone(choice: str) -> str | None:
    """Where to look for what a choice, such as `figure=accuracy_vs_k`, once gave; None for any other."""
    return _GONE.get(choice.replace("=", "."))


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
        content = re.sub(r"(?<=\$\{)[\w.]+(?=\})", lambda key: find_new_name(key[0]) or key[0], content)
        return _CLASSES.get(content, content)
    return content


def _upgrade_word(word: str) -> str:
    key, equals, value = word.partition("=")
    return f"{find_new_name(key) or key}{equals}{value}"
