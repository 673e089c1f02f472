"""The equations of a convolution against autograd, finite differences, loops and SGD; the page's numbers."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import ROOT

from netgaze.inside.convolution import (
    BORDERS,
    convolve,
    differentiate_input,
    differentiate_kernel,
    pad_image,
    source_of,
    update_kernel,
)

MODES = {"zero": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def made(length, size, border, seed=0):
    """A signal, a kernel, and a gradient for each output."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=length), rng.normal(size=size), rng.normal(size=outputs(length, size, border))


def outputs(length, size, border):
    return length - size + 1 if border == "valid" else length


def possible(length, size, border):
    limit = {"valid": length, "reflect": 2 * length - 1, "circular": 2 * length + 1}
    return size <= limit.get(border, size)


def theirs(signal, kernel, upstream, border):
    """PyTorch's output, input gradient and kernel gradient."""
    x, w = (torch.from_numpy(some).requires_grad_() for some in (signal, kernel))
    wide, before = x[None, None], (len(kernel) - 1) // 2
    if border != "valid":
        wide = torch.nn.functional.pad(wide, (before, len(kernel) - 1 - before), mode=MODES[border])
    out = torch.nn.functional.conv1d(wide, w[None, None])[0, 0]
    out.backward(torch.from_numpy(upstream))
    return out.detach().numpy(), x.grad.numpy(), w.grad.numpy()


@pytest.mark.parametrize("border", BORDERS)
@settings(max_examples=60, deadline=None)
@given(length=st.integers(1, 12), size=st.integers(1, 12), seed=st.integers(0, 1000))
def test_all_three_are_autograds(border, length, size, seed):
    if not possible(length, size, border):
        with pytest.raises(ValueError, match="expected a kernel of at most"):
            convolve(np.zeros(length), np.zeros(size), border)
        return
    signal, kernel, upstream = made(length, size, border, seed)
    ours = (
        convolve(signal, kernel, border),
        differentiate_input(upstream, kernel, border),
        differentiate_kernel(upstream, signal, size, border),
    )
    for mine, other in zip(ours, theirs(signal, kernel, upstream, border), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths")
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_zero_is_padding_same(size):
    signal, kernel, _ = made(7, size, "zero")
    expected = torch.nn.functional.conv1d(
        torch.from_numpy(signal)[None, None], torch.from_numpy(kernel)[None, None], padding="same"
    )
    np.testing.assert_allclose(convolve(signal, kernel, "zero"), expected[0, 0], atol=1e-12)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [3, 4])
def test_against_loops(border, size):
    signal, kernel, upstream = made(6, size, border)
    before = 0 if border == "valid" else (size - 1) // 2

    def place(n):
        """Where the signal's value n is to be found, or None for a zero: by walking."""
        if border == "zero":
            return n if 0 <= n < 6 else None
        if border == "reflect":
            n = -n if n < 0 else n
            return 10 - n if n > 5 else n
        return min(max(n, 0), 5) if border == "replicate" else n % 6 if border == "circular" else n

    out, to_input, to_kernel = np.zeros(len(upstream)), np.zeros(6), np.zeros(size)
    for n in range(len(upstream)):
        for j in range(size):
            for m in range(6):
                if place(n + j - before) == m:
                    out[n] += kernel[j] * signal[m]
                    to_input[m] += kernel[j] * upstream[n]
                    to_kernel[j] += signal[m] * upstream[n]
    np.testing.assert_allclose(convolve(signal, kernel, border), out, atol=1e-12)
    np.testing.assert_allclose(differentiate_input(upstream, kernel, border), to_input, atol=1e-12)
    np.testing.assert_allclose(differentiate_kernel(upstream, signal, size, border), to_kernel, atol=1e-12)


@pytest.mark.parametrize("border", BORDERS)
def test_gradients_are_finite_differences(border):
    signal, kernel, upstream = made(8, 4, border)

    def cost(x, w):
        return upstream @ convolve(x, w, border)

    def slopes(at, cost):
        steps = 1e-4 * np.eye(len(at))
        return [(cost(at + step) - cost(at - step)) / 2e-4 for step in steps]

    by_input, by_kernel = slopes(signal, lambda x: cost(x, kernel)), slopes(kernel, lambda w: cost(signal, w))
    np.testing.assert_allclose(differentiate_input(upstream, kernel, border), by_input, atol=1e-8)
    np.testing.assert_allclose(differentiate_kernel(upstream, signal, 4, border), by_kernel, atol=1e-8)


@pytest.mark.parametrize("border", BORDERS)
def test_the_border_is_a_matrix_and_its_transpose(border):
    signal, kernel, upstream = made(7, 4, border)
    places = source_of(7, 4, border)
    matrix = (places[:, None] == np.arange(7)).astype(float)
    np.testing.assert_array_equal(pad_image(signal, 4, border), matrix @ signal)
    inner = differentiate_input(upstream, kernel, "valid")
    np.testing.assert_allclose(differentiate_input(upstream, kernel, border), matrix.T @ inner, atol=1e-12)


def test_the_update_is_that_of_sgd():
    signal, kernel, upstream = made(9, 3, "zero")
    weights = torch.nn.Parameter(torch.from_numpy(kernel.copy()))
    optimizer = torch.optim.SGD([weights], lr=0.3)
    for _ in range(3):
        gradient = differentiate_kernel(upstream * kernel.sum(), signal, 3)
        weights.grad = torch.from_numpy(gradient)
        optimizer.step()
        kernel = update_kernel(kernel, gradient, 0.3)
        np.testing.assert_allclose(kernel, weights.detach().numpy(), atol=1e-12)


def test_descent_finds_the_kernel_that_made_the_signal():
    signal, wanted, _ = made(50, 3, "reflect")
    target, kernel = convolve(signal, wanted, "reflect"), np.zeros(3)
    for _ in range(200):
        error = convolve(signal, kernel, "reflect") - target
        kernel = update_kernel(kernel, differentiate_kernel(error, signal, 3, "reflect"), 0.01)
    np.testing.assert_allclose(kernel, wanted, atol=1e-6)


def test_true_convolution_is_that_of_the_flipped_kernel():
    signal, kernel, _ = made(9, 3, "zero")
    np.testing.assert_allclose(convolve(signal, kernel[::-1]), np.convolve(signal, kernel, mode="same"), atol=1e-12)


@pytest.mark.parametrize(
    ("length", "size", "border", "said"),
    [
        (3, 2, "mirror", "expected a border of zero, reflect"),
        (0, 2, "zero", "got 0 and 2"),
        (3, 0, "zero", "got 3 and 0"),
        (3, 4, "valid", "at most 3 values"),
        (3, 6, "reflect", "at most 5 values"),
        (3, 8, "circular", "at most 7 values"),
    ],
)
def test_what_cannot_be_is_refused(length, size, border, said):
    with pytest.raises(ValueError, match=said):
        source_of(length, size, border)


def test_a_gradient_of_another_length_is_refused():
    with pytest.raises(ValueError, match="each of 3 outputs, got 5"):
        differentiate_kernel(np.zeros(5), np.zeros(5), 3, "valid")


def page():
    return (ROOT / "docs" / "convolution.md").read_text(encoding="utf-8")


def test_the_pages_numbers_are_the_codes():
    rows = re.findall(r"^\| `(\w+)` \| (\[.*?\]) \| (\[.*?\]) \| (\[.*?\]) \|", page(), re.MULTILINE)
    assert [row[0] for row in rows] == list(BORDERS)
    signal, kernel = np.array([1.0, 2, 3, 4]), np.array([1.0, 0, -1])
    for border, *said in rows:
        upstream = np.ones(outputs(4, 3, border))
        mine = (
            convolve(signal, kernel, border),
            differentiate_input(upstream, kernel, border),
            differentiate_kernel(upstream, signal, 3, border),
        )
        for numbers, some in zip(said, mine, strict=True):
            np.testing.assert_array_equal([float(number) for number in numbers.strip("[]").split(",")], some)


def test_the_pages_example_runs():
    (code,) = re.findall(r"```python short\n(.*?)```", page(), re.DOTALL)
    names = {}
    exec(code, names)  # its assertions
    assert names["x_out"].tolist() == [-2, -2, -2, 3]


def test_the_pages_code_lines_are_the_codes():
    code = " ".join((ROOT / "src" / "netgaze" / "inside" / "convolution.py").read_text(encoding="utf-8").split())
    blocks = re.findall(r"```py\n(.*?)```", page(), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        for line in block.strip().splitlines():
            assert line.strip() in code
