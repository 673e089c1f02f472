"""`init` as a mapping of a file and a key: in a run, and joining the stages of one."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from tests.conftest import NO_FIGURES, TINY
from tests.tiny_runs import compose_request, read_run, train, weights

from netgaze.errors import NetgazeError
from netgaze.run import Run
from netgaze.stages import make_stage_config


@pytest.mark.slow
def test_a_run_takes_the_set_of_weights_that_is_asked_for(tmp_path):
    source = {
        name.removeprefix("model."): it for name, it in weights(train(tmp_path / "a", *TINY, *NO_FIGURES)).items()
    }
    sets = {
        word: {name: it + place for name, it in source.items()} for place, word in enumerate(("teacher", "student"))
    }
    torch.save(sets, tmp_path / "a.pth")
    words = [*TINY, *NO_FIGURES, "trainer.max_epochs=0", f"init={{file:'{tmp_path}/a.pth',key:student}}"]
    taken = weights(train(tmp_path / "b", *words))
    assert torch.equal(taken["model.fc.bias"], sets["student"]["fc.bias"])
    facts = read_run(tmp_path / "b")
    assert facts["init"]["place"] == "student."
    assert facts["config"]["init"] == {"file": f"{tmp_path}/a.pth", "key": "student"}
    with pytest.raises(NetgazeError, match=r"init\.key=other: .* It has some at teacher \(\d+ tensors\), student \("):
        train(tmp_path / "c", *words[:-1], f"init={{file:'{tmp_path}/a.pth',key:other}}")
    assert Run(tmp_path / "c").facts["status"] == "failed"


@pytest.mark.parametrize("init", ["teacher", {"file": "teacher", "key": "model"}])
def test_a_stage_starts_from_an_earlier_one(init):
    config, _ = compose_request("task=teacher_student", "data=digits", "data.per_class=10")
    OmegaConf.set_struct(config, False)
    config.stages.student.init = init
    config.stages.teacher.model = {"_target_": "teachers"}
    stage = make_stage_config(config, "student", {"teacher": Path("/runs/teacher")})
    found = OmegaConf.to_container(stage)
    place = str(Path("/runs/teacher").resolve())
    assert found["init"] == (place if isinstance(init, str) else {"file": place, "key": "model"})
    assert found["model"] == {"_target_": "teachers"}  # of the stage that it starts from
