"""A run that needs others before it: its stages in order, each a run in a folder of its own, joined by `init`.

`stages` names them, each with what differs from the run's own config. The last is the run itself; those before it lie
in `<run>/stages/<name>`. An `init` or a `data.pseudo_labels` that is the name of an earlier stage means its folder.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze import experiment, runs
from netgaze.analysis import compare_stages
from netgaze.build import build, build_task, resolve_config
from netgaze.errors import NetgazeError
from netgaze.files import write_text
from netgaze.pseudo_labels import read as read_labels

log = logging.getLogger(__name__)

REFERENCES = ("init", "data.pseudo_labels")  # keys whose value may be the name of an earlier stage


def fit(config: DictConfig, folder: Path, about: dict[str, Any]) -> None:
    """Train a run, its stages before it; each is resumable, and one that is finished is not trained again.

    In a sweep, a stage that another job has finished with the very same config is taken from there. A stage with the
    key `run` is that run, finished before. In the end all stages are laid side by side in `<run>/stages/report.html`.

    Args:
        config: composed from `conf/train.yaml`, not resolved.
        folder: the run's folder.
        about: what the command line knows: `overrides`, `choices`.

    Raises:
        NetgazeError: what a person can mend; `run.json` says it too.
    """
    if not config.stages:
        experiment.fit(config, folder, about)
        return
    *names, last = map(str, config.stages)
    finished = runs.is_run(folder) and runs.read(folder)["status"] == "finished"
    try:
        _check(config, folder, [*names, last])
        places = _earlier(config, folder, about, names)
    except BaseException as error:
        if not finished:  # else what was typed does not fit the run that is there: it stays as it was
            experiment.note_failure(folder, about, error, 0)  # a stage has its own seconds
        raise
    stage = stage_config(config, last, places)
    stage.stages = config.stages  # a record, for figures that ask how the run came about
    done = experiment.is_done(stage, folder, REFERENCES)
    if done:
        log.info("%s is finished already.", folder)
    else:
        experiment.fit(stage, folder, about, asked=config, told=_numbers(places))
    if not done or not (folder / "stages" / "report.html").exists():  # a kill may have come between the two
        compare_stages(places | {last: folder}, folder / "stages")


def stage_config(config: DictConfig, name: str, places: Mapping[str, Path]) -> DictConfig:
    """The config of one stage: the run's own, with what the stage names in its place.

    A group for which the stage names a `_target_` is replaced as a whole; of others the named keys are. A stage starts
    from random weights unless it says otherwise, and one that starts from another has its network, unless it names its
    own. The run's figures are drawn of the last; others draw what they name.

    Args:
        config: of the run, not resolved.
        name: of the stage.
        places: folders of the stages before it.
    """
    asked = OmegaConf.masked_copy(config.stages[name], [key for key in config.stages[name] if key != "run"])
    if (model := _model_of(config, name)) is not None:
        OmegaConf.set_struct(asked, False)
        asked.model = model
    stage = config.copy()
    OmegaConf.set_struct(stage, False)
    stage.stages, stage.init = {}, None
    if name != list(config.stages)[-1]:
        stage.figure = {}
    for group, content in asked.items():
        if OmegaConf.is_dict(content) and "_target_" in content:
            stage[group] = {}
    stage.merge_with(asked)
    for key in REFERENCES:
        place = places.get(str(OmegaConf.select(stage, key)))
        if place is not None:
            OmegaConf.update(stage, key, str(place.resolve()))
    return stage


def _model_of(config: DictConfig, name: str) -> Any:
    """The model that a stage names, or the one from which it starts; None for the run's own."""
    stage = config.stages[name]
    if stage.get("model") is not None:
        return stage.model
    source = stage.get("init")
    return _model_of(config, source) if source in config.stages and source != name else None


def _check(config: DictConfig, folder: Path, names: list[str]) -> None:
    """Say before the first stage is trained what a later one would refuse."""
    if config.init is not None:
        raise NetgazeError(
            f"init={config.init}: this run has stages. Say which one starts there: stages.{names[0]}.init="
        )
    places = {name: folder / "stages" / name for name in names[:-1]}
    used = set()
    for name in names:
        stage = resolve_config(stage_config(config, name, places))
        build_task(stage, [""] * stage["data"]["num_classes"])
        build(stage["data"])
        used |= {str(OmegaConf.select(config.stages[name], key)) for key in REFERENCES}
        labels = OmegaConf.select(config.stages[name], "data.pseudo_labels")
        if labels is not None and labels not in places:
            read_labels(labels)  # says it where there are none
        if labels in places:
            build(stage["data"] | {"pseudo_labels": None}).labels("unlabeled")  # says it where there are none
    if unused := [name for name in names[:-1] if name not in used]:
        raise NetgazeError(
            f"No stage starts from {unused[0]}: give its name as init or data.pseudo_labels of a later stage, as in "
            f"stages.{names[-1]}.init={unused[0]}."
        )


def _earlier(config: DictConfig, folder: Path, about: dict[str, Any], names: list[str]) -> dict[str, Path]:
    """Train the stages before the last; the folder of each, by name."""
    places: dict[str, Path] = {}
    for number, name in enumerate(names, start=1):
        stage, own = stage_config(config, name, places), folder / "stages" / name
        begun = own if runs.is_run(own) else None
        place = _ready(config.stages[name].get("run"), name) or begun or _of_the_sweep(stage, folder, name) or own
        places[name] = place
        if place != own or experiment.is_done(stage, own, REFERENCES):
            log.info("Stage %d of %d, %s: %s is finished.", number, len(names) + 1, name, place)
            continue
        later = [*(folder / "stages" / other for other in names[number:]), folder]
        if after := next((run for run in later if (run / "checkpoints" / "last.ckpt").exists()), None):
            raise NetgazeError(f"{after} came of what {own} was before. Start a new run with these settings.")
        log.info("Stage %d of %d, %s", number, len(names) + 1, name)
        runs.begin(folder, about)
        write_text(folder / ".hydra" / "config.yaml", OmegaConf.to_yaml(config))
        experiment.fit(stage, own, _about(about, name))
    return places


def _ready(run: str | None, name: str) -> Path | None:
    """The finished run that a stage shall be, if it names one."""
    if run is None:
        return None
    if not runs.is_run(Path(run)) or runs.read(Path(run))["status"] != "finished":
        raise NetgazeError(f"stages.{name}.run={run} is no finished run. Give the folder of one, or null to train it.")
    return Path(run)


def _of_the_sweep(stage: DictConfig, folder: Path, name: str) -> Path | None:
    """The same stage of an earlier job of the same sweep, finished; None where there is none, or no sweep."""
    if not (folder.parent / "multirun.yaml").exists():
        return None
    others = sorted(folder.parent.glob(f"*/stages/{name}"))
    return next((other for other in others if other.parents[1] != folder and experiment.is_done(stage, other)), None)


def _about(about: dict[str, Any], name: str) -> dict[str, Any]:
    """What is known of a stage: what was typed for all stages, and its name."""
    typed = [word for word in about["overrides"] if not word.lstrip("+").startswith(("task=", "stages."))]
    return about | {"overrides": [*typed, f"stage={name}"], "choices": about["choices"] | {"task": name}}


def _numbers(places: Mapping[str, Path]) -> dict[str, float]:
    """What the run tells of its stages: each one's test accuracy as `<stage>/acc`, and what pseudo-labels are worth."""
    found: dict[str, float] = {}
    for name, place in places.items():
        numbers = runs.read_metrics(place)
        if numbers.get("best/epoch"):  # else nothing was trained: its accuracy is another stage's
            found |= {f"{name}/acc": numbers["test/acc"]}
        found |= {key: value for key, value in numbers.items() if key.startswith("unlabeled/")}
    return found
