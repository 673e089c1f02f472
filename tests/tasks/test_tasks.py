"""Tasks: what they show, ask and sum up; how they optimize."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from netgaze.batch import Batch, Mixed
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.tasks.rotation import Rotation, rotate_four
from netgaze.tasks.supervised import Supervised, average_views


def network(num_classes: int = 10) -> ResNet:
    return ResNet(depths=[1, 1], widths=[8, 16], stem="cifar", in_channels=3, num_classes=num_classes)


def batch(images, labels=None) -> Batch:
    labels = torch.zeros(len(images), dtype=torch.long) if labels is None else labels
    return Batch((images,), labels, torch.arange(len(images)))


def rotation() -> Rotation:
    return Rotation(model=network(4), num_classes=4, optimizer=partial(torch.optim.SGD, lr=0.1), schedule=Constant())


def supervised(**changes) -> Supervised:
    return Supervised(
        model=network(),
        num_classes=10,
        optimizer=partial(torch.optim.SGD, lr=0.1, weight_decay=0.1),
        schedule=Constant(),
        **changes,
    )


@settings(max_examples=20, deadline=None)
@given(num=st.integers(1, 5), side=st.integers(1, 9))
def test_rotations_are_numpys(num, side):
    images = torch.rand(num, 3, side, side)
    turned = rotate_four(images)
    for turns in range(4):
        expected = np.rot90(images.numpy(), turns, axes=(2, 3))
        assert np.array_equal(turned[turns * num : (turns + 1) * num].numpy(), expected)


def test_oblong_images_are_refused():
    with pytest.raises(ValueError, match="square"):
        rotate_four(torch.rand(1, 3, 4, 5))


def test_rotation_shows_every_image_in_all_four_rotations():
    images, labels = torch.rand(5, 3, 8, 8), torch.randint(10, (5,))
    examples, targets = rotation().make_examples(images, labels)
    assert examples.shape == (20, 3, 8, 8)
    assert targets.bincount().tolist() == [5, 5, 5, 5]
    assert torch.equal(examples[:5], images)


def test_rotation_loss_is_the_papers():
    """(1/N) sum_i -(1/K) sum_y log F^y(g(X_i|y)), written as the double loop it is."""
    task = rotation().eval()
    images = torch.rand(3, 3, 8, 8)
    loss = task.loss(batch(images)).loss
    total = 0.0
    for image in images:
        for turns in range(4):
            turned = torch.from_numpy(np.rot90(image.numpy(), turns, axes=(1, 2)).copy())
            total -= float(task(turned.unsqueeze(0)).log_softmax(dim=1)[0, turns].detach()) / 4
    assert float(loss.detach()) == pytest.approx(total / 3, rel=1e-5)


def test_cross_entropy_by_hand():
    """An even guess over K classes costs ln K; half the mass on the truth costs ln 2."""
    task = supervised()
    assert float(task.criterion(torch.zeros(4, 10), torch.arange(4))) == pytest.approx(np.log(10))
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert float(task.criterion(logits, torch.tensor([0]))) == pytest.approx(np.log(2))


def test_label_smoothing_acts_in_training_only():
    task = supervised(label_smoothing=0.1)
    logits, targets = torch.randn(8, 10), torch.randint(10, (8,))
    log_p = logits.log_softmax(dim=1)
    hard = -log_p[torch.arange(8), targets].mean()
    smooth = 0.9 * hard + 0.1 * -log_p.mean()
    assert torch.allclose(task.train().criterion(logits, targets), smooth)
    assert torch.allclose(task.eval().criterion(logits, targets), hard)


@pytest.mark.parametrize("make", [rotation, supervised])
def test_every_parameter_gets_a_gradient(make):
    task = make().train()
    task.loss(batch(torch.rand(6, 3, 8, 8), torch.randint(10, (6,)))).loss.backward()
    assert [name for name, p in task.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_weight_decay_spares_biases_and_norms():
    task = supervised()
    task._trainer = type("T", (), {"max_epochs": 0})()
    groups = task.configure_optimizers()["optimizer"].param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    spared = {id(p) for group in groups if not group["weight_decay"] for p in group["params"]}
    for module in task.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert {id(module.weight), id(module.bias)} <= spared
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert id(module.weight) in decayed
    assert len(decayed) + len(spared) == len(list(task.parameters()))


def test_evidence_is_the_naive_cam():
    """M_c(x,y) = sum_k w_k^c f_k(x,y), and its mean plus the bias is the class's score."""
    task = supervised().eval()
    images = torch.rand(2, 3, 16, 16)
    maps, weight = task.model.forward_features(images), task.model.fc.weight
    evidence = task.class_maps(images)
    for b in range(2):
        for c in range(10):
            expected = sum(weight[c, k] * maps[b, k] for k in range(maps.shape[1]))
            assert torch.allclose(evidence[b, c], expected, atol=1e-5)
    assert torch.allclose(evidence.mean(dim=(2, 3)) + task.model.fc.bias, task(images), atol=1e-5)


def test_six_views_count_as_the_record_counts_them():
    """Each view by itself: mirrored or not half the time, shifted half the time, by a pixel one way or the other."""
    images, weight = torch.randn(2, 3, 5, 6), torch.randn(4, 90)

    def model(shown):
        return shown.flatten(1) @ weight.T

    expected = 0.0
    for mirrored in (False, True):
        for dy, share in ((0, 0.5), (-1, 0.25), (1, 0.25)):
            rows = [[4 - abs(4 - abs(y + dy)) for y in range(5)]]
            columns = [5 - abs(5 - abs(x + dy)) for x in range(6)]
            view = images[:, :, rows[0]][..., columns]
            expected = expected + share / 2 * model(view.flip(-1) if mirrored else view)
    assert torch.allclose(average_views(model, images), expected, atol=1e-5)


def test_a_mixed_batch_costs_what_soft_labels_cost():
    """Cross-entropy against shares of classes, smoothed as torch smooths them."""
    task, images = supervised(label_smoothing=0.2), torch.randn(6, 3, 8, 8)
    labels, others = torch.arange(6), torch.tensor([5, 0, 0, 2, 2, 4])
    mixed = replace(batch(images, labels), mixed=Mixed(others, 0.3))
    shares = 0.3 * torch.eye(10)[labels] + 0.7 * torch.eye(10)[others]
    logits = task(images)
    step = task.loss(mixed)
    assert torch.allclose(step.loss, nn.functional.cross_entropy(logits, shares, label_smoothing=0.2))
    answers = logits.argmax(dim=1)
    right = 0.3 * (answers == labels).float().mean() + 0.7 * (answers == others).float().mean()
    assert torch.allclose(step.numbers["acc"], right)


def test_rotations_of_mixed_images_are_rotations():
    task, images = rotation(), torch.randn(3, 3, 8, 8)
    mixed = replace(batch(images), mixed=Mixed(torch.tensor([2, 0, 1]), 0.4))
    assert torch.allclose(task.loss(mixed).loss, task.loss(batch(images)).loss)
