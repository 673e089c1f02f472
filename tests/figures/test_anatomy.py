"""The anatomy of networks with a task and without one: numbers, table, words, and the picture's lines."""

import csv
import json

import pytest
import torch
from tests.figures.test_figures import assert_readable, texts_of
from torch import nn

from netgaze.figure import Finding
from netgaze.figures.anatomy import Anatomy
from netgaze.figures.anatomy.bars import group_blocks
from netgaze.gallery import look
from netgaze.inside.anatomy import Layer, list_layers, sum_totals
from netgaze.models.alexnet import AlexNet
from netgaze.models.resnet import ResNet
from netgaze.subject import Subject


def alone(model: nn.Module, shape=(3, 32, 32), label="a network"):
    return Subject(label, model=lambda: model, input_shape=shape)


def deep():
    with torch.device("meta"):
        return ResNet(
            block="bottleneck", depths=[3, 4, 6, 3], widths=[8] * 4, stem="imagenet", in_channels=3, num_classes=10
        )


def test_rows_are_the_layers_and_come_back_from_the_finding(tmp_path):
    figure, model = Anatomy(every_layer=True), deep()
    figure.compute(alone(model)).save(tmp_path / "x", "key")
    finding = Finding.load(tmp_path / "x", "key")
    rows, said = list_layers(model, (3, 32, 32)), figure.table(finding)
    for key, name in (
        ("layer", "name"),
        *((same, same) for same in ("activations", "params", "macs", "stride", "start")),
    ):
        assert [row[key] for row in said] == [getattr(row, name) for row in rows]
    assert [row["output"] for row in said[:2]] == ["3x32x32", "8x16x16"] or said[1]["output"] == "64x16x16"
    assert finding.numbers["macs"] == sum_totals(rows)["macs"]


def test_what_costs_nothing_is_left_out_and_nothing_else():
    finding = Anatomy().compute(alone(deep()))
    few, all_rows = Anatomy().table(finding), list_layers(deep(), (3, 32, 32))
    assert len(few) < len(all_rows)
    assert not {row["kind"] for row in few} & {"ReLU", "add", "Identity"}
    for name in ("activations", "params", "params_no_bias", "macs"):
        assert sum(row[name] for row in few) == finding.numbers[name]


def test_numbers_follow_precision_batch_and_states():
    network = alone(deep())
    one, other = (Anatomy(**how).compute(network).numbers for how in ({}, {"precision": 16, "optimizer_states": 2}))
    assert one["activation_mb"] == pytest.approx(2 * other["activation_mb"]) == pytest.approx(one["activations"] * 4e-6)
    assert other["training_mb/optimizer"] == 2 * one["training_mb/optimizer"] == pytest.approx(one["params"] * 8e-6)
    parts = ("weights", "gradients", "optimizer", "activations")
    assert one["training_mb"] == pytest.approx(sum(one[f"training_mb/{part}"] for part in parts))
    assert one["parts"]["layer1"]["params"] == sum(p.numel() for p in deep().layer1.parameters())
    small = Anatomy(batch_size=64).compute(network).numbers["training_mb/activations"]
    assert small == pytest.approx(one["training_mb/activations"] / 2, rel=0.01)


@pytest.mark.parametrize("change", [{"precision": 8}, {"batch_size": 0}, {"optimizer_states": -1}])
def test_refuses(change):
    with pytest.raises(ValueError, match="expected"):
        Anatomy(**change)


def test_files_of_one_network(tmp_path, caplog):
    caplog.set_level("INFO")
    with torch.device("meta"):
        model = AlexNet(form="two_group", in_channels=3, num_classes=1000)
    look({"anatomy": Anatomy()}, [alone(model, (3, 224, 224), "alexnet")], tmp_path)
    content = json.loads((tmp_path / "anatomy.json").read_text())
    assert content["totals"]["params"] == 60_965_224
    assert content["totals"]["params_no_bias"] == 60_954_656
    with open(tmp_path / "anatomy.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["layer"] == "features.0"
    assert (rows[1]["output"], int(rows[1]["params"]), rows[1]["receptive_field"]) == ("96x55x55", 34_944, "11")
    assert rows[-1]["stride"] == ""
    assert [int(row["params"]) for row in rows] == [row["params"] for row in content["tables"]["alexnet"]]
    last = caplog.text.split("total ")[1].split("\n")[0].split()
    assert last == [f"{content['totals'][key]:,}" for key in ("activations", "params", "params_no_bias", "macs")]


def test_files_of_several_networks_and_no_controls(subjects, tmp_path):
    seen = look({"anatomy": Anatomy()}, subjects, tmp_path)["anatomy"]
    labels = [subject.label for subject in subjects[:2]]
    assert list(seen) == labels
    content = json.loads((tmp_path / "anatomy.json").read_text())
    assert list(content["totals"]) == labels
    assert content["left_out"] == {}
    with open(tmp_path / "anatomy.csv", newline="") as file:
        assert list(dict.fromkeys(row["network"] for row in csv.DictReader(file))) == labels


def test_the_input_is_what_the_data_gives_and_a_config_spares_opening_it(supervised):
    assert supervised.input_shape == (3, 16, 16)
    closed = Subject("x", task=lambda: supervised.task, config={"data": {"num_channels": 3, "image_size": 24}})
    assert Anatomy().compute(closed).arrays["image"].tolist() == [3, 24, 24]


def test_lines_are_summed_where_there_are_too_many():
    rows = [row for row in list_layers(deep(), (3, 32, 32)) if row.params or row.macs or row.activations]
    lines = group_blocks(rows, 30)
    assert [line.name for line in lines][:6] == ["input", "conv1", "bn1", "maxpool", "layer1.0", "layer1.1"]
    assert len(lines) <= 30
    for name in ("params", "activations", "macs"):
        assert sum(getattr(line, name) for line in lines) == sum(getattr(row, name) for row in rows)
    assert [line.receptive_field for line in lines][-2:] == [427, 427]
    assert group_blocks(rows, len(rows)) == rows


def test_work_of_the_network_itself_stays_in_its_place():
    rows = [Layer(name, "", params=1) for name in ("", "a.0", "a.1", "", "b.0", "b.1")]
    assert [(line.name, line.params) for line in group_blocks(rows, 4)] == [("", 1), ("a", 2), ("", 1), ("b", 2)]


def test_the_picture_says_its_totals_and_the_images_side():
    finding = Anatomy().compute(alone(deep()))
    picture = Anatomy().draw({"a network": finding})
    assert_readable(picture)
    words = " ".join(text for text, _ in texts_of(picture)).replace("\n", " ")
    assert f"{finding.numbers['params']:,} parameters" in words
    assert "the image's 32" in words
