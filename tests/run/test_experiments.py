"""Every experiment composes with every task, and trains two steps."""

from pathlib import Path

import pytest
import torch
from tests.conftest import CONF, composed
from tests.tiny_runs import read_history, train

from netgaze.build import build, build_task, resolve_config
from netgaze.errors import NetgazeError
from netgaze.stages import make_stage_config

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("[!_]*.yaml"))
TASKS = sorted(path.stem for path in (CONF / "task").glob("[!_]*.yaml"))
SHAPES = ["data=shapes", "data.limit=16", "data.batch_size=8"]
FACES = ["data=doodle_faces", "data.num_classes=8", "data.num_val_people=2", "data.num_test_people=2"]
FACES += ["data.images_each=4", "data.batch_size=8"]
# These set what the Siamese task alone has, and the second what AT&T's faces alone have.
OF_FACES = {"eyeglass_faces": FACES, "siamese_notebook": [*FACES, "~data.split"]}
# Of data so small, a label a class; and what experiments and stages set for larger ones.
FEW = ["data.per_class=1", "data.epoch_size=16"]
OF_STAGES = {"teacher_student": [*FEW, "stages.finetune.data.epoch_size=16"], "pseudo_labels": FEW}
OF_EXPERIMENTS = {
    "few_labels": FEW,
    "long_tail": ["++stages.pretrain.data.epoch_size=16", "stages.probe.data.per_class=1"],
}
SPEED = ["speedrun", "speedrun96", "speedrun_sgd"]  # these set what the supervised task alone has
ALONE = [*OF_FACES, *SPEED, "long_tail"]  # the last has stages, each with its own task
OF_ANY_TASK = [experiment for experiment in EXPERIMENTS if experiment not in ALONE]
WITH_ALL = ["two_networks", "dynamic_filters"]  # a network that ends in a linear layer, and one that does not
# Two with all tasks and each with one are fast enough for every change; the other pairs are slow.
PAIRS = [
    pytest.param(
        experiment, task, marks=[] if experiment in WITH_ALL or row % len(TASKS) == column else pytest.mark.slow
    )
    for row, experiment in enumerate(OF_ANY_TASK)
    for column, task in enumerate(TASKS)
]
# Each trains with its own task, and two with all.
TRAINED = [(experiment, None) for experiment in EXPERIMENTS]
TRAINED += [(experiment, task) for experiment in WITH_ALL for task in TASKS]


def asked(experiment: str, task: str | None) -> list[str]:
    """What is typed for this pair, on embedded data: the experiment's own may not be here."""
    words = [f"experiment={experiment}", *([f"task={task}"] if task else []), *OF_FACES.get(experiment, SHAPES)]
    words += [*OF_STAGES.get(task, []), *OF_EXPERIMENTS.get(experiment, [])]
    return [*words, "trainer.max_epochs=1", "trainer.precision=32", "trainer.threads=1", "figure=[]"]


def refusal(task: str | None, words: list[str]) -> str | None:
    """The sentence with which this task refuses the experiment's network, or random weights."""
    if task == "linear_probe" and composed(*words).model.get("filter"):
        return "expected a network that ends in a linear layer, got DynamicConv"
    return "needs a trained network" if task == "pseudo_labels" else None


@pytest.mark.parametrize(("experiment", "task"), PAIRS)
def test_composes(experiment, task):
    """Its networks, losses and data can be made, stage by stage."""
    words = asked(experiment, task)
    config, refused = composed(*words), refusal(task, words) is not None
    assert config.name == experiment
    places = {name: Path(name) for name in config.stages}
    for stage in [make_stage_config(config, name, places) for name in config.stages] or [config]:
        settings = resolve_config(stage)
        build(settings["data"])
        if not refused:
            with torch.device("meta"):  # without weights
                build_task(settings, [""] * settings["data"]["num_classes"])


@pytest.mark.slow
@pytest.mark.parametrize(("experiment", "task"), TRAINED)
def test_two_steps(experiment, task, tmp_path):
    words = [*asked(experiment, task), "callback.online_eval.every=0"]
    if sentence := refusal(task, words):
        with pytest.raises(NetgazeError, match=sentence):
            train(tmp_path, *words)
        return
    assert len(read_history(train(tmp_path, *words))) == int(task != "untrained")
