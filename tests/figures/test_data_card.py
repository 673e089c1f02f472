"""A card of many classes: some are shown, and a plot tells how even all of them are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

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
        labels=labels.get,
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
