"""The gallery shows every figure once: with its picture, how to read it, and its numbers."""

import sys

import numpy as np
import pytest
from PIL import Image
from tests.conftest import CONF, ROOT

sys.path.append(str(ROOT / "docs"))
import gallery

NETWORKS, DRAWINGS = gallery.read_gallery()
NAMES = sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))
MOST_BYTES = 6e6  # of all pictures together


def test_every_figure_is_drawn_once_of_networks_that_are_trained():
    assert sorted(name for drawing in DRAWINGS for name in drawing.figures) == NAMES
    assert {name for drawing in DRAWINGS for name in drawing.networks} <= NETWORKS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_how_to_read_it(name):
    figure = gallery.find_figure(name)
    assert figure.question.endswith("?")
    for words in (figure.look_for, figure.pitfall):
        assert words.endswith(".")
        assert 40 < len(words) < 700, words
    assert figure.look_for != figure.pitfall


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_its_picture(name):
    with Image.open(gallery.PICTURES / f"{name}.png") as picture:
        assert len(picture.convert("RGB").getcolors(2**24)) > 8, "a blank picture"


def test_the_page_opens_quickly():
    paths = list(gallery.PICTURES.glob("*.png"))
    assert {path.stem for path in paths} == set(NAMES), "a picture of no figure"
    assert sum(path.stat().st_size for path in paths) < MOST_BYTES


def test_an_entry_has_the_figures_words_and_its_command():
    drawing = gallery.Drawing(["a", "b"], ["cam", "knn"], "seed=1")
    entry = "\n\n".join(gallery._describe("knn", drawing))
    knn = gallery.find_figure("knn")
    for words in (f"## {knn.title}", knn.question, knn.look_for, knn.pitfall, "images/gallery/knn.png"):
        assert words in entry
    assert "python analyze.py runs=[outputs/gallery/a,outputs/gallery/b] figure=[knn] seed=1" in entry
    meaning = knn.glossary["knn<k>"]
    words, says = (text.replace("<", "&lt;") for text in (meaning.words, meaning.says))
    assert f"| {words} | % | higher | {says} |" in entry


def test_a_picture_is_made_smaller_and_keeps_its_pixels(tmp_path):
    large = Image.merge("RGB", [Image.effect_noise((400, 300), 80) for _ in range(3)])
    large.save(tmp_path / "large.png")
    gallery._shrink(tmp_path / "large.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as small:
        difference = np.subtract(small.convert("RGB"), large, dtype=float)
    assert np.abs(difference).mean() < 16
    assert (tmp_path / "small.png").stat().st_size < (tmp_path / "large.png").stat().st_size


def test_what_a_network_starts_from_is_trained_first(tmp_path, monkeypatch):
    typed = []
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    monkeypatch.setattr(gallery, "_run", typed.append)
    networks = {"first": "train first", "second": "train init=outputs/gallery/first"}
    gallery._train("second", networks)
    assert typed == [networks["first"], networks["second"]]
    for name in networks:
        (tmp_path / gallery.OUTPUTS / name).mkdir(parents=True)
        (tmp_path / gallery.OUTPUTS / name / "metrics.json").touch()
    gallery._train("second", networks)
    assert len(typed) == 2, "what is there is not trained again"
