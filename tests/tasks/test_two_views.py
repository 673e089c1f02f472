"""Tasks of two views: what they lose, what is theirs alone, and what figures see."""

import math
from functools import partial

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from tests.data.test_base import tiny
from tests.tasks.test_tasks import network

from netgaze.batch import Batch
from netgaze.data.augment import Augment
from netgaze.errors import NetgazeError
from netgaze.measures.losses import byol_regression, center_distance, nt_xent, sigreg, sup_con, vicreg_terms
from netgaze.schedules import Constant
from netgaze.tasks.byol import BYOL
from netgaze.tasks.lejepa import LeJEPA
from netgaze.tasks.simclr import SimCLR
from netgaze.tasks.supcon import SupCon
from netgaze.tasks.two_views import COMPARED, make_mlp
from netgaze.tasks.vicreg import VICReg

KINDS = [SimCLR, SupCon, VICReg, BYOL, LeJEPA]
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}


def made(kind, lr=0.01, **changes):
    torch.manual_seed(0)
    optimizer = partial(torch.optim.SGD, lr=lr)
    return kind(
        model=network(), num_classes=10, optimizer=optimizer, schedule=Constant(), **{"projector": [8, 6]} | changes
    )


def two_views(num=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    views = tuple(torch.randn(num, 3, 8, 8, generator=generator) for _ in range(2))
    return Batch(views, torch.arange(num) % 3, torch.arange(num))


def fit(task, epochs=2, callbacks=(), **changes):
    data = tiny(augment=Augment(crop_padding=2, color_jitter=0.4))
    data.num_views = task.num_views
    trainer = Trainer(max_epochs=epochs, callbacks=list(callbacks), enable_model_summary=False, **QUIET, **changes)
    trainer.fit(task, datamodule=data)
    return trainer


def project_apart(task, batch):
    """Projections of each view, in evaluation mode, where no image counts for another."""
    features = [task.model.forward_head(task.model.forward_features(view), pre_logits=True) for view in batch.views]
    return [task.projector(each) for each in features]


# --- what is lost ---


def measure(task, first, second, labels):
    """The loss by the measure's own words, of projections [B,P]."""
    if isinstance(task, SupCon):
        return sup_con(torch.cat([first, second]), labels.repeat(2), 0.5)
    if isinstance(task, SimCLR):
        return nt_xent(first, second, 0.5)
    if isinstance(task, VICReg):
        return sum(weight * term for weight, term in zip((1, 1, 1 / 25), vicreg_terms(first, second), strict=True))
    directions = task._choose_directions(torch.stack([first, second], 1))
    normal = (sigreg(first, directions) + sigreg(second, directions)) / 2
    return 0.95 * center_distance(torch.stack([first, second])) + 0.05 * normal


@pytest.mark.parametrize("kind", [SimCLR, SupCon, VICReg, LeJEPA])
def test_each_loss_is_its_measure_of_the_projections(kind):
    task, batch = made(kind).eval(), two_views()
    torch.testing.assert_close(task.loss(batch).loss, measure(task, *project_apart(task, batch), batch.labels))


def test_byol_predicts_the_copys_projection_of_the_other_view():
    task, batch = made(BYOL).eval(), two_views()
    with torch.no_grad():
        for parameter in task.target_model.parameters():
            parameter.mul_(0.7)
    first, second = project_apart(task, batch)
    targets = [
        task.target_projector(task.target_model.forward_head(task.target_model.forward_features(view), pre_logits=True))
        for view in batch.views
    ]
    expected = byol_regression(task.predictor(first), targets[1]) + byol_regression(task.predictor(second), targets[0])
    torch.testing.assert_close(task.loss(batch).loss, expected)


def test_labels_count_for_supcon_alone():
    batch = two_views()
    other = Batch(batch.views, batch.labels.flip(0) // 2, batch.index)
    for kind in KINDS:
        task = made(kind).eval()
        same = torch.equal(task.loss(batch).loss, task.loss(other).loss)
        assert same == (kind is not SupCon)


def test_vicregs_terms_stand_among_its_numbers_unweighted():
    task, batch = made(VICReg, variance_weight=3.0).eval(), two_views()
    numbers = task.loss(batch).numbers
    terms = vicreg_terms(*project_apart(task, batch))
    for name, term in zip(("invariance", "variance", "covariance"), terms, strict=True):
        torch.testing.assert_close(numbers[name], term)
        assert not numbers[name].requires_grad


def test_a_split_is_compared_in_parts_each_weighing_its_images():
    for kind in KINDS:
        task = made(kind).eval()
        num = COMPARED + 44
        batch = two_views(num)
        with torch.no_grad():
            outputs = task.loss(batch).outputs
        assert outputs.shape[0] == num
        found = task.compute_metrics("val", outputs, batch.labels)
        parts = [task.compare(outputs[rows], batch.labels[rows])[0] for rows in torch.arange(num).split(COMPARED)]
        assert found["loss"] == pytest.approx((COMPARED * float(parts[0]) + 44 * float(parts[1])) / num, rel=1e-5)


# --- what is theirs alone ---


@pytest.mark.parametrize("kind", KINDS)
def test_the_projector_is_saved_and_no_part_of_the_network(kind):
    task = made(kind)
    names = set(task.state_dict())
    assert any(name.startswith("projector.") for name in names)
    assert set(task.model.state_dict()) == set(network().state_dict())
    images = two_views().images
    before = task.eval().model.forward_head(task.model.forward_features(images), pre_logits=True)
    with torch.no_grad():
        for parameter in task.projector.parameters():
            parameter.zero_()
    after = task.model.forward_head(task.model.forward_features(images), pre_logits=True)
    assert torch.equal(before, after)


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_may_learn_gets_a_gradient(kind):
    task = made(kind).train()
    task.loss(two_views(16)).loss.backward()
    idle = {name for name, parameter in task.named_parameters() if parameter.requires_grad and parameter.grad is None}
    frozen = {name.partition(".")[0] for name, parameter in task.named_parameters() if not parameter.requires_grad}
    assert not idle
    assert frozen == ({"model", "target_model", "target_projector"} if kind is BYOL else {"model"})
    assert [name for name, p in task.model.named_parameters() if not p.requires_grad] == ["fc.weight", "fc.bias"]


def test_a_projector_is_as_wide_as_it_was_said():
    layers = make_mlp([5, 7, 3])
    assert [layer.weight.shape for layer in layers if isinstance(layer, torch.nn.Linear)] == [(7, 5), (3, 7)]
    assert [type(layer).__name__ for layer in layers] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    rows = torch.randn(4, 5)
    assert torch.equal(make_mlp([5])(rows), rows)
    assert made(SimCLR, projector=[]).width == network().head_hidden_size


class Course(Callback):
    """Notes the network's weights at the start and after each batch."""

    def __init__(self):
        self.states = []

    def on_train_start(self, trainer, pl_module):
        self.states.append({name: value.clone() for name, value in pl_module.model.state_dict().items()})

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.on_train_start(trainer, pl_module)


def test_byols_copy_begins_as_the_network_and_follows_by_a_cosine():
    task, course = made(BYOL, momentum=0.8), Course()
    with torch.no_grad():  # as if it had been given other weights
        for parameter in task.model.parameters():
            parameter.add_(0.1)
    fit(task, callbacks=[course])
    first, *later = course.states
    copied = {name: value.clone() for name, value in first.items()}
    for place, state in enumerate(later, start=1):
        momentum = 1 - (1 - 0.8) * (1 + math.cos(math.pi * (place - 1) / len(later))) / 2
        copied = {name: momentum * copied[name] + (1 - momentum) * state[name] for name in copied}
    learned = dict(task.model.named_parameters())
    for name, found in task.target_model.named_parameters():
        torch.testing.assert_close(found, copied[name], rtol=1e-4, atol=1e-6)
        assert torch.equal(found, learned[name]) == name.startswith("fc.")
        assert found.grad is None


def test_without_a_predictor_and_with_no_lag_byol_has_nothing_to_learn_but_likeness():
    task = made(BYOL, predictor=None, momentum=0.0)
    assert list(task.predictor.parameters()) == []
    batch = two_views()
    same = Batch((batch.images, batch.images), batch.labels, batch.index)
    assert task.eval().loss(same).loss.item() == pytest.approx(0, abs=1e-5)


def test_lejepas_directions_are_new_in_each_step_and_the_same_in_every_validation():
    task, embedded = made(LeJEPA), torch.zeros(2, 2, 6)
    task.train()
    assert not torch.equal(task._choose_directions(embedded), task._choose_directions(embedded))
    task.eval()
    state = torch.random.get_rng_state()
    assert torch.equal(task._choose_directions(embedded), task._choose_directions(embedded))
    assert torch.equal(torch.random.get_rng_state(), state)


# --- in training ---


class Losses(Callback):
    """Notes the losses of each epoch."""

    def __init__(self):
        self.train, self.val = [], []

    def on_train_epoch_end(self, trainer, pl_module):
        self.train.append(pl_module.epoch_numbers()["train/loss"])
        self.val.append(pl_module.epoch_numbers()["val/loss"])


@pytest.mark.parametrize("kind", KINDS)
def test_validation_has_the_same_views_in_every_epoch(kind):
    losses = Losses()
    task = made(kind, lr=0.0)
    for module in task.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.0
    fit(task, epochs=3, callbacks=[losses])
    assert len(losses.val) == 3
    assert len(set(losses.val)) == 1
    assert math.isfinite(losses.val[0])
    assert len(set(losses.train)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_each_learns(kind):
    losses = Losses()
    changes = {"momentum": 1.0} if kind is BYOL else {}  # a copy that moves may make the loss larger
    fit(made(kind, lr=0.05, **changes), epochs=12, callbacks=[losses])
    assert losses.train[-1] < losses.train[0]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (SimCLR, {"temperature": 0.0}),
        (VICReg, {"covariance_weight": -1.0}),
        (BYOL, {"momentum": 1.5}),
        (LeJEPA, {"sigreg_weight": 1.2}),
        (LeJEPA, {"num_directions": 0}),
    ],
)
def test_what_cannot_be_is_refused(kind, changes):
    with pytest.raises(NetgazeError, match=f"task.{next(iter(changes))}"):
        made(kind, **changes)
