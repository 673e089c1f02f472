"""Dynamic filters against the assignment's ten separate passes, its literal control at chance, and misfits."""

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.measures.metrics import classification_metrics
from netgaze.models.dynamic_conv import FILTERS, DynamicConv
from netgaze.weights import load_weights

RESNET18 = {"depths": [2, 2, 2, 2], "widths": [64, 128, 256, 512]}


def network(**changes) -> DynamicConv:
    """Two small stages: 16x16 images give 8 maps of 16x16 up to layer1, 12 of 8x8 up to layer2."""
    torch.manual_seed(0)
    small = {"depths": [1, 1], "widths": [8, 12], "stem": "cifar", "up_to": "layer1", "image_size": 16}
    return DynamicConv(**(small | {"in_channels": 3, "num_classes": 5} | changes)).eval()


def images(size=16, num=3):
    return torch.randn(num, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_the_assignments_sizes():
    """A 32x32 image gives 64 maps of 8x8; embedding 10x128, generator 128-256-64, predictor 64-64-1."""
    model = DynamicConv(**RESNET18, stem="imagenet", up_to="layer1", image_size=32, in_channels=3, num_classes=10)
    assert model.forward_features(images(32)).shape == (3, 64, 8, 8)
    assert model.filters().shape == (10, 64, 1, 1)
    assert model(images(32)).shape == (3, 10)
    count = sum(p.numel() for name in model.head_layers for p in getattr(model, name).parameters())
    assert count == 10 * 128 + (128 * 256 + 256) + (256 * 64 + 64) + (64 * 64 + 64) + (64 + 1)


def one_class(model: DynamicConv, maps, number: int):
    """The assignment, step by step: one class's filter is written, laid over the maps, and its score predicted."""
    embedding = model.filters.embedding(torch.tensor(number))
    written = model.filters.generator(embedding)
    layer = nn.Conv2d(maps.shape[1], 1, model.filter_shape[1], padding=model.filter_shape[1] // 2, bias=False)
    del layer.weight
    layer.weight = (written / written.norm()).view(1, *model.filter_shape)
    response = layer(maps) / math.sqrt(written.numel())
    return model.predictor(response.reshape(len(maps), -1))


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("up_to", ["layer1", "layer2"])
def test_one_pass_equals_a_pass_for_each_class(kernel_size, up_to):
    model = network(kernel_size=kernel_size, up_to=up_to)
    maps = model.forward_features(images())
    apart = torch.cat([one_class(model, maps, number) for number in range(5)], dim=1)
    torch.testing.assert_close(model.forward_head(maps), apart)


def test_gradients_are_those_of_the_separate_passes():
    """They reach the embedding of every class and the generator, and are the same."""
    model = network()
    maps, weights = model.forward_features(images()).detach(), torch.randn(3, 5)
    learning = [*model.filters.parameters(), *model.predictor.parameters()]
    at_once = torch.autograd.grad((model.forward_head(maps) * weights).sum(), learning)
    apart = torch.cat([one_class(model, maps, number) for number in range(5)], dim=1)
    for ours, theirs in zip(at_once, torch.autograd.grad((apart * weights).sum(), learning), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
        assert ours.abs().sum() > 0
    assert (at_once[0].abs().sum(dim=1) > 0).all()


def test_a_filter_has_length_one_over_its_own_values():
    """Not over the classes: another class's embedding changes no filter but its own."""
    model = network(kernel_size=3)
    before = model.filters().detach()
    torch.testing.assert_close(before.flatten(1).norm(dim=1), torch.ones(5))
    with torch.no_grad():
        model.filters.embedding.weight[2] *= -3
    same = [torch.allclose(one, other) for one, other in zip(before, model.filters(), strict=True)]
    assert same == [True, True, False, True, True]


@given(st.sampled_from([1, 3]), st.floats(0.1, 30))
@settings(max_examples=20, deadline=None)
def test_a_divided_response_is_at_most_the_root_mean_square_below_it(kernel_size, loud):
    """Cauchy and Schwarz: |f x| / sqrt(d) <= |x| / sqrt(d) for a unit filter; "multiply" is d times as much."""
    model = network(kernel_size=kernel_size)
    maps = loud * torch.randn(2, 8, 16, 16)
    below = F.unfold(maps, kernel_size, padding=kernel_size // 2).square().mean(dim=1).sqrt().view(2, 1, 16, 16)
    assert (model.responses(maps).abs() <= below * 1.0001 + 1e-6).all()


def test_rescaling():
    maps = torch.randn(2, 8, 16, 16)
    divided, plain, multiplied = (network(rescale=how).responses(maps) for how in ("divide", "none", "multiply"))
    torch.testing.assert_close(plain, divided * math.sqrt(8))
    torch.testing.assert_close(multiplied, divided * 8)


class TestStaticControls:
    def test_the_literal_one_is_at_chance_whatever_it_learns(self):
        """Equal scores: the loss is log K and the answer always the same class."""
        model = network(filter="static").train()
        shown, labels = images(num=20), torch.arange(20) % 5
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        for _ in range(5):
            loss = F.cross_entropy(model(shown), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        logits = model(shown)
        assert torch.equal(logits, logits[:, :1].expand(-1, 5))
        assert loss.item() == pytest.approx(math.log(5), abs=1e-5)
        assert classification_metrics(logits, labels)["acc"] == pytest.approx(0.2)

    def test_the_literal_one_does_not_drift_in_bf16(self):
        """Its gradient is a sum over classes that cancels; in bf16 the rest, always of one sign, would add up."""
        model = network(filter="static", num_classes=10)
        with torch.autocast("cpu", torch.bfloat16):
            F.cross_entropy(model(images(num=50)), torch.arange(50) % 10).backward()
        assert model.predictor[2].bias.grad.abs().item() < 1e-6

    def test_a_filter_a_class(self):
        model = network(filter="static_per_class", kernel_size=3)
        maps = model.forward_features(images())
        filters = model.filters.weight
        scores = [model.predictor(F.conv2d(maps, one[None], padding=1).flatten(1) / math.sqrt(72)) for one in filters]
        assert len(filters) == 5
        torch.testing.assert_close(model.forward_head(maps), torch.cat(scores, dim=1))

    def test_one_filter_and_an_output_a_class(self):
        model = network(filter="static_shared")
        maps = model.forward_features(images())
        response = F.conv2d(maps, model.filters.weight) / math.sqrt(8)
        assert model.filters.weight.shape == (1, 8, 1, 1)
        torch.testing.assert_close(model.forward_head(maps), model.predictor(response.flatten(1)))

    @pytest.mark.parametrize("kind", ["static", "static_shared"])
    def test_one_map_for_all_classes(self, kind):
        model = network(filter=kind)
        maps = model.class_maps(images())
        assert maps.shape == (3, 5, 16, 16)
        assert torch.equal(maps, maps[:, :1].expand(-1, 5, -1, -1))


@pytest.mark.parametrize("kind", FILTERS)
def test_logits_are_what_the_predictor_reads_in_the_class_maps(kind):
    model = network(filter=kind)
    read = model.predictor(model.class_maps(images()).flatten(2))
    expected = read.diagonal(dim1=1, dim2=2) if kind == "static_shared" else read.squeeze(2)
    torch.testing.assert_close(model(images()), expected)


@pytest.mark.parametrize(
    ("up_to", "channels", "size"), [("layer1", 64, 8), ("layer2", 128, 4), ("layer3", 256, 2), ("layer4", 512, 1)]
)
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_deeper(up_to, channels, size, kernel_size):
    model = DynamicConv(
        **RESNET18, stem="imagenet", up_to=up_to, image_size=32, in_channels=3, num_classes=4, kernel_size=kernel_size
    ).eval()
    maps = model.forward_features(images(32))
    assert maps.shape == (3, channels, size, size)
    assert model.responses(maps).shape == (3, 4, size, size)
    assert model(images(32)).shape == (3, 4)


@pytest.mark.parametrize("size", [8, 15, 17, 33, 100])
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_the_predictor_fits_images_of_any_size(size, stem):
    model = network(image_size=size, stem=stem, up_to="layer2")
    assert model(images(size)).shape == (3, 5)


def test_images_of_another_size_are_said():
    with pytest.raises(NetgazeError, match="reads maps of 16x16, as images of 16 pixels give, but got maps of 32x32"):
        network()(images(32))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"up_to": "layer5"}, "expected up_to to be one of layer1, layer2, got layer5"),
        ({"filter": "fixed"}, "expected filter to be one of dynamic, static, .* got fixed"),
        ({"rescale": "times"}, "expected rescale to be one of divide, multiply, none, got times"),
        ({"kernel_size": 2}, "expected an odd, whole kernel_size of 1 or more, got 2"),
        ({"kernel_size": -1}, "kernel_size of 1 or more, got -1"),
    ],
)
def test_unknown_choices_are_said(change, said):
    with pytest.raises(ValueError, match=said):
        network(**change)


def test_torchvisions_weights_give_torchvisions_maps(tmp_path):
    theirs = torchvision.models.resnet18(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    ours = DynamicConv(**RESNET18, stem="imagenet", up_to="layer1", image_size=32, in_channels=3, num_classes=10).eval()
    report = load_weights(ours, str(tmp_path / "resnet18.pth"))
    shown = images(32)
    maps = theirs.layer1(theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(shown)))))
    torch.testing.assert_close(ours.forward_features(shown), maps)
    assert len(report.loaded) == 30
    assert {name.partition(".")[0] for name in report.new} == {"filters", "predictor"}
    assert {name.partition(".")[0] for name in report.skipped} == {"layer2", "layer3", "layer4", "fc"}
