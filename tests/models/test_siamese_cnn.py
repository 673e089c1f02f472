"""The notebook's network: layer sizes by hand, every shape at 100x100, and the same layers written down plainly."""

import pytest
import torch
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.siamese_cnn import SiameseCNN

# After each layer, for a 100x100 image: (100 - 11) // 4 + 1 = 23, (23 - 3) // 2 + 1 = 11, 11 - 4 = 7, 7 // 2 = 3, 1.
MAPS = [(96, 23), (96, 23), (96, 11), (256, 7), (256, 7), (256, 3), (384, 1), (384, 1)]
UNITS = [1024, 1024, 256, 256]


def plain(channels, outputs):
    return nn.Sequential(
        nn.Conv2d(channels, 96, kernel_size=11, stride=4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(96, 256, kernel_size=5, stride=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2, stride=2),
        nn.Conv2d(256, 384, kernel_size=3, stride=1),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(384, 1024),
        nn.ReLU(inplace=True),
        nn.Linear(1024, 256),
        nn.ReLU(inplace=True),
        nn.Linear(256, outputs),
    )


@pytest.mark.parametrize(("channels", "outputs", "total"), [(1, 2, 2_168_642), (3, 10, 2_193_930)])
def test_parameters_by_hand(channels, outputs, total):
    convolutions = (121 * channels + 1) * 96 + (25 * 96 + 1) * 256 + (9 * 256 + 1) * 384
    linear = (384 + 1) * 1024 + (1024 + 1) * 256 + (256 + 1) * outputs
    model = SiameseCNN(in_channels=channels, num_classes=outputs)
    assert sum(p.numel() for p in model.parameters()) == convolutions + linear == total


def test_every_shape():
    model, shapes = SiameseCNN(in_channels=1, num_classes=2), []
    for layer in [*model.features, *model.classifier]:
        layer.register_forward_hook(lambda *passed: shapes.append(tuple(passed[2].shape)))
    model(torch.randn(5, 1, 100, 100))
    assert shapes == [(5, c, side, side) for c, side in MAPS] + [(5, units) for units in [*UNITS, 2]]


@pytest.mark.parametrize(("channels", "outputs", "size"), [(1, 2, 100), (3, 7, 91), (1, 64, 106)])
def test_with_its_weights_the_answers_are_the_notebook_s(channels, outputs, size):
    ours, theirs = SiameseCNN(in_channels=channels, num_classes=outputs), plain(channels, outputs)
    names = dict(zip(theirs.state_dict(), ours.state_dict(), strict=True))
    ours.load_state_dict({names[key]: value for key, value in theirs.state_dict().items()})
    images = torch.randn(3, channels, size, size)
    assert torch.equal(ours(images), theirs(images))


def test_one_seed_gives_the_notebook_s_first_weights():
    torch.manual_seed(3)
    ours = SiameseCNN(in_channels=1, num_classes=2).state_dict().values()
    torch.manual_seed(3)
    theirs = plain(1, 2).state_dict().values()
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("size", [(90, 100), (100, 107), (32, 32), (224, 224)])
def test_images_of_other_sizes_are_said(size):
    said = f"images of 91 to 106 pixels a side, got {size[0]}x{size[1]}. Set data.image_size=100"
    with pytest.raises(NetgazeError, match=said):
        SiameseCNN(in_channels=1, num_classes=2)(torch.randn(1, 1, *size))


def test_the_bounds_leave_one_pixel():
    model = SiameseCNN(in_channels=1, num_classes=2)
    assert model.forward_features(torch.randn(1, 1, 91, 106)).shape == (1, 384, 1, 1)
    assert model.features(torch.randn(1, 1, 107, 107)).shape == (1, 384, 2, 2)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        model.features(torch.randn(1, 1, 90, 90))
