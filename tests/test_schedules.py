"""Our factors against torch's own schedulers, step by step."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.schedules import Constant, Cosine, Linear, MultiStep, OneCycle

EPOCHS, STEPS = 6, 10


def torchs(make) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(EPOCHS * STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(schedule) -> list[float]:
    return [schedule(step / STEPS, EPOCHS) for step in range(EPOCHS * STEPS)]


def test_multistep():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2 * STEPS, 5 * STEPS], gamma=0.2))
    assert ours(MultiStep([2, 5], gamma=0.2)) == pytest.approx(theirs)


def test_cosine():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, EPOCHS * STEPS, eta_min=0.1))
    assert ours(Cosine(final=0.1)) == pytest.approx(theirs)


def test_one_cycle():
    """torch reaches its end one step earlier: it counts total_steps - 1 intervals."""
    total = EPOCHS * STEPS
    theirs = torchs(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o,
            1.0,
            total_steps=total + 1,
            pct_start=(0.25 * total + 1) / (total + 1),
            div_factor=10,
            final_div_factor=1000,
            cycle_momentum=False,
        )
    )
    assert ours(OneCycle(rise=0.25, start=0.1, final=1e-4)) == pytest.approx(theirs, abs=1e-6)


def test_linear_is_interpolation_between_its_corners():
    found = ours(Linear(rise=0.25, start=0.2, final=0.07))
    corners = [0, 0.25 * EPOCHS * STEPS, EPOCHS * STEPS]
    assert found == pytest.approx(np.interp(range(EPOCHS * STEPS), corners, [0.2, 1, 0.07]))


def test_linear_without_a_rise_is_torchs_linear_lr():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=EPOCHS * STEPS))
    assert ours(Linear(final=0.1)) == pytest.approx(theirs)


@given(warmup=st.floats(0.1, 5), epoch=st.floats(0, 6))
def test_warmup_is_linear_then_hands_over(warmup, epoch):
    factor = Constant(warmup_epochs=warmup)(epoch, EPOCHS)
    assert factor == pytest.approx(min(1.0, epoch / warmup))


@given(epoch=st.floats(0, 6))
def test_factors_stay_between_zero_and_one(epoch):
    for schedule in (
        Constant(),
        Cosine(warmup_epochs=1),
        MultiStep([1, 3], warmup_epochs=0.5),
        OneCycle(),
        Linear(0.3),
    ):
        assert 0 <= schedule(epoch, EPOCHS) <= 1
