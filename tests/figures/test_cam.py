"""Class activation maps against grad-cam, and their scores on maps and masks made by hand."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from netgaze.drawing.heat import describe_mass, enlarge, find_top_pixels, measure_drops, overlay, score_pointing
from netgaze.errors import NetgazeError
from netgaze.figures.cam import Cam
from netgaze.subject import evaluating


def scaled(maps):
    maps = maps - maps.min(axis=(1, 2), keepdims=True)
    return maps / maps.max(axis=(1, 2), keepdims=True)


def test_equals_gradcam_on_a_pooled_linear_head(supervised):
    data, task = supervised.data, supervised.task
    images, targets = data.normalize(data.images("test")[:6]), data.labels("test")[:6]
    with evaluating(task), torch.no_grad():
        small = task.class_maps(images)[torch.arange(6), targets]
    ours = enlarge(small.clamp(min=0), images.shape[-2:]).numpy()
    task.eval()
    with GradCAM(task.model, [task.model.layer2]) as method:
        theirs = method(images, [ClassifierOutputTarget(int(target)) for target in targets])
    assert ours.max(axis=(1, 2)).min() > 0
    np.testing.assert_allclose(scaled(ours), scaled(theirs), atol=1e-3)


def test_the_mean_of_the_evidence_and_the_bias_is_the_logit(supervised):
    images = supervised.data.normalize(supervised.data.images("test")[:4])
    with evaluating(supervised.task) as task, torch.no_grad():
        logits = task.class_maps(images).mean(dim=(2, 3)) + task.model.fc.bias
        torch.testing.assert_close(logits, task(images))


def test_peak_and_mass_on_maps_made_by_hand():
    maps = torch.zeros(3, 4, 4)
    maps[0, 1, 1], maps[0, 3, 3] = 3.0, 1.0  # peak on the object, three quarters of the mass
    maps[1, 0, 0], maps[1, 3, 0] = 1.0, -9.0  # peak off the object
    maps[0, 0, 3] = -9.0
    maps[2] = -1.0  # no positive evidence: left out of the mass; its peak is on the object
    maps[2, 2, 2], maps[2, 0, 0] = -0.5, -9.0
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    masks[:, 1:3, 1:3] = True
    numbers = score_pointing(maps, masks)
    assert numbers["peak_on_object"] == pytest.approx(2 / 3)
    assert numbers["mass_on_object"] == pytest.approx((0.75 + 0.0) / 2)
    assert numbers["object_area"] == 0.25
    assert numbers["center_on_object"] == 1.0


def test_maps_without_positive_evidence_have_no_mass():
    numbers = score_pointing(-torch.ones(2, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool))
    assert numbers["mass_on_object"] is None
    assert describe_mass(numbers) == "no positive mass (chance 1.00)"


def test_top_pixels_are_the_highest():
    maps = torch.randperm(100).float().view(1, 10, 10)
    assert torch.equal(find_top_pixels(maps, 0.2), maps >= 80)


def test_falls_against_a_loop(supervised):
    data = supervised.data
    images, targets = data.normalize(data.images("test")[:5]), data.labels("test")[:5]
    heat = torch.rand(5, 16, 16)
    with evaluating(supervised.task) as task, torch.no_grad():
        ours = measure_drops(task, images, targets, (heat,), 0.25)[0]
        for number in range(5):
            hole = images[[number]].clone()
            threshold = heat[number].flatten().sort(descending=True).values[63]
            hole[0, :, heat[number] >= threshold] = 0
            before, after = (task(x).softmax(1)[0, targets[number]] for x in (images[[number]], hole))
            assert float(ours[number]) == pytest.approx(float(before - after), abs=1e-5)


def test_every_network_is_shown_the_same_images_upright(subjects):
    shared = []
    for subject in subjects[:3]:
        finding = Cam().compute(subject)
        some = finding.arrays["kinds"] == "shared"
        shared.append(finding.arrays["images"][some])
        assert (finding.arrays["asked"][some] == finding.arrays["true"][some]).all()
    np.testing.assert_array_equal(shared[0], shared[1])
    np.testing.assert_array_equal(shared[0], shared[2])


def test_named_images_are_shown_as_they_are(supervised, rotation):
    for subject in (supervised, rotation):
        arrays = Cam(indices=[7, 2]).compute(subject).arrays
        images = subject.data.images("test")[[7, 2]].permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(arrays["images"][:2], images)


def test_an_image_that_is_not_there_is_named(supervised):
    with pytest.raises(NetgazeError, match="image 40, but the split has images 0 to 39"):
        Cam(indices=[40]).compute(supervised)


def test_best_and_error_are_the_surest(rotation):
    arrays, outputs = Cam().compute(rotation).arrays, rotation.outputs("test")
    predicted, confidence = outputs.logits.argmax(1), outputs.probabilities.max(1)
    error = arrays["kinds"] == "error"
    wrong = predicted != outputs.targets
    assert arrays["probability_predicted"][error][0] == confidence[wrong].max()
    for number in np.flatnonzero((arrays["kinds"] == "best") & arrays["there"]):
        own = (rotation.task.class_names.index(arrays["asked"][number]) == predicted) & ~wrong
        assert arrays["probability_predicted"][number] == confidence[own].max()


def test_only_images_that_have_masks_are_scored(supervised, monkeypatch):
    """Some images of a split have masks: each is held against its own image's map."""
    data, there = supervised.data, torch.tensor([31, 3, 17]).sort().values
    masks = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.3
    monkeypatch.setattr(type(data), "masks", lambda self, split: (there, masks))
    finding = Cam().compute(supervised)
    images, targets = data.normalize(data.images("test")[there]), data.labels("test")[there]
    with evaluating(supervised.task) as task, torch.no_grad():
        maps = enlarge(task.class_maps(images)[torch.arange(3), targets], (16, 16))
    expected = score_pointing(maps, masks)
    assert finding.numbers["num_scored"] == 3
    assert {name: finding.numbers[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert "Scores on objects are of 3 images." in finding.caption


def test_a_coarse_map_is_called_coarse(supervised):
    assert "too coarse" not in Cam().compute(supervised).caption
    from netgaze.figures.cam import _write_caption

    assert "image_size" in _write_caption({"map_height": 2, "map_width": 2})


def test_laid_over_nothing_is_the_gray_picture():
    picture = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    laid = overlay(picture, np.zeros((4, 4)), 1.0)
    np.testing.assert_allclose(laid, picture.mean(axis=2, keepdims=True).repeat(3, axis=2), atol=1)
