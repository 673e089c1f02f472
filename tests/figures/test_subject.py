"""Subject, Finding and looking."""

import numpy as np
import pytest
import torch

from netgaze.figure import Finding
from netgaze.subject import Subject, evaluating


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
    expected = data.images("test").flatten(1) / 255
    torch.testing.assert_close(pixels.features("test"), expected)


def test_features_are_kept_on_disk_unless_in_training(subjects, data, tmp_path, monkeypatch):
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path))
    training = subjects[0].features("test")
    assert not list(tmp_path.rglob("*.npz"))
    task = subjects[0].task
    first = Subject("done", task=lambda: task, data=lambda: data).features("test")
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    again = Subject("again", task=lambda: task, data=lambda: data).features("test")
    assert torch.equal(first, again)
    assert torch.equal(first, training)


def test_a_damaged_finding_is_none(tmp_path):
    Finding({"a": 1}, {"b": np.arange(3)}, "c").save(tmp_path / "f", "key")
    assert Finding.load(tmp_path / "f", "other") is None
    whole = (tmp_path / "f.npz").read_bytes()
    (tmp_path / "f.npz").write_bytes(whole[: len(whole) // 2])
    assert Finding.load(tmp_path / "f", "key") is None
    assert Finding.load(tmp_path / "missing", "key") is None
