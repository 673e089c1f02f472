"""analyze and compare: runs, and networks without one, laid side by side in pictures, a table and a page."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze import report, results, runs
from netgaze.build import build, resolve_config
from netgaze.data.decode import find_pictures
from netgaze.errors import NetgazeError
from netgaze.gallery import look
from netgaze.schema import check_analyze, num_cpus
from netgaze.subject import Subject
from netgaze.subjects import controls, has_checkpoint, open_model, open_run
from netgaze.trainer import set_globals

log = logging.getLogger(__name__)

MAX_COLUMNS = 4  # runs side by side in one picture
ANATOMY = {"anatomy": {"_target_": "netgaze.figures.anatomy.Anatomy"}}  # what any network can be asked


@dataclass(frozen=True)
class _Asked:
    """Figures by name, and the networks that they are asked of.

    `like` are those whose untrained twins are asked too; None for all.
    """

    figures: dict[str, Any]
    subjects: list[Subject]
    like: list[Subject] | None = None


def analyze(config: DictConfig, folder: Path, about: dict[str, Any]) -> None:
    """Draw figures of finished runs, and of a network without one, side by side into `folder`, with a report.

    Args:
        config: composed from `conf/analyze.yaml`.
        folder: where the pictures and `report.html` go.
        about: what the command line knows.

    Raises:
        NetgazeError: nothing to look at, no run where one was named, titles that do not fit, or figures that ask for
            more than a network without a run has.
    """
    check_analyze(config)
    settings = resolve_config(OmegaConf.masked_copy(config, [str(key) for key in config if key != "model"]))
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    found = runs.find(settings["runs"] or [])
    names = [*(runs.labels(found) if found else []), *([_model_name(about)] if config.model else [])]
    labels = settings["labels"] or names
    if len(labels) != len(names) or len(set(labels)) < len(labels):
        raise NetgazeError(
            f"labels: give as many titles as there are networks, {len(names)}, all different; got {labels}."
        )
    rows = runs.rows(found, labels[: len(found)]) if found else []
    checkpoint = settings["checkpoint"]
    kept = [has_checkpoint(run, checkpoint) for run in found]
    subjects = [
        open_run(run, checkpoint, label, settings["data"] or None)
        for run, label, there in zip(found, labels, kept, strict=False)
        if there
    ]
    missing = [label for label, there in zip(labels, kept, strict=False) if not there]
    note = f"The pictures show each run's {checkpoint} checkpoint."
    note += f" Without one, and so without pictures: {', '.join(missing)}." if missing else ""
    note += " They look at other data than the runs' own; the table is of the runs." if settings["data"] else ""
    own = _own_figures(subjects)
    if config.model:
        subjects.append(_network(config, subjects, labels[-1]))
    figures = _asked(settings["figure"] or own or (ANATOMY if config.model else {}), settings["images"])
    title, note = ("Side by side", note) if found else (labels[-1], f"Asked by: {about['command']}")
    seen = _show(folder, rows, [_Asked(figures, subjects)], settings["control"], title=title, note=note)
    if not found and not seen:
        raise NetgazeError(
            f"{', '.join(figures)} cannot be asked of a network without a run: give runs=[...], or choose "
            "figure=[anatomy]."
        )


def _model_name(about: dict[str, Any]) -> str:
    """A network without a run by what was typed."""
    typed = [word.removeprefix("model.") for word in about["overrides"] if word.startswith("model.")]
    return ", ".join([about["choices"]["model"], *typed])


def _network(config: DictConfig, subjects: list[Subject], label: str) -> Subject:
    """The network without a run: what it reads and names is typed, or else as the data or the first run has it.

    Raises:
        NetgazeError: nothing says what it reads, or it is built for square images and these are none.
    """
    facts = {"num_classes": 1000}
    if subjects and subjects[0].config:
        facts |= subjects[0].config["data"] | {"num_classes": subjects[0].config["task"]["num_classes"]}
    facts |= resolve_config(config.data)
    if config.input is not None:
        channels, height, width = config.input
        facts |= {"num_channels": channels, "image_size": height}
    elif "image_size" in facts:
        channels, height, width = facts["num_channels"], facts["image_size"], facts["image_size"]
    else:
        raise NetgazeError(f"input must be given: none of the runs says what {label} reads. Type input=[3,224,224].")
    if height != width and "image_size" in config.model:
        raise NetgazeError(
            f"{label} is built for square images: give input=[{channels},{height},{height}] or the like."
        )
    num_classes = facts["num_classes"] if config.task.num_classes is None else config.task.num_classes
    whole = {"model": config.model, "data": facts, "task": {"num_classes": num_classes}}
    return open_model(resolve_config(OmegaConf.create(whole))["model"], (channels, height, width), label)


def compare(folder: Path) -> bool:
    """End a sweep: results.csv, the table, the winner, a plot, and report.html with every figure side by side.

    Args:
        folder: the sweep's folder.

    Returns:
        Whether every run finished.
    """
    found = runs.find([str(folder)])
    labels = runs.labels(found)
    rows = runs.rows(found, labels)
    kept = [(run, label) for run, label in zip(found, labels, strict=True) if has_checkpoint(run, "best")]
    every = [open_run(run, label=label) for run, label in kept]
    best = {row["run"] for row in results.pictured(rows, MAX_COLUMNS)}
    subjects = [subject for subject in every if subject.label in best]
    num_finished = sum(row["status"] == "finished" for row in rows)
    seeds = " (of repeated runs one)" if results.over_seeds(rows) else ""
    note = f"The pictures show {len(best)} of the {len(rows)} runs, the best by the table{seeds}."
    note = note if num_finished > len(best) else ""
    control = subjects[0].config["control"] if subjects and subjects[0].config else None
    figures = _own_figures(subjects)
    asked = [_Asked(_of_numbers(figures, True), every), _Asked(_of_numbers(figures, False), subjects)]
    _show(folder, rows, asked, control, title=folder.parent.name, note=note)
    return num_finished == len(rows)


def compare_stages(stages: Mapping[str, Path], folder: Path) -> None:
    """Lay the stages of a run side by side: the table of those that were trained, and report.html.

    It shows the last one's figures of all that were trained, and of each stage what it drew alone.

    Args:
        stages: folders of the runs, by name.
        folder: where the pictures and the page go.
    """
    subjects = [open_run(place, label=name) for name, place in stages.items()]
    trained = [subject for subject in subjects if not subject.lacks(("history",))]
    rows = runs.rows([stages[subject.label] for subject in trained], [subject.label for subject in trained])
    rows = [row | {"seconds": runs.read(stages[row["run"]]).get("seconds")} for row in rows]  # of each stage alone
    *earlier, last = subjects
    figures = _own_figures([last])
    asked = [_Asked(_own_figures([subject]), [subject]) for subject in earlier]
    asked += [_Asked(_of_numbers(figures, False), trained, like=[last]), _Asked(_of_numbers(figures, True), [last])]
    _show(folder, rows, asked, (last.config or {})["control"], title=", ".join(stages))


def _of_numbers(figures: dict[str, Any], wanted: bool) -> dict[str, Any]:
    """The figures that ask for a run's numbers and settings alone, and so show any number of runs; or the others."""
    return {name: it for name, it in figures.items() if (set(build(it).needs) <= {"metrics", "config"}) is wanted}


def _asked(figures: dict[str, Any], images: list[str] | None) -> dict[str, Any]:
    """The figures to draw: with own pictures, those alone that show such.

    Raises:
        NetgazeError: none of them does.
    """
    if not images:
        return figures
    own = find_pictures(images)
    showing = {name: figure | {"images": own} for name, figure in figures.items() if "images" in figure}
    if not showing:
        raise NetgazeError("images: choose a figure that shows own pictures, as in figure=[response_maps].")
    return showing


def _own_figures(subjects: list[Subject]) -> dict[str, Any]:
    """The figures that the runs drew themselves, the first run's settings where several drew the same one."""
    figures: dict[str, Any] = {}
    for subject in subjects:
        figures = (subject.config or {}).get("figure", {}) | figures
    return figures


def _show(
    folder: Path,
    rows: list[results.Row],
    asked: Sequence[_Asked],
    control: str | None,
    title: str,
    note: str = "",
) -> dict[str, Any]:
    """Table, winner, pictures and page; returns what the figures found.

    Args:
        folder: where all goes.
        rows: of the table.
        asked: figures and the networks that they are asked of.
        control: as in the config.
        title: of the page.
        note: below it.
    """
    seen: dict[str, Any] = {}
    for question in asked:
        built = {name: build(figure) for name, figure in question.figures.items()}
        if built and question.subjects:
            like = question.subjects if question.like is None else question.like
            untrained = controls([subject for subject in like if subject.config is not None], control)
            seen |= look(built, [*question.subjects, *untrained], folder / "figures")
    if not rows:
        if seen:
            log.info("Report: %s", report.write(folder, title, rows, list(seen), note=note))
        return seen
    results.write_csv(rows, folder / "results.csv")
    plots = {"sweep": results.plot_sweep, "matrix": results.plot_matrix}
    drawn = [name for name, plot in plots.items() if plot(rows, folder / "figures" / f"{name}.png")]
    page = report.write(folder, title, rows, list(seen), plots=drawn, note=note)
    log.info("\n%s", results.as_text(*results.table(rows)))
    if means := results.over_seeds(rows):
        log.info("\n%s", results.as_text(*results.seeds_table(means)))
    log.info("%s", results.winner(rows))
    for row in rows:
        if row["error"]:
            log.info("%s: %s", row["label"], row["error"])
    log.info("Report: %s", page)
    return seen
