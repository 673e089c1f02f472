"""Every experiment composes and trains two steps."""

import pytest
from tests.conftest import CONF, composed

from netgaze.errors import NetgazeError
from netgaze.experiment import fit
from netgaze.runs import read_history

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml"))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_two_steps(experiment, task, tmp_path):
    """On shapes, whatever the experiment's own data: those may not be here."""
    words = [f"experiment={experiment}", f"task={task}", "data=shapes", "data.limit=16", "data.batch_size=8"]
    words += ["trainer.max_epochs=1", "trainer.precision=32", "trainer.threads=1", "figure=[]", "callback.look.every=0"]
    config = composed(*words)
    assert config.name == experiment
    if task == "linear_probe" and config.model.get("filter"):
        with pytest.raises(NetgazeError, match="expected a network that ends in a linear layer, got DynamicConv"):
            fit(config, tmp_path, {"overrides": words, "choices": {}})
        return
    fit(config, tmp_path, {"overrides": words, "choices": {}})
    assert len(read_history(tmp_path)) == 1
