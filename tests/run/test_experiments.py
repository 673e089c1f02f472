"""Every experiment composes and trains two steps."""

import pytest
from tests.conftest import CONF, composed

from netgaze.chain import fit
from netgaze.errors import NetgazeError
from netgaze.runs import read_history

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml"))
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
ALONE = [*OF_FACES, "long_tail"]  # the last has stages, each with its own task
PAIRS = [(experiment, task) for experiment in EXPERIMENTS for task in TASKS if experiment not in ALONE]
PAIRS += [("long_tail", "supervised")]
PAIRS += [(experiment, "siamese") for experiment in OF_FACES]


@pytest.mark.parametrize(("experiment", "task"), PAIRS)
def test_two_steps(experiment, task, tmp_path):
    """On embedded data, whatever the experiment's own: that may not be here."""
    words = [f"experiment={experiment}", f"task={task}", *OF_FACES.get(experiment, SHAPES)]
    words += [*OF_STAGES.get(task, []), *OF_EXPERIMENTS.get(experiment, [])]
    words += ["trainer.max_epochs=1", "trainer.precision=32", "trainer.threads=1", "figure=[]", "callback.look.every=0"]
    config = composed(*words)
    assert config.name == experiment
    if task == "linear_probe" and config.model.get("filter"):
        with pytest.raises(NetgazeError, match="expected a network that ends in a linear layer, got DynamicConv"):
            fit(config, tmp_path, {"overrides": words, "choices": {}})
        return
    if task == "pseudo_labels":
        with pytest.raises(NetgazeError, match="asks a trained network"):
            fit(config, tmp_path, {"overrides": words, "choices": {}})
        return
    fit(config, tmp_path, {"overrides": words, "choices": {}})
    assert len(read_history(tmp_path)) == 1
