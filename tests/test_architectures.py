"""The numbers of docs/architectures.md, counted again from networks that PyTorch builds."""

import re
from itertools import pairwise

import pytest
import torch
from tests.conftest import ROOT
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netgaze.models.inception import InceptionNet
from netgaze.models.resnet import ResNet
from netgaze.models.vgg import VGG

PAGE = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
PROSE = " ".join(re.sub(r"</?data[^>]*>|\$`|`\$", "", PAGE).split())
ALEXNETS = {  # channels before and behind each convolution, groups, pixels and padding of the first
    "two groups": ([(3, 96), (96, 256), (256, 384), (384, 384), (384, 256)], (1, 2, 1, 2, 2), 227, 0),
    "one group": ([(3, 96), (96, 256), (256, 384), (384, 384), (384, 256)], (1, 1, 1, 1, 1), 227, 0),
    "torchvision": ([(3, 64), (64, 192), (192, 384), (384, 256), (256, 256)], (1, 1, 1, 1, 1), 224, 2),
}


def table(start: str) -> list[list[str]]:
    """The cells of the table whose first row begins so, bold or not, without the head."""
    (block,) = re.findall(rf"^\| {re.escape(start)}.*\n\|[-| ]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = (line.strip("|\n").replace("**", "").split("|") for line in block.splitlines())
    return [[cell.strip() for cell in row] for row in rows]


def last(cell: str) -> int:
    """The number that a cell ends with: the product's value."""
    return int(re.findall(r"\d[\d,]*", cell)[-1].replace(",", ""))


def checked(cell: str) -> int:
    """The value at the end of a cell `product = value`, which the product gives indeed."""
    product, _, value = cell.partition(" = ")
    assert eval(product.replace("·", "*")) == last(value), cell
    return last(value)


def alexnet(form: str) -> nn.Sequential:
    widths, groups, _, padding = ALEXNETS[form]
    kinds = [(11, 4, padding), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)]
    layers: list[nn.Module] = []
    for number, ((reads, gives), group, kind) in enumerate(zip(widths, groups, kinds, strict=True)):
        layers.append(nn.Conv2d(reads, gives, *kind, groups=group))
        layers += [nn.MaxPool2d(3, 2)] if number in (0, 1, 4) else []
    sizes = [256 * 36, 4096, 4096, 1000]
    return nn.Sequential(*layers, nn.Flatten(), *(nn.Linear(*pair) for pair in pairwise(sizes)))


def counted(model: nn.Module, *shape: int) -> tuple[list[tuple[str, int, int, int]], int]:
    """(kind, numbers it gives, weights, biases) of the layers that run, and the multiply-accumulates of all."""
    found = []

    def note(layer, _, given):
        sizes = [p.numel() for p in layer.parameters()]
        found.append((type(layer).__name__, given.numel(), sum(sizes[:1]), sum(sizes[1:])))

    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(note)
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *shape, device="meta"))
    return found, counter.get_total_flops() // 2


def weighted(found):
    return [row for row in found if row[2]]


class TestAlexNet:
    def test_the_papers_layer_by_layer(self):
        with torch.device("meta"):
            found, operations = counted(alexnet("two groups"), 3, 227, 227)
        said = [row for row in table("layer | filters") if row[0] not in ("input", "total")]
        found = [row for row in found if row[0] != "Flatten"]
        assert len(said) == len(found) == 11
        for row, (_, gives, weights, biases) in zip(said, found, strict=True):
            assert last(row[5]) == weights + biases
            if weights:
                assert (checked(row[3]), last(row[4])) == (weights, biases)
            places = [eval(match.replace("·", "*")) for match in re.findall(r"\d+·\d+·\d+", row[2])]
            assert gives == (places[-1] if places else last(row[2]))
        total = table("layer | filters")[-1]
        sums = [sum(row[2] for row in found), sum(row[3] for row in found)]
        assert [last(cell) for cell in total[3:]] == [*sums, sum(sums)]
        assert f"the {operations:,} operations" in PROSE
        convolutions = sum(row[1] for row in weighted(found))
        assert f"from conv1 to fc8 are {convolutions:,}" in PROSE

    @pytest.mark.parametrize(("column", "form"), list(enumerate(ALEXNETS, start=1)))
    def test_the_three_forms(self, column, form):
        with torch.device("meta"):
            found, _ = counted(alexnet(form), 3, ALEXNETS[form][2], ALEXNETS[form][2])
        sizes = [weights + biases for _, _, weights, biases in weighted(found)]
        said = [last(row[column]) for row in table("layer | two groups")]
        assert said == [*sizes[:5], sum(sizes[5:]), sum(sizes)]

    def test_its_products(self):
        for row in table("layer | two groups"):
            for cell in row[1:]:
                product, _, value = cell.partition(" = ")
                assert not value or eval(product.replace("·", "*")) == last(value)
        assert (224 - 11) / 4 + 1 == 54.25
        assert (227 - 11) / 4 + 1 == 55


class TestVGG19:
    def test_row_by_row(self):
        with torch.device("meta"):
            model = VGG(depths=[2, 2, 4, 4, 4], widths=[64, 128, 256, 512, 512], in_channels=3, num_classes=1000)
            found, operations = counted(model, 3, 224, 224)
        found = [row for row in found if row[0] in ("Conv2d", "MaxPool2d", "Linear")]
        names = {"Conv2d": "CONV3", "MaxPool2d": "POOL2", "Linear": "FC"}
        given, *said, total = table(" | activations")
        assert len(said) == len(found) == 24
        for (name, gives, _, weights), (kind, activations, count, _) in zip(said, found, strict=True):
            assert name.startswith(names[kind])
            assert (last(gives), last(weights)) == (activations, count)
            assert weights == "0" or checked(weights) == count
            assert " = " not in gives or checked(gives) == activations
        activations = checked(given[1]) + sum(row[1] for row in found)
        assert [last(total[1]), last(total[3])] == [activations, sum(row[2] for row in found)]
        assert [activations, sum(row[2] for row in found)] == [16_542_184, 143_652_544]
        assert f"{operations:,} operations per image" in PROSE

    def test_its_megabytes_and_shares(self):
        *rows, total = table(" | activations")
        for row in [*rows, total]:
            assert row[2] == f"{last(row[1]) * 4 / 1e6:.2f} MB"
        activations = [last(row[1]) for row in rows]
        weights = {kind: sum(last(row[3]) for row in rows if row[0].startswith(kind)) for kind in ("FC", "CONV3")}
        assert [round(100 * sum(activations[:n]) / sum(activations)) for n in (4, 7)] == [45, 66]
        assert f"linear layers hold {weights['FC']:,}, or {weights['FC'] / 143_652_544:.0%}" in PROSE
        assert f"convolutions hold {weights['CONV3']:,}" in PROSE
        assert f"{sum(activations[-3:]):,} activations of the" in PROSE


def support(layers: list[tuple[int, int]]) -> int:
    """How many inputs one output in the middle depends on, for kernels and strides in one dimension: by autograd."""
    signal = torch.zeros(1, 1, 1600, requires_grad=True, dtype=torch.float64)
    out = signal
    for kernel, stride in layers:
        out = nn.functional.conv1d(out, torch.ones(1, 1, kernel, dtype=torch.float64) / kernel, stride=stride)
    out[0, 0, out.shape[-1] // 2].backward()
    (seen,) = signal.grad[0, 0].nonzero(as_tuple=True)
    assert seen[-1] - seen[0] + 1 == len(seen)
    return len(seen)


class TestReceptiveFields:
    @pytest.mark.parametrize(("number", "size"), [(1, 3), (2, 3), (3, 3), (3, 5), (4, 2), (5, 7)])
    def test_a_stack_sees_what_the_rule_says(self, number, size):
        assert support([(size, 1)] * number) == number * size - number + 1

    def test_the_table_of_stacks(self):
        for stack, sees, weights, one, other in table("stack | sees"):
            number, size = (int(part) for part in re.findall(r"(\d) of (\d)x", stack)[0])
            side = support([(size, 1)] * number)
            assert [sees, one] == [f"{side}x{side}"] * 2
            assert weights.endswith(f"{number * size**2} C²")
            assert other == f"{side**2} C²"

    def test_the_table_of_resnet18(self):
        layers, jump = [], 1
        for name, kernel, stride, sees, said in table("layer | kernel"):
            number = int((re.findall(r"(\d) convolutions|other (\d)", name) or [("1", "")])[0][0] or 3)
            layers += [(int(kernel), int(stride))] * number
            jump *= int(stride)
            assert support(layers) == last(sees)
            assert eval(sees.split(" = ")[0].replace("·", "*")) == last(sees)
            assert int(said) == jump
        with torch.device("meta"):
            model = ResNet(depths=[2] * 4, widths=[64, 128, 256, 512], stem="imagenet", in_channels=3, num_classes=1000)
        kernels = [
            layer.kernel_size
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d) and "downsample" not in name
        ]
        assert len(layers) == len(kernels)

    def test_alexnet_and_vgg19(self):
        alex = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]
        vgg = [layer for depth in (2, 2, 4, 4, 4) for layer in [*[(3, 1)] * depth, (2, 2)]]
        assert f"AlexNet see {support(alex)} pixels, of VGG-19 {support(vgg)}" in PROSE


class TestInception:
    @pytest.mark.parametrize(("column", "form"), [(1, "naive"), (2, "reduced")])
    def test_outputs_and_operations(self, column, form):
        with torch.device("meta"):
            module = InceptionNet(form=form, in_channels=256, num_classes=10).inception
            found, total = counted(module, 256, 32, 32)
        found = [row for row in found if row[0] in ("Conv2d", "MaxPool2d")]
        *sizes, together = [row[column] for row in table("filter | naive") if row[column]]
        assert [eval(size.replace("x", "*")) for size in sizes] == [row[1] for row in found]
        assert together.endswith(f"32x32x{module.out_channels}")
        *steps, said = [row[column] for row in table("layer | naive") if row[column]]
        assert last(said) == total
        assert [last(step) for step in steps] == [32 * 32 * row[2] for row in found if row[2]]
        assert all(checked(step) for step in steps if " = " in step)

    def test_what_is_saved(self):
        naive, reduced = (last(cell) for cell in table("layer | naive")[-1][1:])
        assert f"{naive:,} - {reduced:,} = {naive - reduced:,} operations" in PROSE
        assert f"from {256 * 128 + 9 * 256 * 192 + 25 * 256 * 96:,} to 388,096" in PROSE
        assert f"**{100 * (1 - reduced / naive):.1f}%, or a factor of {naive / reduced:.2f}**" in PROSE

    def test_what_is_not_saved(self):
        sums = [0, 0]
        for row in table("filter | naive"):
            for column, cell in enumerate(row[1:]):
                sums[column] += eval((cell.split(": ")[-1] or "0").replace("x", "*"))
        assert f"come to {sums[1]:,} numbers in place of {sums[0]:,}" in PROSE

    def test_where_a_reduction_pays(self):
        for kernel, filters, most in [(3, 192, 222), (5, 96, 231)]:
            cost = [kernel**2 * 256 * filters] + [256 * r + kernel**2 * r * filters for r in (most, most + 1)]
            assert cost[1] < cost[0] < cost[2]
        assert "up to 222 channels for the 3x3 here and up to 231 for the 5x5" in PROSE

    def test_the_slip_of_the_slide(self):
        """Its terms: three reductions and a 1x1 of 128, 3x3 and 5x5 over 64 channels, at 28x28."""
        places = 28 * 28
        terms = [places * 256 * width for width in (64, 64, 64, 128)]
        three, five = places * 9 * 64 * 192, places * 25 * 64 * 96
        assert sum(terms) + three + five == 271_351_808
        assert round((sum(terms) + 2 * three + five) / 1e6) == 358
        assert f"{three:,}" in PROSE


def test_the_proposal_networks_sizes():
    with torch.device("meta"):
        layers = [nn.Conv2d(512, 512, 3, padding=1), nn.Conv2d(512, 18, 1), nn.Conv2d(512, 36, 1)]
    sizes = [f"{sum(p.numel() for p in layer.parameters()):,}" for layer in layers]
    assert f"the first has {sizes[0]} parameters, the two siblings {sizes[1]} and {sizes[2]}" in PROSE
    assert f"60·40·9 = {60 * 40 * 9:,} anchors" in PROSE
