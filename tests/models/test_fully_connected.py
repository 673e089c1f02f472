"""VGG and AlexNet against torchvision's: names, counts, first weights, answers; and images that are too small."""

import pytest
import torch
import torchvision
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.alexnet import AlexNet
from netgaze.models.vgg import VGG
from netgaze.weights import IMAGENET_URL, load_weights

WIDTHS = [64, 128, 256, 512, 512]
DEPTHS = {"vgg11": [1, 1, 2, 2, 2], "vgg13": [2] * 5, "vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]}
COUNTS = {"vgg19": 143_667_240, "vgg16": 138_357_544, "alexnet": 61_100_840}
NAMES = [*DEPTHS, "alexnet"]


def ours(name: str, **changes):
    facts = {"in_channels": 3, "num_classes": 1000} | changes
    return AlexNet(**facts) if name == "alexnet" else VGG(**{"depths": DEPTHS[name], "widths": WIDTHS} | facts)


def theirs(name: str):
    return torchvision.models.get_model(name, weights=None)


def thin(name: str):
    """Torchvision's with 32 hidden units and 10 classes: its two large matrices would cost seconds."""
    model = theirs(name)
    places = [place for place, layer in enumerate(model.classifier) if isinstance(layer, nn.Linear)]
    widths = [model.classifier[places[0]].in_features, 32, 32, 10]
    for place, reads, gives in zip(places, widths[:-1], widths[1:], strict=True):
        model.classifier[place] = nn.Linear(reads, gives)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_torchvisions(name):
    with torch.device("meta"):
        own, other = ours(name), theirs(name)
    shapes = {key: value.shape for key, value in own.state_dict().items()}
    assert shapes == {key: value.shape for key, value in other.state_dict().items()}
    assert sum(p.numel() for p in own.parameters()) == COUNTS.get(name, sum(p.numel() for p in other.parameters()))


@pytest.mark.parametrize(("name", "size"), [("vgg19", 32), ("vgg19", 70), ("alexnet", 63), ("alexnet", 300)])
def test_with_its_weights_the_answers_are_torchvisions(name, size, tmp_path):
    with torch.device("meta"):
        other = thin(name)
    other.to_empty(device="cpu")
    for module in other.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    own = ours(name, hidden_dim=32, num_classes=10).eval()
    report = load_weights(own, str(tmp_path / "weights.pth"))
    images = torch.randn(2, 3, size, size)
    assert (report.skipped, report.new) == ({}, [])
    torch.testing.assert_close(own(images), other.eval()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg19", "alexnet"])
def test_one_seed_gives_torchvisions_first_weights(name):
    torch.manual_seed(3)
    own = ours(name).state_dict()
    torch.manual_seed(3)
    other = theirs(name).state_dict()
    assert all(torch.equal(own[key], other[key]) for key in other)


@pytest.mark.parametrize("name", NAMES)
def test_imagenet_files_are_torchvisions(name):
    with torch.device("meta"):
        file, gray = ours(name).imagenet_file, ours(name, in_channels=1).imagenet_file
    assert f"{IMAGENET_URL}/{file}" == torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    assert gray is None


@pytest.mark.parametrize("change", [{"depths": [2, 2, 4, 4, 3]}, {"widths": [64, 128, 256, 512, 256]}])
def test_a_vgg_that_torchvision_does_not_have(change):
    with torch.device("meta"):
        assert ours("vgg19", **change).imagenet_file is None


@pytest.mark.parametrize(("name", "smallest"), [("vgg19", 32), ("alexnet", 63)])
def test_images_that_are_too_small_are_said(name, smallest):
    model = ours(name, hidden_dim=8).eval()
    assert model.forward_features(torch.randn(1, 3, smallest, smallest)).shape == (1, model.num_features, 1, 1)
    said = f"images of at least {smallest}x{smallest} pixels, got {smallest + 5}x{smallest - 1}"
    with pytest.raises(NetgazeError, match=said):
        model(torch.randn(1, 3, smallest + 5, smallest - 1))


@pytest.mark.parametrize("name", ["vgg19", "alexnet"])
def test_dropout_is_the_share_asked_for(name):
    model = ours(name, hidden_dim=8, dropout=0.25)
    assert [layer.p for layer in model.classifier if isinstance(layer, nn.Dropout)] == [0.25, 0.25]


@pytest.mark.parametrize("name", ["vgg19", "alexnet"])
def test_a_fresh_classifier_replaces_the_last_layer_alone(name):
    model = ours(name, hidden_dim=8)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.reset_classifier(3)
    same = {key for key, value in model.state_dict().items() if torch.equal(value, before[key])}
    assert set(before) - same == {"classifier.6.weight", "classifier.6.bias"}
    assert model.classifier[6].weight.shape == (3, 8)


@pytest.mark.parametrize(
    ("depths", "layers"), [([1, 2], ("features.0", "features.3")), ([2], ("features.0", "features.2"))]
)
def test_stages_of_any_depth(depths, layers):
    model = VGG(depths=depths, widths=[4, 6][: len(depths)], hidden_dim=8, in_channels=1, num_classes=2)
    assert model.filter_layers == layers
    assert all(isinstance(model.get_submodule(name), nn.MaxPool2d) for name in model.feature_layers)
    assert len(model.feature_layers) == len(depths)


def test_stages_must_match():
    with pytest.raises(ValueError, match="as many depths as widths"):
        VGG(depths=[1, 1], widths=[8], in_channels=3, num_classes=10)
