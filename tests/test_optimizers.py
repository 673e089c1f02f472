"""Muon against the polar factor, torch's own Muon and SGD; rates by a parameter's shape."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netgaze.optimizers import SGD, Muon, orthogonalize, split_by_shape


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.Linear(8 * 16, 4)
    )


def train(model, optimizer, steps: int = 5):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images, labels = torch.randn(16, 3, 6, 6, generator=generator), torch.arange(16) % 4
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(2, 20), columns=st.integers(2, 40), seed=st.integers(0, 1000))
def test_newton_schulz_keeps_directions_and_brings_singular_values_near_one(rows, columns, seed):
    """Against the exact polar factor U V^T: the same singular vectors, values of about 1 in place of 1."""
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u, values, vh = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalize(matrix, steps=5)
    turned = u.T @ found @ vh.T
    assert torch.allclose(turned, torch.diag(turned.diagonal()), atol=1e-4)
    kept = values > 0.02 * matrix.norm()
    assert turned.diagonal()[kept].min() > 0.6
    assert turned.diagonal().max() < 1.3


def test_newton_schulz_converges_to_the_polar_factor_with_the_coefficients_that_do(monkeypatch):
    """The convergent quintic (15, -10, 3) / 8 in the same iteration gives U V^T itself."""
    monkeypatch.setattr("netgaze.optimizers._QUINTIC", (15 / 8, -10 / 8, 3 / 8))
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.allclose(orthogonalize(matrix, steps=20), u @ vh, atol=1e-4)
    assert torch.allclose(orthogonalize(matrix.T, steps=20), (u @ vh).T, atol=1e-4)


def test_filters_move_as_by_torchs_muon():
    """torch's takes matrices, in bf16, and knows no scaling of them."""
    matrix = torch.randn(8, 27, generator=torch.Generator().manual_seed(0))
    theirs = torch.nn.Parameter(matrix.clone())
    ours = torch.nn.Parameter(matrix.clone().view(8, 3, 3, 3))
    settings = {"lr": 0.05, "momentum": 0.9, "ns_steps": 5}
    first = torch.optim.Muon([theirs], weight_decay=0.0, **settings)
    second = Muon([ours], scale_filters=False, **settings)
    generator = torch.Generator().manual_seed(1)
    for step in range(3):
        grad = torch.randn(8, 27, generator=generator)
        # torch averages gradients into its momentum where the paper adds them: the direction is the same.
        theirs.grad, ours.grad = grad.clone(), grad.view(8, 3, 3, 3).clone()
        first.step()
        second.step()
        assert torch.allclose(ours.flatten(1), theirs, atol=0.01), step


def test_a_filter_bank_is_scaled_to_one_length_before_it_moves():
    bank = torch.nn.Parameter(100 * torch.randn(16, 3, 3, 3))
    bank.grad = torch.zeros_like(bank)
    Muon([bank], lr=0.1).step()
    assert float(bank.detach().norm()) == pytest.approx(4, rel=1e-5)


def test_the_rest_learns_as_by_torchs_sgd():
    ours, theirs = network(), network()
    for model in (ours, theirs):
        model[0].requires_grad_(False)
    optimizer = Muon(
        ours.parameters(), lr=0.25, linear_lr_scale=0.4, bias_lr_scale=0.2, sgd_momentum=0.8, weight_decay=0.01
    )
    linear, vectors = [theirs[3].weight], [*theirs[1].parameters(), theirs[3].bias]
    groups = [
        {"params": linear, "lr": 0.1, "weight_decay": 0.01 / 0.1},
        {"params": vectors, "lr": 0.05, "weight_decay": 0.01 / 0.05},
    ]
    reference = torch.optim.SGD(groups, momentum=0.8, nesterov=True)
    for mine, yours in zip(train(ours, optimizer), train(theirs, reference), strict=True):
        assert torch.allclose(mine, yours, atol=1e-6)


def test_what_stands_still_is_left_alone_and_comes_back():
    model = network()
    optimizer = Muon(model.parameters(), lr=0.1)
    train(model, optimizer, 2)
    model[1].bias.requires_grad_(False)
    before = model[1].bias.clone()
    train(model, optimizer, 2)
    assert torch.equal(model[1].bias, before)


def test_muon_goes_on_from_its_state():
    """Five steps are two and, from what was stored, three; `weights_only` reads the state."""
    whole, parts = network(), network()
    reference = Muon(whole.parameters(), lr=0.1)
    train(whole, reference, 3)
    first = Muon(parts.parameters(), lr=0.1)
    train(parts, first, 3)
    second = Muon(parts.parameters(), lr=0.1)
    second.load_state_dict(first.state_dict())
    for mine, yours in zip(train(whole, reference, 2), train(parts, second, 2), strict=True):
        assert torch.equal(mine, yours)


@pytest.mark.parametrize("scale", [1.0, 64.0])
def test_biases_and_norms_learn_at_a_rate_of_their_own(scale):
    ours, theirs = network(), network()
    optimizer = SGD(ours.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True, bias_lr_scale=scale)
    weights = [p for p in theirs.parameters() if p.ndim > 1]
    vectors = [p for p in theirs.parameters() if p.ndim <= 1]
    groups = [{"params": weights}, {"params": vectors, "lr": 0.01 * scale, "weight_decay": 0.0}]
    reference = torch.optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True)
    for mine, yours in zip(train(ours, optimizer), train(theirs, reference), strict=True):
        assert torch.allclose(mine, yours, atol=1e-6)


@pytest.mark.parametrize("make", [partial(SGD, lr=0.2, bias_lr_scale=3.0), partial(Muon, lr=0.2, bias_lr_scale=3.0)])
def test_a_slower_group_is_slower_in_all_it_holds(make):
    model = network()
    groups = [{"params": list(model[:2].parameters()), "lr": 0.1}, {"params": list(model[2:].parameters())}]
    rates = {id(p): group["lr"] for group in make(groups).param_groups for p in group["params"]}
    assert rates[id(model[0].weight)] == pytest.approx(0.1)
    assert rates[id(model[1].bias)] == pytest.approx(0.3)
    assert rates[id(model[3].bias)] == pytest.approx(0.6)


def test_parameters_are_told_apart_by_their_shape():
    model = network()
    kinds = {id(p): kind for kind, group in split_by_shape(model.parameters()) for p in group["params"]}
    assert [kinds[id(p)] for p in model.parameters()] == [
        "filters",
        "vectors",
        "vectors",
        "vectors",
        "linear",
        "vectors",
    ]


def test_rates_below_zero_are_refused():
    with pytest.raises(ValueError, match="0 or more"):
        Muon(network().parameters(), lr=-0.1)
