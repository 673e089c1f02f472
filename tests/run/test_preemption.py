"""A run that is told to stop saves within its epoch, and what goes on from there is bit-equal to one left alone."""

import json
import os
import signal
import time
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from tests.conftest import NO_FIGURES, TINY, start, typed
from tests.tiny_runs import read_metrics, read_rows, read_run, same, train, weights

from netgaze.callbacks import preemption
from netgaze.callbacks.preemption import Preemption
from netgaze.data.sampler import PlainBatches, Remaining
from netgaze.errors import Stopped
from netgaze.requeue import release_signals
from netgaze.run import Run

DIGITS = [*TINY, *NO_FIGURES, "data.batch_size=20", "control=null"]
FACES = ["data=doodle_faces", "data.num_classes=24", "data.num_val_people=6", "data.num_test_people=8"]
FACES += ["data.images_each=6", "data.image_size=32", "task=siamese", "task.embedding_dim=8", *TINY[3:], *NO_FIGURES]
RUNS = {
    "supervised": DIGITS,
    "averaged": [*DIGITS, "callback.average.kind=ema", "callback.average.decay=0.9"],
    "looking ahead": [*DIGITS, "optim=sgd", "callback.average.kind=lookahead", "callback.average.every=2"],
    "augmented": [*DIGITS, "data.augment.erase=0.5", "data.augment.mixup=0.5", "data.augment.color_jitter=0.3"],
    "resampled": [*DIGITS, "data.sampler=sqrt", "data.epoch_size=100"],
    "rotation": [*DIGITS, "task=rotation"],
    "features": [*DIGITS, "task=linear_probe", "task.cached_views=2"],
    "siamese": [*FACES, "data.batch_size=16", "task.loss=contrastive"],
}


@contextmanager
def stop_at(step, said=""):
    """Tell a run to stop in this step, as a signal would."""

    def is_told(self, trainer):
        return trainer.global_step == step

    try:
        heard = patch.object(preemption, "find_heard", lambda: signal.SIGTERM)
        with patch.object(Preemption, "_is_told", is_told), heard, pytest.raises(Stopped, match=said):
            yield
    finally:
        release_signals()


def count_steps(folder):
    """Steps of an epoch."""
    return Run(folder).read_checkpoint("last")["callbacks"]["Preemption"]["steps"]


def read_cut_off(folder):
    """What the checkpoint holds of an epoch that was cut off, of each process."""
    return Run(folder).read_checkpoint("last")["callbacks"]["Preemption"]["cut_off"]


def test_of_an_epoch_that_was_cut_off_the_rest_is_left():
    whole, done = PlainBatches(100, 8, shuffle=True, seed=3), 0
    rest = Remaining(whole, lambda: done)
    for epoch in range(3):
        rest.set_epoch(epoch)
        for done in (0, 5, len(whole)):  # asked for when an epoch begins, not before
            assert [batch.tolist() for batch in rest] == [batch.tolist() for batch in whole][done:]
    assert len(rest) == len(whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_what_was_cut_off_goes_on_bit_equal(name, tmp_path):
    train(tmp_path / "whole", *RUNS[name])
    step = count_steps(tmp_path / "whole") + 2
    said = f"Stopped by SIGTERM within epoch 2, after 2 of {step - 2} steps; everything is saved."
    with stop_at(step, said):
        train(tmp_path / "parts", *RUNS[name])
    assert read_run(tmp_path / "parts")["status"] == "interrupted"
    train(tmp_path / "parts", *RUNS[name])
    assert read_rows(tmp_path / "parts") == read_rows(tmp_path / "whole")
    for checkpoint in ("best", "last"):
        assert same(weights(tmp_path / "parts", checkpoint), weights(tmp_path / "whole", checkpoint))
    assert read_metrics(tmp_path / "parts") == read_metrics(tmp_path / "whole")


@pytest.mark.slow
def test_it_can_be_cut_off_again_and_again_in_the_first_epoch_too(tmp_path):
    train(tmp_path / "whole", *DIGITS)
    for step in (1, 2, 5, 7, 8, 11):
        with stop_at(step):
            train(tmp_path / "parts", *DIGITS)
    train(tmp_path / "parts", *DIGITS)
    assert read_rows(tmp_path / "parts") == read_rows(tmp_path / "whole")
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_other_steps_leave_the_schedule_where_it_stood(tmp_path, caplog):
    """Half the batch: twice the steps an epoch, and the rate of the epoch is the same."""
    words = [*DIGITS, "trainer.max_epochs=3", "schedule=linear", "optim=sgd"]
    train(tmp_path / "whole", *words)
    with stop_at(6 + 3):
        train(tmp_path / "parts", *words)
    with caplog.at_level("INFO"):
        train(tmp_path / "parts", *words, "data.batch_size=10")
    assert "From now on, an epoch has 12 steps instead of 6." in caplog.text
    whole, parts = (Run(tmp_path / folder).epochs for folder in ("whole", "parts"))
    assert [row["lr"] for row in parts] == pytest.approx([row["lr"] for row in whole])
    last = Run(tmp_path / "parts").read_checkpoint("last")
    assert last["global_step"] == 3 * 12
    assert last["lr_schedulers"][0]["last_epoch"] == 3 * 12
    assert last["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["completed"] == 3 * 12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_a_signal_stops_a_run_as_it_stops_any_program(name, tmp_path):
    words = [*DIGITS, "trainer.max_epochs=500", "hydra.run.dir=run"]
    process = start(*words, cwd=tmp_path)
    end = time.monotonic() + 120
    while not (tmp_path / "run/history.csv").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    for _ in range(3):  # as SLURM does, to the job, to its step
        process.send_signal(getattr(signal, name))
        time.sleep(0.02)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == -getattr(signal, name)
    assert f"Stopped by {name} within epoch" in printed
    assert "python train.py resume=run" in printed
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["status"] == "interrupted"
    assert facts["error"].startswith(f"Stopped by {name} within epoch")
    cut_off = read_cut_off(tmp_path / "run")
    assert len(cut_off) == 1
    assert not list((tmp_path / "run").rglob("*.part"))


@pytest.mark.slow
def test_several_processes_stop_together_and_go_on_as_another_number(tmp_path):
    """Two processes are cut off; one goes on with twice the batch: as if it had been one all along."""
    words = [*TINY, *NO_FIGURES, "optim=sgd", "optim.lr=0.005", "data.augment=null", "control=null"]
    words += ["trainer.max_epochs=25"]
    two = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "data.batch_size=10"]
    process = start(*words, *two, "callback.preemption.every=1", "hydra.run.dir=run", cwd=tmp_path)
    end = time.monotonic() + 120
    while not (tmp_path / "run/history.csv").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    process.terminate()
    printed, _ = process.communicate(timeout=100)
    assert process.returncode == -signal.SIGTERM, printed
    cut_off = read_cut_off(tmp_path / "run")
    assert len(cut_off) == 2
    assert cut_off[0]["sums"][1] == cut_off[1]["sums"][1] > 0
    code, printed = typed(
        *("resume=run", "trainer.devices=1", "trainer.strategy=auto", "data.batch_size=20"), cwd=tmp_path
    )
    assert code == 0, printed
    train(tmp_path / "one", *words, "data.batch_size=20")
    losses, others = ([row["train/loss"] for row in Run(tmp_path / folder).epochs] for folder in ("run", "one"))
    assert losses == pytest.approx(others, rel=5e-3)
    assert os.listdir(tmp_path / "run").count("train.log") == 1
