"""What layers cost and see, against torch's own counters, published numbers, and the support of gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tests.conftest import CONF
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from netgaze.build import build
from netgaze.errors import NetgazeError
from netgaze.inside.anatomy import Field, estimate_memory, find_fields, group_parts, list_layers, sum_totals
from netgaze.models.resnet import ResNet
from netgaze.models.vgg import VGG

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml") if path.stem != "module")  # a person's own
INPUTS = {"siamese_cnn": (1, 100, 100), "alexnet": (3, 224, 224), "alexnet_128": (3, 128, 128)}


def made(name: str):
    """A network of conf/model on the meta device, and the images that it reads."""
    if name == "timm":
        pytest.importorskip("timm", reason="timm is not here (pip install netgaze[timm])")
    shape = INPUTS.get(name, (3, 32, 32))
    facts = {"in_channels": shape[0], "num_channels": shape[0], "num_classes": 10, "image_size": shape[1]}
    content = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"))
    with torch.device("meta"):
        return build(content | {key: value for key, value in facts.items() if key in content}), shape


def flops(model: nn.Module, shape) -> int:
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counter:  # with gradients, else attention takes a way that it cannot see
        model.eval()(torch.zeros(1, *shape, device=device))
    return counter.get_total_flops()


@pytest.mark.parametrize("name", MODELS)
def test_every_network_has_torchs_own_counts(name):
    model, shape = made(name)
    rows = list_layers(model, shape)
    found = sum_totals(rows)
    named = {key: p.numel() for key, p in model.named_parameters()}
    assert 2 * found["macs"] == flops(model, shape)
    assert found["params"] == sum(named.values())
    assert found["params_no_bias"] == sum(size for key, size in named.items() if not key.endswith("bias"))
    assert rows[0].name == "input"
    assert rows[0].output_shape == shape
    assert {row.name for row in rows[1:]} <= {key for key, _ in model.named_modules()}
    assert all(row.receptive_field or not row.macs or row.name.startswith("filters") for row in rows)
    sums = [sum(part[key] for part in group_parts(rows).values()) for key in found]
    assert sums == list(found.values())


class Attentive(nn.Module):
    """A grouped, dilated and a transposed convolution, attention over places, and a batch of matrix products."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=2)
        self.up = nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, groups=2)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, images):
        tokens = self.up(self.grouped(images)).flatten(2).transpose(1, 2)
        read, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        seen = nn.functional.scaled_dot_product_attention(read, tokens, tokens)
        return torch.baddbmm(seen, seen, torch.einsum("bnc,bnd->bcd", read, tokens))


def test_groups_transposed_convolutions_and_attention_have_torchs_counts():
    model = Attentive()
    rows = list_layers(model, (4, 7, 7))
    assert 2 * sum_totals(rows)["macs"] == flops(model, (4, 7, 7))
    assert sum_totals(rows)["params"] == sum(p.numel() for p in model.parameters())
    macs = {row.name: row.macs for row in rows}
    assert macs["grouped"] == 8 * 49 * 2 * 9
    assert macs["up"] == 8 * 49 * 3 * 9  # each input meets three filters of its group


class TestPublished:
    def rows(self):
        with torch.device("meta"):
            model = VGG(depths=[2, 2, 4, 4, 4], widths=[64, 128, 256, 512, 512], in_channels=3, num_classes=1000)
        return list_layers(model, (3, 224, 224))

    def test_vgg19(self):
        """Simonyan and Zisserman 2014: 144 million parameters, 19.6 billion multiply-accumulates."""
        assert sum_totals(self.rows()) == {
            "params": 143_667_240,
            "params_no_bias": 143_652_544,
            "activations": 16_542_184,
            "macs": 19_632_062_464,
        }

    def test_vgg19_layer_by_layer(self):
        """The well-known table: convolutions of 3x3, of which none changes the size, and pools that halve it."""
        expected, side, before = [((3, 224, 224), 0)], 224, 3
        for depth, width in zip([2, 2, 4, 4, 4], [64, 128, 256, 512, 512], strict=True):
            for _ in range(depth):
                expected.append(((width, side, side), 9 * before * width))
                before = width
            side //= 2
            expected.append(((width, side, side), 0))
        expected += [((4096,), 25_088 * 4096), ((4096,), 4096 * 4096), ((1000,), 4096 * 1000)]
        costly = [row for row in self.rows() if row.activations]
        assert [(row.output_shape, row.params_no_bias) for row in costly] == expected

    @pytest.mark.parametrize(
        ("block", "depths", "params", "gmacs", "field"),
        [("basic", [2, 2, 2, 2], 11_689_512, 1.81, 435), ("bottleneck", [3, 4, 6, 3], 25_557_032, 4.09, 427)],
    )
    def test_resnets(self, block, depths, params, gmacs, field):
        """Counts as torchvision states them, fields as Araujo et al. 2019 compute them (with strides in the 3x3)."""
        with torch.device("meta"):
            model = ResNet(
                block=block, depths=depths, widths=[64, 128, 256, 512], stem="imagenet", in_channels=3, num_classes=1000
            )
        found = sum_totals(list_layers(model, (3, 224, 224)))
        assert found["params"] == params
        assert round(found["macs"] / 1e9, 2) == gmacs
        assert find_fields(model, (3, 224, 224))["layer4"] == Field(field, 32, -(field // 2))


@given(st.integers(1, 6), st.sampled_from([1, 3, 5, 7]))
@settings(max_examples=15, deadline=None)
def test_a_stack_sees_what_one_large_filter_sees(num, size):
    """N layers of F x F: NF - N + 1 pixels, whatever the image's size and padding."""
    stack = nn.Sequential(*(nn.Conv2d(1, 1, size, padding=size // 2) for _ in range(num)))
    assert list_layers(stack, (1, 9, 9))[-1].receptive_field == num * size - num + 1


WINDOWS = st.lists(
    st.tuples(st.sampled_from(["conv", "max", "avg"]), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
    min_size=1,
    max_size=4,
)


def window(kind, size, stride, dilation):
    padding = size // 2
    if kind == "conv":
        return nn.Conv2d(1, 1, size, stride, padding * dilation, dilation)
    return nn.MaxPool2d(size, stride, padding, dilation) if kind == "max" else nn.AvgPool2d(size, stride, padding)


@given(WINDOWS)
@settings(max_examples=25, deadline=None)
def test_one_path_follows_the_textbook_rule(windows):
    """r += (k - 1) d j, start -= p j, j *= s (Araujo et al. 2019, with padding)."""
    field, start, jump = 1, 0, 1
    for kind, size, stride, dilation in windows:
        layer = window(kind, size, stride, dilation)
        field += (size - 1) * (1 if kind == "avg" else dilation) * jump
        start -= layer.padding[0] * jump if kind == "conv" else layer.padding * jump
        jump *= stride
    stack = nn.Sequential(*(window(*each) for each in windows))
    side = 240  # so large that dilated pools, which pad too little, leave something of it
    assert find_fields(stack, (1, side, side))[""] == Field(field, jump, start)


def supports(model: nn.Module, side: int):
    """The rows and columns that each unit of a map answers to, by autograd: (first, last) of both, [h,w,4]."""
    model = model.double().eval()
    for p in model.parameters():
        nn.init.uniform_(p, 0.1, 1.0)
    image = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    maps = model(image).sum(1)[0]
    found = {}
    for place in torch.cartesian_prod(*(torch.arange(size) for size in maps.shape)).tolist():
        (grad,) = torch.autograd.grad(maps[tuple(place)], image, retain_graph=True)
        seen = grad[0, 0].nonzero()
        found[tuple(place)] = (*seen.amin(0).tolist(), *seen.amax(0).tolist())
    return found


def same_support(model: nn.Module, side: int) -> int:
    """Hold every unit whose field lies inside the image against its gradient; how many there were."""
    field, num = find_fields(model, (1, side, side))[""], 0
    for place, seen in supports(model, side).items():
        firsts = [field.start + number * field.stride for number in place]
        lasts = [first + field.size - 1 for first in firsts]
        if min(firsts) >= 0 and max(lasts) < side:
            assert seen == (*firsts, *lasts)
            num += 1
    return num


class Branches(nn.Module):
    """A wide and a narrow branch, brought together again."""

    def __init__(self, how):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.wide = nn.Sequential(
            nn.Conv2d(2, 2, 3, 2, padding=2, dilation=2), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1)
        )
        self.narrow, self.how = nn.Conv2d(2, 2, 1, 2), how

    def forward(self, images):
        maps = self.stem(images)
        wide, narrow = self.wide(maps), self.narrow(maps)
        if self.how == "option_a":
            return wide + nn.functional.pad(maps[:, :1, ::2, ::2], (0, 0, 0, 0, 0, 1))
        return torch.cat([narrow, wide], dim=1) if self.how == "cat" else wide + narrow


@pytest.mark.parametrize("how", ["sum", "cat", "option_a"])
def test_branches_see_what_their_gradients_reach(how):
    assert same_support(Branches(how), 24) >= 4


@given(
    st.lists(st.tuples(st.sampled_from(["conv", "avg"]), st.integers(1, 4), st.integers(1, 2), st.just(1)), max_size=2)
)
@settings(max_examples=10, deadline=None)
def test_paths_see_what_their_gradients_reach(windows):
    layers_of = [nn.Conv2d(1, 1, 3, padding=1), *(window(*each) for each in windows)]
    assert same_support(nn.Sequential(*layers_of), 24) >= 1


@pytest.mark.parametrize(
    ("model", "side"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d(5)), 15),
        (nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d(6)), 15),  # windows of 3 that are not evenly apart
        (nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.ConvTranspose2d(1, 1, 4, 2, 1)), 21),
        (nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.ConvTranspose2d(1, 1, 2, 2, 2)), 21),  # which begins at the second
        (nn.Sequential(nn.Conv2d(1, 1, 3, 3), nn.AdaptiveAvgPool2d(1)), 15),
        (nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.Flatten(), nn.Softmax(1), nn.Unflatten(1, (1, 3, 3))), 7),
        (nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(1, 1, 2)), 9),
        (nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(81, 4), nn.Unflatten(1, (1, 2, 2))), 11),
    ],
    ids=["pool", "uneven pool", "transposed", "cropped", "global pool", "softmax", "pad", "linear"],
)
def test_the_widest_unit_is_as_wide_as_its_gradient(model, side):
    field = find_fields(model, (1, side, side))[""]
    seen = supports(model, side).values()
    assert field.size == max(bottom - top + 1 for top, _, bottom, _ in seen)
    assert max(field.start, 0) == min(top for top, *_ in seen)


class Patches(nn.Module):
    """Patches as tokens that one attention brings together, as in a vision transformer."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm, self.first = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), nn.Linear(8, 8)
        self.token, self.last = nn.Parameter(torch.zeros(1, 1, 8)), nn.Linear(8, 8)

    def forward(self, images):
        tokens = self.first(self.norm(self.embed(images).flatten(2).transpose(1, 2)))
        tokens = torch.cat([self.token.expand(len(images), -1, -1), tokens], dim=1)
        scores = (tokens @ tokens.transpose(1, 2)).softmax(-1)
        return self.last(scores @ tokens)


def test_tokens_see_their_patch_until_attention_brings_them_together():
    model = Patches()
    seen = find_fields(model, (3, 16, 16))
    assert seen["first"] == Field(4, 4, 0)
    assert seen["last"] == Field(16, None, 0)
    own = [row for row in list_layers(model, (3, 16, 16)) if row.name == ""]
    assert [(row.kind, row.params) for row in own] == [("cat, bmm, softmax", 8)]


class Twice(nn.Module):
    """A layer that runs twice, one that never does, and work of its own in between."""

    def __init__(self):
        super().__init__()
        self.conv, self.idle = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(3, 5)

    def forward(self, images):
        return self.conv(self.conv(images)).relu().mean(dim=(2, 3))


def test_shared_layers_own_work_and_idle_layers_are_said():
    rows = list_layers(Twice(), (2, 6, 6))
    assert [(row.name, row.kind, row.call, row.params, row.receptive_field) for row in rows] == [
        ("input", "Input", 1, 0, 1),
        ("conv", "Conv2d", 1, 38, 3),
        ("conv", "Conv2d", 2, 0, 5),
        ("", "relu, mean", 1, 0, 10),
        ("idle", "Linear (parameters alone)", 1, 20, None),
    ]
    assert [row.activations for row in rows] == [72, 72, 72, 2, 0]


def test_activations_that_can_overwrite_their_input_are_not_counted_again():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(6))
    assert [row.activations for row in list_layers(model, (3, 8, 8))] == [192, 144, 0, 0, 0, 0]
    assert sum_totals(list_layers(nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Flatten()), (1, 5, 5)))["activations"] == 50


def test_an_uneven_grid_has_no_stride():
    up = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.ConvTranspose2d(1, 1, 4, 2, 1), nn.ConvTranspose2d(1, 1, 4, 2, 1))
    assert [row.stride for row in list_layers(up, (1, 8, 8))] == [1, 2, None, None]


class Skipping(nn.Module):
    """Every second pixel, then a padded filter over them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, images):
        return self.conv(images[:, :, ::2, ::2])


def test_padding_goes_on_as_the_grid_does():
    assert find_fields(Skipping(), (1, 9, 9))[""] == Field(5, 2, -2)


def test_oblong_fields_are_none():
    model = nn.Sequential(nn.Conv2d(1, 1, (1, 3)), nn.Conv2d(1, 1, (3, 1)))
    assert [row.receptive_field for row in list_layers(model, (1, 9, 9))] == [1, None, 3]
    assert find_fields(nn.AdaptiveAvgPool2d(1), (1, 4, 6))[""] is None


class Countable(nn.Module):
    """Cannot run without numbers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, images):
        maps = self.conv(images)
        return maps * float(maps.detach().sum() > -1e9)


def test_a_network_that_needs_numbers_gets_them():
    assert sum_totals(list_layers(Countable(), (1, 5, 5))) == {
        "params": 20,
        "params_no_bias": 18,
        "activations": 44,  # the sum is one
        "macs": 162,
    }


class Fused(nn.Module):
    """Attention over places on real numbers, where torch has one operation for it."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)

    def forward(self, images):
        tokens = self.embed(images).flatten(2).transpose(1, 2).unflatten(2, (2, 4)).transpose(1, 2).contiguous()
        assert float(tokens.detach().abs().sum()) >= 0
        return nn.functional.scaled_dot_product_attention(tokens, tokens[:, :, :6], tokens[:, :, :6])


def test_attention_in_one_operation_counts_and_sees_the_same():
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Fused()(torch.zeros(1, 3, 16, 16))
    row = list_layers(Fused(), (3, 16, 16))[-1]
    assert "scaled_dot_product" in row.kind
    assert 2 * row.macs == counter.get_total_flops() - 2 * 8 * 16 * 48
    assert row.macs == 2 * 2 * 16 * 6 * 4  # heads, queries times keys, and as much for the values
    assert row.receptive_field == 16


def test_leaves_the_network_as_it_was():
    model = ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=2)
    model.layer1.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    list_layers(model, (3, 8, 8)), estimate_memory(model, (3, 8, 8), 4)
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(p.grad is None and p.device.type == "cpu" for p in model.parameters())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 0), (3, 8, 8.5), (3, 8, "8"), (True, 8, 8)])
def test_an_input_is_three_whole_numbers(shape):
    with pytest.raises(ValueError, match="expected an input of three integers"):
        list_layers(nn.ReLU(), shape)


def test_images_that_a_network_cannot_read_are_said():
    with pytest.raises(NetgazeError, match=r"Conv2d cannot read images of 1x8x8: .*Choose another input"):
        list_layers(nn.Conv2d(3, 1, 3), (1, 8, 8))


class TestTraining:
    def test_by_hand(self):
        """Kept: the images for the weights' gradients, the ReLU's output, which the linear layer reads."""
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 5))
        found = estimate_memory(model, (1, 5, 5), 10)
        weights = 4 * (20 + 95)
        assert found == {
            "weights": weights,
            "gradients": weights,
            "optimizer": weights,
            "activations": 4 * 10 * (25 + 18),
            "total": 3 * weights + 4 * 10 * 43,
        }
        half = estimate_memory(model, (1, 5, 5), 10, precision=16, optimizer_states=2)
        assert half["activations"] == 2 * 10 * 43
        assert half["optimizer"] == 2 * weights

    def test_what_torch_really_keeps(self):
        """On real tensors, at another batch size: to the byte where nothing is drawn, norms' statistics aside."""
        model = ResNet(depths=[1, 1], widths=[8, 16], stem="cifar", in_channels=3, num_classes=10)
        kept, weights = {}, {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}

        def pack(tensor):
            kept[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            model.train()(torch.randn(7, 3, 32, 32)).sum()
        real = sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in weights)
        assert estimate_memory(model, (3, 32, 32), 7)["activations"] == pytest.approx(real, rel=0.01)

    def test_another_precision_is_refused(self):
        with pytest.raises(ValueError, match="16 or 32, got 8"):
            estimate_memory(nn.ReLU(), (1, 2, 2), 1, precision=8)
