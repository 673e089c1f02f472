"""A person's own `conf/`: found first, without a flag where a command is typed, and in notebooks too."""

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from tests.commands import command
from tests.conftest import CONF, NO_FIGURES, TINY

from netgaze import schema
from netgaze.commands.arguments import prepare
from netgaze.commands.configs import find_configs
from netgaze.commands.folders import find_own_folder
from netgaze.errors import NetgazeError


@pytest.fixture
def own(tmp_path):
    """A folder with configs of one's own: a new network, one of ours changed, and a Python file that it names."""
    schema.register()
    (tmp_path / "conf" / "model").mkdir(parents=True)
    ours = (CONF / "model" / "resnet_small.yaml").read_text("utf-8")
    (tmp_path / "conf" / "model" / "resnet_small.yaml").write_text(ours.replace("stem: cifar", "stem: imagenet"))
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(ours.replace("netgaze.models.resnet.ResNet", "own_nets.Net"))
    (tmp_path / "own_nets.py").write_text(
        "from netgaze.models.resnet import ResNet\n\n\nclass Net(ResNet):\n    pass\n"
    )
    yield tmp_path
    sys.modules.pop("own_nets", None)
    sys.path[:] = [path for path in sys.path if path != str(tmp_path)]


def test_it_is_found_where_one_stands_and_comes_first(own):
    with chdir(own):
        configs = find_configs([], "train")
        assert {"mine", "resnet20"} <= set(configs.list_options("model"))
        assert configs.compose([]).model.stem == "imagenet"
        assert configs.compose(["model=mine"]).model._target_ == "own_nets.Net"
        assert configs.find_choices("data.dir") == find_configs([], "train", CONF).find_choices("data.dir")
        assert prepare(["model=mine"], CONF, "train") == [
            *("--config-path", str(own / "conf"), "--config-dir", str(CONF), "model=mine")
        ]
    assert find_configs([], "train").compose([]).model.stem == "cifar"


def test_a_named_folder_comes_in_its_place(own, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with chdir(own):
        assert find_own_folder(["--config-dir", str(other)]) == other
        assert prepare([f"--config-dir={other}"], CONF, "train")[:2] == ["--config-path", str(other)]
        with pytest.raises(NetgazeError, match="--config-dir nowhere: there is no such folder"):
            find_own_folder(["--config-dir", "nowhere"])


def test_ours_is_nobodys_own():
    for folder in (CONF.parent, CONF.parent / "src" / "netgaze"):  # where the link is
        with chdir(folder):
            assert find_own_folder([]) is None
    assert find_own_folder(["-cd", str(CONF)]) is None


@pytest.mark.parametrize("name", ["conf/nginx.d/model.yaml", "conf/model", "configs/model/x.yaml"])
def test_a_folder_of_another_program_is_none(name, tmp_path):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("")
    with chdir(tmp_path):
        assert find_own_folder([]) is None


def test_that_of_another_user_must_be_named(own, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: (own / "conf").stat().st_uid + 1)
    with chdir(own):
        with pytest.raises(
            NetgazeError, match=r"conf belongs to another user.* type --config-dir conf; otherwise work in"
        ):
            find_own_folder([])
        assert find_own_folder(["--config-dir", "conf"]) == own / "conf"


def test_a_run_takes_it_and_says_so(own):
    words = [*TINY, *NO_FIGURES, "control=null", "trainer.max_epochs=0", "hydra.run.dir=run"]
    code, said = command(*words, "model=mine", cwd=own)
    assert code == 0, said
    assert f"Configs in {own / 'conf'} override netgaze's own." in said
    config = yaml.safe_load((own / "run" / ".hydra" / "config.yaml").read_text("utf-8"))
    assert config["model"]["_target_"] == "own_nets.Net"
    code, said = command(*words[:-1], "hydra.run.dir=changed", cwd=own)
    assert code == 0, said
    assert (
        yaml.safe_load((own / "changed" / ".hydra" / "config.yaml").read_text("utf-8"))["model"]["stem"] == "imagenet"
    )


def test_a_run_elsewhere_says_nothing_of_it(tmp_path):
    code, said = command(*TINY, *NO_FIGURES, "trainer.max_epochs=0", "control=null", cwd=tmp_path)
    assert code == 0, said
    assert "Configs in" not in said


@pytest.mark.slow
def test_jobs_of_a_sweep_in_processes_of_their_own_find_its_python_files(own):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = [
        *TINY,
        *NO_FIGURES,
        "control=null",
        "trainer.max_epochs=0",
        "model=mine",
        "hydra/launcher=cores",
        "seed=0,1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "netgaze", "train", "-m", *words], cwd=own, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(Path(own).glob("outputs/sweeps/*/*/*/metrics.json"))) == 2


@pytest.mark.slow
def test_a_notebook_takes_it_too(own):
    code = (
        f"from netgaze import fit; print(fit({[*TINY, *NO_FIGURES, 'control=null', 'model=mine']}).subject.task.model)"
    )
    env = {**os.environ, "NETGAZE_TRUST": "own_nets"}
    done = subprocess.run([sys.executable, "-c", code], cwd=own, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ")"
    assert "\nNet(" in done.stdout
