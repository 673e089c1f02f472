"""What was typed: parsed once, kept by a resumed run, handed on to stages."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from netgaze.request import Request


def test_keys_lose_their_prefixes_and_values_their_quotes():
    request = Request("python train.py", ("+data.dir='my images'", "++stages.teacher.model=vgg19", "optim.lr=0.1"))
    assert request.typed == {"data.dir": "my images", "stages.teacher.model": "vgg19", "optim.lr": "0.1"}


def test_of_a_key_typed_twice_the_last_counts():
    assert Request("", ("optim.lr=0.1", "optim.lr=0.2")).typed == {"optim.lr": "0.2"}


def test_hydras_own_groups_are_no_choices():
    request = Request.of_hydra("c", ["a=1"], {"task": "rotation", "hydra/launcher": "basic", "figure@x": "y"})
    assert request == Request("c", ("a=1",), {"task": "rotation"})


def test_a_reference_in_a_value_stays_as_it_was_typed():
    words = OmegaConf.create({"words": ["images='${nope}'"]}).words
    assert Request.of_hydra("c", words, {}).overrides == ("images='${nope}'",)


def test_it_comes_back_from_the_facts_of_a_run():
    request = Request("c", ("a=1", "b=2"), {"task": "rotation"})
    assert Request.of_facts(request.as_facts()) == request
    assert Request.of_facts({}) == Request()


def test_a_resumed_run_keeps_what_it_was_started_with_unless_typed_anew():
    earlier = Request("first", ("task=rotation", "optim.lr=0.1"), {"task": "rotation"})
    resumed = Request("second", ("optim.lr=0.2",), {}).resume(earlier)
    assert resumed.typed == {"task": "rotation", "optim.lr": "0.2"}
    assert resumed.choices == {"task": "rotation"}
    assert resumed.command == "second"


def test_a_stage_has_what_was_typed_for_all_and_its_name():
    typed = ("task=teacher_student", "task.label_smoothing=0.1", "stages.student.optim.lr=1", "seed=3")
    stage = Request("c", typed, {"task": "teacher_student", "data": "shapes"}).for_stage("student")
    assert stage.overrides == ("task.label_smoothing=0.1", "seed=3", "stage=student")
    assert stage.choices == {"task": "student", "data": "shapes"}


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Request().command = "other"
