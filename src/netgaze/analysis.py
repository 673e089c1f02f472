"""analyze and compare: runs and networks without a run, side by side in pictures, a table and a page."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from netgaze import report, tables
from netgaze.build import build, resolve_config, trust
from netgaze.callbacks.tensorboard import write_hyperparameters
from netgaze.early_checks import check_analyze, check_labels
from netgaze.errors import NetgazeError
from netgaze.exporting import export_runs
from netgaze.failures import Failure, explain_run
from netgaze.files import read_json, write_csv
from netgaze.folders.pictures import find_pictures
from netgaze.gallery import Found, look
from netgaze.labels import find_differing, label_runs, list_settings
from netgaze.pictures import write_failure
from netgaze.plots import plot_matrix, plot_sweep
from netgaze.request import Request
from netgaze.results import average_repeats, choose_pictured
from netgaze.rows import Row, find_runs, make_rows
from netgaze.run import Run
from netgaze.schema import num_cpus
from netgaze.subject import Subject
from netgaze.subjects import controls, open_model
from netgaze.trainer import set_globals
from netgaze.winner import name_winner

log = logging.getLogger(__name__)

MAX_COLUMNS = 4  # runs side by side in one picture
PLOTS = {"sweep": plot_sweep, "matrix": plot_matrix}  # of a table
ANATOMY = {"anatomy": {"_target_": "netgaze.figures.anatomy.Anatomy"}}  # what any network can be asked
EXPLORER = {"explore": {"_target_": "netgaze.figures.explore.Explore"}}  # what a page begins with
COMPARISONS = {  # what two networks or more are asked beside what the runs drew themselves
    "agreement": {"_target_": "netgaze.figures.agreement.Agreement"},
    "similarity": {"_target_": "netgaze.figures.similarity.Similarity"},
    "layers": {"_target_": "netgaze.figures.layers.Layers"},
}


@dataclass(frozen=True)
class _Section:
    """Figures by name, and the networks that they show.

    `like` are those whose untrained twins are shown too; None for all.
    """

    figures: dict[str, Any]
    subjects: list[Subject]
    like: list[Subject] | None = None


def analyze(config: DictConfig, folder: Path, request: Request) -> list[Row]:
    """Draw figures of finished runs, and of a network without one, side by side into `folder`, with a report.

    Args:
        config: composed from `conf/analyze.yaml`.
        folder: where the pictures and `report.html` go; neither is made where the runs are exported and no figure is
            chosen.
        request: what was typed.

    Returns:
        The table's rows; none of a network without a run.

    Raises:
        NetgazeError: what `early_checks.check_analyze` says; figures that need more than a network without a run has;
            or, once all is written, figures that failed: any where
            `figures.strict` is true, else where none was drawn.
    """
    check_analyze(config)
    _leave_out_no_place(config)
    trust(config)
    settings = resolve_config(OmegaConf.masked_copy(config, [str(key) for key in config if key != "model"]))
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    runs = find_runs(settings["runs"] or [])
    names = [*label_runs(runs), *([_name_model(request)] if config.model else [])]
    labels = settings["labels"] or names
    check_labels(labels, len(names))
    rows = make_rows(runs, labels[: len(runs)])
    checkpoint = settings["checkpoint"]
    other_data, data_dir = _choose_data(settings["data"])
    titled = dict(zip(labels, runs, strict=False))
    subjects = [
        run.open(checkpoint, label, other_data, data_dir, settings["figures"]["precision"])
        for label, run in titled.items()
        if run.has_checkpoint(checkpoint)
    ]
    if settings["export"]:
        export_runs(settings["export"], [(titled[subject.label], subject) for subject in subjects], checkpoint)
        if not settings["figure"]:
            return rows
    missing = [label for label, run in titled.items() if not run.has_checkpoint(checkpoint)]
    note = f"The pictures show each run's {checkpoint} checkpoint."
    note += f" Without one, and so without pictures: {', '.join(missing)}." if missing else ""
    note += " They look at other data than the runs' own; the table is of the runs." if other_data else ""
    own = _complete_figures(_merge_figures(subjects), subjects)
    if config.model:
        subjects.append(_open_network(config, subjects, labels[-1]))
    figures = _choose_figures(settings["figure"] or own or (ANATOMY if config.model else {}), settings["images"])
    title, note = ("Side by side", note) if runs else (labels[-1], f"Asked by: {request.command}")
    found = _show(folder, rows, [_Section(figures, subjects)], settings["control"], title=title, note=note)
    if not runs and not found and not found.failed:
        raise NetgazeError(
            f"{', '.join(figures)} cannot be drawn without a run. Give runs=[...] or choose figure=[anatomy]."
        )
    if subjects and (why := found.explain(list(figures), settings["figures"]["strict"])):
        raise NetgazeError(f"{folder}: {why}.")
    return rows


def _choose_data(settings: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """Other data than the runs' own, or where their own lies now."""
    return (settings, None) if "_target_" in settings else (None, settings.get("dir"))


def _leave_out_no_place(config: DictConfig) -> None:
    """Take `data.dir` away where nothing was typed for it and the data that was chosen has no such key."""
    if "_target_" in config.data and not OmegaConf.is_missing(config.data, "dir") and config.data.get("dir") is None:
        with open_dict(config):
            config.data.pop("dir", None)


def _name_model(request: Request) -> str:
    """A network without a run by what was typed."""
    typed = [
        f"{key.removeprefix('model.')}={value}" for key, value in request.typed.items() if key.startswith("model.")
    ]
    return ", ".join([str(request.choices["model"]), *typed])


def _open_network(config: DictConfig, subjects: list[Subject], label: str) -> Subject:
    """The network without a run: what it reads and names is typed, or else as the data or the first run has it.

    Raises:
        NetgazeError: nothing says what it reads, or it is built for square images and these are none.
    """
    facts = {"num_classes": 1000}
    if subjects and subjects[0].config:
        facts |= subjects[0].config["data"] | {"num_classes": subjects[0].config["task"]["num_classes"]}
    facts |= resolve_config(config.data) if "_target_" in config.data else {}
    if config.input is not None:
        channels, height, width = config.input
        facts |= {"num_channels": channels, "image_size": height}
    elif "image_size" in facts:
        channels, height, width = facts["num_channels"], facts["image_size"], facts["image_size"]
    else:
        raise NetgazeError(f"{label} needs an input size, which none of the runs has. Type input=[3,224,224].")
    if height != width and "image_size" in config.model:
        raise NetgazeError(f"{label} needs square images. Type input=[{channels},{height},{height}] or another square.")
    num_classes = facts["num_classes"] if config.task.num_classes is None else config.task.num_classes
    whole = {"model": config.model, "data": facts, "task": {"num_classes": num_classes}}
    return open_model(resolve_config(OmegaConf.create(whole))["model"], (channels, height, width), label)


def compare(folder: Path) -> list[Row]:
    """End a sweep: results.csv, the table, the winner, a plot, and report.html with every figure side by side.

    Args:
        folder: the sweep's folder.

    Returns:
        The table's rows.

    Raises:
        NetgazeError: once all is written, figures of the comparison or of its runs that failed: any where
            `figures.strict` is true, else where none was drawn.
    """
    runs = find_runs([str(folder)])
    labels = label_runs(runs)
    rows = make_rows(runs, labels)
    _leave_out_what_never_changes(runs)
    every = [run.open(label=label) for run, label in zip(runs, labels, strict=True) if run.has_checkpoint("best")]
    best = {row["run"] for row in choose_pictured(rows, MAX_COLUMNS)}
    subjects = [subject for subject in every if subject.label in best]
    num_finished = sum(row["status"] == "finished" for row in rows)
    seeds = " (of repeated runs one)" if average_repeats(rows) else ""
    note = f"The pictures show {len(best)} of the {len(rows)} runs, the best by the table{seeds}."
    note = note if num_finished > len(best) else ""
    control = subjects[0].config["control"] if subjects and subjects[0].config else None
    figures = _complete_figures(_merge_figures(subjects), subjects)
    sections = [_Section(_select(figures, True), every), _Section(_select(figures, False), subjects)]
    found = _show(folder, rows, sections, control, title=folder.parent.name, note=note)
    finished = [run for run in runs if run.is_finished]
    why = {run.folder: explain_run(run.facts, _is_strict(run)) for run in finished}
    if subjects:
        why[folder] = found.explain(list(figures), any(map(_is_strict, runs)))
    if said := [f"{place}: {words}." for place, words in why.items() if words]:
        raise NetgazeError(" ".join(said))
    return rows


def _leave_out_what_never_changes(runs: Sequence[Run]) -> None:
    """Leave TensorBoard's HPARAMS those settings in which the runs of a sweep differ."""
    told = [run for run in runs if run.metrics]
    settings = list_settings(told)
    if differing := find_differing(settings):
        for run, own in zip(told, settings, strict=True):
            write_hyperparameters(run.folder, {key: own[key] for key in differing if key in own})


def _is_strict(run: Run) -> bool:
    """Whether it was asked for that a figure that fails fails the command."""
    return bool(run.config.get("figures", {}).get("strict"))


def compare_stages(stages: Mapping[str, Run], folder: Path) -> str | None:
    """Lay the stages of a run side by side: the table of those that were trained, and report.html.

    It shows the last one's figures of all that were trained, and of each stage what it drew alone.

    Args:
        stages: the runs, by name.
        folder: where the pictures and the page go.

    Returns:
        Why the command fails by these figures; None where it does not.
    """
    subjects = [run.open(label=name) for name, run in stages.items()]
    trained = [subject for subject in subjects if not subject.lacks(("history",))]
    rows = make_rows([stages[subject.label] for subject in trained], [subject.label for subject in trained])
    rows = [row | {"seconds": stages[row["run"]].facts.get("seconds")} for row in rows]  # of each stage alone
    *earlier, last = subjects
    figures = _merge_figures([last])
    sections = [_Section(_merge_figures([subject]), [subject]) for subject in earlier]
    sections += [_Section(_select(figures, False), trained, like=[last]), _Section(_select(figures, True), [last])]
    found = _show(folder, rows, sections, (last.config or {})["control"], title=", ".join(stages))
    asked = {name for section in sections for name in section.figures}
    why = found.explain(asked, _is_strict(list(stages.values())[-1]))
    return f"{folder}: {why}." if why else None


def report_run(run: Run) -> None:
    """Write the page of a run: its numbers, and the figures that it drew itself."""
    shown = [name for name in run.config["figure"] if (run.folder / "figures" / f"{name}.json").exists()]
    if shown:
        (label,) = label_runs([run])
        log.info("Report: %s", report.write(run.folder, label, make_rows([run], [label]), shown))


def is_complete(folder: Path) -> bool:
    """Whether a comparison was written to its end, and none of its figures failed."""
    said = [read_json(path) for path in (folder / "figures").glob("*.json")]
    return (folder / "report.html").exists() and not any("error" in content for content in said)


def _select(figures: dict[str, Any], of_numbers: bool) -> dict[str, Any]:
    """The figures that need a run's numbers and settings alone, and so show any number of runs; or the others."""
    return {name: it for name, it in figures.items() if (set(build(it).needs) <= {"metrics", "config"}) is of_numbers}


def _choose_figures(figures: dict[str, Any], images: list[str] | None) -> dict[str, Any]:
    """The figures to draw: with own pictures, those alone that show such.

    Raises:
        NetgazeError: none of them does.
    """
    if not images:
        return figures
    own = find_pictures(images)
    showing = {name: figure | {"images": own} for name, figure in figures.items() if "images" in figure}
    if not showing:
        raise NetgazeError(
            "images: no chosen figure shows your own pictures. Choose one, as in figure=[response_maps]."
        )
    return showing


def _merge_figures(subjects: list[Subject]) -> dict[str, Any]:
    """The figures that the runs drew themselves, the first run's settings where several drew the same one."""
    figures: dict[str, Any] = {}
    for subject in subjects:
        figures = (subject.config or {}).get("figure", {}) | figures
    return figures


def _complete_figures(figures: dict[str, Any], subjects: list[Subject]) -> dict[str, Any]:
    """The figures of networks, with what a page begins with and what compares several; none where none were wanted."""
    return EXPLORER | figures | (COMPARISONS if len(subjects) > 1 else {}) if figures else figures


def _show(
    folder: Path,
    rows: list[Row],
    sections: Sequence[_Section],
    control: str | None,
    title: str,
    note: str = "",
) -> Found:
    """Table, winner, pictures and page; returns what the figures found.

    Args:
        folder: where all goes.
        rows: of the table.
        sections: figures and the networks that they show.
        control: as in the config.
        title: of the page.
        note: below it.
    """
    if rows:
        write_csv(folder / "results.csv", rows)
    found, asked = Found(), dict[str, None]()
    for section in sections:
        built = {name: build(figure) for name, figure in section.figures.items()}
        if built and section.subjects:
            like = section.subjects if section.like is None else section.like
            found.add(look(built, [*section.subjects, *controls(like, control)], folder / "figures"))
            asked |= dict.fromkeys(built)
    plots = _plot(rows, folder / "figures", found) if rows else []
    shown = [name for name in [*asked, *PLOTS] if name in found or name in found.failed]
    if not rows and not shown:
        return found
    page = report.write(folder, title, rows, shown, plots=plots, note=note)
    if rows:
        _say(rows)
    log.info("Report: %s", page)
    return found


def _plot(rows: list[Row], out: Path, found: Found) -> list[str]:
    """Draw the plots of a table that have something to show: their names; one that fails is noted like a figure."""
    drawn = []
    for name, plot in PLOTS.items():
        try:
            drawn += [name] if plot(rows, out / f"{name}.png") else []
        except Exception as error:
            found.failed[name] = Failure.of(error)
            question = "How do the runs' accuracies depend on what they differ in?"
            write_failure(name, found.failed[name], out, title=f"Plot: {name}", question=question)
    return drawn


def _say(rows: list[Row]) -> None:
    """The table, the winner, and what went wrong, into the log."""
    columns, cells = tables.tabulate(rows)
    log.info("\n%s", tables.align(tables.name_columns(columns), cells))
    if means := average_repeats(rows):
        columns, cells = tables.tabulate_means(means)
        log.info("\n%s", tables.align(tables.name_columns(columns), cells))
    log.info("%s", name_winner(rows))
    for row in rows:
        if row["error"]:
            log.info("%s: %s", row["label"], row["error"])
