"""The end of a run: tests once in all processes; the main one writes numbers, then figures."""

import logging
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from netgaze.build import build
from netgaze.callbacks.tensorboard import write_results
from netgaze.files import write_json
from netgaze.gallery import Found, look, pick_numbers
from netgaze.labels import label_runs, list_hyperparameters
from netgaze.rows import count_examples
from netgaze.run import Run
from netgaze.subject import Subject, device_of, evaluating
from netgaze.subjects import choose_precision, controls, plan_untrained
from netgaze.tables import format_numbers
from netgaze.trainer import choose_device, set_globals
from netgaze.weights import restore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tested:
    """What the test of a run's best epoch found.

    Attributes:
        epoch: the best one, from 1.
        numbers: by name.
        images_per_second: None where features were tested.
    """

    epoch: int
    numbers: dict[str, float]
    images_per_second: float | None


def test_best(trainer: Any, task: Any, data: Any, training_data: Any, run: Run) -> Tested:
    """Test once, on the best epoch, whose weights the task then has; in all processes, each its share of the images.

    Args:
        trainer: has trained the task.
        task: as its last epoch left it.
        data: what the figures show.
        training_data: what was trained on: `data`, or features in its place.
        run: where its checkpoints lie.
    """
    best = run.read_checkpoint("best")
    restore(task, best, run.locate_checkpoint("best"))
    started, num = time.perf_counter(), len(data.labels("test"))
    found = trainer.test(task, datamodule=training_data, verbose=False)[0]
    speed = None
    if training_data is data:
        speed = num / (time.perf_counter() - started)
        log.info("tested on %d images, %.0f per second", num, speed)
    return Tested(best["epoch"] + 1, {name: float(value) for name, value in found.items()}, speed)


def end(
    task: Any,
    data: Any,
    figures: dict[str, Any],
    settings: dict[str, Any],
    run: Run,
    tested: Tested,
    stage_metrics: Mapping[str, float],
) -> dict[str, Any]:
    """Write the numbers; draw the figures; write the numbers with what these found.

    Whatever a figure does, the numbers of the test are there.

    Args:
        task: as it was tested.
        data: what the figures show.
        figures: built, by name.
        settings: the resolved config.
        run: where all goes.
        tested: what the test found.
        stage_metrics: numbers of earlier stages, by name.

    Returns:
        How fast training and test were, the memory that all took, and which figures have no picture.
    """
    task.to(choose_device(settings["trainer"]["accelerator"]))  # Lightning hands it back on the CPU
    if settings.get("export_predictions"):
        write_json(run.folder / "results.json", _predict(task, data))
    if task.predictions is not None:
        task.predictions.save(run.folder / "predictions.npz")
    epoch = tested.epoch if run.epochs else 0
    numbers = {name: value for row in run.epochs if row["epoch"] == epoch for name, value in row.items() if "/" in name}
    numbers |= tested.numbers | {"best/epoch": epoch, "test/images": len(data.labels("test"))}
    numbers |= task.save_artifacts(data, run.folder) | stage_metrics
    if task.variants:
        write_json(run.folder / "variants.json", task.variants)
    _write_numbers(run, numbers)
    log.info("%s", format_numbers(numbers, count_examples(run)))
    subject = Subject(
        label_runs([run])[0],
        task=lambda: task,
        data=lambda: data,
        history=(lambda: run.epochs) if run.epochs else None,
        metrics=numbers,
        config=settings,
        folder=run.folder,
        precision=choose_precision(settings),
        examples=(lambda: run.examples) if run.has_examples else None,
        snapshots=(lambda: run.snapshots) if run.has_snapshots else None,
        untrained=lambda: plan_untrained(settings),
    )
    found = _look(figures, subject, settings, run, numbers)
    speed = {"test_images_per_second": tested.images_per_second} | _measure_training(data, run)
    return speed | {"peak_memory_mb": _measure_memory()} | found.as_facts()


def draw_missing(run: Run, settings: dict[str, Any]) -> bool:
    """Draw those figures of a finished run that failed, or whose pictures are gone; whether there were any.

    Its numbers stay, and what these figures find comes to them; `run.json` says what is missing still.

    Args:
        run: finished.
        settings: its resolved config.
    """
    missing = {name: settings["figure"][name] for name in run.list_missing(settings["figure"])}
    if not missing:
        return False
    log.info("%s is finished. Drawing what is missing: %s", run.folder, ", ".join(missing))
    chosen = settings["trainer"]
    set_globals(seed=settings["seed"], threads=chosen["threads"], deterministic=chosen["deterministic"])
    built = {name: build(figure) for name, figure in missing.items()}
    found = _look(built, run.open(label=label_runs([run])[0]), settings, run, run.metrics)
    left_out = {name: why for name, why in run.facts.get("figures_left_out", {}).items() if name not in missing}
    facts = found.as_facts()
    run.note(**facts | {"figures_left_out": left_out | facts["figures_left_out"]})
    return True


def _write_numbers(run: Run, numbers: dict[str, Any]) -> None:
    """Write a run's final numbers, for people and for TensorBoard."""
    write_json(run.folder / "metrics.json", numbers)
    write_results(run.folder, list_hyperparameters(run), numbers, numbers["best/epoch"])


def _look(
    figures: dict[str, Any], subject: Subject, settings: dict[str, Any], run: Run, numbers: dict[str, Any]
) -> Found:
    """Draw figures of a run; its numbers are written again with what they find and the test has not found already."""
    if not figures:
        return Found()
    found = look(figures, [subject, *controls([subject], settings["control"])], run.folder / "figures")
    added: dict[str, Any] = {}
    for name, findings in found.items():
        own = pick_numbers(findings[subject.label], figures[name]) if subject.label in findings else {}
        new = {f"test/{metric}": value for metric, value in own.items() if f"test/{metric}" not in numbers}
        added = new | added
    _write_numbers(run, added | numbers)
    if added:
        log.info("%s", format_numbers(added, numbers | count_examples(run)))
    return found


def _measure_training(data: Any, run: Run) -> dict[str, float | None]:
    """How many images training took per second, over all epochs."""
    spent = sum(row["seconds"] for row in run.epochs)
    num = data.training.epoch_size or len(data.labels("train"))
    return {"images_per_second": num * len(run.epochs) / spent if spent else None}


def _predict(task: Any, data: Any) -> list[dict[str, int]]:
    """The class of each image of the official test, in fp32, as the Visual Decathlon's server takes it."""
    test, answers = data.official_test(), []
    with evaluating(task), torch.no_grad():
        for images in test.images.split(data.test_batch_size):
            answers += task(data.normalize(images).to(device_of(task))).argmax(dim=1).tolist()
    return [
        {"image_id": image, "category_id": test.category_ids[answer]}
        for image, answer in zip(test.image_ids, answers, strict=True)
    ]


def _measure_memory() -> float:
    """The largest memory in use so far, in MB: the device's where there is one, else this process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
