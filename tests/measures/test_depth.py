"""Prediction depth against its definition, image by image."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.measures.depth import find_depths


@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 1000))
def test_depth_is_the_first_layer_from_which_on_all_agree(layers, num, seed):
    rng = torch.Generator().manual_seed(seed)
    votes, answers = torch.randint(0, 3, (layers, num), generator=rng), torch.randint(0, 3, (num,), generator=rng)
    for image, found in enumerate(find_depths(votes, answers).tolist()):
        expected = layers
        while expected > 0 and votes[expected - 1, image] == answers[image]:
            expected -= 1
        assert found == expected


def test_known_depths():
    votes = torch.tensor([[1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    assert find_depths(votes, torch.tensor([1, 1, 1, 1])).tolist() == [0, 1, 2, 3]
