"""The model card of an exported network: what it is, how good, how trained, how to load it, its limits."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from netgaze.exports.base import Export, Exported
from netgaze.glossary import NUMBERS, explain, format_named
from netgaze.rows import count_examples
from netgaze.run import Run
from netgaze.text import count_of, show

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_SAYS = {
    "logits": "It tells {num} apart, and gives a logit for each.",
    "embeddings": "It gives embeddings: the smaller the Euclidean distance of two, the more alike are their images.",
    "features": "It names no classes: it gives the features before its last layer, to be compared or trained on.",
}


def write_card(
    run: Run, checkpoint: str, numbers: Mapping[str, Any], exported: Exported, chosen: Sequence[Export]
) -> str:
    """The card, Markdown under a YAML head as Hugging Face reads it.

    Args:
        run: that was exported.
        checkpoint: "best" or "last".
        numbers: of these weights, by their names in `metrics.json`.
        exported: its network.
        chosen: the forms that lie beside the card.
    """
    data, model, task = (str(run.request.choices.get(group)) for group in ("data", "model", "task"))
    license = next((each.license for each in chosen if each.license), None)
    title = f"{model}, {task} on {data}"
    names = json.loads(exported.facts.get("class_names", "[]"))
    sections = [
        f"# {escape(title)}",
        f"A small vision network, trained with netgaze. "
        f"{_SAYS[exported.answer.output].format(num=count_of(len(names), 'class', 'classes'))}",
        *_describe_numbers(run, checkpoint, numbers, data),
        "## How to load it",
        *(each.explain(exported) for each in chosen),
        *_describe_classes(names),
        *_describe_training(run, exported),
        "## Use and limits",
        _describe_limits(names, data),
        "## License",
        f"Of these weights: {escape(license or 'not stated')}. Of the data that they were trained on: not stated; "
        f"whoever publishes {escape(data)} knows it, and it may limit what the weights may be used for.",
    ]
    head = _make_head(title, data, task, license, numbers, exported, chosen)
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n" + "\n\n".join(sections) + "\n"


def escape(text: str) -> str:
    """A text of others as Markdown shows it: on one line, and nothing in it means anything."""
    return _SPECIAL.sub(r"\\\1", show(text))


def fence(text: str, kind: str = "") -> str:
    """A text of others as a block of code that it cannot end."""
    marks = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{marks}{kind}\n{show(text)}\n{marks}"


def _make_head(
    title: str,
    data: str,
    task: str,
    license: str | None,
    numbers: Mapping[str, Any],
    exported: Exported,
    chosen: Sequence[Export],
) -> dict[str, Any]:
    classifies = exported.answer.output == "logits"
    head: dict[str, Any] = {
        "license": license or "unknown",
        "tags": ["netgaze", task, *(each.file.rpartition(".")[2] for each in chosen)],
        "datasets": [data],
        "pipeline_tag": "image-classification" if classifies else "image-feature-extraction",
    }
    if not classifies or numbers.get("test/acc") is None:
        return head
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": data, "type": data, "split": "test"},
        "metrics": [{"type": "accuracy", "value": numbers["test/acc"]}],
    }
    return head | {"metrics": ["accuracy"], "model-index": [{"name": title, "results": [result]}]}


def _describe_numbers(run: Run, checkpoint: str, numbers: Mapping[str, Any], data: str) -> list[str]:
    """What was measured: a line per number, with its interval where it is a share of counted images."""
    known = {name: meaning for name in numbers if (meaning := explain(name, NUMBERS)) and name != "test/images"}
    if not known:
        return ["## Numbers", "None were measured."]
    counts = count_examples(run)
    split = "test" if checkpoint == "best" else "validation"
    num = counts.get("test/examples" if checkpoint == "best" else "val/examples")
    whose = f"the {num:,.0f} {split} images" if num else f"the {split} images"
    lines = [
        f"| {escape(meaning.words)} | {escape(format_named({**numbers, **counts}, name, NUMBERS))} "
        f"| {escape(meaning.hint)} |"
        for name, meaning in known.items()
    ]
    which = "best by validation" if checkpoint == "best" else "last, which was not tested"
    return [
        "## Numbers",
        f"Of {whose} of {escape(data)}, by the weights of the epoch that was {which}; ± is the farther end of the 95 % "
        "interval by the number of images.",
        "\n".join(["| number | value | what it says |", "|---|---|---|", *lines]),
    ]


def _describe_classes(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return ["## Classes", "In the order of the logits:", fence(json.dumps(names, ensure_ascii=False), "json")]


def _describe_training(run: Run, exported: Exported) -> list[str]:
    """The command and what a number needs beside it to be believed."""
    facts, images = run.facts, run.facts.get("found", {}).get("images", {})
    said = {
        "epochs": f"{len(run.epochs)}, of which these weights are of number {exported.facts['epoch']}",
        "images": ", ".join(f"{num:,} {split}" for split, num in images.items()),
        "data": f"fingerprint {facts.get('data')}",
        "seed": facts.get("seed"),
        "precision": facts.get("precision"),
        "device": facts.get("device"),
        "started": facts.get("started"),
        "versions": ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items() if version),
    }
    lines = [f"- {name}: {escape(str(value))}" for name, value in said.items() if value not in (None, "")]
    return ["## How it was trained", fence(run.request.command), "\n".join(lines)]


def _describe_limits(names: Sequence[str], data: str) -> str:
    closed = "To any image, of whatever, it answers with one of its classes. " if names else ""
    return (
        "Made to compare ways of training and to look inside networks, in teaching and research. "
        f"{closed}Its numbers are of images like those of {escape(data)}; how it does on others, and whether it errs "
        "more on some groups of people or things than on others, was not measured. Do not let it decide about people."
    )
