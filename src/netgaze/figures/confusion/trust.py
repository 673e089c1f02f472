"""How far the answers of a network can be trusted: numbers, words and plots of calibration and of risk by coverage."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter

from netgaze.drawing.panels import GRAY, RIGHT, WRONG, Sheet
from netgaze.drawing.rows import Row
from netgaze.figure import Finding
from netgaze.glossary import Glossary, Meaning, format_named
from netgaze.measures.calibration import Answers, Bins, fit_temperature, trace_least_risk, trace_risk
from netgaze.measures.uncertainty import find_wilson_interval
from netgaze.passes import Outputs
from netgaze.text import format_value

_BINS = 15
_POINTS = 201  # of the curve of risk
_LEAST_COUNT = 30  # examples of a bin that the line goes through: the share that is right says little of fewer
_BARS: Any = {"x": (np.arange(_BINS) + 0.5) / _BINS, "width": 1 / _BINS, "edgecolor": "white"}
_SCORES = Glossary(
    {
        "ece": Meaning(
            "calibration error",
            "Mean distance between confidence and accuracy over 15 bins (Guo et al. 2017): 0 where the network "
            "is right as often as it is sure.",
            "%",
            "lower",
        ),
        "ece_adaptive": Meaning(
            "calibration error, bins of equal mass",
            "The same over 15 bins of as many examples each, so that no bin is all but empty.",
            "%",
            "lower",
        ),
        "brier": Meaning(
            "Brier score",
            "Mean squared distance of the probabilities from the truth, summed over the classes, 0 to 2: it falls "
            "with being right, and with knowing how sure to be.",
            "",
            "lower",
        ),
        "nll": Meaning("log loss", "Mean negative logarithm of the true class's probability.", "nats", "lower"),
    }
)
TRUST = Glossary(
    _SCORES
    | {
        "temperature": Meaning(
            "temperature",
            "By what the logits are divided so that the log loss on validation is least: above 1 the network was too "
            "sure, below it not sure enough.",
        ),
        "acc_val": Meaning(
            "accuracy on validation",
            "Where the temperature is chosen: far above the accuracy measured, the network has learned from these "
            "images, and the temperature is too low.",
            "%",
        ),
    }
    | {
        f"{name}_scaled": replace(meaning, words=f"{meaning.words}, at the temperature", says="")
        for name, meaning in _SCORES.items()
    }
    | {
        "aurc": Meaning(
            "area under risk by coverage",
            "Mean share of wrong answers among the surest, over all shares of examples that are answered (Geifman et "
            "al. 2019): the error rate where confidence says nothing.",
            "%",
            "lower",
        ),
        "aurc_least": Meaning("the least such area", "If all errors were the answers it is least sure of.", "%"),
        "risk_half": Meaning(
            "wrong among the surest half", "Share of errors if only the surest half is answered.", "%", "lower"
        ),
    }
)


def measure_trust(outputs: Outputs, chosen_on: Outputs | None) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The numbers of `TRUST`; confidence in 15 bins of equal width [15], and risk over coverage [P].

    Args:
        outputs: that are measured.
        chosen_on: of other examples, by which a temperature is chosen; None leaves out all that is of it.
    """
    answers = Answers.of(outputs.logits, outputs.targets)
    bins, risks, least = _bin(answers), trace_risk(answers.confidence, answers.right), trace_least_risk(answers.right)
    numbers = _score(answers) | {"aurc": float(risks.mean()), "aurc_least": float(least.mean())}
    numbers["risk_half"] = float(risks[(len(risks) - 1) // 2])
    places = np.unique(np.linspace(0, len(risks) - 1, _POINTS).round().astype(np.int64))
    arrays = {"bin_counts": bins.counts, "bin_accuracy": bins.accuracy, "bin_confidence": bins.confidence}
    arrays |= {"coverage": (places + 1) / len(risks), "risk": risks[places], "risk_least": least[places]}
    if chosen_on is not None:
        numbers["temperature"] = fit_temperature(chosen_on.logits, chosen_on.targets)
        numbers["acc_val"] = _measure_accuracy(chosen_on)
        scaled = Answers.of(outputs.logits, outputs.targets, numbers["temperature"])
        numbers |= {f"{name}_scaled": value for name, value in _score(scaled).items()}
        bins = _bin(scaled)
        arrays |= {"scaled_accuracy": bins.accuracy, "scaled_confidence": bins.confidence, "scaled_counts": bins.counts}
    return numbers, arrays


def looks_learned(chosen_on: Outputs, outputs: Outputs) -> bool:
    """Whether examples are answered so much better than others that the network must have learned from them."""
    ends = (find_wilson_interval(_measure_accuracy(each), len(np.unique(each.index))) for each in (chosen_on, outputs))
    (low, _), (_, high) = ends
    return low > high


def _measure_accuracy(outputs: Outputs) -> float:
    return float((outputs.logits.argmax(axis=1) == outputs.targets).mean())


def _bin(answers: Answers) -> Bins:
    return Bins.of_equal_width(answers, _BINS)


def _score(answers: Answers) -> dict[str, float]:
    """The numbers of `_SCORES`."""
    return {
        "ece": _bin(answers).error,
        "ece_adaptive": Bins.of_equal_mass(answers, _BINS).error,
        "brier": float(answers.brier.mean()),
        "nll": float(answers.nll.mean()),
    }


def describe_trust(finding: Finding) -> str:
    """The numbers in lines: as they are, at the temperature, and of the surest answers."""
    numbers = finding.numbers
    said = {name: format_named(numbers, name, TRUST) for name in TRUST}
    lines = [f"equal mass {said['ece_adaptive']}, Brier {said['brier']}, log loss {said['nll']}"]
    if "temperature" in numbers:
        lines += [f"at temperature {said['temperature']}: calibration error {said['ece_scaled']},"]
        lines += ["equal mass {ece_adaptive_scaled}, Brier {brier_scaled}, log loss {nll_scaled}".format(**said)]
    return "\n".join(
        [*lines, "wrong among the surest half {risk_half}; AURC {aurc} (least {aurc_least})".format(**said)]
    )


def find_top_risk(findings: Iterable[Finding]) -> float:
    """Where the axis of risk ends in all plots of a page, which so compare."""
    highest = (max(float(each.arrays["risk"].max()), 1 - each.numbers["acc"]) for each in findings)
    return min(1.0, max(0.01, 1.15 * max(highest)))


def make_trust(finding: Finding, x: float, top: float) -> Row:
    """Reliability over the number of examples of each confidence, and beside them risk over coverage up to `top`."""

    def draw(sheet: Sheet, y: float) -> None:
        _draw_reliability(sheet, x, y, finding)
        _draw_counts(sheet, x, y + 1.3, finding.arrays["bin_counts"])
        _draw_risk(sheet, x + 2.0, y, finding, top)

    return Row(2.25, draw)


def _draw_reliability(sheet: Sheet, x: float, y: float, finding: Finding) -> None:
    arrays, ticks = finding.arrays, [0, 0.5, 1]
    limits: Any = {"xlim": (0, 1), "ylim": (0, 1), "xticks": [], "yticks": ticks, "ylabel": "accuracy"}
    scaled = "scaled_accuracy" in arrays
    title = f"line: temperature {format_value(finding.numbers['temperature'])}" if scaled else "as it is"
    axes = sheet.axes(x, y, 1.4, 1.2, title=title, **limits)
    axes.bar(height=np.nan_to_num(arrays["bin_accuracy"]), color=RIGHT, **_BARS)
    axes.plot([0, 1], [0, 1], color=WRONG, linestyle="--", linewidth=1)
    if scaled:
        there = arrays["scaled_counts"] >= _LEAST_COUNT
        style: Any = {"color": "black", "marker": "o", "markersize": 2.5, "linewidth": 1}
        axes.plot(arrays["scaled_confidence"][there], arrays["scaled_accuracy"][there], **style)


def _draw_counts(sheet: Sheet, x: float, y: float, counts: np.ndarray) -> None:
    """How many examples have each confidence: on a logarithmic axis, as nearly all lie in one bin of most networks."""
    limits: Any = {"xlim": (0, 1), "xticks": [0, 0.5, 1], "yscale": "log"}
    limits["ylim"] = 0.7, max(15, 1.5 * counts.max())
    axes = sheet.axes(x, y, 1.4, 0.5, xlabel="confidence", ylabel="examples", **limits)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.bar(height=counts, color=GRAY, **_BARS)


def _draw_risk(sheet: Sheet, x: float, y: float, finding: Finding, top: float) -> None:
    arrays, limits = finding.arrays, dict[str, Any](xlim=(0, 1), ylim=(0, top), xticks=[0, 0.5, 1])
    axes = sheet.axes(x, y, 1.4, 1.8, title="wrong among the surest", xlabel="share answered", **limits)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.plot(arrays["coverage"], arrays["risk_least"], color=GRAY, linestyle=":", linewidth=1.2)
    axes.axhline(1 - finding.numbers["acc"], color=WRONG, linestyle="--", linewidth=1)
    axes.plot(arrays["coverage"], arrays["risk"], color=RIGHT, linewidth=1.5)
