"""The end of a run: tested once, looked at, its numbers written."""

import logging
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

from netgaze.callbacks.tensorboard import write_results
from netgaze.files import write_json
from netgaze.gallery import look
from netgaze.labels import label_runs
from netgaze.run import Run
from netgaze.subject import Subject, device_of, evaluating
from netgaze.subjects import controls
from netgaze.tables import format_numbers
from netgaze.trainer import choose_device
from netgaze.weights import restore

log = logging.getLogger(__name__)


def end(
    trainer: Any,
    task: Any,
    data: Any,
    training_data: Any,
    figures: dict[str, Any],
    settings: dict[str, Any],
    run: Run,
    stage_metrics: Mapping[str, float],
) -> dict[str, Any]:
    """Test once, on the best epoch; draw the figures; write the numbers.

    Args:
        trainer: has trained the task.
        task: as its last epoch left it.
        data: what the figures show.
        training_data: what was trained on: `data`, or features in its place.
        figures: built, by name.
        settings: the resolved config.
        run: where all goes.
        stage_metrics: numbers of earlier stages, by name.

    Returns:
        How fast training and test were, and the memory that all took.
    """
    best = run.read_checkpoint("best")
    restore(task, best, run.locate_checkpoint("best"))
    tested, test_speed = _test(trainer, task, data, training_data)
    task.to(choose_device(settings["trainer"]["accelerator"]))  # Lightning hands it back on the CPU
    if settings.get("export_predictions"):
        write_json(run.folder / "results.json", _predict(task, data))
    epoch = best["epoch"] + 1 if run.epochs else 0
    numbers = {name: value for row in run.epochs if row["epoch"] == epoch for name, value in row.items() if "/" in name}
    numbers |= tested | {"best/epoch": epoch, "test/images": len(data.labels("test"))}
    numbers |= task.save_artifacts(data, run.folder) | stage_metrics
    numbers = _look(figures, task, data, settings, run, numbers)
    write_json(run.folder / "metrics.json", numbers)
    if task.variants:
        write_json(run.folder / "variants.json", task.variants)
    hyperparameters = {name: value for name, value in settings.items() if name not in ("callback", "figure", "control")}
    write_results(run.folder, hyperparameters, numbers, epoch)
    log.info("%s", format_numbers(numbers))
    return {"test_images_per_second": test_speed, "peak_memory_mb": _measure_memory()} | _measure_training(data, run)


def _test(trainer: Any, task: Any, data: Any, training_data: Any) -> tuple[dict[str, float], float | None]:
    """What the test found, and how many images it took per second; None where features were tested."""
    started, num = time.perf_counter(), len(data.labels("test"))
    tested = trainer.test(task, datamodule=training_data, verbose=False)[0]
    speed = None
    if training_data is data:
        speed = num / (time.perf_counter() - started)
        log.info("tested on %d images, %.0f a second", num, speed)
    return {name: float(value) for name, value in tested.items()}, speed


def _look(
    figures: dict[str, Any], task: Any, data: Any, settings: dict[str, Any], run: Run, numbers: dict[str, Any]
) -> dict[str, Any]:
    """Draw the figures; the numbers with what they found, where the test has not found it already."""
    subject = Subject(
        label_runs([run])[0],
        task=lambda: task,
        data=lambda: data,
        history=(lambda: run.epochs) if run.epochs else None,
        metrics=numbers,
        config=settings,
        folder=run.folder,
    )
    seen = look(figures, [subject, *controls([subject], settings["control"])], run.folder / "figures")
    for name, findings in seen.items():
        found = findings[subject.label].numbers if subject.label in findings else {}
        numbers = {f"test/{metric}": found[metric] for metric in figures[name].metrics if metric in found} | numbers
    return numbers


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
