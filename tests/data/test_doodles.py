"""The drawn faces: all follows from a seed, people differ more than views, glasses are all that glasses change."""

import numpy as np
import pytest

from netgaze.data import doodles as module
from netgaze.data.doodles import draw_faces

PEOPLE, EACH = 12, 8


def bare(people, seed=0, size=64):
    return draw_faces(np.asarray(people), np.zeros(len(people), bool), seed, size)


def worn(people, seed=0, size=64):
    return draw_faces(np.asarray(people), np.ones(len(people), bool), seed, size)


@pytest.fixture(scope="module")
def people():
    return np.arange(PEOPLE).repeat(EACH)


@pytest.fixture(scope="module")
def faces(people):
    return bare(people)


@pytest.fixture(scope="module")
def glasses(people):
    return worn(people)


@pytest.mark.parametrize("size", [32, 64, 100, 128])
def test_shape_and_type(size):
    images = draw_faces(np.array([3, 1, 3]), np.array([True, False, False]), 0, size)
    assert images.shape == (3, 3, size, size)
    assert images.dtype == np.uint8
    assert images.std((1, 2, 3)).min() > 15


def test_the_same_face_at_every_size():
    small, large = bare([0, 1, 2], size=32).astype(float), bare([0, 1, 2], size=64).astype(float)
    shrunk = large.reshape(3, 3, 32, 2, 32, 2).mean((3, 5))
    for image, same in zip(small, shrunk, strict=True):
        assert np.corrcoef(image.ravel(), same.ravel())[0, 1] > 0.9


def test_nobody_is_no_image():
    assert bare(np.zeros(0, int)).shape == (0, 3, 64, 64)


def test_all_follows_from_the_seed(people, faces):
    np.testing.assert_array_equal(bare(people), faces)
    other = bare(people, seed=1)
    assert (other != faces).any((1, 2, 3)).all()


@pytest.mark.parametrize("kept", ["LOOK", "VIEW"])
def test_look_and_view_each_follow_from_the_seed(kept, monkeypatch):
    middle(monkeypatch, getattr(module, kept))
    plain(monkeypatch)
    assert (np.abs(bare([0, 1, 2]).astype(float) - bare([0, 1, 2], seed=1)).mean((1, 2, 3)) > 4).all()


def test_a_face_does_not_depend_on_who_else_is_drawn(people, faces):
    order = np.random.default_rng(0).permutation(PEOPLE).repeat(3)
    place = np.tile(np.arange(3), PEOPLE)
    np.testing.assert_array_equal(bare(order), faces[order * EACH + place])


def test_images_of_a_person_counted_in_the_order_asked_for(faces):
    np.testing.assert_array_equal(bare([5, 2, 5, 2]), faces[[5 * EACH, 2 * EACH, 5 * EACH + 1, 2 * EACH + 1]])


def test_no_two_images_alike(faces):
    assert len(np.unique(faces.reshape(len(faces), -1), axis=0)) == PEOPLE * EACH


def test_the_look_follows_from_the_person_alone(people, monkeypatch):
    """Under one view for all, the images of a person are one image."""
    still(monkeypatch)
    images = bare(people).reshape(PEOPLE, EACH, -1).astype(float)
    assert (images == images[:, :1]).all()
    between = np.abs(images[:, None, 0] - images[None, :, 0]).mean(2)
    assert between[np.triu_indices(PEOPLE, 1)].min() > 4


def test_people_differ_more_than_views(people, faces):
    """Squares of 8 by 8 pixels tell who it is better than chance, once the light is taken out."""
    coarse = faces[:, :, 8:56, 8:56].reshape(len(faces), 3, 6, 8, 6, 8).mean((3, 5))
    coarse = (coarse - coarse.mean((2, 3), keepdims=True)).reshape(len(faces), -1)
    coarse /= np.linalg.norm(coarse, axis=1, keepdims=True)
    similar = coarse @ coarse.T
    same = people[:, None] == people[None]
    assert similar[same & ~np.eye(len(people), dtype=bool)].mean() > similar[~same].mean() + 0.1


def test_one_color_does_not_tell_the_person(people, faces):
    color = faces.mean((2, 3))
    distance = np.linalg.norm(color[:, None] - color[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (people[distance.argmin(1)] == people).mean() < 0.3


def test_glasses_change_a_part_of_the_pixels(faces, glasses):
    share = (faces != glasses).any(1).mean((1, 2))
    assert share.min() > 0.03
    assert share.max() < 0.35


def test_glasses_stay_above_the_mouth(people, faces, glasses, monkeypatch):
    """In each column: the lowest pixel of the glasses lies above the highest of the mouth."""
    monkeypatch.setattr(module, "_mouth", lambda *_: None)
    mouth, frame = (bare(people) != faces).any(1), (glasses != faces).any(1)
    assert mouth.any((1, 2)).all()
    highest = np.where(mouth.any(1), mouth.argmax(1), 64)
    lowest = np.where(frame.any(1), 63 - frame[:, ::-1].argmax(1), -1)
    assert (lowest < highest).all()


def test_glasses_hide_the_eyes(people, faces, glasses, monkeypatch):
    monkeypatch.setattr(module, "_eyes", lambda *_: None)
    eyes = (bare(people) != faces).any(1)
    hidden = (eyes & (glasses != faces).any(1)).sum((1, 2)) / eyes.sum((1, 2))
    assert np.median(hidden) > 0.5


def test_glasses_are_of_the_image_not_of_the_person(monkeypatch):
    still(monkeypatch)
    people = np.zeros(EACH, int)
    changed = (bare(people) != worn(people)).any(1)
    assert len(np.unique(changed, axis=0)) == EACH


def middle(monkeypatch, table):
    for name, (low, high) in table.items():
        monkeypatch.setitem(table, name, ((low + high) / 2,) * 2)


def plain(monkeypatch):
    """Without noise and without anything drawn behind the head."""
    monkeypatch.setitem(module.VIEW, "noise", (0, 0))
    monkeypatch.setattr(module, "_behind", lambda *_: None)


def still(monkeypatch):
    """One view for all: the middle of each range."""
    middle(monkeypatch, module.VIEW)
    plain(monkeypatch)
