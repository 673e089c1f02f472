"""look(): what is written, left out, read back and asked anew."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from netgaze.errors import NetgazeError
from netgaze.figures.curves import Curves
from netgaze.figures.filters import Filters
from netgaze.figures.knn import Knn
from netgaze.figures.predict import Predict
from netgaze.gallery import look
from netgaze.subject import Subject


def test_writes_picture_and_numbers_and_names_what_it_left_out(subjects, tmp_path):
    seen = look({"filters": Filters(), "curves": Curves()}, subjects, tmp_path)
    assert list(seen["curves"]) == ["supervised", "rotation with a longer label, lr=0.1"]
    content = json.loads((tmp_path / "filters.json").read_text())
    assert content["question"].endswith("?")
    assert content["left_out"] == {"raw pixels": "no task"}
    assert content["controls"] == ["untrained"]
    assert set(content["numbers"]) == set(content["captions"]) == set(seen["filters"])
    with Image.open(tmp_path / "filters.png") as picture:
        assert picture.width == 1104


def test_controls_alone_are_not_drawn(subjects, tmp_path):
    assert look({"filters": Filters()}, subjects[2:], tmp_path) == {}
    assert not list(tmp_path.iterdir())


def test_numbers_alone(subjects, tmp_path):
    assert look({"knn": Knn()}, subjects[:1], tmp_path, draw=False)["knn"]["supervised"].numbers["knn20"] >= 0
    assert not list(tmp_path.iterdir())


def test_findings_are_read_back_until_the_question_changes(subjects, data, tmp_path, monkeypatch):
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path / "cache"))
    asked = []
    compute = Knn.compute
    monkeypatch.setattr(Knn, "compute", lambda self, subject: asked.append(self.seed) or compute(self, subject))
    task = subjects[0].task

    def ask(seed, out=tmp_path / "run" / "figures"):
        run = Subject("run", task=lambda: task, data=lambda: data, folder=tmp_path / "run")
        return look({"knn": Knn(seed=seed)}, [run], out)["knn"]["run"]

    first, again = ask(0), ask(0)
    assert asked == [0]
    assert again.numbers == first.numbers
    np.testing.assert_array_equal(again.arrays["neighbors"], first.arrays["neighbors"])
    ask(1)
    assert asked == [0, 1]
    ask(0, out=tmp_path / "elsewhere")
    ask(1)
    assert asked == [0, 1, 0], "another's question must not overwrite the run's own answer"
    task.model.fc.weight.data += 1
    ask(1)
    assert asked == [0, 1, 0, 1]


@pytest.mark.parametrize("channels", [1, 3])
def test_each_filter_becomes_an_image_of_its_own(channels, make_data, make_subjects, tmp_path):
    subject = make_subjects(make_data(num_channels=channels))[1]
    look({"filters": Filters(save_each=True)}, [subject], tmp_path)
    written = sorted(path.name for path in (tmp_path / "filters" / "rotation_with_a_longer_label_lr=0.1").iterdir())
    assert written == [f"{layer}_{number:03d}.png" for layer in ("conv1", "layer1.0.conv1") for number in range(8)]
    with Image.open(next((tmp_path / "filters").rglob("conv1_003.png"))) as picture:
        assert picture.size == (3, 3)


def test_extras_are_images_and_animations_of_their_own(subjects, tmp_path):
    still = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    moving = np.stack([np.full((6, 8, 3), gray, np.uint8) for gray in (0, 128, 255)])

    class Own(Filters):
        def files(self, finding):
            return {"still": still, "moving": moving}

    look({"filters": Own()}, subjects[:1], tmp_path)
    folder = tmp_path / "filters" / "supervised"
    assert {path.name for path in folder.iterdir()} == {"still.png", "moving.gif"}
    with Image.open(folder / "still.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), still)
    with Image.open(folder / "moving.gif") as picture:
        assert (picture.n_frames, picture.info["loop"]) == (3, 0)
        for number, frame in enumerate(moving):
            picture.seek(number)
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), frame)


class Choosy(Knn):
    """Asks only subjects that it likes."""

    _liked = ("supervised",)

    def compute(self, subject):
        if subject.label not in self._liked:
            raise NetgazeError(f"no such layer in {subject.label}")
        return super().compute(subject)


def test_a_subject_that_cannot_be_asked_is_left_out_and_named(subjects, tmp_path, caplog):
    seen = look({"knn": Choosy()}, subjects, tmp_path)
    assert list(seen["knn"]) == ["supervised"]
    left_out = json.loads((tmp_path / "knn.json").read_text())["left_out"]
    assert left_out["raw pixels"] == "no such layer in raw pixels"
    assert "knn leaves out what it cannot ask: no such layer in untrained" in caplog.text


def test_where_no_network_can_be_asked_the_first_reason_is_said(subjects, tmp_path):
    class Choosier(Choosy):
        _liked = ("untrained",)  # a control alone is no answer

    with pytest.raises(NetgazeError, match="no such layer in supervised"):
        look({"knn": Choosier()}, subjects, tmp_path)


def test_own_pictures_that_change_are_asked_anew(subjects, data, tmp_path):
    task, path = subjects[0].task, tmp_path / "a.png"
    run = Subject("run", task=lambda: task, data=lambda: data, folder=tmp_path / "run")
    answers = []
    for gray in (0, 255):
        Image.new("RGB", (32, 32), (gray,) * 3).save(path)
        os.utime(path, (gray, gray))
        answers.append(look({"predict": Predict(images=[str(path)])}, [run], tmp_path / "run" / "figures"))
    first, second = (answer["predict"]["run"].arrays["pictures"] for answer in answers)
    assert not np.array_equal(first, second)
