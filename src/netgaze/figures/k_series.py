"""Runs of students as curves over K: what is one point, what is one curve, and what is a line to hold them against."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from netgaze.figure import Finding

NUMBERS = ("acc", "student", "teacher", "right", "val_acc")  # of a run, over which points are means

Repeat = tuple[Any, ...]  # what tells the repetitions of one setting apart: their seeds
_K = "stages.pseudo_labels.task.k"
_NO_SETTINGS = ("figure", "callback", "control", "name", "init", "export_predictions")  # at the top; init is a folder
_NO_SETTING = ("seed", "split_seed", "threads", "accelerator")  # wherever they stand


@dataclass(frozen=True)
class Spread:
    """Mean of a number over repetitions, its standard deviation (n - 1), None of a single one, and their number."""

    mean: float
    deviation: float | None
    num: int

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.deviation is None else f" ± {self.deviation:.4f}")


@dataclass(frozen=True)
class Curve:
    """Students that differ in K and in their seeds alone.

    Attributes:
        name: what tells it from the other curves; empty where it is the only one.
        p: classes an image.
        same_network: whether the teacher is the student's network, trained on the same labels alone.
        runs: the numbers of its runs by K, ascending.
    """

    name: str
    p: int
    same_network: bool
    runs: dict[int, list[dict[str, Any]]]

    def points(self, number: str) -> dict[int, Spread]:
        """A number of `NUMBERS` by K, where any run knows it."""
        found = {k: spread(by_repeat(runs, number)) for k, runs in self.runs.items()}
        return {k: point for k, point in found.items() if point is not None}

    @property
    def teachers(self) -> dict[Repeat, float]:
        """Each repetition's teacher, which is the same for every K."""
        return by_repeat([run for runs in self.runs.values() for run in runs], "teacher")

    def gain(self, k: int) -> Spread | None:
        """How far the finetuned students of one K are above their own teachers."""
        acc, teacher = (by_repeat(self.runs[k], number) for number in ("acc", "teacher"))
        return spread({repeat: acc[repeat] - teacher[repeat] for repeat in acc if repeat in teacher})

    @property
    def best(self) -> int | None:
        """The K with the highest validation accuracy, of equal ones the lowest; None where none is known."""
        points = self.points("val_acc")
        return max(points, key=lambda k: points[k].mean) if points else None


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """All that makes runs something else than repetitions of one K, as `group.key` names with JSON values."""
    kept = {key: value for key, value in config.items() if key not in _NO_SETTINGS}
    return {key: value for key, value in _flat(kept).items() if key != _K}


def by_repeat(runs: Iterable[dict[str, Any]], number: str) -> dict[Repeat, float]:
    """A number of each repetition that knows it; the mean where a repetition has several runs."""
    values: dict[Repeat, list[float]] = {}
    for run in runs:
        if run.get(number) is not None:
            values.setdefault(tuple(run["repeat"]), []).append(run[number])
    return {repeat: statistics.fmean(own) for repeat, own in values.items()}


def spread(values: dict[Repeat, float]) -> Spread | None:
    """Mean and standard deviation over repetitions; None of none."""
    if not values:
        return None
    every = list(values.values())
    return Spread(statistics.fmean(every), statistics.stdev(every) if len(every) > 1 else None, len(every))


def curves(findings: dict[str, Finding]) -> list[Curve]:
    """The students' curves, in the order in which they come."""
    groups = _groups([finding.numbers for finding in findings.values() if "k" in finding.numbers])
    found = []
    for name, runs in zip(_names([group[0]["settings"] for group in groups]), groups, strict=True):
        ks = sorted({run["k"] for run in runs})
        by_k = {k: [run for run in runs if run["k"] == k] for k in ks}
        found.append(Curve(name, runs[0]["p"], runs[0]["same_network"], by_k))
    return found


def supervised(findings: dict[str, Finding]) -> dict[str, Spread]:
    """Runs without a teacher that predict the same classes of the same data, by what they are called."""
    runs = [
        finding.numbers | {"label": label}
        for label, finding in findings.items()
        if finding.numbers.get("supervised") and not misfit(finding, findings)
    ]
    found: dict[str, Spread] = {}
    for group in _groups(runs):
        name = _without_seeds(group[0]["label"]) if len(group) > 1 else group[0]["label"]
        name = name if name not in found else f"{name} ({group[0]['label']})"
        told = spread(by_repeat(group, "acc"))
        assert told is not None
        found[name] = told
    return found


def misfit(finding: Finding, findings: dict[str, Finding]) -> str | None:
    """Why a run without a teacher is nothing to hold the students against; None where it is."""
    students = [other.numbers for other in findings.values() if "k" in other.numbers]
    if not students:
        return "no student is there to be held against it"
    for key, why in (
        ("num_classes", "it predicts another number of classes than the students"),
        ("data", "its data is not that of the students"),
    ):
        if finding.numbers[key] not in {student[key] for student in students}:
            return why
    repeat, acc = finding.numbers["repeat"], finding.numbers["acc"]
    is_teacher = any(student["repeat"] == repeat and student["teacher"] == acc for student in students)
    return "its line is the teacher's" if is_teacher else None


def not_counted(findings: dict[str, Finding]) -> dict[str, str]:
    """The runs that are not drawn, and why."""
    found: dict[str, str] = {}
    for label, finding in findings.items():
        why = finding.numbers.get("not_counted")
        why = misfit(finding, findings) if finding.numbers.get("supervised") else why
        found |= {label: why} if why else {}
    return found


def _groups(runs: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Runs of equal settings, in the order in which they come."""
    groups: list[list[dict[str, Any]]] = []
    for run in runs:
        group = next((group for group in groups if group[0]["settings"] == run["settings"]), None)
        groups += [[run]] if group is None else []
        if group is not None:
            group.append(run)
    return groups


def _names(settings: Sequence[dict[str, Any]]) -> list[str]:
    """What tells settings apart: `P=2, per_class=100`; of another model or data set its name stands for all of it."""
    keys = list(dict.fromkeys(key for each in settings for key in each))
    differing = [key for key in keys if any(each.get(key) != settings[0].get(key) for each in settings)]
    others = tuple(key.removesuffix("_target_") for key in differing if key.endswith("._target_"))
    for shown in ([key for key in differing if key.endswith("._target_") or not key.startswith(others)], differing):
        names = [", ".join(f"{_short(key, shown)}={_value(each.get(key))}" for key in shown) for each in settings]
        if len(set(names)) == len(names):
            break
    return names


def _short(key: str, among: Sequence[str]) -> str:
    """A key by its last part, or by all where another one ends alike."""
    if key == "stages.pseudo_labels.task.p":
        return "P"
    key = key.removesuffix("._target_")
    last = key.rpartition(".")[2]
    return last if [other.removesuffix("._target_").rpartition(".")[2] for other in among].count(last) == 1 else key


def _value(value: Any) -> str:
    """A class or a path by its last part."""
    if isinstance(value, str):
        return value.rpartition("/")[2] if "/" in value else value.rpartition(".")[2]
    return "null" if value is None else str(value)


def _without_seeds(label: str) -> str:
    parts = [part for part in label.split(", ") if not part.startswith(tuple(f"{key}=" for key in _NO_SETTING))]
    return ", ".join(parts) or "supervised only"


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if name in (*_NO_SETTING, "figure", "callback"):
            continue
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
