"""The stages of a run in order, each a run of its own, joined by `init`; most runs have one stage.

`stages` in a config names them, each with what differs from the run's own config. The last is the run itself; those
before it lie in `<run>/stages/<name>`. An `init` or a `data.pseudo_labels` that is the name of an earlier stage means
its folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze.build import build, build_task, resolve_config
from netgaze.errors import NetgazeError
from netgaze.pseudo_labels import read as read_labels
from netgaze.request import Request
from netgaze.run import Run
from netgaze.trainer import resolve_precision

REFERENCES = ("init", "data.pseudo_labels")  # keys whose value may be the name of an earlier stage
_NEVER_TRAINED = ("figure", "figures", "control", "export_predictions")  # keys that training does not depend on
_KEPT = ("precision", "threads")  # a resumed run keeps what it had of these, unless typed: same bits


@dataclass(frozen=True)
class Stage:
    """One stage, ready to be trained.

    Attributes:
        run: where it lies.
        config: its own, not resolved.
        original_config: what `resume` shall read.
        request: what was typed.
        ignored_keys: keys in which a finished run may differ from `config` and be the same.
        metrics: numbers of earlier stages, by name, that become the run's own too.
    """

    run: Run
    config: DictConfig
    original_config: DictConfig
    request: Request
    ignored_keys: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def last(self) -> dict[str, Any] | None:
        """The checkpoint from which it goes on; None where it begins."""
        return self.run.read_checkpoint("last") if self.run.has_checkpoint("last") else None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The config with nothing left to the machine."""
        settings = resolve_config(self.config)
        trainer = settings["trainer"]
        for key in _KEPT:
            if self.last is not None and f"trainer.{key}" not in self.request.typed:
                trainer[key] = self.last["netgaze"]["config"]["trainer"][key]
        trainer["precision"] = resolve_precision(str(trainer["precision"]), trainer["accelerator"])
        return settings

    @property
    def is_finished(self) -> bool:
        """Whether the folder holds a finished run of this very config."""
        return self.run.is_finished and self._agrees("figures", *self.ignored_keys)

    @property
    def is_moved(self) -> bool:
        """Whether the folder holds a finished run whose config differs in nothing but where its data lies."""
        return self.run.is_finished and not self.is_finished and self._agrees(*self.ignored_keys, "data.dir")

    @property
    def is_trained(self) -> bool:
        """Whether training was over, by patience or budget too, and nothing that it depends on has changed since."""
        stopped = self.last is not None and self.last["callbacks"].get("Keep", {}).get("stopped")
        return bool(stopped) and self._agrees(*_NEVER_TRAINED, "data.dir")

    def _agrees(self, *ignored_keys: str) -> bool:
        if self.last is None:
            return False
        ignored_keys = (*ignored_keys, "logger")  # who is told of a run does not change it
        before, now = (_without(config, ignored_keys) for config in (self.last["netgaze"]["config"], self.settings))
        return bool(before == now)


def _without(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A plain config without some of its keys, given by their paths."""
    rest = dict(config)
    for group, _, key in (path.partition(".") for path in keys):
        if key:
            rest[group] = {name: value for name, value in config[group].items() if name != key}
        else:
            rest.pop(group, None)
    return rest


def plan_stage(config: DictConfig, name: str, done: Mapping[str, Run], whole: Run, request: Request) -> Stage:
    """One stage of a run, joined to those before it.

    Args:
        config: of the whole run, not resolved.
        name: of the stage.
        done: the stages before it, finished, by name.
        whole: the run.
        request: what was typed for the whole.
    """
    if not config.stages:
        return Stage(whole, config, config, request)
    stage = make_stage_config(config, name, {earlier: run.folder for earlier, run in done.items()})
    if name != list(config.stages)[-1]:
        return Stage(Run(whole.folder / "stages" / name), stage, stage, request.for_stage(name), REFERENCES)
    stage.stages = config.stages  # a record, for figures that ask how the run came about
    return Stage(whole, stage, config, request, REFERENCES, _collect_numbers(done))


def make_stage_config(config: DictConfig, name: str, places: Mapping[str, Path]) -> DictConfig:
    """The config of one stage: the run's own, with what the stage names in its place.

    A group for which the stage names a `_target_` is replaced as a whole; of others the named keys are. A stage starts
    from random weights unless it says otherwise, and one that starts from another has its network, unless it names its
    own. The run's figures are drawn of the last; others draw what they name.

    Args:
        config: of the run, not resolved.
        name: of the stage.
        places: folders of the stages before it.
    """
    own = OmegaConf.masked_copy(config.stages[name], [key for key in config.stages[name] if key != "run"])
    if (model := _find_model(config, name)) is not None:
        OmegaConf.set_struct(own, False)
        own.model = model
    stage = config.copy()
    OmegaConf.set_struct(stage, False)
    stage.stages, stage.init = {}, None
    if name != list(config.stages)[-1]:
        stage.figure = {}
    for group, content in own.items():
        if OmegaConf.is_dict(content) and "_target_" in content:
            stage[group] = {}
    stage.merge_with(own)
    for key in REFERENCES:
        key = _find_reference(stage, key)
        place = places.get(str(OmegaConf.select(stage, key)))
        if place is not None:
            OmegaConf.update(stage, key, str(place.resolve()))
    return stage


def _find_reference(config: DictConfig, key: str) -> str:
    """The key at which a reference stands: of an `init` with a file and a key it is the file."""
    return f"{key}.file" if OmegaConf.is_dict(OmegaConf.select(config, key)) else key


def _find_model(config: DictConfig, name: str) -> Any:
    """The model that a stage names, or the one from which it starts; None for the run's own."""
    stage = config.stages[name]
    if stage.get("model") is not None:
        return stage.model
    source = OmegaConf.select(stage, _find_reference(stage, "init"))
    return _find_model(config, source) if source in config.stages and source != name else None


def check_stages(config: DictConfig, whole: Run) -> None:
    """Say before the first stage is trained what a later one would refuse; nothing for a run without stages.

    Raises:
        NetgazeError: what does not fit.
    """
    names = list(map(str, config.stages))
    if names and config.init is not None:
        raise NetgazeError(
            f"init is given, but this run has stages. Choose the stage that starts there: stages.{names[0]}.init="
        )
    places = {name: whole.folder / "stages" / name for name in names[:-1]}
    used = set()
    for name in names:
        stage = resolve_config(make_stage_config(config, name, places))
        build_task(stage, [""] * stage["data"]["num_classes"])
        build(stage["data"])
        own = config.stages[name]
        used |= {str(OmegaConf.select(own, _find_reference(own, key))) for key in REFERENCES}
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


def move_data(stage: Stage) -> None:
    """Let a finished run know where its data lies now.

    Raises:
        NetgazeError: it is not there, or it is other data.
    """
    data = build(stage.settings["data"])
    data.setup()
    check_moved(stage, data)
    stage.run.move_data(stage.settings["data"]["dir"], stage.original_config)


def check_moved(stage: Stage, data: Any) -> None:
    """Hold data at another place than before against what a run was trained on.

    Raises:
        NetgazeError: it is other data.
    """
    place, before = stage.settings["data"].get("dir"), stage.last and stage.last["netgaze"]
    if not before or before["config"]["data"].get("dir") == place or before["data"] == data.fingerprint:
        return
    raise NetgazeError(
        f"data.dir={place} holds other data than {stage.run.folder} was trained on. Give the place of the same data, "
        "or start a new run."
    )


def find_finished(stage: Stage, name: str, config: DictConfig, whole: Run) -> Run | None:
    """The finished run that a stage is already: one that it names, its own, or one of the same sweep; or None.

    Args:
        stage: the stage.
        name: its name.
        config: of the whole run.
        whole: the run.

    Raises:
        NetgazeError: it names a run that is not finished, or must be trained anew although later ones came of it.
    """
    if config.stages and (named := config.stages[name].get("run")) is not None:
        if not Run(named).is_finished:
            raise NetgazeError(
                f"stages.{name}.run={named} is not a finished run. Give the folder of one, or null to train it."
            )
        return Run(named)
    if stage.is_moved:
        move_data(stage)
        return stage.run
    if stage.is_finished:
        return stage.run
    if stage.run.folder == whole.folder:
        return None
    if not stage.run.exists and (other := _find_in_sweep(stage, whole.folder, name)):
        return other
    names = list(map(str, config.stages))
    later = [*(Run(whole.folder / "stages" / other) for other in names[names.index(name) + 1 : -1]), whole]
    if after := next((run for run in later if run.has_checkpoint("last")), None):
        raise NetgazeError(
            f"{after.folder} was made from an earlier {stage.run.folder}. Start a new run with these settings."
        )
    return None


def _find_in_sweep(stage: Stage, folder: Path, name: str) -> Run | None:
    """The same stage of an earlier job of the same sweep, finished; None where there is none, or no sweep."""
    if not (folder.parent / "multirun.yaml").exists():
        return None
    others = [Run(place) for place in sorted(folder.parent.glob(f"*/stages/{name}")) if place.parents[1] != folder]
    return next((run for run in others if Stage(run, stage.config, stage.config, stage.request).is_finished), None)


def _collect_numbers(done: Mapping[str, Run]) -> dict[str, float]:
    """What a run tells of its stages: each one's test accuracy as `<stage>/acc`, and what pseudo-labels are worth."""
    found: dict[str, float] = {}
    for name, run in done.items():
        if run.metrics.get("best/epoch"):  # else nothing was trained: its accuracy is another stage's
            found |= {f"{name}/acc": run.metrics["test/acc"]}
        found |= {key: value for key, value in run.metrics.items() if key.startswith("unlabeled/")}
    return found
