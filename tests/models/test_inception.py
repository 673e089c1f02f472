"""The inception module against torchvision's GoogLeNet, closed forms, and torch's own counter of operations."""

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netgaze.models.inception import FILTERS, InceptionNet

# Multiply-accumulates over maps of 256 channels, by (form, filters, side): sums of k * k * inputs * filters * side^2.
MACS = {
    ("naive", "googlenet_3b", 32): 1_115_684_864,
    ("naive", "cs231n", 32): 1_115_684_864,
    ("reduced", "googlenet_3b", 32): 397_410_304,
    ("reduced", "cs231n", 32): 354_418_688,
    ("naive", "googlenet_3b", 28): 854_196_224,
    ("reduced", "googlenet_3b", 28): 304_267_264,
    ("reduced", "cs231n", 28): 271_351_808,
}
REDUCTIONS = {"googlenet_3b": (128, 32), "cs231n": (64, 64)}


def network(form="reduced", filters="googlenet_3b", in_channels=256):
    return InceptionNet(form=form, filters=filters, in_channels=in_channels, num_classes=10).eval()


def by_hand(form, filters, side):
    """The convolutions' multiply-accumulates, one by one."""
    if form == "naive":
        layers = [(1, 256, 128), (3, 256, 192), (5, 256, 96)]
    else:
        three, five = REDUCTIONS[filters]
        layers = [(1, 256, 128), (1, 256, three), (3, three, 192), (1, 256, five), (5, five, 96), (1, 256, 64)]
    return sum(kernel**2 * inputs * outputs * side**2 for kernel, inputs, outputs in layers)


@pytest.mark.parametrize(("form", "filters", "side"), MACS)
def test_operations_are_the_closed_form_and_torchs_count(form, filters, side):
    with torch.device("meta"):
        model, maps = network(form, filters).inception, torch.empty(1, 256, side, side)
        with FlopCounterMode(display=False) as counter:
            model(maps)
    said = MACS[form, filters, side]
    assert by_hand(form, filters, side) == said
    assert counter.get_total_flops() == 2 * said  # a multiplication and an addition


def test_what_the_reductions_save():
    naive, reduced = MACS["naive", "googlenet_3b", 32], MACS["reduced", "googlenet_3b", 32]
    assert round(naive / reduced, 3) == 2.807
    assert round(100 * (1 - reduced / naive), 1) == 64.4


@pytest.mark.parametrize(
    ("form", "in_channels", "channels"), [("naive", 256, 672), ("naive", 3, 419), ("reduced", 256, 480)]
)
@pytest.mark.parametrize("filters", FILTERS)
def test_sides_are_kept_and_channels_concatenated(form, filters, in_channels, channels):
    with torch.device("meta"):
        model = network(form, filters, in_channels)
        maps = model.forward_features(torch.empty(2, in_channels, 7, 9))
    assert maps.shape == (2, channels, 7, 9)
    assert model.num_features == channels


def test_3b_has_the_published_size():
    """380K parameters and 304M operations in table 1 of the paper; K is 1,024 there, or the first would be 388."""
    with torch.device("meta"):
        weights = [p for name, p in network().inception.named_parameters() if name.endswith("weight")]
    assert sum(weight.numel() for weight in weights) == 388_096
    assert round(388_096 / 1024, -1) == 380


def test_the_branches_are_torchvisions_3b():
    """Torchvision's has norms in place of biases, and by an old slip 3x3 where the paper has 5x5: both are mended."""
    theirs = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False).inception3b.eval()
    theirs.branch3[1].conv = nn.Conv2d(32, 96, 5, padding=2, bias=False)
    ours = network().inception
    pairs = {
        "branch1x1": theirs.branch1,
        "reduce3x3": theirs.branch2[0],
        "branch3x3": theirs.branch2[1],
        "reduce5x5": theirs.branch3[0],
        "branch5x5": theirs.branch3[1],
        "project": theirs.branch4[1],
    }
    assert {name for name, layer in ours.named_children() if isinstance(layer, nn.Conv2d)} == set(pairs)
    for name, other in pairs.items():
        layer = ours.get_submodule(name)
        other.bn = nn.Identity()
        other.conv.weight.data.copy_(layer.weight)
        nn.init.zeros_(layer.bias)
    maps = torch.randn(2, 256, 6, 6)
    torch.testing.assert_close(ours(maps), theirs(maps), rtol=1e-4, atol=1e-5)


def test_the_naive_form_pools_the_input_and_filters_all_of_it():
    ours = network("naive", in_channels=5).inception
    maps = torch.randn(2, 5, 6, 6)
    given = ours(maps)
    parts = [torch.relu(ours.get_submodule(name)(maps)) for name in ("branch1x1", "branch3x3", "branch5x5")]
    assert torch.equal(given, torch.cat([*parts, nn.functional.max_pool2d(maps, 3, 1, 1)], dim=1))
    assert [name for name, _ in ours.named_parameters() if name.startswith(("reduce", "project"))] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"form": "wide"}, "form to be one of naive, reduced, got wide"),
        ({"filters": "4a"}, "filters to be one of googlenet_3b, cs231n, got 4a"),
    ],
)
def test_what_is_unknown_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        network(**change)
