"""The scenes of `shapes`: light from above, and classes told apart by shape, not by color."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netgaze.data.scenes import CLASS_NAMES, draw_scenes


@pytest.fixture(scope="module")
def scenes():
    labels = np.arange(1500) % 10
    return *draw_scenes(labels, np.random.default_rng(0)), labels


def test_masks_are_seen_and_not_everything(scenes):
    _, masks, _ = scenes
    share = masks.mean((1, 2))
    assert share.min() > 0.03
    assert share.max() < 0.5


def test_the_object_stands_out_from_what_is_around_it(scenes):
    images, masks, _ = scenes
    inside = (images * masks[:, None]).sum((2, 3)) / masks.sum((1, 2))[:, None]
    outside = (images * ~masks[:, None]).sum((2, 3)) / (~masks).sum((1, 2))[:, None]
    assert np.median(np.abs(inside - outside).max(1)) > 40


def test_light_comes_from_above(scenes):
    images, masks, _ = scenes
    rows = np.arange(32)[:, None]
    center = (masks * rows).sum((1, 2), keepdims=True) / masks.sum((1, 2), keepdims=True)
    gray = images.mean(1)
    upper, lower = masks & (rows < center), masks & (rows >= center)
    lighter = (gray * upper).sum((1, 2)) / upper.sum((1, 2)) > (gray * lower).sum((1, 2)) / lower.sum((1, 2))
    assert lighter.mean() > 0.95


def test_color_does_not_tell_the_class(scenes):
    images, _, labels = scenes
    colors = np.concatenate([images.mean((2, 3)), images.std((2, 3))], axis=1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(colors[:1000], labels[:1000])
    assert probe.score(colors[1000:], labels[1000:]) < 0.2


def test_masks_tell_the_class(scenes):
    """A linear probe on masks moved to the middle: the shapes themselves are told apart."""
    _, masks, labels = scenes
    centered = np.stack([np.roll(m, (16 - np.argwhere(m).mean(0)).round().astype(int), (0, 1)) for m in masks])
    flat = centered.reshape(len(masks), -1).astype(np.float32)
    probe = LogisticRegression(max_iter=200).fit(flat[:1000], labels[:1000])
    assert probe.score(flat[1000:], labels[1000:]) > 0.8
    assert len(CLASS_NAMES) == 10
