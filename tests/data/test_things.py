"""The scenes of `things`: only the thing tells which way is up, and only its form which class it is."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netgaze.data.scenes import draw_scenes
from netgaze.data.upright import CLASS_NAMES, draw_things

LABELS = np.arange(2000) % 10


@pytest.fixture(scope="module")
def scenes():
    return draw_things(LABELS, np.random.default_rng(0))


def center(masks):
    return np.stack([np.roll(m, (16 - np.argwhere(m).mean(0)).round().astype(int), (0, 1)) for m in masks])


def measure_turns(images, masks):
    """How many standard errors the ground's mean at each pixel is from that of turned scenes, [3,32,32].

    Both are of pixels that no thing covers, in the same scenes: what else differs between scenes does not count.
    """
    ground = np.where(binary_dilation(masks, np.ones((1, 3, 3))), np.nan, images.mean(1))
    differences = np.stack([ground - np.rot90(ground, turns, (1, 2)) for turns in (1, 2, 3)], axis=1)
    error = np.nanstd(differences, axis=0) / np.sqrt((~np.isnan(differences)).sum(0))
    return np.nanmean(differences, axis=0) / np.maximum(error, 1e-9)


def measure_texture(images, masks):
    """How many standard errors the ground's steps from row to row are from those from column to column."""
    ground = np.where(binary_dilation(masks, np.ones((1, 3, 3))), np.nan, images.mean(1))
    down, across = (np.nanmean(np.abs(np.diff(ground, axis=axis)), axis=(1, 2)) for axis in (1, 2))
    return (down - across).mean() / ((down - across).std() / np.sqrt(len(images)))


def test_the_ground_has_no_up(scenes):
    """Of 3072 numbers whose deviation is 1 hardly one is beyond 5, while a sky is far beyond."""
    assert np.abs(measure_turns(*scenes)).max() < 5
    assert np.abs(measure_turns(*draw_scenes(LABELS, np.random.default_rng(0)))).max() > 50


def test_its_texture_has_no_up(scenes):
    assert abs(measure_texture(*scenes)) < 4
    assert abs(measure_texture(*draw_scenes(LABELS, np.random.default_rng(0)))) > 10


def test_light_comes_from_anywhere(scenes):
    images, masks = scenes
    for places in (np.arange(32)[:, None], np.arange(32)[None]):
        middle = (masks * places).sum((1, 2), keepdims=True) / masks.sum((1, 2), keepdims=True)
        halves = (masks & (places < middle), masks & (places >= middle))
        first, second = ((images.mean(1) * half).sum((1, 2)) / half.sum((1, 2)) for half in halves)
        assert abs((first > second).mean() - 0.5) < 4 * 0.5 / np.sqrt(len(images))


def test_things_lie_anywhere(scenes):
    """The middle of the things' places is that of the image, whichever way it is turned."""
    _, masks = scenes
    middles = np.stack([np.argwhere(mask).min(0) + np.argwhere(mask).max(0) for mask in masks]) / 2
    assert np.abs(middles.mean(0) - 15.5).max() < 0.3
    assert middles.std(0) == pytest.approx([middles.std()] * 2, rel=0.1)


def test_the_class_changes_the_thing_and_nothing_else(scenes):
    """The same draws with other classes: what is in one of both masks changes, and what is near none stays.

    But for a few tips so thin that they cover less than half of any pixel.
    """
    images, masks = scenes
    others, their_masks = draw_things((LABELS + 1) % 10, np.random.default_rng(0))
    changed = (images != others).any(1)
    near = binary_dilation(masks | their_masks, np.ones((1, 3, 3)))
    assert changed[~near].mean() < 0.001
    assert changed[masks ^ their_masks].mean() > 0.999


def test_masks_are_seen_and_not_everything(scenes):
    share = scenes[1].mean((1, 2))
    assert share.min() > 0.03
    assert share.max() < 0.5


def test_the_thing_stands_out_from_what_is_around_it(scenes):
    images, masks = scenes
    inside = (images * masks[:, None]).sum((2, 3)) / masks.sum((1, 2))[:, None]
    outside = (images * ~masks[:, None]).sum((2, 3)) / (~masks).sum((1, 2))[:, None]
    assert np.median(np.abs(inside - outside).max(1)) > 40


@pytest.mark.parametrize(("classifier", "most"), [(LogisticRegression(), 0.155), (KNeighborsClassifier(20), 0.2)])
def test_color_does_not_tell_the_class(scenes, classifier, most):
    """Of things' mean colors: chance is 10%, and four deviations of 500 images' share are 5%.

    How even the two colors are mixed is the share of a thing's parts: what little neighbors find.
    """
    images, masks = scenes
    inside = (images * masks[:, None]).sum((2, 3)) / masks.sum((1, 2))[:, None]
    probe = make_pipeline(StandardScaler(), classifier).fit(inside[:1500], LABELS[:1500])
    assert probe.score(inside[1500:], LABELS[1500:]) < most


def test_masks_tell_the_class(scenes):
    """A linear probe on masks moved to the middle: the outlines alone are told apart."""
    flat = center(scenes[1]).reshape(len(LABELS), -1).astype(np.float32)
    probe = LogisticRegression(max_iter=200).fit(flat[:1500], LABELS[:1500])
    assert probe.score(flat[1500:], LABELS[1500:]) > 0.8
    assert len(CLASS_NAMES) == 10


@pytest.mark.parametrize("label", range(10), ids=CLASS_NAMES)
def test_each_thing_has_an_up(scenes, label):
    """Its mean outline is far more unlike itself turned than the means of two halves of its scenes are."""
    outlines = center(scenes[1][label::10])
    one, other = outlines[::2].mean(0), outlines[1::2].mean(0)
    for turns in (1, 2, 3):
        assert np.abs(one - np.rot90(other, turns)).sum() > 3 * np.abs(one - other).sum()


@pytest.mark.parametrize(("name", "sign"), [("umbrella", 1), ("ice cream", 1), ("house", -1), ("fir", -1)])
def test_up_is_up(scenes, name, sign):
    """What is wide above has its mass there, and what is wide below has it below."""
    masks = scenes[1][CLASS_NAMES.index(name) :: 10]
    rows = [np.argwhere(mask)[:, 0] for mask in masks]
    above = np.array([(it.min() + it.max()) / 2 - it.mean() for it in rows])
    assert (sign * above > 0).mean() > 0.9
