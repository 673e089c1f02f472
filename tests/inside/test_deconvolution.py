"""The way back to the image: against captum, unpooling and transposed convolutions step by step; what is refused."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution
from tests.models.test_models import MODELS, made, pictures
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.inside.deconvolution import PATHS, carry_back, keep_all, keep_channel, keep_place
from netgaze.models.resnet import BasicBlock, Bottleneck, ResNet

torch.manual_seed(0)


def shaken(model):
    """In eval mode, with biases and statistics that are none of the usual zeros and ones."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            for values in (module.running_mean, module.weight, module.bias):
                nn.init.normal_(values.data)
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias)
    return model.eval()


class Stepped(nn.Module):
    """A convolution, then a step."""

    def __init__(self, step):
        super().__init__()
        self.body, self.last, self.step = nn.Conv2d(3, 4, 1), nn.Identity(), step

    def forward(self, x):
        return self.last(self.step(self.body(x)))


def plain():
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 9, 7),
        nn.ReLU(),
        nn.Linear(7, 4),
    )


class TestPlainNetwork:
    @pytest.mark.parametrize("target", range(4))
    def test_equals_captum(self, target):
        model, images = shaken(plain()), torch.randn(3, 3, 31, 30)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = Deconvolution(model).attribute(images, target=target)
        ours = carry_back(model, "9", images, lambda scores: F.one_hot(torch.tensor([target] * 3), 4).float())
        assert expected.abs().max() > 0
        assert torch.allclose(ours, expected, rtol=1e-5, atol=1e-9)

    @pytest.mark.parametrize("size", [16, 17, 18, 19])
    def test_step_by_step_as_zeiler_and_fergus(self, size):
        """Switches, then rectify, then filter: max_unpool2d and conv_transpose2d, with the output's size put in."""
        first, norm = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        second = nn.Conv2d(6, 5, 3, stride=2)
        model = shaken(nn.Sequential(first, norm, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU()))
        images = torch.randn(2, 3, size, size)
        with torch.no_grad():
            one = norm(first(images)).relu()
            pooled, switches = F.max_pool2d(one, 2, return_indices=True)
            seen = second(pooled).relu()
            back = F.conv_transpose2d(seen.relu(), second.weight, stride=2)
            lacking = (0, pooled.shape[3] - back.shape[3], 0, pooled.shape[2] - back.shape[2])
            back = F.max_unpool2d(F.pad(back, lacking), switches, 2, output_size=one.shape[2:]).relu()
            back = back * (norm.weight / (norm.running_var + norm.eps).sqrt()).view(1, -1, 1, 1)
            rest = (size - 1) % 2  # what the stride leaves over: output_padding gives back the exact size
            back = F.conv_transpose2d(back, first.weight, stride=2, padding=1, output_padding=rest)
        ours = carry_back(model, "5", images, keep_all)
        assert ours.shape == images.shape
        assert torch.allclose(ours, back, rtol=1e-4, atol=1e-6)

    def test_every_way_to_write_relu(self):
        convolution = nn.Conv2d(3, 4, 3)

        class Own(nn.Module):
            def __init__(self, relu):
                super().__init__()
                self.convolution, self.relu, self.last = convolution, relu, nn.Identity()

            def forward(self, x):
                return self.last(self.relu(self.convolution(x) - 0.1))

        ways = [nn.ReLU(), nn.ReLU(inplace=True), F.relu, torch.relu, torch.relu_, lambda x: x.relu(), F.relu_]
        ways += [lambda x: F.relu(x, inplace=True), lambda x: F.relu(input=x)]
        images = torch.randn(2, 3, 8, 8)
        torch.manual_seed(3)
        seed = torch.randn(2, 4, 6, 6)
        found = [carry_back(Own(way).eval(), "last", images, lambda a: seed) for way in ways]
        expected = F.conv_transpose2d(seed.relu(), convolution.weight)
        for back in found:
            assert torch.allclose(back, expected, atol=1e-6)


def naive_block(block, x, path):
    """A basic block's way back by hand, of all that it answers."""

    def factor(norm):
        return (norm.weight / (norm.running_var + norm.eps).sqrt()).view(1, -1, 1, 1)

    def undone(convolution, back, size):
        return torch.nn.grad.conv2d_input(size, convolution.weight, back, convolution.stride, convolution.padding)

    answer = block(x).relu()
    inner = block.conv1(x)
    back = undone(block.conv2, answer * factor(block.bn2), inner.shape).relu()
    residual = undone(block.conv1, back * factor(block.bn1), x.shape)
    shortcut = answer
    if not isinstance(block.downsample, nn.Identity):
        shortcut = undone(block.downsample[0], answer * factor(block.downsample[1]), x.shape)
    return {"residual": residual, "shortcut": shortcut, "both": residual + shortcut}[path]


class TestResidualBlocks:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(("channels", "stride"), [(4, 1), (6, 1), (6, 2)])
    def test_basic_block_by_hand(self, channels, stride, path):
        model = shaken(nn.Sequential(nn.Conv2d(3, 4, 1), BasicBlock(4, channels, stride)))
        images = torch.randn(2, 3, 9, 9)
        with torch.no_grad():
            expected = F.conv_transpose2d(naive_block(model[1], model[0](images), path), model[0].weight)
        assert torch.allclose(carry_back(model, "1", images, keep_all, path), expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
    def test_both_is_the_sum_over_one_block(self, block):
        model = shaken(nn.Sequential(nn.Conv2d(3, 8, 1), block(8, 2, 2)))
        images = torch.randn(2, 3, 8, 8)
        residual, shortcut, both = (carry_back(model, "1", images, keep_all, path) for path in PATHS)
        assert torch.allclose(residual + shortcut, both, rtol=1e-4, atol=1e-6)
        assert residual.abs().max() > 0
        assert shortcut.abs().max() > 0

    def test_shortcuts_of_a_deep_network_are_its_stem_and_projections(self):
        model = shaken(ResNet(depths=[2, 1], widths=[4, 4], stem="cifar", in_channels=3, num_classes=3))
        images = torch.randn(2, 3, 8, 8)
        found = carry_back(model, "layer2", images, keep_all, "shortcut")
        with torch.no_grad():
            answer = model.forward_features(images)
            first, norm = model.layer2[0].downsample
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).view(1, -1, 1, 1)
            back = torch.nn.grad.conv2d_input((2, 4, 8, 8), first.weight, answer * factor, 2).relu()
            factor = (model.bn1.weight / (model.bn1.running_var + model.bn1.eps).sqrt()).view(1, -1, 1, 1)
            expected = torch.nn.grad.conv2d_input(images.shape, model.conv1.weight, back * factor, 1, 1)
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)

    def test_sums_in_place(self):
        class InPlace(BasicBlock):
            def forward(self, x):
                out = self.bn2(self.conv2(F.relu_(self.bn1(self.conv1(x)))))
                out += self.downsample(x)
                return F.relu_(out)

        images, blocks = torch.randn(2, 3, 8, 8), (BasicBlock(4, 6, 2), InPlace(4, 6, 2))
        blocks[1].load_state_dict(blocks[0].state_dict())
        stem = nn.Conv2d(3, 4, 1)
        for path in PATHS:
            ours, theirs = (carry_back(nn.Sequential(stem, own).eval(), "1", images, keep_all, path) for own in blocks)
            assert torch.equal(ours, theirs)


class TestWhatIsKept:
    def test_one_channel(self):
        activation = torch.randn(3, 5, 4, 6)
        kept = keep_channel(torch.tensor([2, 0, 2]))(activation)
        for image, channel in enumerate((2, 0, 2)):
            assert torch.equal(kept[image, channel], activation[image, channel])
            assert kept[image].count_nonzero() == 24

    @pytest.mark.parametrize("shape", [(3, 5, 4, 6), (3, 7, 5), (3, 5)], ids=["maps", "tokens", "features"])
    def test_one_place(self, shape):
        activation = torch.randn(shape)
        channels = torch.tensor([2, 0, 4])
        kept = keep_place(channels)(activation)
        own = activation.movedim(2, 1) if len(shape) == 3 else activation
        for image, channel in enumerate(channels):
            assert kept[image].count_nonzero() == 1
            assert kept[image].sum() == own[image, channel].max()


class TestEveryModel:
    @pytest.mark.parametrize("name", MODELS)
    def test_goes_back_without_a_trace(self, name):
        model, images = shaken(made(name)), pictures(name, 2)
        before, learning = model(images), [parameter.requires_grad for parameter in model.parameters()]
        # Behind a GELU there is no way back.
        layer = model.filter_layers[0] if name == "airbench" else model.feature_layers[-1]
        for path in PATHS:
            back = carry_back(model, layer, images, keep_all, path)
            assert back.shape == images.shape
            assert torch.isfinite(back).all()
            assert back.abs().max() > 0
        assert all(parameter.grad is None for parameter in model.parameters())
        assert learning == [parameter.requires_grad for parameter in model.parameters()]
        assert not any(module._forward_hooks for module in model.modules())
        assert torch.equal(model(images), before)

    @pytest.mark.parametrize("step", [nn.GELU(), nn.Sigmoid(), nn.ReLU6(), nn.Softmax(dim=1), nn.LayerNorm(8)], ids=str)
    def test_what_cannot_be_carried_back_is_named(self, step):
        model = nn.Sequential(nn.Conv2d(3, 4, 1), step, nn.Conv2d(4, 4, 1)).eval()
        with pytest.raises(
            NetgazeError, match=r"carry 2 back.*(Gelu|Sigmoid|Hardtanh|Softmax|LayerNorm), which"
        ) as said:
            carry_back(model, "2", torch.randn(1, 3, 8, 8), keep_all)
        assert str(said.value).count(". ") == 1
        assert carry_back(model, "0", torch.randn(1, 3, 8, 8), keep_all).shape == (1, 3, 8, 8)

    def test_gates_are_refused(self):
        class Gated(nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.last = nn.Conv2d(3, 4, 1), nn.Identity()

            def forward(self, x):
                maps = self.body(x)
                return self.last(2 * maps * maps.mean(dim=(2, 3), keepdim=True))

        with pytest.raises(NetgazeError, match="Mul, which"):
            carry_back(Gated().eval(), "last", torch.randn(1, 3, 8, 8), keep_all)

    @pytest.mark.parametrize(
        ("step", "word"),
        [
            (lambda x: torch.bmm(x.flatten(2), x.flatten(2).transpose(1, 2)), "Bmm"),
            (lambda x: torch.ones(1, 4, 8, 8) / (x + 100), "Div"),
            (lambda x: F.instance_norm(x), "BatchNorm"),
            (lambda x: F.batch_norm(x, None, None, training=True), "BatchNorm"),
        ],
        ids=["product", "quotient", "instance_norm", "batch statistics"],
    )
    def test_what_only_looks_linear_is_refused(self, step, word):
        with pytest.raises(NetgazeError, match=f"{word}, which is neither"):
            carry_back(Stepped(step).eval(), "last", torch.randn(2, 3, 8, 8), keep_all)

    def test_fixed_factors_are_carried_back(self):
        model, images = Stepped(lambda x: (x / 4).flatten(2) @ torch.eye(64).mul(3)).eval(), torch.randn(2, 3, 8, 8)
        seed = 0.75 * model(images).unflatten(2, (8, 8)).detach()
        expected = F.conv_transpose2d(seed, model.body.weight)
        assert torch.allclose(carry_back(model, "last", images, keep_all), expected, atol=1e-5)

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("num", [1, 2])
    def test_a_sum_with_what_does_not_come_from_the_image_is_no_fork(self, path, num):
        added = torch.randn(1, 4, 8, 8)
        model, images = Stepped(lambda x: x + added).eval(), torch.randn(num, 3, 8, 8)
        expected = F.conv_transpose2d(model(images).detach(), model.body.weight)
        assert torch.allclose(carry_back(model, "last", images, keep_all, path), expected, atol=1e-5)

    def test_what_does_not_come_from_the_image_comes_back_as_zero(self):
        model = Stepped(lambda x: torch.ones(1, 4, 8, 8)).eval()
        assert carry_back(model, "last", torch.randn(1, 3, 8, 8), keep_all).count_nonzero() == 0

    def test_statements_in_place_are_refused(self):
        def statement(x):
            x.relu_()
            return x

        with pytest.raises(NetgazeError, match="changes maps in place"):
            carry_back(Stepped(statement).eval(), "last", torch.randn(1, 3, 8, 8), keep_all)

    def test_learned_scales_are_factors(self):
        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.last, self.gamma = (
                    nn.Conv2d(3, 4, 1),
                    nn.Identity(),
                    nn.Parameter(torch.full((1,), 3.0)),
                )

            def forward(self, x):
                return self.last(self.body(x) * self.gamma)

        model, images = Scaled().eval(), torch.randn(1, 3, 8, 8)
        expected = F.conv_transpose2d(9 * model.body(images), model.body.weight)
        assert torch.allclose(carry_back(model, "last", images, keep_all), expected, atol=1e-5)

    def test_unknown_words(self):
        model = plain().eval()
        with pytest.raises(NetgazeError, match=r"Unknown path left\. Choose from residual, shortcut, both"):
            carry_back(model, "0", torch.randn(1, 3, 8, 8), keep_all, "left")
        with pytest.raises(NetgazeError, match="no layer conv9"):
            carry_back(model, "conv9", torch.randn(1, 3, 8, 8), keep_all)
