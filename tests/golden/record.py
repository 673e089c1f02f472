"""What tiny runs of each task compute, step by step: `python -m tests.golden.record` writes it beside this file.

On one machine two versions of the code that mean the same agree to the bit; processors differ in the last digits.
"""

import csv
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from netgaze import fit
from netgaze.callbacks.finite import Finite

HERE = Path(__file__).parent
NUM_STEPS = 8  # whose losses are kept, of each run and stage

SHARED = ["trainer.max_epochs=2", "trainer.precision=32", "trainer.threads=1", "figure=[]", "control=null", "seed=3"]
SMALL = [*SHARED, "model.depths=[1,1]", "model.widths=[8,16]", "optim.lr=0.05"]
SGD = ["optim=sgd", "schedule=one_cycle"]
DIGITS = [*SMALL, "data=digits", "data.limit=120", "data.batch_size=24"]
FACES = ["data=doodle_faces", "data.num_classes=24", "data.num_val_people=6", "data.num_test_people=8"]
FACES += ["data.images_each=6", "data.image_size=32", "data.batch_size=16"]
CASES = {
    "supervised": [*DIGITS, "task=supervised", "task.label_smoothing=0.1", *SGD],
    # Today's look at the features while training finds more.
    "rotation": [
        *DIGITS,
        "task=rotation",
        *SGD,
        *(f"~callback.online_eval.figures.{name}" for name in ("probe", "spectrum")),
    ],
    "dynamic_conv": [*DIGITS, "task=dynamic_conv", "model.stem=cifar", "task.freeze_backbone=true"],
    "siamese": [*SMALL, *FACES, "task=siamese", "task.embedding_dim=8", "task.loss=mining_contrastive"],
    "linear_probe": [*DIGITS, "task=linear_probe", "task.lrs=[0.5,0.05]", "optim.lr=0.1", "init={folder}/supervised"],
    "teacher_student": [
        *(*DIGITS, "task=teacher_student", "data.per_class=4", "data.epoch_size=96"),
        *("stages.pseudo_labels.task.k=6", "stages.finetune.data.epoch_size=48"),
    ],
}


def record(name: str, folder: Path) -> dict[str, Any]:
    """The losses of the first steps, the history and the final numbers of one case, run below `folder`."""
    losses: list[float] = []
    looked = Finite.on_train_batch_end

    def note(self: Finite, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step <= NUM_STEPS:
            losses.append(float(outputs["loss"].detach()))
        looked(self, trainer, pl_module, outputs, batch, batch_idx)

    threads = torch.get_num_threads()
    try:
        with patch.object(Finite, "on_train_batch_end", note):
            fit([*(word.format(folder=folder) for word in CASES[name]), f"hydra.run.dir={folder}/{name}"])
    finally:
        torch.set_num_threads(threads)
    metrics = json.loads((folder / name / "metrics.json").read_text())
    return {"losses": losses, "history": read_history(folder / name), "metrics": metrics}


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of `history.csv` without what differs from run to run."""
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if value and name != "seconds"} for row in rows]


def main(out: Path) -> None:
    """Run every case and write `<out>/<case>.json`."""
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            (out / f"{name}.json").write_text(json.dumps(record(name, Path(folder)), indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
