"""The model card: a head that YAML reads, Markdown that names of others cannot break, numbers as they are."""

import json
import re

import pytest
import yaml

from netgaze.card import escape, fence, write_card
from netgaze.exports.onnx import Onnx
from netgaze.exports.safetensors import Safetensors
from netgaze.files import write_json
from netgaze.run import Run

NASTY = ["```\n# Owned", "---\nlicense: mit", "<script>x</script>", "a|b", "\u202egnp", "`" * 5, "$x$", "día", "-"]
FACTS = {
    "status": "finished",
    "command": "python train.py data=shapes 'name=a```b'",
    "overrides": [],
    "choices": {"task": "supervised", "model": "resnet_small", "data": "my|data: <b>"},
    "classes": NASTY,
    "data": "0123456789abcdef",
    "seed": 3,
    "device": "a | b",
    "found": {"images": {"train": 500, "val": 100, "test": 200}, "classes": {name: [1, 1, 1] for name in NASTY}},
    "versions": {"torch": "2.6", "numpy": None},
}


@pytest.fixture
def run(tmp_path):
    write_json(tmp_path / "run.json", FACTS)
    (tmp_path / "history.csv").write_text("epoch,val/acc\n1,0.4\n2,0.5\n")
    return Run(tmp_path)


def split(card: str) -> tuple[dict, str]:
    """The head as YAML has it, and the Markdown below."""
    start, head, text = re.split(r"^---$", card, maxsplit=2, flags=re.MULTILINE)
    assert start == ""
    return yaml.safe_load(head), text


def test_the_head_is_what_yaml_reads(run, export_of):
    card = write_card(run, "best", {"test/acc": 0.75}, export_of(names=NASTY), [Onnx(license="mit"), Safetensors()])
    head, text = split(card)
    title = "resnet_small, supervised on my|data: <b>"
    assert head == {
        "license": "mit",
        "tags": ["netgaze", "supervised", "onnx", "safetensors"],
        "datasets": ["my|data: <b>"],
        "pipeline_tag": "image-classification",
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": title,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"name": "my|data: <b>", "type": "my|data: <b>", "split": "test"},
                        "metrics": [{"type": "accuracy", "value": 0.75}],
                    }
                ],
            }
        ],
    }
    assert "Of these weights: mit. Of the data that they were trained on: not stated" in text


def test_names_of_others_mean_nothing_in_it(run, export_of):
    _, text = split(write_card(run, "best", {"test/acc": 0.75}, export_of(names=NASTY), [Safetensors()]))
    blocks, outside = [], []
    fenced = None  # what CommonMark takes for the end of a block: as many marks or more, and nothing else
    for line in text.splitlines():
        marks = re.match(r"(`{3,})(\w*)$", line)
        if fenced is None and marks:
            fenced = marks[1]
            blocks.append([])
        elif fenced is not None and line.strip("`") == "" and len(line) >= len(fenced):
            fenced = None
        else:
            (outside if fenced is None else blocks[-1]).append(line)
    assert fenced is None
    code, names, command = blocks
    assert "safe_open" in "\n".join(code)
    assert json.loads("\n".join(names)) == NASTY
    assert command == [FACTS["command"]]
    headings = [line for line in outside if line.startswith("#")]
    assert headings[0] == r"# resnet\_small, supervised on my\|data: \<b\>"
    assert headings[1:] == [
        *("## Numbers", "## How to load it", "## Classes", "## How it was trained"),
        *("## Use and limits", "## License"),
    ]
    assert "<" not in "\n".join(outside).replace(r"\<", "").replace("init=<folder>", "")
    rows = [line for line in outside if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_numbers_have_their_interval_and_words(run, export_of):
    """On 200 images Wilson's interval of 0.75 goes from 0.686 to 0.805."""
    _, text = split(write_card(run, "best", {"test/acc": 0.75, "test/images": 200}, export_of(names=NASTY), []))
    assert "Of the 200 test images of" in text
    assert "| test accuracy | 75.0 ± 6.4% | Share of test examples classified correctly" in text
    assert "- epochs: 2, of which these weights are of number 1" in text
    assert "- images: 500 train, 100 val, 200 test" in text
    assert "- versions: torch 2.6\n" in text


def test_the_last_epoch_is_not_said_to_be_tested(run, export_of):
    _, text = split(write_card(run, "last", {"last/val_acc": 0.5}, export_of(names=NASTY), []))
    assert "Of the 100 validation images" in text
    assert "the epoch that was last, which was not tested" in text
    assert "| validation accuracy (last epoch) | 50.0 ± 9.6% |" in text


def test_without_classes_no_accuracy_stands_in_the_head(run, export_of):
    head, text = split(write_card(run, "best", {"test/acc": 0.75}, export_of("task=siamese"), [Onnx()]))
    assert head["license"] == "unknown"
    assert head["pipeline_tag"] == "image-feature-extraction"
    assert "model-index" not in head
    assert "embeddings" in text
    assert "None were measured." in write_card(run, "best", {}, export_of("task=simclr"), [])


@pytest.mark.parametrize("text", NASTY)
def test_a_text_is_one_line_and_a_block_ends_where_it_should(text):
    assert "\n" not in escape(text)
    first, *_, last = fence(text).splitlines()
    assert first == last
    assert first not in fence(text).splitlines()[1]
