"""Checkpoints as other tools write them: prefixes, nests, other names, gray and color; the answers stay the same."""

import logging
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.resnet import ResNet as TorchvisionResNet

from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.models.timm_net import TimmNet
from netgaze.weights import Init, load_weights, parse_init

IMAGES = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32).sin()


def ours(in_channels: int = 3, num_classes: int = 10) -> ResNet:
    thin = {"depths": [1] * 4, "widths": [64, 128, 256, 512], "stem": "imagenet"}
    return ResNet(**thin, in_channels=in_channels, num_classes=num_classes).eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    torch.manual_seed(0)
    network = TorchvisionResNet(BasicBlock, [1] * 4, num_classes=10).eval()
    for name, value in network.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            value.uniform_(-0.1, 0.1)
    first, second = network(IMAGES)
    assert (first - second).abs().max() > 0.01  # answers that depend on the images
    return network


def store(content, tmp_path) -> str:
    torch.save(content, tmp_path / "a.pth")
    return str(tmp_path / "a.pth")


def put(prefix: str, weights) -> dict:
    return {prefix + name: value for name, value in weights.items()}


def rename(weights, *changes: tuple[str, str]) -> dict:
    renamed = {}
    for name, value in weights.items():
        for old, new in changes:
            name = name.replace(old, new)
        renamed[name] = value
    return renamed


def check_all(source: str, theirs: nn.Module, model: nn.Module | None = None) -> str:
    """Load, compare the answers, and give the report's text."""
    model = ours() if model is None else model
    report = load_weights(model, source)
    assert (report.skipped, report.new, report.random_share) == ({}, [], 0.0)
    torch.testing.assert_close(model.eval()(IMAGES), theirs(IMAGES), rtol=1e-4, atol=1e-4)
    return str(report)


WORDS = ["net.", "backbone.", "encoder.", "module.", "model._orig_mod.", "module.backbone.", "f_theta.0.trunk."]


@pytest.mark.parametrize("prefix", [*WORDS, "x" * 99 + "."])
def test_any_prefix_is_taken_off_and_said(prefix, theirs, tmp_path):
    said = check_all(store({"state_dict": put(prefix, theirs.state_dict())}, tmp_path), theirs)
    assert "taken from state_dict" in said
    assert f"prefix {prefix} taken off" in said


@pytest.mark.parametrize(
    "nest",
    [
        "state_dict",
        "model",
        "net",
        "state_dict_ema",
        "params",
        "network_fn",
        "classy_state_dict.base_model.model.trunk",
    ],
)
def test_any_nest_is_looked_into_and_said(nest, theirs, tmp_path):
    content = theirs.state_dict()
    for word in reversed(nest.split(".")):
        content = {"epoch": 3, word: content, "optimizer": {"state": {0: {"exp_avg": torch.zeros(64)}}}}
    assert f"taken from {nest}" in check_all(store(content, tmp_path), theirs)


def test_a_list_is_a_nest(theirs, tmp_path):
    assert "taken from 1" in check_all(store((3, theirs.state_dict()), tmp_path), theirs)


def test_names_cut_into_nests(theirs, tmp_path):
    content: dict = {}
    for name, value in theirs.state_dict().items():
        *outer, last = name.split(".")
        place = content
        for word in outer:
            place = place.setdefault(word, {})
        place[last] = value
    check_all(store({"params": content}, tmp_path), theirs)


@pytest.mark.parametrize(
    "changes",
    [
        [("downsample", "shortcut"), ("fc.", "linear.")],  # kuangliu
        [("fc.", "head.fc.")],  # mmpretrain
        [("fc.", "last_linear.")],  # Cadene
        [("bn1", "norm1"), ("bn2", "norm2")],
        [("layer", "Layer"), ("conv", "Conv"), ("bn", "BN"), ("fc", "FC")],
        [("conv1.", "0."), ("bn1.", "1."), ("layer1.", "4."), ("layer2.", "5."), ("layer3.", "6."), ("layer4.", "7.")],
    ],
    ids=["kuangliu", "head.fc", "last_linear", "norm", "capitals", "sequential"],
)
@pytest.mark.parametrize("prefix", ["", "module.", "body.0."])
def test_other_names(changes, prefix, theirs, tmp_path):
    weights = theirs.state_dict()
    if changes[0][1] == "0.":  # only the outermost layers are numbered; the head would be the ninth
        numbers = {old: new for old, new in changes} | {"fc.": "9."}
        weights = {numbers[f"{name.split('.')[0]}."] + name.partition(".")[2]: it for name, it in weights.items()}
        changes = []
    check_all(store(put(prefix, rename(weights, *changes)), tmp_path), theirs)


def test_transformers_names(theirs, tmp_path):
    """`ResNetForImageClassification`, as its source names the layers."""
    named = {}
    for name, value in theirs.state_dict().items():
        first, _, rest = name.partition(".")
        kind = rest.rpartition(".")[2]
        if first in ("conv1", "bn1"):
            name = f"resnet.embedder.embedder.{'convolution' if first == 'conv1' else 'normalization'}.{kind}"
        elif first == "fc":
            name = f"classifier.1.{kind}"
        else:
            block, layer, *inner = rest.split(".")
            start = f"resnet.encoder.stages.{int(first[5:]) - 1}.layers.{block}."
            if layer == "downsample":
                name = f"{start}shortcut.{'convolution' if inner[0] == '0' else 'normalization'}.{kind}"
            else:
                name = (
                    f"{start}layer.{int(layer[-1]) - 1}.{'convolution' if 'conv' in layer else 'normalization'}.{kind}"
                )
        named[name] = value
    check_all(store(named, tmp_path), theirs)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("student.", "teacher.", "teacher"),
        ("state_dict.", "state_dict_ema.", "state_dict_ema"),
        ("state_dict.encoder_q.", "state_dict.encoder_k.", "state_dict.encoder_q"),
        ("online_network.", "target_network.", "online_network"),
    ],
)
def test_of_two_that_fit_equally_one_is_taken_and_it_is_said(first, second, taken, theirs, tmp_path, caplog):
    content: dict = {}
    for number, place in enumerate((first, second)):
        nest, _, prefix = place.partition(".")
        weights = {name: value + number for name, value in theirs.state_dict().items()}
        content.setdefault(nest, {}).update(put(prefix, weights))
    other = {first: second, second: first}[f"{taken}."]
    number = (first, second).index(f"{taken}.")
    path, model = store(content, tmp_path), ours()
    report = load_weights(model, path)
    assert report.place == f"{taken}."
    torch.testing.assert_close(model.fc.bias, theirs.fc.bias + number)
    assert f"2 sets of weights that fit equally well. Taken: {taken}. Not taken: {other[:-1]}" in caplog.text
    assert f"Type init.key={other[:-1]} to take that instead" in caplog.text
    caplog.clear()
    load_weights(model, path, key=other.strip(".").rpartition(".")[2])
    torch.testing.assert_close(model.fc.bias, theirs.fc.bias + 1 - number)
    assert not caplog.records


def test_the_one_that_fits_better_is_taken_without_a_word(theirs, tmp_path, caplog):
    whole = theirs.state_dict()
    bare = {name: value for name, value in whole.items() if not name.startswith("fc.")}
    assert load_weights(ours(), store({"teacher": bare, "student": whole}, tmp_path)).place == "student."
    assert not caplog.records


def test_an_unknown_key_is_answered_with_those_that_hold_weights(theirs, tmp_path):
    path = store({"teacher": theirs.state_dict(), "student": theirs.state_dict(), "epoch": 3}, tmp_path)
    said = r"init\.key=epoch: .*no weights for this network there\. It has some at \w+ \(\d+ tensors\), \w+ \("
    with pytest.raises(NetgazeError, match=said) as error:
        load_weights(ours(), path, key="epoch")
    assert "teacher (" in str(error.value)
    assert "student (" in str(error.value)
    with pytest.raises(NetgazeError, match=r"a single set of weights: leave init\.key out"):
        load_weights(ours(), store(theirs.state_dict(), tmp_path), key="teacher")


def test_each_of_many_can_be_asked_for(theirs, tmp_path, caplog):
    members = {f"member{n}": {name: it + n for name, it in theirs.state_dict().items()} for n in range(40)}
    model, path = ours(), store({"members": members}, tmp_path)
    assert load_weights(model, path, key="member37").place == "members.member37."
    torch.testing.assert_close(model.fc.bias, theirs.fc.bias + 37)
    assert not caplog.records
    assert load_weights(model, path).place == "members.member0."
    assert "holds 40 sets of weights" in caplog.text
    assert len(caplog.text) < 500


def test_our_own_checkpoint_holds_the_network_below_model(theirs, tmp_path, caplog):
    """A task may have a copy of its network, which no figure ever sees."""
    own, copy = ours().state_dict(), ours().state_dict()
    content = {"state_dict": put("teacher.", copy) | put("model.", own), "netgaze": {"config": {}}}
    model = ours()
    report = load_weights(model, store(content, tmp_path))
    assert (report.place, report.notes) == ("state_dict.model.", [])
    assert torch.equal(model.conv1.weight, own["conv1.weight"])
    assert not caplog.records


def test_other_names_are_said(theirs, tmp_path):
    said = check_all(store(rename(theirs.state_dict(), ("downsample", "shortcut")), tmp_path), theirs)
    assert "names read as others, such as layer2.0.shortcut.0.weight as layer2.0.downsample.0.weight" in said


def test_numbers_that_fit_by_chance_are_no_match(tmp_path):
    """The first convolution of another network, numbered as ours would be."""
    weights = {"features.0.weight": torch.zeros(64, 3, 7, 7), "features.3.weight": torch.zeros(64, 64, 3, 3)}
    weights |= {"features.1.weight": torch.zeros(8), "features.4.weight": torch.zeros(9)}
    with pytest.raises(NetgazeError, match="none of its 4 tensors fits"):
        load_weights(ours(), store(weights, tmp_path))


def test_what_has_two_candidates_is_left(tmp_path):
    model = ours()
    weights = dict(model.state_dict())
    value = weights.pop("layer2.0.downsample.0.weight")
    weights |= {"layer2.0.shortcut.0.weight": value, "layer2.0.Downsample.0.weight": value}
    report = load_weights(ours(), store(weights, tmp_path))
    assert report.new == ["layer2.0.downsample.0.weight"]
    assert set(report.skipped) == {"layer2.0.shortcut.0.weight", "layer2.0.Downsample.0.weight"}


class TestWhatStaysRandom:
    def test_of_the_backbone_is_a_warning_with_its_share(self, theirs, tmp_path, caplog):
        weights = {name: it for name, it in theirs.state_dict().items() if not name.startswith("layer4")}
        report = load_weights(ours(), store(weights, tmp_path))
        backbone = {n: it for n, it in theirs.state_dict().items() if not n.endswith("tracked") and n[:2] != "fc"}
        missing = sum(it.numel() for name, it in backbone.items() if name.startswith("layer4"))
        whole = sum(it.numel() for it in backbone.values())
        assert report.random_share == pytest.approx(missing / whole)
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert f"{missing / whole:.1%}".replace("%", " % of the backbone") in record.getMessage()
        assert (
            f"({missing:,} of {whole:,}): there is nothing of the right name and shape for layer4.0.conv1, layer4.0.bn1"
            in record.getMessage()
        )

    def test_of_the_head_is_none(self, theirs, tmp_path, caplog):
        report = load_weights(ours(num_classes=3), store(theirs.state_dict(), tmp_path))
        assert (report.new, report.random_share) == (["fc.weight", "fc.bias"], 0.0)
        assert not caplog.records


class TestColors:
    def test_color_filters_read_gray_as_if_repeated(self, theirs, tmp_path):
        gray = ours(in_channels=1)
        report = load_weights(gray, store(theirs.state_dict(), tmp_path))
        image = IMAGES[:, :1]
        torch.testing.assert_close(gray(image), theirs(image.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)
        assert (report.skipped, report.new) == ({}, [])
        assert "conv1.weight: filters for color summed over the three channels" in str(report)

    def test_gray_filters_read_equal_channels_as_one(self, tmp_path):
        gray, color = ours(in_channels=1), ours()
        report = load_weights(color, store(gray.state_dict(), tmp_path))
        image = IMAGES[:, :1]
        torch.testing.assert_close(color(image.expand(-1, 3, -1, -1)), gray(image), rtol=1e-4, atol=1e-4)
        assert "spread over three channels" in str(report)

    def test_other_layers_and_other_numbers_of_channels_are_left(self, theirs, tmp_path):
        weights = dict(theirs.state_dict())
        weights["layer1.0.conv1.weight"] = weights["layer1.0.conv1.weight"][:, :3]
        report = load_weights(ours(in_channels=4), store(weights, tmp_path))
        assert set(report.new) == {"conv1.weight", "layer1.0.conv1.weight"}


class TestTimm:
    @pytest.fixture(autouse=True)
    def timm(self):
        return pytest.importorskip("timm", reason="timm is not here (pip install netgaze[timm])")

    @pytest.mark.parametrize("prefix", ["", "timm_model.", "model.net."])
    @pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "convnext_atto"])
    def test_its_own_files_give_its_own_answers(self, timm, name, prefix, tmp_path):
        other = timm.create_model(name, num_classes=10).eval()
        model = TimmNet(name=name, image_size=32, in_channels=3, num_classes=10)
        check_all(store(put(prefix, other.state_dict()), tmp_path), other, model)

    def test_its_resnet_is_ours_and_torchvisions(self, timm, theirs, tmp_path):
        small = {"block": timm.models.resnet.BasicBlock, "layers": [1] * 4}
        other = timm.models.resnet.ResNet(**small, num_classes=10).eval()
        check_all(store(other.state_dict(), tmp_path), other)

    def test_what_was_trained_here_loads_too(self, tmp_path, caplog):
        first, second = (TimmNet(name="resnet18", image_size=32, in_channels=3, num_classes=10) for _ in range(2))
        report = load_weights(second, store(put("model.", first.state_dict()), tmp_path))
        assert report.place == "model."
        torch.testing.assert_close(first.eval()(IMAGES), second.eval()(IMAGES))
        assert not caplog.records


@pytest.mark.parametrize("source", ["nowhere.pth", "a" * 5000, "a\0b", ""])
def test_what_is_not_there_is_said(source):
    with pytest.raises(NetgazeError, match=r"init=.*: there is no such file of weights"):
        load_weights(ours(), source)


def test_nothing_fits_says_what_either_begins_with(tmp_path):
    said = (
        r"none of its 1 tensors fits this network .* begins with features\.0\.weight \[2, 3\], this network with conv1"
    )
    with pytest.raises(NetgazeError, match=said):
        load_weights(ours(), store(OrderedDict({"features.0.weight": torch.zeros(2, 3)}), tmp_path))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("a.pth", Init("a.pth")),
        (12, Init("12")),
        ({"file": "a.pth"}, Init("a.pth")),
        ({"file": "a.pth", "key": "ema"}, Init("a.pth", "ema")),
        ({"file": "a.pth", "key": 1}, Init("a.pth", "1")),
    ],
)
def test_init_is_a_text_or_a_mapping(value, expected):
    assert parse_init(value) == expected


@pytest.mark.parametrize("value", [{}, {"key": "ema"}, {"file": None, "key": "a"}, {"file": "a", "nest": "b"}])
def test_another_mapping_is_refused(value):
    with pytest.raises(NetgazeError, match="expected file, and key where"):
        parse_init(value)
