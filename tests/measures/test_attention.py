"""Roll-out against a loop over paths, distance and entropy against closed forms and loops."""

import itertools
import math

import numpy as np
import pytest
import torch

from netgaze.measures.attention import measure_distance, measure_entropy, roll_out


def draw_weights(num_layers=3, num=2, heads=2, tokens=5, seed=0):
    torch.manual_seed(seed)
    return [(2 * torch.randn(num, heads, tokens, tokens)).softmax(dim=-1) for _ in range(num_layers)]


@pytest.mark.parametrize("read", [[0], [1, 2, 3, 4], [0, 3]], ids=str)
def test_roll_out_is_the_sum_over_all_paths(read):
    """From a token that is read back through a token of each layer to one of the input, each step by its weight."""
    layers, tokens = draw_weights(), 5
    found = roll_out(layers, torch.tensor([token in read for token in range(tokens)]))
    for image in range(2):
        expected = np.zeros(tokens)
        for path in itertools.product(read, range(tokens), range(tokens), range(tokens)):
            share = 1.0
            for (query, key), weights in zip(itertools.pairwise(path), reversed(layers), strict=True):
                share *= 0.5 * float(weights[image, :, query, key].mean()) + 0.5 * (query == key)
            expected[path[-1]] += share / len(read)
        np.testing.assert_allclose(found[image], expected, rtol=1e-5)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2))


def test_the_order_of_the_layers_counts():
    layers, read = draw_weights(), torch.tensor([True, False, False, False, False])
    assert not torch.allclose(roll_out(layers, read), roll_out(layers[::-1], read), atol=1e-3)


def test_rows_that_are_not_whole_are_made_so():
    weights = torch.full((1, 1, 3, 3), 0.1)
    found = roll_out([weights, weights], torch.tensor([True, True, False]))
    torch.testing.assert_close(found.sum(), torch.tensor(1.0))


def test_roll_out_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        roll_out([], torch.tensor([True]))


def loop_distance(weights, side, pitch):
    total = 0.0
    for query in range(side * side):
        row = weights[-side * side :]
        own = row[query, -side * side :]
        for key in range(side * side):
            rows, columns = query // side - key // side, query % side - key % side
            total += float(own[key] / own.sum()) * math.hypot(rows, columns) * pitch
    return total / side**2


@pytest.mark.parametrize("before", [0, 1, 3])
def test_distance_is_that_of_a_loop(before):
    weights = draw_weights(1, num=2, heads=3, tokens=9 + before)[0]
    found = measure_distance(weights, side=3, pitch=4.0)
    assert found.shape == (2, 3)
    for image, head in itertools.product(range(2), range(3)):
        assert float(found[image, head]) == pytest.approx(loop_distance(weights[image, head], 3, 4.0), rel=1e-5)


def test_distance_of_even_attention_and_of_ones_own_patch():
    """Of a 2x2 grid: a quarter each at 0, 1, 1 and the square root of 2."""
    even = torch.full((1, 1, 4, 4), 0.25)
    assert measure_distance(even, 2, 8.0).item() == pytest.approx(8 * (2 + math.sqrt(2)) / 4)
    assert measure_distance(torch.eye(4).view(1, 1, 4, 4), 2, 8.0).item() == 0
    below = torch.eye(9).roll(3, dims=1).view(1, 1, 9, 9)  # one row further; from the last row two rows up
    assert measure_distance(below, 3, 2.0).item() == pytest.approx(2 * (1 + 1 + 2) / 3)


def test_entropy_goes_from_one_token_to_all():
    assert measure_entropy(torch.full((1, 2, 7, 7), 1 / 7))[0].tolist() == pytest.approx([1, 1])
    assert measure_entropy(torch.eye(5).view(1, 1, 5, 5)).item() == 0
    halves = torch.zeros(1, 1, 4, 4)
    halves[..., :2] = 0.5
    assert measure_entropy(halves).item() == pytest.approx(0.5)
    weights = draw_weights(1)[0]
    expected = -(weights * weights.log()).sum(dim=-1).mean(dim=-1) / math.log(5)
    torch.testing.assert_close(measure_entropy(weights), expected)
