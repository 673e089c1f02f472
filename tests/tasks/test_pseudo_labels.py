"""The task that labels: what it scores, what it writes, what it refuses."""

from functools import partial

import pytest
import torch
from sklearn.metrics import accuracy_score
from tests.conftest import composed

from netgaze.build import build, resolve_config
from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.pseudo_labels import choose, read
from netgaze.schedules import Constant
from netgaze.tasks.pseudo_labels import PseudoLabels

NAMES = [str(digit) for digit in range(10)]


def task(k=5, p=2):
    torch.manual_seed(0)
    made = PseudoLabels(
        model=ResNet(depths=[1, 1], widths=[8, 16], stem="cifar", in_channels=1, num_classes=10),
        num_classes=10,
        optimizer=partial(torch.optim.SGD, lr=0.1),
        schedule=Constant(),
        k=k,
        p=p,
    )
    made.name_classes(NAMES)
    return made


def digits(*words):
    data = build(resolve_config(composed("data=digits", "data.limit=200", *words))["data"])
    data.setup()
    return data


@pytest.fixture(scope="module")
def data():
    return digits("data.per_class=4")


def test_scores_are_the_networks_probabilities_of_images_it_sees_as_in_a_test(data):
    """Each image by itself, from its pixels, without augmentation and with the norms' own statistics."""
    made = task()
    made.train()
    found = made.choose(data)
    assert made.training
    made.eval()
    images = data.images("unlabeled")
    with torch.no_grad():
        scores = torch.cat([made(data.normalize(image[None])).softmax(dim=1) for image in images])
    expected = choose(scores, 5, 2)
    assert torch.equal(found.index, expected.index)
    assert torch.equal(found.label, expected.label)
    torch.testing.assert_close(found.score, expected.score)


def test_what_is_left_behind_is_what_was_chosen_and_how_much_of_it_is_right(data, tmp_path):
    made = task(k=8)
    numbers = made.save_artifacts(data, tmp_path)
    stored = read(tmp_path)
    assert stored.unlabeled == data.unlabeled_digest
    assert list(stored.class_names) == NAMES
    truth = data.true_labels("unlabeled")[stored.index]
    assert numbers == {
        "unlabeled/images": len(set(stored.index.tolist())),
        "unlabeled/labels": len(stored.index),
        "unlabeled/right": pytest.approx(accuracy_score(truth, stored.label)),
    }


def test_fewer_images_than_k_are_all_taken_and_the_log_says_so(data, tmp_path, caplog):
    made = task(k=1000, p=1)
    with caplog.at_level("WARNING", "netgaze"):
        numbers = made.save_artifacts(data, tmp_path)
    num = len(data.labels("unlabeled"))
    assert numbers["unlabeled/labels"] == numbers["unlabeled/images"] == num
    assert read(tmp_path).index.sort().values.tolist() == list(range(num))
    assert "10 of 10 classes have fewer than k=1000 images" in caplog.text


def test_a_class_that_nobody_names_is_empty(data, tmp_path):
    made = task(k=10, p=1)
    with torch.no_grad():
        made.model.get_classifier().bias[3] = -1e4
    numbers = made.save_artifacts(data, tmp_path)
    assert 3 not in read(tmp_path).label
    assert numbers["unlabeled/labels"] > 0


@pytest.mark.parametrize("words", [[], ["data.per_class=10", "data.limit=100"]])
def test_no_unlabeled_images_are_a_sentence(words, tmp_path):
    with pytest.raises(NetgazeError, match="no unlabeled images"):
        task().save_artifacts(digits(*words), tmp_path)


@pytest.mark.parametrize(("k", "p"), [(0, 1), (5, 0), (5, 11)])
def test_numbers_that_cannot_be_are_refused_before_anything_is_built(k, p):
    with pytest.raises(ValueError, match=f"p from 1 to the 10 classes, got k={k} and p={p}"):
        task(k, p)
