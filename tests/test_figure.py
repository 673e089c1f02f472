"""The base class of figures: what a class that breaks the contract is told, as soon as it is made."""

from types import SimpleNamespace

import numpy as np
import pytest

from netgaze.figure import (
    Figure,
    Finding,
    group_equal,
    join_related,
    leave_out_repeats,
    name_settings,
    pick_drawn,
)
from netgaze.subject import NEEDS

SAYS = {"title": "Sky", "question": "Is it blue?", "needs": ("data",)}


def make(**body):
    return type("Sky", (Figure,), SAYS | body)


def test_a_misspelt_hook_fails_when_the_class_is_made_and_names_the_right_one():
    for wrong, right in (("sumary", "summary"), ("tabel", "table"), ("metric", "metrics"), ("drawn", "draw")):
        with pytest.raises(TypeError, match=rf"Sky\.{wrong} is no hook of a figure: did you mean {right}\?"):
            make(**{wrong: lambda self, findings: {}})


def test_a_public_helper_is_no_hook():
    with pytest.raises(TypeError, match=r"Sky\.xyzzy is no hook of a figure: begin the names of helpers with _"):
        make(xyzzy=1)


def test_a_need_that_no_subject_has_fails_when_the_class_is_made():
    with pytest.raises(TypeError, match="Sky needs wether, which no subject has: choose from model, task"):
        make(needs=("data", "wether"))
    assert make(needs=tuple(NEEDS)).needs == tuple(NEEDS)


@pytest.mark.parametrize("name", SAYS)
def test_what_must_be_said_is_missed(name):
    with pytest.raises(TypeError, match=f"Sky must set {name}"):
        type("Sky", (Figure,), {key: value for key, value in SAYS.items() if key != name})


def test_compute_and_draw_must_be_there():
    with pytest.raises(TypeError, match="abstract"):
        make(compute=lambda self, subject: Finding())()


def test_hooks_that_a_figure_does_not_define_say_nothing():
    figure = make(compute=lambda self, subject: Finding(), draw=lambda self, findings: None, _own=1)()
    findings = {"a": Finding({"blue": 1})}
    assert figure.compare(findings) == figure.metadata(findings) == figure.files(findings["a"]) == {}
    assert figure.table(findings["a"]) == []
    assert figure.summary(findings) == ""
    assert figure.controls == "drawn"
    assert figure.metrics == figure.images == ()


def test_a_subclass_of_a_figure_inherits_what_it_says():
    class Night(make()):
        question = "Is it dark?"

    assert (Night.title, Night.question) == ("Sky", "Is it dark?")
    with pytest.raises(TypeError, match="no hook"):
        type("Dawn", (Night,), {"extras": 1})


def test_controls_whose_picture_tells_nothing_are_numbers():
    findings = {"run": Finding({"blue": 1}), "untrained": Finding({"blue": 2})}
    hooks = {"compute": lambda self, subject: Finding(), "draw": lambda self, findings: None}
    assert list(pick_drawn(make(**hooks)(), findings, ["untrained"])) == ["run", "untrained"]
    assert list(pick_drawn(make(controls="numbers", **hooks)(), findings, ["untrained"])) == ["run"]
    with pytest.raises(TypeError, match=r"Sky\.controls must be one of drawn, numbers, none"):
        make(controls=False)


def test_findings_are_grouped_by_what_is_the_same_in_them():
    arrays = {"a": (1, 5), "b": (2, 5), "c": (1, 6), "d": (2, 5)}
    findings = {label: Finding({}, {"x": np.array([x]), "y": np.array([y])}) for label, (x, y) in arrays.items()}
    assert [list(group) for group in group_equal(findings, ("x",))] == [["a", "c"], ["b", "d"]]
    assert [list(group) for group in group_equal(findings, ("x", "y"))] == [["a"], ["b", "d"], ["c"]]
    assert [list(group) for group in group_equal(findings, ("z",))] == [["a", "b", "c", "d"]]


def test_controls_of_which_the_same_was_found_are_drawn_once():
    """The untrained networks of two tasks share a body: what asks for features alone finds the same of both."""
    hooks = {"compute": lambda self, subject: Finding(), "draw": lambda self, findings: None}
    gray, blue = ({"sky": np.array([[number, 1.0]])} for number in (0.0, 1.0))
    findings = {
        "run": Finding({"blue": 1}, gray),
        "twin": Finding({"blue": 1}, gray),
        "untrained (run)": Finding({"blue": 1}, gray),
        "untrained (twin)": Finding({"blue": 1}, {"sky": gray["sky"].copy()}),
        "other number": Finding({"blue": 2}, gray),
        "other array": Finding({"blue": 1}, blue),
        "no array": Finding({"blue": 1}),
    }
    drawn = pick_drawn(make(**hooks)(), findings, list(findings)[2:])
    assert list(drawn) == [label for label in findings if label != "untrained (twin)"]


def test_what_several_tell_together_joins_the_findings_of_those_that_were_asked():
    def relate(self, findings, subjects):
        assert list(findings) == list(subjects) == ["run", "untrained"]
        return name_settings(subjects)

    subjects = [
        SimpleNamespace(label=label, setting=f"of {label}", control=label == "untrained")
        for label in ("run", "left out", "untrained")
    ]
    findings = {label: Finding({}, {"sky": np.ones(2)}) for label in ("run", "untrained")}
    hooks = {"compute": lambda self, subject: Finding(), "draw": lambda self, findings: None, "relate": relate}
    join_related(make(**hooks)(), findings, subjects)
    assert str(findings["run"].arrays["setting"]) == "of run"
    assert list(findings["untrained"].arrays) == ["sky"], "controls of which the same was found are drawn once"
    assert list(findings["run"].arrays) == ["sky", "setting"]


def test_of_repetitions_the_first_stands_for_all_beside_others():
    settings = {"a": "x", "b": "y", "a2": "x", "b2": "y", "c": "z"}
    findings = {label: Finding(arrays={"setting": np.array(setting)}) for label, setting in settings.items()}
    pairs = [("a", "b"), ("a", "a2"), ("a", "b2"), ("b", "a2"), ("a2", "b2"), ("b", "b2"), ("a2", "c"), ("a", "c")]
    assert leave_out_repeats(findings, pairs) == [("a", "b"), ("a", "a2"), ("b", "b2"), ("a", "c")]
