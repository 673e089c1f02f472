"""What is built and installed elsewhere works as the checkout does: a wheel in a clean environment, far from here."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from tests.conftest import CONF, NO_FIGURES, ROOT, TINY
from tests.tiny_runs import read_metrics, read_run

pytestmark = pytest.mark.slow

SOURCE = ROOT / "src" / "netgaze"
BUILD = "from setuptools.build_meta import {0}; {0}('dist')"


def call(*words, cwd):
    """What a command prints, as typed by somebody who has nothing of this checkout; it must succeed."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def build(what, cwd):
    """Build a "wheel" or an "sdist" of a project, without network: the file."""
    said = call(sys.executable, "-c", BUILD.format(f"build_{what}"), cwd=cwd)
    assert "Warning" not in said
    (built,) = (cwd / "dist").glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[what])
    return built


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of what a build needs: it writes beside its sources."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("src", "conf"):
        skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skipped)
    return folder


@pytest.fixture(scope="module")
def wheel(project):
    return build("wheel", project)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment with the wheel, which finds in this one's packages what else it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text("\n".join(places))  # as folders: an installed checkout's own .pth is not followed
    return folder / "bin"


def read_wheel(path):
    """The content of each file by its name, but for what the build says of it."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_file_of_the_package_and_every_config_and_nothing_else(wheel):
    files = [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    there = {f"netgaze/{path.relative_to(SOURCE).as_posix()}": path.read_bytes() for path in files}
    there |= {f"netgaze/conf/{path.relative_to(CONF).as_posix()}": path.read_bytes() for path in CONF.rglob("*.yaml")}
    held = read_wheel(wheel)
    assert held.keys() == there.keys()
    assert held == there
    assert {Path(name).suffix for name in held} >= {".py", ".yaml", ".js", ".css", ".html"}


def test_configs_are_one_copy_in_the_checkout():
    assert (SOURCE / "conf").is_symlink()
    assert (SOURCE / "conf").resolve() == CONF


def test_a_wheel_of_the_sdist_is_the_same(project, wheel, tmp_path):
    with tarfile.open(build("sdist", project)) as archive:
        assert not any(member.issym() or member.islnk() for member in archive)
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert read_wheel(build("wheel", unpacked)) == read_wheel(wheel)


def test_an_installed_netgaze_trains_looks_and_lists_from_an_empty_folder(installed, tmp_path):
    where = call(installed / "python", "-c", "import netgaze; print(netgaze.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    netgaze = installed / "netgaze"
    assert "netgaze train --help" in call(netgaze, cwd=tmp_path)
    assert "task=rotation" in call(netgaze, "completion", "netgaze train task=ro", cwd=tmp_path)
    assert not list(tmp_path.iterdir())
    call(netgaze, "train", *TINY, "figure=[knn]", "control=null", cwd=tmp_path)
    (run,) = (tmp_path / "outputs" / "supervised").iterdir()
    facts = read_run(run)
    assert facts["status"] == "finished"
    assert facts["command"].startswith("netgaze train data=digits ")
    assert (run / "report.html").stat().st_size > 10_000  # its templates, styles and scripts are there
    said = call(installed / "python", "-m", "netgaze", "analyze", f"runs={run}", "figure=[knn,explore]", cwd=tmp_path)
    (report,) = tmp_path.glob("outputs/analysis/*/report.html")
    assert str(report.relative_to(tmp_path)) in said
    listed = call(netgaze, "runs", cwd=tmp_path)
    assert "finished" in listed
    assert "Show the newest: netgaze analyze runs=latest" in listed


def test_an_installed_netgaze_takes_ones_own_configs_and_goes_on_with_its_runs(installed, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    recipe = {"name": "mine", "seed": 7, "trainer": {"max_epochs": 1}}
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        f"# @package _global_\n# My recipe.\n{yaml.dump(recipe)}"
    )
    netgaze = installed / "netgaze"
    assert "My recipe." in call(netgaze, "train", "--help", "mine", cwd=tmp_path)
    words = [word for word in TINY if "max_epochs" not in word]
    call(netgaze, "train", *words, *NO_FIGURES, "control=null", "experiment=mine", cwd=tmp_path)
    (run,) = (tmp_path / "outputs" / "mine").iterdir()
    assert (read_run(run)["config"]["seed"], len((run / "history.csv").read_text().splitlines())) == (7, 2)
    call(netgaze, "train", f"resume={run}", "trainer.max_epochs=2", cwd=tmp_path)
    assert len((run / "history.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("started", [["netgaze"], ["python", "-m", "netgaze"]], ids=" ".join)
def test_processes_that_it_starts_train_with_it(started, installed, tmp_path):
    words = [*TINY, *NO_FIGURES, "control=null", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    said = call(installed / started[0], *started[1:], "train", *words, "hydra.run.dir=run", cwd=tmp_path)
    assert len(re.findall("epoch 1/2", said)) == 1  # the other one is quiet
    assert read_run(tmp_path / "run")["config"]["trainer"]["devices"] == 2
    assert read_metrics(tmp_path / "run")["test/images"] == 120
