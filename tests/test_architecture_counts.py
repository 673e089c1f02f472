"""The shares and factors of docs/numbers/architectures.yaml, from the sizes of the layers."""

import sys

from tests.conftest import ROOT

sys.path.append(str(ROOT / "docs"))
import measured

# Weights and places of the paper's AlexNet, whose convolutions 2, 4 and 5 see half of the channels, and of VGG-19.
ALEXNET = [
    (121 * 3 * 96, 55**2),
    (25 * 48 * 256, 27**2),
    *((9 * n * m, 13**2) for n, m in [(256, 384), (192, 384), (192, 256)]),
]
LINEAR = [9216 * 4096, 4096 * 4096, 4096 * 1000]
WIDTHS, DEPTHS = [64, 128, 256, 512, 512], [2, 2, 4, 4, 4]
VGG_LINEAR = [25088 * 4096, *LINEAR[1:]]


def count_vgg() -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Activations of each part that a pool ends, and weights and places of each convolution."""
    parts, convolutions, reads = list[list[int]](), list[tuple[int, int]](), 3
    for number, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
        places = (224 >> number) ** 2
        parts.append([places * width] * depth + [places * width // 4])
        for _ in range(depth):
            convolutions.append((9 * reads * width, places))
            reads = width
    return parts, convolutions


def count_inception(three: int, five: int, pool: int) -> int:
    """Operations at 32x32 with 256 channels, of a module with reductions to so many channels."""
    reductions = 256 * (three + five + pool)
    return 32**2 * (256 * 128 + reductions + 9 * three * 192 + 25 * five * 96)


def test_each_share_and_factor_is_counted():
    weights, operations = sum(size for size, _ in ALEXNET), sum(size * places for size, places in ALEXNET)
    biases = 96 + 256 + 384 + 384 + 256
    linear = sum(LINEAR) + 4096 + 4096 + 1000
    parts, convolutions = count_vgg()
    activations = 224**2 * 3 + sum(map(sum, parts)) + 4096 + 4096 + 1000
    first = 224**2 * 3 + sum(parts[0])
    vgg = sum(size for size, _ in convolutions)
    vgg_weights, vgg_operations = vgg + sum(VGG_LINEAR), sum(size * places for size, places in convolutions)
    all_operations = vgg_operations + sum(VGG_LINEAR)
    naive = 32**2 * 256 * (128 + 9 * 192 + 25 * 96)
    reduced, lectures = count_inception(128, 32, 64), count_inception(64, 64, 64)
    five = 32**2 * (256 * 32 + 25 * 32 * 96)
    counted = {
        "AlexNet, parameters in linear layers": f"{linear / (linear + weights + biases):.0%}",
        "AlexNet, parameters in convolutions": f"{(weights + biases) / (linear + weights + biases):.0%}",
        "AlexNet, operations in convolutions": f"{operations / (operations + sum(LINEAR)):.0%}",
        "VGG-19, activations up to the first pool": f"{first / activations:.0%}",
        "VGG-19, activations up to the second pool": f"{(first + sum(parts[1])) / activations:.0%}",
        "VGG-19, activations of 64 images": f"{64 * 4 * activations / 1e9:.1f} GB",
        "VGG-19, weights": f"{4 * vgg_weights / 1e6:.1f} MB",
        "VGG-19, weights in linear layers": f"{sum(VGG_LINEAR) / vgg_weights:.0%}",
        "VGG-19, weights in the first linear layer": f"{VGG_LINEAR[0] / vgg_weights:.0%}",
        "VGG-19, operations in linear layers": f"{sum(VGG_LINEAR) / all_operations:.1%}",
        "VGG-19, weights per weight of AlexNet": f"{vgg_weights / (weights + sum(LINEAR)):.1f}",
        "VGG-19, operations per operation of AlexNet": f"{all_operations / (operations + sum(LINEAR)):.0f}",
        "three 3x3 layers, weights saved against a 7x7": f"{1 - 27 / 49:.0%}",
        "7x7, extra weights against three 3x3 layers": f"{49 / 27 - 1:.0%}",
        "inception, operations saved by reductions": f"{1 - reduced / naive:.1%}",
        "inception, factor by reductions": f"{naive / reduced:.2f}",
        "inception, factor of the 5x5 by its reduction": f"{32**2 * 25 * 256 * 96 / five:.1f}",
        "inception, naive operations in the 5x5": f"{32**2 * 25 * 256 * 96 / naive:.0%}",
        "inception, operations of a second naive module": f"{672 / 256:.1f} times",
        "inception of CS231n, operations saved": f"{1 - lectures / naive:.1%}",
        "inception of CS231n, factor": f"{naive / lectures:.2f}",
    }
    assert measured.read_numbers()["architectures"].measured["counts"].values == counted
