"""The commands in a notebook, with the same words: fit and analyze; and look, for one figure."""

import itertools
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from netgaze import analysis, experiment, schema
from netgaze.build import build, trust
from netgaze.commands import arguments
from netgaze.commands.configs import search_folders
from netgaze.commands.flags import SWEEP, drop_flags
from netgaze.commands.folders import CONF, find_own_folder
from netgaze.commands.latest import name_latest
from netgaze.errors import NetgazeError, Stopped, sentence
from netgaze.figure import Figure, join_related
from netgaze.files import saying_what_cannot_be_written
from netgaze.inline import Comparison, Seen
from netgaze.labels import label_runs
from netgaze.request import Request
from netgaze.requeue import release_signals
from netgaze.run import Run
from netgaze.subject import HOW, NEEDS, Subject
from netgaze.subjects import controls, forget_data
from netgaze.text import VisibleFormatter
from netgaze.winner import name_winner
from netgaze.wrapped import Wrapped, open_wrapped, wrap

log = logging.getLogger(__name__)


def fit(words: Sequence[str]) -> Run | Comparison:
    """Train as `python train.py` does with the same words: `fit(["task=rotation", "data=shapes"])`.

    Args:
        words: `key=value` each; with "-m" among them a sweep, whose jobs run one after another.

    Returns:
        The run; of a sweep, its comparison.

    Raises:
        NetgazeError: what a person can mend, in the command line's sentences.
    """
    words = _name_runs(words)
    prepared, call = _prepare(words, "train", SWEEP), f"fit({list(words)})"
    if set(SWEEP) & set(prepared):
        return _sweep(drop_flags(prepared), call)
    return _train(*_split(_compose(prepared, "train"), call))


def analyze(words: Sequence[str]) -> Comparison:
    """Look at finished runs side by side as `python analyze.py` does: `analyze([f"runs=[{a.folder},{b.folder}]"])`.

    Or at a network without one: `analyze(["model=vgg19", "input=[3,224,224]"])`, whose table is empty.

    Args:
        words: `key=value` each.

    Raises:
        NetgazeError: what a person can mend, in the command line's sentences.
    """
    words = _name_runs(words)
    config, folder, request = _split(_compose(_prepare(words, "analyze"), "analyze"), f"analyze({list(words)})")
    with _log_to_cell(folder / "analyze.log"):
        return Comparison(folder, name_winner(analysis.analyze(config, folder, request)))


def look(
    figure: Figure | str,
    *seen: Run | Subject | Path | str | nn.Module | Wrapped,
    data: Any = None,
    control: str | None = "untrained",
) -> Seen:
    """Draw one figure for some networks side by side; nothing is written.

    Args:
        figure: an object of one's own, or the name of one in `conf/figure`.
        seen: runs, their folders, or what `open_run` opened; or networks of one's own, any `torch.nn.Module`, by choice
            in `wrap`. Labels must be distinct.
        data: what networks of one's own look at: a Dataset of (image, label), a pair (images [N,C,H,W], labels [N]) of
            tensors or arrays, either of them by split, {"train": ..., "val": ..., "test": ...}, or an `ImageData`.
            Figures show the images of "test", which those that are given without a split are; "train" is asked for
            by figures that hold these against others. None for the data of the first run among `seen`.
        control: "untrained" also shows the same networks untrained, see `wrap`, and raw pixels; None for none.

    Raises:
        NetgazeError: no such figure, nothing to look at, labels that are the same, or data that does not fit.
    """
    chosen = _build_figure(figure) if isinstance(figure, str) else figure
    given = _open_all(seen, data)
    beside = [] if chosen.controls == "none" else controls(given, control)
    subjects = [subject for subject in [*given, *beside] if not subject.lacks(chosen.needs)]
    if all(subject.control for subject in subjects):
        raise NetgazeError(f"{chosen.title}: nothing to look at. {_describe_lacking(given, chosen.needs)}")
    if chosen.compares and sum(not subject.control for subject in subjects) < 2:
        raise NetgazeError(f"{chosen.title}: nothing to compare. Give two or more networks.")
    findings = {subject.label: chosen.compute(subject) for subject in subjects}
    join_related(chosen, findings, subjects)
    return Seen.of(chosen, findings, [it.label for it in beside])


def _name_runs(words: Sequence[str]) -> list[str]:
    """The words with folders in place of `latest`."""
    if isinstance(words, str):
        raise NetgazeError(f"Expected a list of words, as in [{', '.join(map(repr, words.split()))}], got one text.")
    return name_latest(words)


def _prepare(words: Sequence[str], name: str, flags: Sequence[str] = ()) -> list[str]:
    """The words, checked as on the command line and made fit for Hydra."""
    for word in words:
        if word.startswith("-") and word not in flags:
            raise NetgazeError(f"{word}: a notebook knows key=value{' and -m' if flags else ''}, no other flags.")
    schema.register()
    with _own_hydra():
        return arguments.prepare(words, CONF, name)


def _compose(prepared: Sequence[str], name: str) -> DictConfig:
    """The config with Hydra's own part under `hydra`."""
    flags = dict(itertools.pairwise(prepared))  # of a resumed run, whose own config takes the place of ours
    conf = flags.get("--config-path") or str(find_own_folder([]) or CONF)
    name = flags.get("--config-name", name)
    words = [word for word in drop_flags(prepared) if not word.startswith("hydra/")]
    try:
        with _own_hydra(), search_folders(Path(conf), [] if conf == str(CONF) else [str(CONF)]):
            return compose(name, overrides=words, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise NetgazeError(sentence(error)) from error


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Hydra as if nobody had initialized it; one that the caller did stands there again afterwards."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = before


def _split(config: DictConfig, call: str, sweep: Path | None = None) -> tuple[DictConfig, Path, Request]:
    """The config without Hydra's part, and of that part the folder and what a run remembers."""
    hydra = config.hydra
    folder = Path(hydra.run.dir) if sweep is None else sweep / str(hydra.sweep.subdir)
    request = Request.of_hydra(call, hydra.overrides.task, hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return config, folder, request


def _train(config: DictConfig, folder: Path, request: Request, sweep: Path | None = None) -> Run:
    """Train one run; an interruption names what can be resumed, the sweep where it is a job of one."""
    try:
        with _log_to_cell(folder / "train.log"):
            return experiment.fit(config, folder, request)
    except (KeyboardInterrupt, Stopped):
        release_signals()
        print(f'Stopped. Resume with: fit(["resume={sweep or folder}"])', file=sys.stderr)
        raise


def _sweep(words: Sequence[str], call: str) -> Comparison:
    """Train each job in turn, in Hydra's layout; one that fails stays in the table, and the next one starts."""
    parser = OverridesParser.create()
    fixed = [word for word in parser.parse_overrides(list(words)) if not word.is_sweep_override()]
    config = _compose([str(word.input_line) for word in fixed], "train")
    of_experiment = [f"{key}={values}" for key, values in (config.hydra.sweeper.params or {}).items()]
    parsed = parser.parse_overrides([*of_experiment, *words])
    folder = Path(config.hydra.sweep.dir)
    config.hydra.overrides.task = [word for word in words if not word.startswith("hydra")]
    pinned = f"hydra.sweep.dir={arguments.quote_value(str(folder))}"  # each job would have a time of its own
    composed = [
        _compose([*job, pinned, f"hydra.job.num={number}"], "train") for number, job in enumerate(_product(parsed))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    for job in [_split(config, call, folder) for config in composed]:
        try:
            _train(*job, folder)
        except Exception as error:  # recorded in the job's folder
            print(f"Run {job[1].name} failed: {sentence(error)}", file=sys.stderr)
    with _log_to_cell():
        rows = analysis.compare(folder)
        if any(row["status"] != "finished" for row in rows):
            log.error('Not every run finished. fit(["resume=%s"]) goes on with the rest.', folder)
    return Comparison(folder, name_winner(rows))


def _product(parsed: Sequence[Override]) -> list[tuple[str, ...]]:
    """The words of each job of a sweep, in Hydra's order: the last key typed changes fastest."""
    values: dict[str, list[str]] = {}
    for override in parsed:
        key = override.get_key_element()
        swept = override.is_sweep_override()
        values[key] = (
            [f"{key}={value}" for value in override.sweep_string_iterator()] if swept else [str(override.input_line)]
        )
    return list(itertools.product(*values.values()))


def _build_figure(name: str) -> Figure:
    """A figure of `conf/figure` as the command line would build it."""
    config = _compose(_prepare([f"figure=[{name}]"], "analyze"), "analyze").figure[name]
    trust(config)
    return build(config)


def _open_all(seen: Sequence[Run | Subject | Path | str | nn.Module | Wrapped], data: Any) -> list[Subject]:
    """What was given as subjects; runs are called by what makes them different."""
    named = [wrap(it) if isinstance(it, nn.Module) else Run(it) if isinstance(it, Path | str) else it for it in seen]
    titles = iter(label_runs([it for it in named if isinstance(it, Run)]))
    opened = [it.open(label=next(titles)) if isinstance(it, Run) else it for it in named]
    labels = [it.label for it in opened]
    if len(set(labels)) < len(labels):
        raise NetgazeError(
            "look: give each network a title of its own, open_run(folder, label=...) or wrap(network, label=...); got "
            f"{labels}."
        )
    networks = [it for it in opened if isinstance(it, Wrapped)]
    others = [it for it in opened if isinstance(it, Subject)]
    if not networks:
        if data is not None:
            raise NetgazeError("look: data= is for your own networks. A run has its own data.")
        return others
    made = iter(open_wrapped(networks, data, others))
    return [next(made) if isinstance(it, Wrapped) else it for it in opened]


def _describe_lacking(subjects: Sequence[Subject], needs: Sequence[str]) -> str:
    """What each subject lacks of what a figure needs, with what that is or how one comes by it."""
    if not subjects:
        return f"Give what has {', '.join(needs)}."
    said = []
    for subject in subjects:
        lacking = (f"no {need} ({HOW.get(need, NEEDS[need])})" for need in subject.lacks(tuple(needs)))
        said.append(f"{subject.label} has {' and '.join(lacking)}")
    return f"{'; '.join(said)}."


@contextmanager
def _log_to_cell(path: Path | None = None) -> Iterator[None]:
    """Show what netgaze logs in the cell, and keep it in a file with the time; afterwards all is as before."""
    forget_data()
    logger = logging.getLogger("netgaze")
    before = logger.level, logger.propagate
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    handlers[0].setFormatter(VisibleFormatter())
    if path is not None:
        with saying_what_cannot_be_written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
        handlers[-1].setFormatter(VisibleFormatter("%(asctime)s %(levelname)s %(message)s"))
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # else a handler of the caller's would say each line a second time
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]
