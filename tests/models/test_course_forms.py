"""A course's AlexNet and ResNet-18 for 128x128 images, against torchvision's with a pool taken out."""

import pytest
import torch
import torchvision
from torch import nn

from netgaze.models.alexnet import FORMS, AlexNet
from netgaze.models.resnet import ResNet

RESNET18 = {"depths": [2, 2, 2, 2], "widths": [64, 128, 256, 512], "in_channels": 3, "num_classes": 100}


def test_resnet18_without_its_pool():
    own, other = ResNet(stem="imagenet_nopool", **RESNET18).eval(), torchvision.models.resnet18(num_classes=100).eval()
    other.maxpool = nn.Identity()
    own.load_state_dict(other.state_dict())
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        maps = own.forward_features(images)
        assert maps.shape == (2, 512, 8, 8)  # what the course's average pool of 8 makes one of
        assert torch.allclose(own(images), other(images), atol=1e-4)
        features = own.forward_head(maps, pre_logits=True)
        assert torch.allclose(features, nn.functional.avg_pool2d(maps, 8).flatten(1), atol=1e-5)


def test_alexnet_without_its_first_pool():
    torch.manual_seed(0)
    own = AlexNet(form="nopool", hidden_dim=32, in_channels=3, num_classes=10).eval()
    layers = list(torchvision.models.alexnet(weights=None).features)
    other = nn.Sequential(*layers[:2], *layers[3:])
    other.load_state_dict(own.features.state_dict())
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        maps = own.forward_features(images)
        assert maps.shape == (2, 256, 7, 7)
        assert torch.allclose(maps, other(images), atol=1e-5)
        assert torch.allclose(own(images), own.classifier(maps.flatten(1)), atol=1e-6)  # 7x7 is read as it is


# Krizhevsky et al. 2012 and 2014, counted by hand: filters x (maps x k x k + 1).
PUBLISHED = {
    "two_group": [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000],
    "one_group": [34_944, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000],
    "torchvision": [23_296, 307_392, 663_936, 884_992, 590_080, 37_752_832, 16_781_312, 4_097_000],
}
TOTALS = {"two_group": 60_965_224, "one_group": 62_378_344, "torchvision": 61_100_840}


@pytest.mark.parametrize("form", PUBLISHED)
def test_alexnets_published_forms_have_their_published_sizes(form):
    with torch.device("meta"):
        model = AlexNet(form=form, in_channels=3, num_classes=1000)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == PUBLISHED[form]
    assert sum(p.numel() for p in model.parameters()) == TOTALS[form]
    assert model.features(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 256, 6, 6)
    assert (model.imagenet_file is None) == (form != "torchvision")


def test_in_two_groups_each_half_of_the_filters_sees_half_of_the_maps():
    model = AlexNet(form="two_group", hidden_dim=4, in_channels=3, num_classes=2)
    convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    alone = []
    for layer in convolutions[1:]:
        maps = torch.zeros(1, layer.in_channels, 5, 5, requires_grad=True)
        layer(maps)[:, : layer.out_channels // 2].sum().backward()
        alone.append(not maps.grad[:, layer.in_channels // 2 :].any())
    assert alone == [True, False, True, True]


def test_alexnets_layers_for_filters_and_maps_are_convolutions_and_what_follows_them():
    for form in FORMS:
        with torch.device("meta"):
            model = AlexNet(form=form, in_channels=3, num_classes=10)
        assert all(isinstance(model.get_submodule(name), nn.Conv2d) for name in model.filter_layers)
        kinds = [type(model.get_submodule(name)).__name__ for name in model.feature_layers]
        first = "ReLU" if form == "nopool" else "MaxPool2d"
        assert kinds == [first, "MaxPool2d", "ReLU", "ReLU", "MaxPool2d"]


@pytest.mark.parametrize("make", [lambda: AlexNet(form="x", in_channels=3, num_classes=2)])
def test_an_unknown_form_is_refused(make):
    with pytest.raises(ValueError, match="one of two_group, one_group, torchvision, nopool, got x"):
        make()
