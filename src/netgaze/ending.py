"""The end of a run: tested once, looked at, its numbers written."""

import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch

from netgaze import results, runs
from netgaze.callbacks.tensorboard import write_results
from netgaze.files import write_json
from netgaze.gallery import look
from netgaze.subject import Subject, device_of, evaluating
from netgaze.subjects import controls
from netgaze.trainer import choose_device
from netgaze.weights import read_checkpoint, restore

log = logging.getLogger(__name__)


def end(
    trainer: Any,
    task: Any,
    data: Any,
    training_data: Any,
    figures: dict[str, Any],
    settings: dict[str, Any],
    folder: Path,
    told: dict[str, float],
) -> None:
    """Test once, on the best epoch; draw the figures; write the numbers.

    Args:
        trainer: has trained the task.
        task: as its last epoch left it.
        data: what the figures show.
        training_data: what was trained on: `data`, or features in its place.
        figures: built, by name.
        settings: the resolved config.
        folder: the run's.
        told: numbers of earlier stages, by name.
    """
    epoch, tested = _test(trainer, task, data, training_data, folder)
    task.to(choose_device(settings["trainer"]["accelerator"]))  # Lightning hands it back on the CPU
    if settings.get("export_predictions"):  # runs from before there was this key can be resumed
        write_json(folder / "results.json", _predictions(task, data))
    history = runs.read_history(folder)
    epoch = epoch if history else 0
    numbers = {name: value for row in history if row["epoch"] == epoch for name, value in row.items() if "/" in name}
    numbers |= tested | {"best/epoch": epoch, "test/images": len(data.labels("test"))}
    numbers |= task.save_artifacts(data, folder) | told
    subject = Subject(
        runs.labels([folder])[0],
        task=lambda: task,
        data=lambda: data,
        history=(lambda: history) if history else None,
        metrics=numbers,
        config=settings,
        folder=folder,
    )
    seen = look(figures, [subject, *controls([subject], settings["control"])], folder / "figures")
    for name, findings in seen.items():
        found = findings[subject.label].numbers if subject.label in findings else {}
        # Of a number that the test has found already, the test's own stands.
        numbers = {f"test/{metric}": found[metric] for metric in figures[name].metrics if metric in found} | numbers
    write_json(folder / "metrics.json", numbers)
    if task.variants:
        write_json(folder / "variants.json", task.variants)
    learned_with = {name: value for name, value in settings.items() if name not in ("callback", "figure", "control")}
    write_results(folder, results.flat(learned_with), numbers, epoch)
    _note_training(data, history, folder)
    log.info("%s", results.numbers_as_text(numbers))


def _test(trainer: Any, task: Any, data: Any, training_data: Any, folder: Path) -> tuple[int, dict[str, float]]:
    """The best epoch, from 1, and what its test found; the task then has its weights."""
    path = folder / "checkpoints" / "best.ckpt"
    best = read_checkpoint(path)
    restore(task, best, path)
    started = time.perf_counter()
    tested = trainer.test(task, datamodule=training_data, verbose=False)[0]
    speed = None
    if training_data is data:  # else it was features that were tested, not images
        speed = len(data.labels("test")) / (time.perf_counter() - started)
        log.info("tested on %d images, %.0f a second", len(data.labels("test")), speed)
    runs.note(folder, test_images_per_second=speed)
    return best["epoch"] + 1, {name: float(value) for name, value in tested.items()}


def _note_training(data: Any, history: list[dict[str, float]], folder: Path) -> None:
    """Write down how fast training was, and the memory that all took."""
    spent = sum(row["seconds"] for row in history)
    speed = (data.training.epoch_size or len(data.labels("train"))) * len(history) / spent if spent else None
    runs.note(folder, images_per_second=speed, peak_memory_mb=_peak_memory())


def _predictions(task: Any, data: Any) -> list[dict[str, int]]:
    """The class of each image of the official test, in fp32, as the Visual Decathlon's server takes it."""
    test, answers = data.official_test(), []
    with evaluating(task), torch.no_grad():
        for images in test.images.split(data.test_batch_size):
            answers += task(data.normalize(images).to(device_of(task))).argmax(dim=1).tolist()
    return [
        {"image_id": image, "category_id": test.category_ids[answer]}
        for image, answer in zip(test.image_ids, answers, strict=True)
    ]


def _peak_memory() -> float:
    """The largest memory in use so far, in MB: the device's where there is one, else this process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
