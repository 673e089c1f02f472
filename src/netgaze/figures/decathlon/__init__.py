"""How many points of the Visual Decathlon do runs score?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure as Picture

from netgaze.figure import Figure, Finding
from netgaze.figures.decathlon.page import draw_points
from netgaze.figures.decathlon.standing import (
    NOT_OFFICIAL,
    OFFICIAL,
    choose_counted,
    compare_official,
    list_outdone,
    list_unofficial,
    sum_points,
)
from netgaze.glossary import RUN_NUMBERS, Glossary, Meaning
from netgaze.measures.metrics import score_decathlon
from netgaze.subject import Subject


class Decathlon(Figure):
    """Points of the ten sets of the Visual Decathlon, one set per run, and their sum: see `metrics.score_decathlon`.

    Of several runs on a set, the one of highest validation accuracy counts. Points are the challenge's only if a run
    has the official number of classes and test images: a subset is easier, and half of a validation split is not the
    test split.
    """

    title = "Visual Decathlon"
    question = "How many points of the Visual Decathlon do these runs score, and which sets are missing?"
    look_for = (
        "See which sets score more than 250 points (dashed), the error of the challenge's finetuned baseline, and "
        "which sets are missing: each of them costs up to 1,000 points."
    )
    pitfall = (
        "Hatched bars are not official: fewer classes or test images make a set easier, and points from them do not "
        "compare with published scores. Points grow with the square of the margin below twice the baseline's error, so "
        "a few tenths of a point of accuracy on an easy set can outweigh several points on a hard one."
    )
    needs = ("metrics", "config")
    glossary = Glossary(
        {
            "set": Meaning("set"),
            "error": Meaning("test error", "Share of test images classified incorrectly.", "%", "lower"),
            "points": Meaning(
                "points", "0 to 1,000; 250 for the error of the challenge's finetuned baseline.", "", "higher"
            ),
            "val/acc": replace(RUN_NUMBERS["val/acc"], count=""),
            "official": Meaning("official", "Yes, or how it differs from the challenge."),
            "not_counted": Meaning("not counted", "Why the run does not count."),
            "sets counted": Meaning("sets counted"),
            "missing sets (no points)": Meaning("missing sets (no points)"),
            "not official (<why>)": Meaning("not official (<why>)"),
            "of several runs <which>": Meaning("of several runs <which>"),
            "score": Meaning("score", "Sum of the points of all sets counted, 0 to 10,000.", "", "higher"),
        }
    )

    def compute(self, subject: Subject) -> Finding:
        """The set of a run, its error and its points."""
        config, metrics = subject.config or {}, subject.metrics or {}
        name, why = config.get("data", {}).get("set"), _refuse(config, metrics)
        if why:
            return Finding({"not_counted": why}, {}, f"Not counted: {why}.")
        error = 1 - metrics["test/acc"]
        numbers = {"set": name, "error": error, "points": score_decathlon({name: error})[name]}
        numbers |= {"val/acc": metrics.get("val/acc"), "official": compare_official(name, config, metrics)}
        return Finding(numbers, {}, _write_caption(numbers))

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """The score of all runs together, and what has to be quoted with it."""
        counted = choose_counted(findings)
        said = {
            "score": sum_points(counted),
            "sets counted": f"{len(counted)} of {len(OFFICIAL)}",
            "missing sets (no points)": ", ".join(name for name in OFFICIAL if name not in counted) or "none",
        }
        others = list_unofficial(counted)
        if others:
            said[f"not official ({NOT_OFFICIAL})"] = ", ".join(f"{name}: {what}" for name, what in others.items())
        outdone = list_outdone(findings, counted)
        if outdone:
            said["of several runs of a set, the better by validation accuracy counts; left aside"] = ", ".join(outdone)
        return said

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """One bar per set, ten in all; beside it the run that counts."""
        return draw_points(findings)


def _refuse(config: dict[str, Any], metrics: dict[str, Any]) -> str | None:
    """Why a run has no points to count; None where it has."""
    data = config.get("data", {})
    if data.get("set") not in OFFICIAL:
        return "its data is none of the ten sets"
    if config.get("task", {}).get("num_classes") != data.get("num_classes"):
        return "its task does not predict the set's classes"
    return None if "test/acc" in metrics else "it has no test accuracy yet"


def _write_caption(numbers: dict[str, Any]) -> str:
    if numbers["official"] == "yes":
        return "Points: 1,000 for no error, 250 for the error of the challenge's finetuned baseline."
    return f"Not the official {numbers['set']} ({numbers['official'].removeprefix('no: ')}): {NOT_OFFICIAL}."
