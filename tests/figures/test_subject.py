"""Subject, Finding and looking."""

import numpy as np
import pytest
import torch

from netgaze.figure import Finding
from netgaze.measures.pixels import to_floats
from netgaze.measures.verification import verify
from netgaze.models.resnet import ResNet
from netgaze.subject import NEEDS, Subject, evaluating
from netgaze.tasks.rotation import Rotation
from netgaze.verifier import ThresholdChoice, Verifier


def test_outputs_equal_a_plain_loop(supervised):
    outputs, data, task = supervised.outputs("test"), supervised.data, supervised.task
    task.eval()
    for number, (image, label) in enumerate(zip(data.images("test"), data.labels("test"), strict=True)):
        logits = task(data.normalize(image[None]))[0]
        torch.testing.assert_close(torch.from_numpy(outputs.logits[number]), logits.detach(), rtol=1e-4, atol=1e-5)
        loss = torch.nn.functional.cross_entropy(logits.detach(), label)
        assert outputs.losses[number] == pytest.approx(float(loss), rel=1e-4)
        assert outputs.targets[number] == label
    np.testing.assert_array_equal(outputs.index, np.arange(len(data.labels("test"))))


def test_outputs_of_rotations_keep_the_image_of_each_example(rotation):
    outputs, data = rotation.outputs("test"), rotation.data
    assert len(outputs.targets) == 4 * len(data.labels("test"))
    rotation.task.eval()
    for row in (0, 45, 100, 159):
        image = data.normalize(data.images("test")[[outputs.index[row]]])
        turned = torch.rot90(image, int(outputs.targets[row]), (2, 3))
        logits = rotation.task(turned)[0].detach()
        torch.testing.assert_close(torch.from_numpy(outputs.logits[row]), logits, rtol=1e-4, atol=1e-5)


def test_looking_enables_gradients_in_inference_mode(supervised):
    with torch.inference_mode(), evaluating(supervised.task) as task:
        images = supervised.data.normalize(supervised.data.images("test")[:2]).requires_grad_()
        task(images).sum().backward()
        assert images.grad is not None
        assert not any(module.training for module in task.modules())


def test_looking_restores_after_an_error(supervised):
    supervised.task.train()
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError), evaluating(supervised.task) as task:  # noqa: PT012
        torch.rand(3)
        task.model.fc.weight.requires_grad = False
        raise RuntimeError
    assert all(module.training for module in supervised.task.modules())
    assert supervised.task.model.fc.weight.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_features_of_pixels_need_no_task(subjects, data):
    pixels = subjects[-1]
    assert pixels.lacks(("task", "features", "history")) == ["task", "history"]
    images = data.images("test")
    found = pixels.bank("test")
    assert found.dtype == torch.uint8
    assert torch.equal(pixels.features("test"), found / 255)
    assert torch.equal(found, images.permute(0, 2, 3, 1).flatten(1))
    assert found.data_ptr() == images.data_ptr()  # no copy of the set
    assert torch.equal(pixels.features_of(images[:2]), found[:2])
    some = torch.tensor([3, 1])
    expected = torch.nn.functional.normalize(found.double() / 255, dim=1)
    torch.testing.assert_close(pixels.embeddings("test", some).double(), expected[some], atol=1e-6, rtol=0)
    torch.testing.assert_close(pixels.embed(images).double(), expected, atol=1e-6, rtol=0)


def test_each_need_is_a_part_that_a_subject_can_lack():
    assert Subject("nothing").lacks(tuple(NEEDS)) == list(NEEDS)


class Halves(Rotation, Verifier):
    """Tells pairs apart by the mean of each half of an image; names no classes."""

    classifies = False
    threshold_choice = ThresholdChoice("far", 0.3, "train")

    def __init__(self, threshold, **given):
        super().__init__(**given)
        self.threshold = torch.tensor(threshold, dtype=torch.float64)

    def embed(self, images):
        assert not self.training
        return torch.stack([half.mean(dim=(1, 2, 3)) for half in images.chunk(2, dim=2)], dim=1)

    def choose_threshold(self, data, device):
        raise AssertionError("nobody asked")


class TestVerifier:
    """A task that tells pairs apart is asked for its embeddings and threshold, whatever its class."""

    def subject(self, rotation, threshold=0.5):
        given = {"model": rotation.task.model, "num_classes": 4, "optimizer": None, "schedule": None}
        task = Halves(threshold, **given)
        task.name_classes([])
        return Subject("halves", task=lambda: task, data=lambda: rotation.data)

    def test_its_embeddings_are_its_features(self, rotation):
        subject = self.subject(rotation)
        images = rotation.data.images("test")
        halves = [half.mean(dim=(1, 2, 3)) for half in rotation.data.normalize(images).chunk(2, dim=2)]
        for found in (subject.features("test"), subject.embeddings("test"), subject.embed(images)):
            torch.testing.assert_close(found, torch.stack(halves, dim=1))
        assert subject.verifier is subject.task
        assert subject.lacks(("verifier", "classes")) == ["classes"]

    def test_its_threshold_is_the_one_that_it_chose_or_would_choose(self, rotation):
        assert self.subject(rotation).threshold == 0.5
        subject, data = self.subject(rotation, torch.nan), rotation.data
        expected = verify(subject.embeddings("train"), data.labels("train")).threshold("far", 0.3)
        assert subject.threshold == expected
        assert expected != verify(subject.embeddings("val"), data.labels("val")).threshold("eer")

    @pytest.mark.parametrize("number", [0, 3])
    def test_others_have_features_of_length_one_and_the_eer_on_validation(self, subjects, number):
        subject, data = subjects[number], subjects[number].data
        assert subject.verifier is None
        torch.testing.assert_close(subject.embeddings("test").norm(dim=1), torch.ones(len(data.labels("test"))))
        features = to_floats(subject.features("test"))
        torch.testing.assert_close(subject.embeddings("test"), torch.nn.functional.normalize(features, dim=1))
        torch.testing.assert_close(subject.embed(data.images("test")), subject.embeddings("test"))
        assert subject.threshold == verify(subject.embeddings("val"), data.labels("val")).threshold("eer")


def test_features_are_kept_on_disk_unless_in_training(subjects, data, tmp_path, monkeypatch):
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path))
    training = subjects[0].features("test")
    assert not list(tmp_path.rglob("*.npz"))
    task = subjects[0].task
    first = Subject("done", task=lambda: task, data=lambda: data).features("test")
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    again = Subject("again", task=lambda: task, data=lambda: data).features("test")
    assert torch.equal(first, again)
    torch.testing.assert_close(first, training, rtol=1e-4, atol=1e-5)


def test_a_damaged_finding_is_none(tmp_path):
    Finding({"a": 1}, {"b": np.arange(3)}, "c").save(tmp_path / "f", "key")
    assert Finding.load(tmp_path / "f", "other") is None
    whole = (tmp_path / "f.npz").read_bytes()
    (tmp_path / "f.npz").write_bytes(whole[: len(whole) // 2])
    assert Finding.load(tmp_path / "f", "key") is None
    assert Finding.load(tmp_path / "missing", "key") is None


def test_networks_without_a_run_are_told_apart_by_their_layers():
    """Those of one class too, of the same sizes: what differs may be a pooling alone."""

    def named(**changes):
        settings = {"in_channels": 3, "num_classes": 10, "depths": [1], "widths": [8], "stem": "cifar"} | changes
        model = ResNet(**settings)
        return Subject("a", model=lambda: model, input_shape=(3, 32, 32)).identity(("model",))

    names = [named(), named(widths=[16]), named(stem="imagenet"), named(stem="imagenet_nopool")]
    assert len(set(names)) == 4
    assert named() == names[0]
