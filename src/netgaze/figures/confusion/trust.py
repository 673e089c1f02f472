"""Whether a network's confidence is justified: numbers, words and plots of calibration and of risk over coverage."""

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
_LEAST_COUNT = 30  # examples of a bin that the line goes through: the accuracy of fewer is too uncertain
_BARS: Any = {"x": (np.arange(_BINS) + 0.5) / _BINS, "width": 1 / _BINS, "edgecolor": "white"}
_SCORES = Glossary(
    {
        "ece": Meaning(
            "calibration error",
            "Mean distance between confidence and accuracy over 15 bins (Guo et al. 2017): 0 where predictions are "
            "correct as often as the confidence claims.",
            "%",
            "lower",
        ),
        "ece_adaptive": Meaning(
            "adaptive calibration error",
            "The same over 15 bins with equal numbers of examples, so that no bin is almost empty.",
            "%",
            "lower",
        ),
        "brier": Meaning(
            "Brier score",
            "Mean squared distance of the probabilities from the true class, summed over the classes, 0 to 2: lower "
            "with higher accuracy and with better calibration.",
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
            "Divisor of the logits that minimizes the log loss on validation: above 1 the network was overconfident, "
            "below 1 underconfident.",
        ),
        "acc_val": Meaning(
            "validation accuracy",
            "On the images that choose the temperature: if far above the accuracy, the network has learned from these "
            "images, and the temperature is too low.",
            "%",
        ),
    }
    | {
        f"{name}_scaled": replace(meaning, words=f"{meaning.words}, temperature-scaled", says="")
        for name, meaning in _SCORES.items()
    }
    | {
        "aurc": Meaning(
            "area under the risk curve",
            "Mean error rate of the most confident predictions, over all shares of examples (Geifman et al. 2019): "
            "equal to the error rate if confidence says nothing.",
            "%",
            "lower",
        ),
        "aurc_least": Meaning(
            "area under the risk curve, least possible", "If the errors were the least confident predictions.", "%"
        ),
        "risk_half": Meaning(
            "error in the most confident half",
            "Error rate of the most confident half of all predictions.",
            "%",
            "lower",
        ),
    }
)


def measure_trust(outputs: Outputs, chosen_on: Outputs | None) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The numbers of `TRUST`; confidence in 15 bins of equal width [15], and risk over coverage [P].

    Args:
        outputs: that are measured.
        chosen_on: of other examples, on which a temperature is chosen; None leaves out its numbers.
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
    """Whether accuracy is so much higher than on others that the network must have learned from these examples."""
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
    """The numbers in lines: unscaled, temperature-scaled, and of the most confident predictions."""
    numbers = finding.numbers
    said = {name: format_named(numbers, name, TRUST) for name in TRUST}
    lines = ["adaptive calibration error {ece_adaptive}".format(**said), "Brier {brier}, log loss {nll}".format(**said)]
    if "temperature" in numbers:
        lines += ["at temperature {temperature}: calibration error {ece_scaled},".format(**said)]
        lines += ["adaptive {ece_adaptive_scaled}, Brier {brier_scaled}, log loss {nll_scaled}".format(**said)]
    lines += ["error in the most confident half {risk_half}".format(**said)]
    return "\n".join([*lines, "area under the risk curve {aurc} (least possible {aurc_least})".format(**said)])


def find_top_risk(findings: Iterable[Finding]) -> float:
    """Where the axis of risk ends in all plots of a page."""
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
    title = f"line: temperature {format_value(finding.numbers['temperature'])}" if scaled else "reliability"
    axes = sheet.axes(x, y, 1.4, 1.2, title=title, **limits)
    axes.bar(height=np.nan_to_num(arrays["bin_accuracy"]), color=RIGHT, **_BARS)
    axes.plot([0, 1], [0, 1], color=WRONG, linestyle="--", linewidth=1)
    if scaled:
        there = arrays["scaled_counts"] >= _LEAST_COUNT
        style: Any = {"color": "black", "marker": "o", "markersize": 2.5, "linewidth": 1}
        axes.plot(arrays["scaled_confidence"][there], arrays["scaled_accuracy"][there], **style)


def _draw_counts(sheet: Sheet, x: float, y: float, counts: np.ndarray) -> None:
    """The number of examples by confidence: on a logarithmic axis, as for most networks nearly all lie in one bin."""
    limits: Any = {"xlim": (0, 1), "xticks": [0, 0.5, 1], "yscale": "log"}
    limits["ylim"] = 0.7, max(15, 1.5 * counts.max())
    axes = sheet.axes(x, y, 1.4, 0.5, xlabel="confidence", ylabel="examples", **limits)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.bar(height=counts, color=GRAY, **_BARS)


def _draw_risk(sheet: Sheet, x: float, y: float, finding: Finding, top: float) -> None:
    arrays, limits = finding.arrays, dict[str, Any](xlim=(0, 1), ylim=(0, top), xticks=[0, 0.5, 1])
    axes = sheet.axes(x, y, 1.4, 1.8, title="risk (error rate)", xlabel="coverage", **limits)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.plot(arrays["coverage"], arrays["risk_least"], color=GRAY, linestyle=":", linewidth=1.2)
    axes.axhline(1 - finding.numbers["acc"], color=WRONG, linestyle="--", linewidth=1)
    axes.plot(arrays["coverage"], arrays["risk"], color=RIGHT, linewidth=1.5)
