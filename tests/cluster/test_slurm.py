"""What the page on clusters promises, on a real SLURM: sweeps by array, a run by srun, preemption, a failing job."""

import json
import subprocess
import sys
import time

import pytest
from tests.cluster.conftest import ask, wait_until
from tests.conftest import NO_FIGURES, ROOT, TINY
from tests.tiny_runs import read_metrics, read_rows, read_run, train

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]

TRAIN = [sys.executable, str(ROOT / "train.py")]
PLAIN = [*TINY, *NO_FIGURES, "control=null"]
LAUNCHER = ["hydra/launcher=slurm", "hydra.launcher.mem_gb=2", "hydra.launcher.timeout_min=10"]
LONG = [*TINY[2:], "data=digits", *NO_FIGURES, "control=null", "trainer.max_epochs=25", "data.batch_size=8"]


def submit(slurm, folder, line, *flags):
    """Put a line of a shell into the queue: the job's number. What it prints stands in job.out."""
    script = folder / "job.sh"
    script.write_text(f"#!/bin/bash\n{line}\n")
    words = ["sbatch", "--parsable", f"--output={folder}/job.out", "--open-mode=append", "--requeue", *flags, script]
    return subprocess.run(words, env=slurm, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def show(slurm, job):
    """What SLURM says of a job: JobState, Restarts and more."""
    return dict(word.split("=", 1) for word in ask(slurm, "scontrol", "-o", "show", "job", job).split() if "=" in word)


def is_over(slurm, job):
    """Whether a job has ended for good."""
    return show(slurm, job).get("JobState") in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


def wait_until_over(slurm, job):
    """Wait for a job that was queued again, which SLURM would let lie for two minutes."""
    wait_until(lambda: (found := show(slurm, job))["Restarts"] != "0" and found["JobState"] == "PENDING", 60)
    time.sleep(3)  # SLURM refuses a job that starts while it is still being ended
    ask(slurm, "scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_until(lambda: is_over(slurm, job), 200)


def read_out(folder):
    path = folder / "job.out"
    return path.read_text() if path.exists() else ""


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_sweep_of_an_array_ends_in_one_report_and_a_failed_job_costs_itself_alone(slurm, tmp_path):
    words = ["-m", *PLAIN, *LAUNCHER, "seed=0,1", "trainer.strategy=auto,fsdp", "hydra.sweep.dir=sweep"]
    done = subprocess.run([*TRAIN, *words], env=slurm, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    sweep = tmp_path / "sweep"
    assert (sweep / "report.html").is_file(), done.stdout + done.stderr
    states = [read_run(sweep / str(number))["status"] for number in range(4)]
    assert sorted(states) == ["failed", "failed", "finished", "finished"], done.stdout + done.stderr
    assert done.returncode == 1
    assert "resume=" in done.stdout
    assert (sweep / "report.html").is_file()
    assert (sweep / "results.csv").is_file()


def test_tasks_of_srun_train_one_run_in_one_folder(slurm, tmp_path):
    words = " ".join([*PLAIN, "data.augment=null", "optim=sgd", "data.batch_size=20", "trainer.accelerator=cpu"])
    job = submit(slurm, tmp_path, f"srun --ntasks=2 {' '.join(TRAIN)} {words} trainer=ddp", "--ntasks=2")
    wait_until(lambda: is_over(slurm, job), 120)
    (run,) = (tmp_path / "outputs/supervised").iterdir()
    assert run.name.startswith(f"slurm_{job}.0_")
    assert read_run(run)["status"] == "finished", read_out(tmp_path)
    assert read_out(tmp_path).count("epoch 2/2") == 1
    one = train(tmp_path / "one", *PLAIN, "data.augment=null", "optim=sgd", "data.batch_size=40")
    assert read_metrics(run) == pytest.approx(read_metrics(one), rel=1e-3, abs=0.03)


def test_a_preempted_run_is_queued_again_and_goes_on_bit_equal(slurm, tmp_path):
    job = submit(slurm, tmp_path, f"srun {' '.join(TRAIN)} {' '.join(LONG)}")
    wait_until(lambda: "epoch 2/" in read_out(tmp_path), 120)
    urgent = submit(slurm, tmp_path, "true", "-p", "urgent", "--exclusive", "--output=/dev/null")
    wait_until(lambda: is_over(slurm, urgent), 60)
    wait_until_over(slurm, job)
    (run,) = (tmp_path / "outputs/supervised").iterdir()
    said = (run / "train.log").read_text()  # what goes through srun may be lost when it is killed
    assert "Stopped by SIGTERM within epoch" in said
    assert read_run(run)["status"] == "finished", said
    assert "epoch 1/25" not in said.partition("Stopped by SIGTERM")[2]
    whole = train(tmp_path / "whole", *LONG)
    assert without_seconds(read_rows(run)) == without_seconds(read_rows(whole))
    assert read_metrics(run) == read_metrics(whole)


def test_a_run_whose_time_is_nearly_up_queues_itself_again(slurm, tmp_path):
    job = submit(slurm, tmp_path, f"srun {' '.join(TRAIN)} {' '.join(LONG)}")
    wait_until(lambda: "epoch 2/" in read_out(tmp_path), 120)
    ask(slurm, "scancel", "--signal=USR1", job)
    wait_until_over(slurm, job)
    (run,) = (tmp_path / "outputs/supervised").iterdir()
    said = (run / "train.log").read_text()
    assert read_run(run)["status"] == "finished", said
    assert "Stopped by SIGUSR1 within epoch" in said
    assert "is queued again" in said
    rows = [int(row["epoch"]) for row in read_rows(run)]
    assert rows == list(range(1, 26))
    assert json.loads((run / "metrics.json").read_text())["test/images"] == 360
