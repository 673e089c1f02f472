"""look(): what is written, left out, read back and asked anew."""

import importlib
import json
import os

import numpy as np
import pytest
from PIL import Image

from netgaze import notebook, pictures
from netgaze.drawing.rows import Row, lay_out
from netgaze.errors import NetgazeError
from netgaze.failures import explain_failures
from netgaze.figure import Figure, Finding
from netgaze.figures.curves import Curves
from netgaze.figures.filters import Filters
from netgaze.figures.knn import Knn
from netgaze.figures.predict import Predict
from netgaze.gallery import look, pick_numbers
from netgaze.subject import Subject


def test_writes_picture_and_numbers_and_names_what_it_left_out(subjects, tmp_path):
    seen = look({"filters": Filters(), "curves": Curves()}, subjects, tmp_path)
    assert list(seen["curves"]) == ["supervised", "rotation with a longer label, lr=0.1"]
    content = json.loads((tmp_path / "filters.json").read_text())
    assert content["question"].endswith("?")
    assert content["left_out"] == {"raw pixels": "no task"}
    assert content["controls"] == ["untrained"]
    assert content["captions"] == {label: finding.caption for label, finding in seen["filters"].items()}
    assert set(content["numbers"]) == set(seen["filters"])
    with Image.open(tmp_path / "filters.png") as picture:
        assert picture.width == 1104


def test_controls_alone_are_not_drawn(subjects, tmp_path):
    assert look({"filters": Filters()}, subjects[2:], tmp_path) == {}
    assert not list(tmp_path.iterdir())


def test_controls_that_are_numbers_stay_out_of_the_picture(subjects, tmp_path, monkeypatch):
    drawn = []
    draw = Filters.draw
    monkeypatch.setattr(Filters, "draw", lambda self, findings: drawn.append(list(findings)) or draw(self, findings))
    for controls in ("drawn", "numbers", "none"):
        monkeypatch.setattr(Filters, "controls", controls)
        look({"filters": Filters(save_each=True)}, subjects[1:3], tmp_path / controls)
    own, control = (subject.label for subject in subjects[1:3])
    assert drawn == [[own, control], [own], [own]]
    known = {name: json.loads((tmp_path / name / "filters.json").read_text()) for name in ("numbers", "none")}
    assert list(known["numbers"]["numbers"]) == [own, control]
    assert list(known["none"]["numbers"]) == [own]
    assert len(list((tmp_path / "numbers" / "filters").iterdir())) == 1


def test_a_run_gets_those_numbers_of_a_figure_that_it_lists():
    finding = Finding({"knn20": 0.5, "knn200": None, "shown_right": 0.25})
    assert pick_numbers(finding, Knn()) == {"knn20": 0.5}


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


def test_labels_that_look_alike_as_file_names_have_folders_of_their_own(data, tmp_path):
    labels = ["a b", "a/b", "a_b", "A B", "..", "a b_2"]
    figure = Marked()
    runs = [Subject(label, data=lambda: data, pixels=True) for label in labels]
    look({"marked": figure}, runs, tmp_path)
    folders = [path for path in (tmp_path / "marked").iterdir() if path.is_dir()]
    assert len({path.name.lower() for path in folders}) == len(labels)
    written = sorted(int(np.asarray(Image.open(path / "mark.png"))[0, 0, 0]) for path in folders)
    assert written == list(range(len(labels)))
    assert (tmp_path / "marked" / "a_b").is_dir()


def test_what_a_figure_does_not_say_is_not_written(data, tmp_path, caplog):
    caplog.set_level("INFO")
    look({"marked": Marked()}, [Subject("a", data=lambda: data, pixels=True)], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marked", "marked.json", "marked.png"]
    content = json.loads((tmp_path / "marked.json").read_text())
    names = {"figure", "title", "question", "look_for", "pitfall", "captions", "numbers", "controls", "left_out"}
    assert set(content) == names
    assert len(caplog.messages) == 1, "there is no summary"


def test_all_hooks_reach_the_files(data, tmp_path, caplog):
    caplog.set_level("INFO")

    class Full(Marked):
        def compare(self, findings):
            return {"num": len(findings)}

        def table(self, finding):
            return [{"mark": finding.numbers["mark"]}]

        def metadata(self, findings):
            return {"labels": list(findings)}

        def summary(self, findings):
            return "a summary"

    look({"full": Full()}, [Subject(label, data=lambda: data, pixels=True) for label in "ab"], tmp_path)
    content = json.loads((tmp_path / "full.json").read_text())
    assert content["compared"] == {"num": 2}
    assert content["tables"] == {"a": [{"mark": 0}], "b": [{"mark": 1}]}
    assert content["labels"] == ["a", "b"]
    assert "a summary" in caplog.messages
    assert (tmp_path / "full.csv").read_text() == "network,mark\na,0\nb,1\n"


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


class Marked(Figure):
    """Gives each subject that it is asked of a number, and an image of that gray."""

    title, question, needs = "Marked", "Which number?", ("data",)

    def __init__(self):
        self.num = 0

    def compute(self, subject):
        self.num += 1
        return Finding({"mark": self.num - 1})

    def draw(self, findings):
        return lay_out([Row(1.0)])

    def files(self, finding):
        return {"mark": np.full((2, 2, 3), finding.numbers["mark"], np.uint8)}


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
    assert "knn left out: no such layer in untrained" in caplog.text


def test_where_no_network_can_be_asked_the_first_reason_is_said(subjects, tmp_path):
    class Choosier(Choosy):
        _liked = ("untrained",)  # a control alone is no answer

    found = look({"knn": Choosier()}, subjects, tmp_path)
    assert not found
    assert found.failed["knn"].error == "no such layer in supervised"
    assert [path.name for path in tmp_path.iterdir()] == ["knn.json"]


HOOKS = ["compute", "draw", "files", "table", "compare", "metadata", "summary"]
ERRORS = {
    "ValueError: boom": ValueError("boom"),
    "no such layer": NetgazeError("no such layer"),
    "MemoryError": MemoryError(),
    "KeyError: 'x'": KeyError("x"),
}


def fail_in(hook, error):
    """A figure that raises in one of its hooks."""

    def fail(self, *arguments):
        raise error

    return type("Failing", (Marked,), {hook: fail})()


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("said", ERRORS)
def test_a_figure_that_fails_costs_itself_alone(hook, said, data, tmp_path, caplog):
    """Nor does anything of an earlier drawing stay, which would pose as today's."""
    (tmp_path / "failing" / "a").mkdir(parents=True)
    for name in ("failing/a/old.png", "failing.png", "failing.csv", "failing.npz"):
        (tmp_path / name).write_text("an earlier one")
    figures = {"failing": fail_in(hook, ERRORS[said]), "marked": Marked()}
    found = look(figures, [Subject("a", data=lambda: data, pixels=True)], tmp_path)
    assert list(found.failed) == ["failing"]
    assert found.failed["failing"].error == said
    assert "raise error" in found.failed["failing"].trace
    assert ("failing" in found) == (hook != "compute"), "what was computed stays"
    content = json.loads((tmp_path / "failing.json").read_text())
    assert (content["error"], content["trace"]) == (said, found.failed["failing"].trace)
    assert content["question"] == "Which number?"
    left = {path.name for path in tmp_path.glob("failing*")}
    assert left == {"failing.json"} | ({"failing.npz"} if hook != "compute" else set())
    assert (tmp_path / "marked.png").stat().st_size > 100
    assert sum(f"failing failed: {said} [traceback in" in message for message in caplog.messages) == 1


@pytest.mark.parametrize("hook", HOOKS)
def test_an_interruption_ends_the_look(hook, data, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        look({"a": fail_in(hook, KeyboardInterrupt())}, [Subject("a", data=lambda: data, pixels=True)], tmp_path)


def test_a_control_that_fails_is_left_out_with_its_trace(subjects, tmp_path, caplog):
    class Fragile(Knn):
        def compute(self, subject):
            return super().compute(subject) if not subject.control else 1 / 0

    found = look({"knn": Fragile()}, subjects, tmp_path)
    assert not found.failed
    content = json.loads((tmp_path / "knn.json").read_text())
    assert content["left_out"]["untrained"] == "ZeroDivisionError: division by zero"
    assert "1 / 0" in content["traces"]["untrained"]
    assert (tmp_path / "knn.png").exists()


def test_what_is_found_of_controls_alone_keeps_no_stale_findings(subjects, tmp_path):
    class Fragile(Knn):
        def compute(self, subject):
            return super().compute(subject) if subject.control else 1 / 0

    (tmp_path / "knn.npz").write_text("an earlier one")
    found = look({"knn": Fragile()}, [subjects[0], subjects[2]], tmp_path)
    assert found.failed["knn"].error == "ZeroDivisionError: division by zero"
    assert not (tmp_path / "knn.npz").exists()
    assert json.loads((tmp_path / "knn.json").read_text())["controls"] == ["untrained"]


def test_a_subject_that_cannot_be_opened_costs_its_column(subjects, data, tmp_path):
    def gone():
        raise NetgazeError("the data is gone")

    broken = Subject("broken", task=lambda: subjects[0].task, data=gone)
    assert list(look({"knn": Knn()}, [broken, subjects[0]], tmp_path)["knn"]) == ["supervised"]
    assert look({"knn": Knn()}, [broken], tmp_path).failed["knn"].error == "the data is gone"


def test_numbers_that_are_none_cost_their_figure(data, tmp_path):
    class Odd(Marked):
        def compute(self, subject):
            return Finding({"mark": object()})

        def files(self, finding):
            return {}

    found = look({"odd": Odd()}, [Subject("a", data=lambda: data, pixels=True)], tmp_path)
    assert "not JSON serializable" in found.failed["odd"].error
    assert json.loads((tmp_path / "odd.json").read_text())["numbers"] == {}


def test_where_nothing_can_be_written_what_was_there_stays(data, tmp_path, monkeypatch, caplog):
    def full(path, content):
        raise NetgazeError(f"Cannot write {path}: No space left on device.")

    (tmp_path / "marked.png").write_text("an earlier one")
    monkeypatch.setattr(pictures, "write_json", full)
    figure = fail_in("compute", ValueError("boom"))
    found = look({"marked": figure}, [Subject("a", data=lambda: data, pixels=True)], tmp_path)
    assert list(found.failed) == ["marked"]
    assert "No space left" in caplog.text
    assert (tmp_path / "marked.png").read_text() == "an earlier one"


def test_failures_while_training_are_neither_written_nor_said(data, tmp_path, caplog):
    figure = fail_in("compute", ValueError("boom"))
    found = look({"a": figure}, [Subject("a", data=lambda: data, pixels=True)], tmp_path, draw=False)
    assert found.failed["a"].error == "ValueError: boom"
    assert not list(tmp_path.iterdir())
    assert not caplog.messages


@pytest.mark.parametrize("damage", ["cut", "not ours", "no json"])
def test_damaged_findings_are_asked_anew(damage, data, tmp_path):
    def ask():
        run = Subject("run", data=lambda: data, pixels=True, folder=tmp_path / "run")
        return look({"marked": Marked()}, [run], tmp_path / "run" / "figures")

    ask()
    stored = tmp_path / "run" / "figures" / "marked.npz"
    if damage == "cut":
        stored.write_bytes(stored.read_bytes()[:100])
    else:
        np.savez(stored, finding=np.array("[1]" if damage == "not ours" else "{"))
    found = ask()
    assert found["marked"]["run"].numbers == {"mark": 0}
    assert not found.failed


def test_when_a_command_fails_by_its_figures():
    failed, left_out = {"cam": "ValueError: boom"}, {"knn": "run has no data."}
    assert explain_failures(["cam", "tsne"], failed, {}, strict=False) is None
    assert "cam: ValueError: boom (figures.strict=true" in explain_failures(["cam", "tsne"], failed, {}, strict=True)
    said = explain_failures(["cam", "knn"], failed, left_out, strict=False)
    assert said == "No figure was drawn; the numbers were written. cam: ValueError: boom; knn: run has no data"
    assert explain_failures([], {}, {}, strict=True) is None
    assert explain_failures(["cam", "knn"], {}, left_out, strict=True) is None


def test_a_change_in_a_figures_helper_makes_its_findings_stale(data, tmp_path, monkeypatch):
    package = tmp_path / "asking"
    package.mkdir()
    (package / "helper.py").write_text("ANSWER = 1\n")
    (package / "__init__.py").write_text(
        "from asking.helper import ANSWER\n"
        "from netgaze.drawing.rows import Row, lay_out\n"
        "from netgaze.figure import Figure, Finding\n"
        "class Asking(Figure):\n"
        "    title, question, needs = 'Asking', 'What?', ('data',)\n"
        "    def compute(self, subject): return Finding({'answer': ANSWER})\n"
        "    def draw(self, findings): return lay_out([Row(1.0)])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    asking = importlib.import_module("asking")

    def ask():
        run = Subject("run", data=lambda: data, pixels=True, folder=tmp_path / "run")
        return look({"asking": asking.Asking()}, [run], tmp_path / "run" / "figures")["asking"]["run"].numbers["answer"]

    assert ask() == 1
    monkeypatch.setattr(asking, "ANSWER", 2)
    assert ask() == 1, "nothing has changed on disk: the finding is read back"
    (package / "helper.py").write_text("ANSWER = 2\n")
    assert ask() == 2


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


class Contest(Figure):
    """Who of two networks comes first in the alphabet: what only two can say."""

    title, question, needs, compares = "Contest", "Who is first?", ("data",), True

    def compute(self, subject):
        return Finding({"letters": len(subject.label)})

    def relate(self, findings, subjects):
        assert list(findings) == list(subjects)
        return {min(findings): {"first": np.array(True)}}

    def differences(self, findings):
        return [f"{label} is first of {len(findings)}." for label, it in findings.items() if "first" in it.arrays]

    def draw(self, findings):
        assert any("first" in finding.arrays for finding in findings.values()), "related before it is drawn"
        return lay_out([Row(0.5)])


class TestWhatComparesNetworks:
    def test_it_is_asked_of_two(self, subjects, tmp_path):
        found = look({"contest": Contest()}, subjects, tmp_path)
        content = json.loads((tmp_path / "contest.json").read_text())
        assert list(found["contest"]) == [subject.label for subject in subjects]
        assert "raw pixels" in content["numbers"]
        # Controls are no networks that differ.
        assert content.get("differences", []) == []

    def test_what_it_says_of_networks_is_kept(self, subjects, tmp_path):
        look({"contest": Contest()}, subjects[:2], tmp_path)
        said = json.loads((tmp_path / "contest.json").read_text())["differences"]
        assert said == ["rotation with a longer label, lr=0.1 is first of 2."]

    def test_a_notebook_shows_it_too(self, subjects):
        seen = notebook.look(Contest(), *subjects[:2], control=None)
        assert len(seen.numbers.columns) == 2
        with pytest.raises(NetgazeError, match="Contest: nothing to compare"):
            notebook.look(Contest(), subjects[0], control=None)

    @pytest.mark.parametrize("places", [[0], [0, 2, 3]])
    def test_one_network_alone_is_left_out_unasked(self, places, subjects, tmp_path, monkeypatch):
        monkeypatch.setattr(Contest, "compute", None)
        asked = [subjects[place] for place in places]
        found = look({"contest": Contest()}, asked, tmp_path)
        assert found == {}
        assert found.left_out == {"contest": "supervised has no other network to compare with"}
        assert not list(tmp_path.iterdir())

    def test_one_that_is_left_by_itself_is_left_out(self, subjects, tmp_path, monkeypatch):
        monkeypatch.setattr(Contest, "needs", ("data", "history"))
        subjects[1]._history = None
        found = look({"contest": Contest()}, subjects[:3], tmp_path)
        assert found == {}
        assert "supervised has no other network to compare with" in found.left_out["contest"]
