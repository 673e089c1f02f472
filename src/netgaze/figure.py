"""The base class of all figures, and Finding, its result for one network."""

import difflib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.files import atomic_write, read_arrays, to_plain
from netgaze.glossary import Glossary
from netgaze.page.parts import Explored
from netgaze.subject import NEEDS, Subject

Controls = Literal["drawn", "numbers", "none"]


@dataclass
class Finding:
    """What a figure learned of one subject; all that `draw` and the other hooks may use.

    Attributes:
        numbers: JSON values by name; a name that the figure lists in `metrics` also becomes a number of the run.
        arrays: NumPy arrays by name.
        caption: a sentence on how the examples were chosen or how the numbers are to be read.
        precision: what the passes over whole splits were computed in, "32" or "bf16", which `gallery.look` notes; empty
            where there were none.
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    caption: str = ""
    precision: str = ""

    def save(self, stem: Path, key: str) -> None:
        """Write `<stem>.npz` with everything, under the key of the question."""
        said = {"numbers": self.numbers, "caption": self.caption, "precision": self.precision, "key": key}
        text = json.dumps(to_plain(said))
        with atomic_write(stem.with_suffix(".npz")) as beside, open(beside, "wb") as file:
            np.savez_compressed(file, finding=np.array(text), **self.arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, stem: Path, key: str) -> "Finding | None":
        """The finding saved under `<stem>.npz`, or None where there is none for this key, or a damaged one."""
        arrays = read_arrays(stem.with_suffix(".npz"))
        if arrays is None or "finding" not in arrays:
            return None
        try:
            content = json.loads(str(arrays.pop("finding")))
            if content["key"] != key:
                return None
            return cls(content["numbers"], arrays, content["caption"], content.get("precision", ""))
        except (ValueError, RecursionError, KeyError, TypeError):
            return None


class Figure(ABC):
    """One question to a network, its answer in numbers and in a picture. Its constructor's arguments are its YAML.

    A subclass says `title`, `question` and `needs`, and defines `compute` and `draw`; whatever else it makes public
    must be a hook of this class, so that a misspelled one fails when the class is made. Helpers of its own are private,
    but for what its constructor stores. Examples are chosen from the data alone, so that all columns show the same
    images; a figure that lets each network choose says so in the finding's caption. Whatever a figure raises costs
    that figure alone: see `gallery.look`.

    Attributes:
        title: the heading in a report.
        question: what it answers, with a question mark.
        look_for: what to look for in its picture and its numbers, in one to three sentences.
        pitfall: how it misleads, and what to compare it with.
        needs: parts of a Subject, see `subject.NEEDS`; a subject that lacks one is left out and named.
        glossary: what its numbers mean, those of `compare` and the columns of `table` too, by their names; `<layer>` in
            a name stands for any words. A number without a meaning is shown by its name.
        metrics: names of the numbers in a finding that belong among the run's own: `knn20` becomes `test/knn20`.
        controls: what becomes of untrained networks and raw pixels: "drawn" beside the others; "numbers" alone, where a
            picture of them would tell nothing; "none" where they are not asked at all.
        images: a person's own picture files, where the figure shows such; a constructor argument of the same name.
        compares: True for what holds networks against one another: of one alone it has nothing to say.
    """

    title: ClassVar[str]
    question: ClassVar[str]
    look_for: ClassVar[str] = ""
    pitfall: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]]
    glossary: ClassVar[Glossary] = Glossary()
    metrics: ClassVar[tuple[str, ...]] = ()
    controls: ClassVar[Controls] = "drawn"
    compares: ClassVar[bool] = False
    images: Sequence[str] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hooks = [name for name in vars(Figure) if not name.startswith("_")] + list(Figure.__annotations__)
        for name in vars(cls):
            if not name.startswith("_") and name not in hooks:
                near = difflib.get_close_matches(name, hooks, n=1)
                hint = f"did you mean {near[0]}?" if near else "begin the names of helpers with _."
                raise TypeError(f"{cls.__name__}.{name} is no hook of a figure: {hint}")
        for name in ("title", "question", "needs"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} must set {name}.")
        if cls.controls not in get_args(Controls):
            raise TypeError(f"{cls.__name__}.controls must be one of {', '.join(get_args(Controls))}.")
        if unknown := [need for need in cls.needs if need not in NEEDS]:
            raise TypeError(f"{cls.__name__} needs {unknown[0]}, which no subject has: choose from {', '.join(NEEDS)}.")

    @abstractmethod
    def compute(self, subject: Subject) -> Finding:
        """Ask one subject.

        Raises:
            NetgazeError: it cannot be asked (a layer or a class that it lacks): it is left out and named.
        """

    @abstractmethod
    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """Lay findings side by side, a column per label, from nothing but the findings; object interface, no pyplot."""

    def relate(
        self, findings: Mapping[str, Finding], subjects: Mapping[str, Subject]
    ) -> dict[str, dict[str, np.ndarray]]:
        """What only several networks together tell: arrays that join each one's finding, by label, before it is drawn.

        It is asked whenever the figure is drawn, and what it gives is not kept: what takes long belongs into the cache.
        """
        return {}

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """Numbers across subjects, by name."""
        return {}

    def differences(self, findings: Mapping[str, Finding]) -> list[str]:
        """What a report begins with: sentences on how the networks differ, none on what lies within chance."""
        return []

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """Rows of a table of one subject, for a CSV file and the report."""
        return []

    def metadata(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """What belongs at the top of the figure's JSON, by name."""
        return {}

    def summary(self, findings: Mapping[str, Finding]) -> str:
        """What belongs into the terminal."""
        return ""

    def explore(self, finding: Finding) -> Explored:
        """What the page one can click in is to show of one network: see `page.parts.Explored`."""
        return {}

    def files(self, finding: Finding) -> dict[str, np.ndarray]:
        """Pictures that become files of their own, by name: uint8 [H,W,3], or [T,H,W,3] for an animation."""
        return {}


def group_equal(findings: Mapping[str, Finding], names: Collection[str]) -> list[dict[str, Finding]]:
    """Findings by whether their arrays of these names are the same, in the order of the first of each."""
    groups: list[dict[str, Finding]] = []
    for label, finding in findings.items():
        for group in groups:
            if _are_same(finding.arrays, next(iter(group.values())).arrays, names):
                group[label] = finding
                break
        else:
            groups.append({label: finding})
    return groups


def _are_same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], names: Collection[str]) -> bool:
    there = [name for name in names if name in one or name in other]
    return all(name in one and name in other and np.array_equal(one[name], other[name]) for name in there)


def name_settings(subjects: Mapping[str, Subject]) -> dict[str, dict[str, np.ndarray]]:
    """What `leave_out_repeats` asks for, by label, as `Figure.relate` gives it; of controls nothing is said."""
    return {label: {"setting": np.array(it.setting)} for label, it in subjects.items() if not it.control}


def join_related(figure: Figure, findings: Mapping[str, Finding], subjects: Iterable[Subject]) -> None:
    """Add to each finding what only several networks together tell, see `Figure.relate`: before a figure is drawn."""
    asked = {subject.label: subject for subject in subjects if subject.label in findings}
    for label, arrays in figure.relate(findings, asked).items():
        findings[label].arrays |= arrays


def leave_out_repeats(findings: Mapping[str, Finding], pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of labels that a sentence is worth: what repeats an earlier network by another seed pairs with it alone.

    Args:
        findings: with the arrays `setting`, see `name_settings`.
        pairs: of their labels.
    """
    settings = {label: str(finding.arrays["setting"]) for label, finding in findings.items()}
    first = {setting: label for label, setting in reversed(settings.items())}
    return [
        pair
        for pair in pairs
        if settings[pair[0]] == settings[pair[1]] or all(first[settings[label]] == label for label in pair)
    ]


def pick_drawn(figure: Figure, findings: Mapping[str, Finding], controls: Collection[str]) -> dict[str, Finding]:
    """The findings that a figure's picture shows.

    Without those of `controls` where these are numbers alone; of controls of which the same was found, the first.
    """
    drawn: dict[str, Finding] = {}
    for label, found in findings.items():
        earlier = [drawn[name] for name in drawn if name in controls]
        if label not in controls or (
            figure.controls == "drawn" and not any(_says_the_same(found, it) for it in earlier)
        ):
            drawn[label] = found
    return drawn


def _says_the_same(one: Finding, other: Finding) -> bool:
    return one.numbers == other.numbers and _are_same(one.arrays, other.arrays, {*one.arrays, *other.arrays})
