"""A person's own pictures, as typed: predicted, compared, dreamed of; and what is said of pictures that are none."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.commands import command
from tests.conftest import TINY

WORDS = [word for word in TINY if "digits" not in word]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder with a tiny run and own pictures: an oblong one, and a folder of two kinds."""
    folder = tmp_path_factory.mktemp("places")
    words = [*WORDS, "data=shapes", "figure=[curves]", "hydra.run.dir=outputs/run"]
    code, printed = command(*words, cwd=folder)
    assert code == 0, printed
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 70, 3), np.uint8)).save(folder / "my photo (1).jpg")
    (folder / "more" / "deep").mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (50, 30), np.uint8)).save(folder / "more" / "gray.png")
    Image.fromarray(rng.integers(0, 256, (1, 1, 4), np.uint8)).save(folder / "more" / "deep" / "dot.png")
    (folder / "empty").mkdir()
    (folder / "notes.jpg").write_text("no picture")
    return folder


def analyze(folder, figures, *words):
    return command(
        "runs=[outputs/run]", f"figure=[{figures}]", "hydra.run.dir=look", *words, cwd=folder, script="analyze.py"
    )


@pytest.mark.slow
def test_own_pictures_are_predicted_compared_and_dreamed_of(places):
    small = ["figure.deep_dream.size=64", "figure.deep_dream.steps=2"]
    words = ["images=[my photo (1).jpg,more]", "figure.neighbors.num_neighbors=3", *small]
    code, printed = analyze(places, "predict,neighbors,deep_dream", *words)
    assert code == 0, printed
    names = ["my photo (1).jpg", "dot.png", "gray.png"]
    assert all(f"{name}: " in printed for name in names)
    figures = places / "look" / "figures"
    said = {name: json.loads((figures / f"{name}.json").read_text()) for name in ("predict", "neighbors", "deep_dream")}
    (own,) = (label for label in said["predict"]["numbers"] if "untrained" not in label)
    assert "untrained" in said["predict"]["controls"]
    for name in names:
        top = list(said["predict"]["numbers"][own]["top_classes"][name].values())
        assert len(top) == 5
        assert top == sorted(top, reverse=True)
        assert len(said["neighbors"]["numbers"][own][f"distances of {name}"]) == 3
    assert "raw pixels" in said["neighbors"]["numbers"]
    dreamed = sorted(path.name for path in (figures / "deep_dream" / own).iterdir())
    assert {path.rpartition(".")[2] for path in dreamed} == {"gif", "png"}
    assert (places / "look/report.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figures", "words", "said"),
    [
        ("predict", ["images=[notes.jpg]"], "notes.jpg cannot be read as a picture"),
        ("predict", ["images=[empty]"], "empty holds no pictures"),
        ("predict", ["images=[none.jpg]"], "there is no file none.jpg"),
        ("predict", [], "needs your pictures: type images="),
        ("deep_dream", ["figure.deep_dream.layers=[layer9]"], "the network has no layer layer9. Nearest names: layer"),
        ("deep_dream", ["figure.deep_dream.class_name=stair"], "the network has no class stair. Nearest names: star"),
    ],
)
def test_what_cannot_be_is_a_sentence(places, figures, words, said):
    code, printed = analyze(places, figures, *words)
    assert code == 1
    assert said in printed
    assert "Traceback" not in printed
