"""The Siamese task: what each loss gets, what embeddings are in training and outside, where thresholds come from."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score, roc_curve
from tests.measures.test_verification import crossing
from torch import nn
from torch.nn import functional as F

from netgaze.batch import Batch
from netgaze.errors import NetgazeError
from netgaze.measures import pair_losses
from netgaze.measures.collapse import embedding_std
from netgaze.measures.verification import verify
from netgaze.measures.whitening import solve_whitening
from netgaze.models.grid_resnet import GridResNet
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.tasks import siamese
from netgaze.tasks.siamese import Siamese

EMBEDDING, PEOPLE, SIDE = 6, 9, 5
LOSSES = ("contrastive", "mining_contrastive", "triplet")


class Faces:
    """Three people a split, eight photos each, normalized: what a task asks of its data."""

    def __init__(self, seed=0):
        self.parts = {}
        for place, split in enumerate(("train", "val", "test")):
            labels = torch.arange(24) // 8 + 3 * place
            generator = torch.Generator().manual_seed(seed + place)
            people = torch.randn(PEOPLE, 3, SIDE, SIDE, generator=generator)
            self.parts[split] = people[labels] + torch.randn(24, 3, SIDE, SIDE, generator=generator), labels

    def batches(self, split, augmented=False):
        images, labels = self.parts[split]
        for place in torch.arange(len(labels)).split(10):
            yield Batch((images[place],), labels[place], place)


def make(model=None, seed=0, **changes):
    torch.manual_seed(seed)
    return Siamese(
        model=model or nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, EMBEDDING)),
        num_classes=PEOPLE,
        optimizer=partial(torch.optim.SGD, lr=0.1),
        schedule=Constant(),
        **{"embedding_dim": EMBEDDING} | changes,
    )


def batch(num=12, seed=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, 3, SIDE, SIDE, generator=generator), torch.arange(num) % 3


def step_of(task, images, labels):
    return task.loss(Batch((images,), labels, torch.arange(len(labels))))


def split_through(task, data, split):
    """A split's outputs and labels, as validation sees them."""
    with torch.no_grad():
        parts = [(task(some.images), some.labels) for some in data.batches(split)]
    return torch.cat([some for some, _ in parts]), torch.cat([some for _, some in parts])


# --- losses ---


@pytest.mark.parametrize("margin", [None, 1.0, 2.5])
def test_contrastive_of_as_many_different_as_same_pairs(margin):
    task, (_, labels) = make(margin=margin), batch()
    embeddings = 2 * torch.randn(12, EMBEDDING)
    torch.manual_seed(7)
    found = task.criterion(embeddings, labels)
    torch.manual_seed(7)
    first, second, different = pair_losses.draw_balanced_pairs(labels)
    assert different.float().mean() == 0.5
    assert torch.equal(found, pair_losses.contrastive(embeddings[first], embeddings[second], different, margin or 2.0))


@pytest.mark.parametrize("share", [0.5, 0.2, 1.0])
def test_mining_contrastive_of_the_hardest(share):
    task, (_, labels) = make(loss="mining_contrastive", mined_fraction=share), batch()
    embeddings = torch.randn(12, EMBEDDING)
    assert torch.equal(task.criterion(embeddings, labels), pair_losses.mining_contrastive(embeddings, labels, share))
    others = [pair_losses.mining_contrastive(embeddings, labels, other) for other in (0.5, 0.2, 1.0)]
    assert len({float(other) for other in others}) == 3


@pytest.mark.parametrize("margin", [None, 0.1, 1.5])
def test_triplet_with_a_margin(margin):
    task, (_, labels) = make(loss="triplet", margin=margin), batch()
    embeddings = F.normalize(torch.randn(12, EMBEDDING))
    expected = pair_losses.triplet(embeddings, labels, 0.3 if margin is None else margin)
    assert torch.equal(task.criterion(embeddings, labels), expected)
    assert expected != pair_losses.triplet(embeddings, labels, 0.2)


@pytest.mark.parametrize("normalize", [None, True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_embeddings_have_length_one_where_the_loss_has_it_so(loss, normalize):
    task, (images, labels) = make(loss=loss, normalize=normalize), batch()
    ones = loss != "contrastive" if normalize is None else normalize
    for mode in (True, False):
        task.train(mode)
        raw = task.model(images)
        outputs = step_of(task, images, labels).outputs
        torch.testing.assert_close(outputs, F.normalize(raw) if ones else raw)
        assert torch.equal(outputs, task(images))


# --- the softmax beside it ---


@pytest.mark.parametrize(
    ("loss", "weight", "expected"), [(loss, None, None) for loss in LOSSES] + [("triplet", 0.5, 0.5)]
)
def test_the_softmax_joins_in_training_only(loss, weight, expected):
    expected = float(loss == "mining_contrastive") if expected is None else expected
    task, (images, labels) = make(loss=loss, softmax_weight=weight), batch()
    for mode in (True, False):
        task.train(mode)
        torch.manual_seed(7)
        found = step_of(task, images, labels)
        torch.manual_seed(7)
        alone = task.criterion(found.outputs, labels)
        named = 0.0
        if mode and expected:  # of the embeddings before they have length one
            named = F.cross_entropy(task.classifier(task.model(images)), labels)
        torch.testing.assert_close(found.loss, alone + expected * named)
        assert torch.equal(found.targets, labels)


@pytest.mark.parametrize("weight", [0, None, 2])
def test_a_classifier_of_all_people_where_there_is_a_softmax(weight):
    task = make(loss="mining_contrastive", softmax_weight=weight)
    if weight == 0:
        assert task.classifier is None
    else:
        assert task.classifier.weight.shape == (PEOPLE, EMBEDDING)
        step_of(task.train(), *batch()).loss.backward()
        assert task.classifier.weight.grad.abs().sum() > 0
    assert make(softmax_weight=0).classifier is None
    assert make(loss="triplet").classifier is None


@pytest.mark.parametrize("loss", LOSSES)
def test_every_parameter_learns(loss):
    task = make(loss=loss, softmax_weight=1).train()
    step_of(task, *batch()).loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in task.parameters())


@pytest.mark.parametrize("mode", [True, False])
def test_its_first_look_leaves_the_mode_as_it_was(mode):
    task = make(whiten=0.1).train(mode)
    task.training_data(Faces(), torch.device("cpu"))
    assert all(module.training is mode for module in task.modules())


def test_embeddings_are_fp32_outside_training():
    task = make(whiten=0.1, mirror=True)
    task.training_data(Faces(), torch.device("cpu"))
    images, plain = batch()[0], task.eval()(batch()[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(task(images), plain)


# --- mirror and whitening ---


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_mirrored_is_the_mean_of_both_views_outside_training(loss):
    task, (images, _) = make(loss=loss, mirror=True), batch()
    one, other = task.model(images), task.model(torch.from_numpy(images.numpy()[:, :, :, ::-1].copy()))
    mean, alone = (one + other) / 2, one
    if task.normalize:
        mean, alone = F.normalize(mean), F.normalize(alone)
    torch.testing.assert_close(task.eval()(images), mean)
    assert torch.equal(task.train()(images), alone)
    assert not torch.allclose(mean, alone)


class Tinted(Faces):
    """Whose augmentation moves all values, at random."""

    def batches(self, split, augmented=False):
        for some in super().batches(split):
            noise = 0.3 * torch.randn(some.images.shape) if augmented else 0
            yield replace(some, views=(some.images + noise,))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("views", [1, 3])
def test_whitened_by_views_of_training_people_outside_training(views, mirror):
    data, task = Tinted(), make(whiten=0.1, whiten_views=views, mirror=mirror, normalize=True)
    task.training_data(data, torch.device("cpu"))
    torch.manual_seed(0)
    seen = [shown for _ in range(views) for shown in data.batches("train", augmented=True)]
    images, labels = torch.cat([some.images for some in seen]), torch.cat([some.labels for some in seen])
    assert len(images) == views * 24
    mean, projection = solve_whitening(task.model(images).detach(), labels, 0.1)
    others = batch()[0]
    raw = task.model(others)
    shown = (raw + task.model(others.flip(3))) / 2 if mirror else raw
    torch.testing.assert_close(task.eval()(others), F.normalize((shown - mean.float()) @ projection.float()))
    torch.testing.assert_close(task.train()(others), F.normalize(raw))


def test_whitening_follows_the_network_and_sees_no_other_people():
    data, task = Tinted(), make(whiten=0.1)
    task.training_data(data, torch.device("cpu"))
    before = task.projection.clone()
    for split in ("val", "test"):
        data.parts[split] = Faces(seed=50).parts[split]
    task.on_validation_epoch_start()
    assert torch.equal(task.projection, before)
    torch.nn.init.normal_(task.model[1].weight)
    with torch.no_grad():
        task.on_validation_epoch_start()
    assert not torch.allclose(task.projection, before)


def test_whitening_leaves_the_lot_of_training_alone():
    """Its views are the same for every network, whatever was drawn before, and change nothing drawn after."""
    data, tasks, after = Tinted(), [make(whiten=0.1), make(whiten=0.1)], []
    for seed, task in enumerate(tasks):
        torch.manual_seed(seed)
        with torch.no_grad():
            task._batches = data.batches
            task.on_validation_epoch_start()
        after.append(torch.rand(3))
        torch.manual_seed(seed)
        assert torch.equal(after[-1], torch.rand(3))
    assert torch.equal(tasks[0].projection, tasks[1].projection)


# --- the threshold ---


@pytest.mark.parametrize("people", ["val", "train"])
@pytest.mark.parametrize(("rule", "far"), [("eer", 0.01), ("accuracy", 0.01), ("far", 0.05), ("far", 0.3)])
def test_the_threshold_is_chosen_on_people_by_the_rule(rule, far, people):
    data, task = Faces(), make(threshold_rule=rule, threshold_far=far, threshold_from=people, normalize=True)
    assert task.threshold.isnan()
    task.training_data(data, torch.device("cpu"))
    expected = {split: verify(*split_through(task, data, split)).threshold(rule, far) for split in ("train", "val")}
    assert float(task.threshold) == expected[people]
    assert expected["train"] != expected["val"]
    torch.nn.init.normal_(task.model[1].weight)
    task.compute_metrics("val", *split_through(task, data, "val"))
    assert float(task.threshold) == verify(*split_through(task, data, people)).threshold(rule, far)
    assert float(task.threshold) != expected[people]


@pytest.mark.parametrize("people", ["val", "train"])
def test_the_test_changes_no_threshold(people):
    """Other images, then other people on them: the threshold stands, before the test is judged and after."""
    thresholds = []
    for change in ("nothing", "images", "labels"):
        data, task = Faces(), make(threshold_from=people, whiten=0.1)
        images, labels = data.parts["test"]
        if change == "images":
            data.parts["test"] = torch.randn(images.shape), labels
        if change == "labels":
            data.parts["test"] = images, labels.roll(3)
        task.training_data(data, torch.device("cpu"))
        thresholds.append(float(task.threshold))
        task.compute_metrics("test", *split_through(task, data, "test"))
        thresholds.append(float(task.threshold))
    assert np.isfinite(thresholds).all()
    assert len(set(thresholds)) == 1


def test_the_threshold_travels_with_the_weights():
    task, other = make(whiten=0.1), make(whiten=0.1, seed=1)
    task.training_data(Faces(), torch.device("cpu"))
    other.load_state_dict(task.state_dict())
    assert other.threshold.isfinite()
    assert torch.equal(other.threshold, task.threshold)
    assert torch.equal(other.projection, task.projection)
    images = batch()[0]
    assert torch.equal(other.eval()(images), task.eval()(images))


@pytest.mark.parametrize(("rule", "far"), [("eer", None), ("far", 0.2)])
def test_a_checkpoint_says_how_its_threshold_was_chosen(rule, far):
    task, checkpoint = make(threshold_rule=rule, threshold_far=0.2, threshold_from="train"), {}
    task.training_data(Faces(), torch.device("cpu"))
    task.on_save_checkpoint(checkpoint)
    value = float(task.threshold)
    assert checkpoint["threshold"] == {"value": value, "rule": rule, "far": far, "people": "train"}


# --- numbers ---


def pairs_of(outputs, targets):
    """Distances of all unordered pairs, and whether they are of one person."""
    i, j = np.triu_indices(len(outputs), 1)
    points = outputs.double().numpy()
    return np.sqrt(((points[i] - points[j]) ** 2).sum(axis=1)), (targets[i] == targets[j]).numpy()


@pytest.mark.parametrize("loss", ["mining_contrastive", "triplet"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_numbers_are_those_of_scikit_learn_on_all_pairs(loss, split, monkeypatch):
    monkeypatch.setattr(siamese, "CHUNK", 9)
    data, task = Faces(), make(loss=loss)
    task.training_data(data, torch.device("cpu"))
    outputs, targets = split_through(task, data, split)
    found = task.compute_metrics(split, outputs, targets)
    distances, same = pairs_of(outputs, targets)
    said = distances <= float(task.threshold)
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    assert found["auc"] == pytest.approx(roc_auc_score(same, -distances))
    assert found["acc"] == pytest.approx(accuracy_score(same, said))
    assert found["acc_macro"] == pytest.approx(balanced_accuracy_score(same, said))
    assert found["eer"] == pytest.approx(crossing(far, tar), abs=1e-9)
    assert found["embedding_std"] == pytest.approx(float(embedding_std(outputs)))
    starts = range(0, len(targets), 9)
    chunks = [(outputs[start : start + 9], targets[start : start + 9]) for start in starts]
    assert len(chunks[-1][1]) < 9
    total = sum(float(task.criterion(*chunk)) * len(chunk[1]) for chunk in chunks)
    assert found["loss"] == pytest.approx(total / len(targets))


def test_train_metrics_are_the_embedding_std_and_no_accuracy():
    task, (images, labels) = make(), batch()
    outputs = task(images).detach()
    found = task.train_metrics(outputs, labels)
    assert found.keys() == {"embedding_std"}
    assert torch.equal(found["embedding_std"], embedding_std(outputs))
    assert float(task.train_metrics(torch.ones(12, EMBEDDING), labels)["embedding_std"]) == 0


# --- what cannot be ---


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("whiten", [0.0, 0.1])
def test_embeddings_that_are_not_finite_are_said(whiten, value):
    data, task = Faces(), make(whiten=whiten)
    outputs, targets = torch.full((24, EMBEDDING), value), torch.arange(24) // 8
    with pytest.raises(NetgazeError, match=r"no longer finite. Try a smaller optim.lr"):
        task.compute_metrics("val", outputs, targets)
    torch.nn.init.constant_(task.model[1].weight, value)
    with pytest.raises(NetgazeError, match="no longer finite"):
        task.training_data(data, torch.device("cpu"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "cosine"}, "Unknown task.loss=cosine. Choose contrastive, mining_contrastive or triplet."),
        ({"threshold_rule": "best"}, "Unknown task.threshold_rule=best. Choose eer, accuracy or far."),
        ({"threshold_from": "test"}, "Unknown task.threshold_from=test. Choose val or train."),
        ({"mined_fraction": 0}, "task.mined_fraction=0 must be above 0 and up to 1."),
        ({"mined_fraction": 1.1}, "task.mined_fraction=1.1 must be above 0 and up to 1."),
        ({"threshold_far": 0}, "task.threshold_far=0 must be between 0 and 1."),
        ({"threshold_far": 1.0}, "task.threshold_far=1.0 must be between 0 and 1."),
        ({"whiten": -0.1}, "task.whiten=-0.1 must be 0 or more."),
        ({"whiten_views": 0}, "task.whiten_views=0 must be 1 or more."),
    ],
)
def test_arguments_that_cannot_be(changes, said):
    with pytest.raises(NetgazeError) as error:
        make(**changes)
    assert str(error.value) == said


def test_a_network_that_sees_no_difference_is_not_whitened():
    task = make(whiten=0.1)
    torch.nn.init.zeros_(task.model[1].weight)
    with pytest.raises(NetgazeError, match=r"task\.whiten=0\.1 is not possible: .* vary within a class"):
        task.training_data(Faces(), torch.device("cpu"))


# --- the network without its last layer ---

SHAPE = {"depths": [1], "widths": [4], "stem": "cifar", "in_channels": 3}


@pytest.mark.parametrize("whiten", [0.0, 0.1])
def test_embeddings_may_be_the_cells_of_a_grid(whiten):
    model = GridResNet(**SHAPE, num_classes=0, grid=2)
    data, task = Faces(), make(model, embedding_dim=0, softmax_weight=1.0, whiten=whiten)
    task.training_data(data, torch.device("cpu"))
    task.eval()
    images, labels = data.parts["val"]
    cells = model.forward_head(model.forward_features(images), pre_logits=True)
    assert cells.shape == (24, 16)
    assert task.classifier.in_features == 16
    assert task(images).shape == (24, 16)
    if not whiten:
        assert torch.equal(task(images), cells)
    step_of(task.train(), images, labels).loss.backward()
    assert all(p.grad is not None for p in task.parameters())


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_network_that_needs_its_last_layer_says_so():
    with pytest.raises(NetgazeError, match=r"task\.embedding_dim=0: ResNet cannot do without its last layer"):
        make(ResNet(**SHAPE, num_classes=0), embedding_dim=0)
