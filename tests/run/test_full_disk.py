"""A disk without room and places that may not be written to: a sentence, what was there stays, and a run goes on."""

import errno
import resource
import shutil
import subprocess
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from tests.commands import command
from tests.conftest import TINY
from tests.tiny_runs import read_history, read_run

from netgaze.callbacks.tensorboard import write_results
from netgaze.errors import NetgazeError, sentence
from netgaze.figure import Finding
from netgaze.files import atomic_write, cached_arrays, check_writable, write_csv, write_json
from netgaze.notebook import fit
from netgaze.pictures import _write_files
from netgaze.trainer import WholeFileIO
from netgaze.weights import read_checkpoint

WORDS = [*TINY, "figure=[curves]", "control=null", "hydra.run.dir=run"]


@contextmanager
def room_for(num_bytes):
    """No file may become larger: what a full disk does, on every system and for everybody."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def mounted(folder, *options):
    """A small file system of its own at `folder`; the test is skipped where that is not allowed."""
    try:
        subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems may not be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def write_picture(path):
    picture = plt.figure()
    picture.figimage(NOISE)
    with atomic_write(path) as beside:
        picture.savefig(beside, format="png")
    plt.close(picture)


NOISE = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
WRITERS = {
    "a.json": lambda path: write_json(path, list(range(10_000))),
    "a.csv": lambda path: write_csv(path, [{"label": "x" * 100_000}]),
    "a.ckpt": lambda path: WholeFileIO({}).save_checkpoint({"a": torch.zeros(100_000)}, path),
    "a.png": write_picture,
    "a.npz": lambda path: Finding({}, {"a": NOISE}).save(path.with_suffix(""), "key"),
    "b/a.png": lambda path: _write_files({"a": NOISE}, path.parent),
    "b/a.gif": lambda path: _write_files({"a": np.stack([NOISE] * 3)}, path.parent),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("num_bytes", [0, 100, 4000])
def test_each_kind_of_file_is_whole_or_the_old_one(tmp_path, name, num_bytes):
    path = tmp_path / name
    WRITERS[name](path)  # there is room
    path.write_bytes(b"what was there")
    with room_for(num_bytes), pytest.raises(NetgazeError, match=r"Cannot write .*a\.\w+: .*(File too large|full)"):
        WRITERS[name](path)
    assert path.read_bytes() == b"what was there"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_tensorboard_says_it_without_a_traceback(tmp_path, capfd):
    with room_for(300), pytest.raises(NetgazeError, match=r"Cannot write .*tensorboard: File too large\. Make room"):
        write_results(tmp_path, {"a": 1}, {"test/acc": 0.5} | {f"n{i}": 1.0 for i in range(100)}, 1)
    assert "Traceback" not in capfd.readouterr().err


def test_a_full_cache_costs_time_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path))
    with room_for(100):
        for _ in range(2):
            assert cached_arrays("x", "key", lambda: {"a": np.arange(1000)})["a"][-1] == 999
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "Make room there"), (errno.EROFS, "you may write to"), (errno.EACCES, "read and")],
)
def test_errors_without_a_name_say_what_to_do(number, said):
    assert said in sentence(OSError(number, "it failed"))
    assert "Cannot use a.txt: it failed." in sentence(OSError(number, "it failed", "a.txt"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    code, printed = command(*WORDS, "trainer.max_epochs=1", cwd=folder)
    assert code == 0, printed
    return folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize("num_bytes", [500, 8_000, 20_000, 60_000])
def test_a_run_stops_with_a_sentence_and_goes_on_when_there_is_room(trained, tmp_path, num_bytes):
    """Each size stops it at another file."""
    shutil.copytree(trained, tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = read_checkpoint(last)["epoch"]
    with room_for(num_bytes):
        code, printed = command("resume=run", "trainer.max_epochs=3", cwd=tmp_path)
    assert code == 1, printed
    assert "Error: Cannot write" in printed or "Error: File too large" in printed
    assert "Traceback" not in printed
    assert read_checkpoint(last)["epoch"] >= before  # whole
    assert not list(tmp_path.rglob("*.part"))
    code, printed = command("resume=run", "trainer.max_epochs=3", cwd=tmp_path)
    assert code == 0, printed
    assert [row["epoch"] for row in read_history(tmp_path / "run")] == [1, 2, 3]
    assert read_run(tmp_path / "run")["status"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [0, 30, 55])
def test_a_disk_that_is_really_full(trained, tmp_path, kilobytes):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=2m", "none"):
        shutil.copytree(trained, disk / "run")
        free = shutil.disk_usage(disk).free - kilobytes * 1024
        (disk / "fill").write_bytes(bytes(free))
        before = read_checkpoint(disk / "run" / "checkpoints" / "last.ckpt")["epoch"]
        code, printed = command("resume=run", "trainer.max_epochs=3", cwd=disk)
        assert code == 1, printed
        assert "No space left on device" in printed or "the disk is full" in printed
        assert "Traceback" not in printed
        assert read_checkpoint(disk / "run" / "checkpoints" / "last.ckpt")["epoch"] >= before  # whole
        (disk / "fill").unlink()
        code, printed = command("resume=run", "trainer.max_epochs=3", cwd=disk)
        assert code == 0, printed
        assert [row["epoch"] for row in read_history(disk / "run")] == [1, 2, 3]


@pytest.mark.slow
def test_places_that_may_only_be_read(trained, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=4m", "none"):
        shutil.copytree(trained, disk / "run")
        (disk / "empty").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for words in (WORDS, [*WORDS[:-1], f"hydra.run.dir={disk}/empty"], [f"resume={disk}/run"]):
            words = [word.replace("dir=run", f"dir={disk}/new") for word in words]
            code, printed = command(*words, cwd=tmp_path)
            assert code == 1
            assert "Read-only file system. Choose a folder you may write to." in printed
            assert "epoch 1/" not in printed  # before training
            assert "Traceback" not in printed
        words = [f"runs=[{disk}/run]", "figure=[curves,confusion]", "control=null", "hydra.run.dir=look"]
        code, printed = command(*words, cwd=tmp_path, script="analyze.py", NETGAZE_CACHE=str(disk / "empty"))
        assert code == 0, printed


def test_in_a_notebook_it_is_a_sentence_too(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NetgazeError, match=r"Cannot write .*file/run/train\.log"):
        fit([*TINY, f"hydra.run.dir={tmp_path}/file/run"])


def test_it_is_said_before_the_work(tmp_path, monkeypatch):
    check_writable(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(NetgazeError, match=r"Cannot write .*file/run"):
        check_writable(tmp_path / "file" / "run")

    def refuse(*rest, **more):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("netgaze.files.tempfile.TemporaryFile", refuse)
    loaded = []
    monkeypatch.setattr("netgaze.data.digits.Digits.load", lambda data: loaded.append(1))
    code, printed = command(*WORDS, cwd=tmp_path)
    assert code == 1
    assert "Cannot write run: Read-only file system. Choose a folder you may write to." in printed
    assert not loaded
