"""A card of many classes: some are shown, and a plot tells how even all of them are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.figures.data_card import DataCard


def found(values="0..255", ignored=None, warnings=()):
    """What a data set says of itself."""
    remarks = SimpleNamespace(ignored=ignored or {})
    return SimpleNamespace(values=values, remarks=remarks, list_warnings=lambda: list(warnings))


def card(total, **options):
    """A card and its picture, of images whose class c has c % 5 + 1 for training and one more elsewhere."""
    train = torch.arange(total).repeat_interleave(torch.arange(total) % 5 + 1)
    labels = {"train": train, "val": torch.arange(total), "test": torch.arange(total)}
    data = SimpleNamespace(
        title="Many",
        found=options.pop("found", found()),
        class_names=[f"class {number}" for number in range(total)],
        labels=options.pop("labels", labels).get,
        image_size=8,
        images=lambda split, index: torch.zeros(len(index), 3, 8, 8, dtype=torch.uint8),
    )
    figure = DataCard(**options)
    finding = figure.compute(SimpleNamespace(data=data))
    return finding, figure.draw({"a": finding})


@pytest.mark.parametrize("total", [11, 1623])
def test_many_classes_get_a_plot_of_all(total):
    finding, picture = card(total, num_classes=2, num_each=4)
    assert finding.arrays["samples"].shape == (2, 4, 8, 8, 3)
    (plot,) = (axes for axes in picture.axes if f"all {total:,} classes" in axes.get_xlabel())
    train, *others = (patch.get_data().values for patch in plot.patches)
    assert train.tolist() == sorted(np.arange(total) % 5 + 1, reverse=True)
    assert all((values == 1).all() for values in others)
    assert len(others) == 2


def test_a_class_that_is_only_tested_shows_its_test_images():
    """People are in one split each: without training images they would have a blank row."""
    labels = {"train": torch.tensor([0, 0]), "val": torch.tensor([1]), "test": torch.tensor([2, 2])}
    shades = {"train": 10, "val": 20, "test": 30}
    data = SimpleNamespace(
        title="People",
        found=found(),
        class_names=["a", "b", "c"],
        labels=labels.get,
        image_size=8,
        images=lambda split, index: torch.full((len(index), 3, 8, 8), shades[split], dtype=torch.uint8),
    )
    samples = DataCard(num_each=2).compute(SimpleNamespace(data=data)).arrays["samples"]
    assert samples[:, :, 0, 0, 0].tolist() == [[10, 10], [20, 255], [30, 30]]


def test_samples_are_of_their_class():
    labels = torch.tensor([2, 0, 1, 2, 0, 1, 1])
    data = SimpleNamespace(
        title="Shades",
        found=found(),
        class_names=["a", "b", "c"],
        labels=lambda split: labels,
        image_size=8,
        images=lambda split, index: (
            (50 * labels[index] + torch.as_tensor(index)).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
        ),
    )
    samples = DataCard(num_each=3).compute(SimpleNamespace(data=data)).arrays["samples"][:, :, 0, 0, 0]
    assert [sorted(row) for row in samples.tolist()] == [[1, 4, 255], [52, 55, 56], [100, 103, 255]]


def test_few_classes_are_all_shown_and_need_none():
    _, picture = card(10)
    assert not any("all" in axes.get_xlabel() for axes in picture.axes)


def test_what_was_ignored_and_what_may_be_a_mistake_stands_on_the_card():
    said = found("0..4095", {"hidden": [".a"], "ending .heic": ["b.heic", "c.heic"]}, ["val has no image of cedar."])
    finding, picture = card(4, found=said)
    assert finding.numbers["found"] == {
        "values": "0..4095",
        "ignored": {"hidden": 1, "ending .heic": 2},
        "warnings": ["val has no image of cedar."],
    }
    words = [text.get_text() for axes in picture.axes for text in axes.texts] + [
        text.get_text() for text in picture.texts
    ]
    expected = ["Values 0..4095", "Ignored 1 (hidden), 2 (ending .heic)", "Warning: val has no image of cedar."]
    assert [word for word in words if word in expected] == expected
    _, plain = card(4)
    assert not any("Ignored" in text.get_text() for axes in plain.axes for text in axes.texts)


COLORS = {"train": RIGHT.lower(), "val": WRONG.lower(), "test": GRAY.lower()}
COUNTS = np.array([[9, 4, 7, 6], [3, 5, 1, 8], [2, 10, 12, 11]])  # of splits and classes


def make_finding(title="Animals", num=0, counts=COUNTS, classes=(0, 2, 3)):
    numbers = {"classes": 4, "train": 26, "val": 17, "test": 1035, "imbalance": 2.25}
    return Finding(
        numbers | {"found": {"values": "0..255", "ignored": {}, "warnings": []}},
        {
            "counts": counts,
            "classes": np.array(classes),
            "samples": make_pictures(2, len(classes), 5)[num],
            "names": np.array(["cat", "dog", "emu", "fox"]),
            "data": np.array(title),
        },
    )


def test_each_class_has_its_name_its_bars_and_its_samples_in_one_row():
    finding = make_finding()
    drawn = read(DataCard().draw({"one": finding}))
    plot = drawn.plot("images: train, val, test")
    lines = drawn.grid()
    assert len(lines) == 3
    for row, (number, name) in enumerate(((0, "cat"), (2, "emu"), (3, "fox"))):
        assert_shows(lines[row], finding.arrays["samples"][row])
        middle = lines[row][0].middle[1]
        assert drawn.say(name).y == pytest.approx(middle, abs=0.1)
        assert drawn.say(name).x < plot.x < plot.x + plot.width < lines[row][0].x
        bars = sorted((bar for bar in plot.bars if round(bar.y + bar.height / 2) == row), key=lambda bar: bar.y)
        assert [bar.width for bar in bars] == COUNTS[:, number].tolist()
        assert [bar.color for bar in bars] == list(COLORS.values())
        low, high = plot.ylim[1], plot.ylim[0]
        assert plot.y + plot.height * (row - low) / (high - low) == pytest.approx(middle, abs=0.1)
    assert "dog" not in drawn.text


def test_the_spread_has_a_line_for_each_split_in_falling_order():
    plot = read(DataCard().draw({"one": make_finding()})).plot("images per class")
    assert {steps.color: steps.values for steps in plot.steps} == {
        COLORS["train"]: [9, 7, 6, 4],
        COLORS["val"]: [8, 5, 3, 1],
        COLORS["test"]: [12, 11, 10, 2],
    }
    assert plot.legend == COLORS
    assert plot.xlim == (0, 4)
    assert plot.ylim[0] == 0
    assert plot.ylim[1] > 12


def test_the_card_says_its_sizes():
    text = read(DataCard().draw({"one": make_finding()})).text
    said = "4 classes; 26 train, 17 val, 1,035 test images; 4 x 4 pixels; 3 classes are shown"
    assert said in text
    assert "4 to 9 training images per class" in text
    even = make_finding(counts=np.array([[6] * 4, [3, 2, 4, 5], [1] * 4]), classes=range(4))
    text = read(DataCard().draw({"one": even})).text
    assert "6 training images per class" in text
    assert "are shown" not in text


def test_networks_that_share_data_share_a_card():
    same, other = make_finding(), make_finding("Plants", 1)
    drawn = read(DataCard().draw({"one": same, "two": other, "three": make_finding()}))
    titles = [word.text for word in drawn.words if word.bold]
    assert titles == ["Animals: one, three", "Plants: two"]
    lines = drawn.grid()
    assert len(lines) == 6
    for line, samples in zip(lines, [*same.arrays["samples"], *other.arrays["samples"]], strict=True):
        assert_shows(line, samples)
    assert drawn.say("Animals").y < lines[0][0].y < lines[2][0].y < drawn.say("Plants").y < lines[3][0].y
    assert [word.text for word in read(DataCard().draw({"one": same})).words if word.bold] == ["Animals"]


def test_counts_are_of_splits_by_class():
    finding, _ = card(4)
    assert finding.arrays["counts"].tolist() == [[1, 2, 3, 4], [1] * 4, [1] * 4]
    found = {"values": "0..255", "ignored": {}, "warnings": []}
    expected = {"classes": 4, "train": 10, "val": 4, "test": 4, "imbalance": 4.0, "found": found}
    assert finding.numbers == expected
    labels = {"train": [0, 0, 0, 1, 1], "val": [0] + [1] * 6, "test": [1]}
    finding, _ = card(2, labels={split: torch.tensor(own) for split, own in labels.items()})
    assert finding.arrays["counts"].tolist() == [[3, 2], [1, 6], [0, 1]]
    assert finding.numbers["imbalance"] == 1.5
