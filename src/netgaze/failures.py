"""A failing figure costs only that figure: the reason is kept, and decides whether the command fails."""

import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from netgaze.errors import NetgazeError, sentence


@dataclass(frozen=True)
class Failure:
    """Why a figure is not there.

    Attributes:
        error: the reason, in a sentence.
        trace: the traceback.
    """

    error: str
    trace: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """What is kept of an exception; not the exception itself, whose frames hold arrays."""
        return cls(_describe(error), "".join(traceback.format_exception(error)))


def _describe(error: Exception) -> str:
    if isinstance(error, NetgazeError) or (isinstance(error, OSError) and error.filename):
        return sentence(error)
    kind, said = type(error).__name__, sentence(error)
    return kind if said == kind else f"{kind}: {said}"


def explain_failures(
    asked: Collection[str], failed: Mapping[str, str], left_out: Mapping[str, str], strict: bool
) -> str | None:
    """Why a command fails because of its figures, once all else is written; None if it does not.

    Args:
        asked: the figures' names.
        failed: a sentence for each that failed.
        left_out: a sentence for each whose needs no network meets.
        strict: whether one failed figure is enough; otherwise the command fails only if nothing was drawn.
    """
    if failed and strict:
        return f"{_list(failed)} (figures.strict=true; numbers and other figures were written)"
    if asked and not set(asked) - set(failed) - set(left_out):
        return f"No figure was drawn; the numbers were written. {_list({**failed, **left_out})}"
    return None


def explain_run(facts: Mapping[str, Any], strict: bool) -> str | None:
    """The same for a run, by what its `run.json` says."""
    failed = {name: failure["error"] for name, failure in facts.get("figures_failed", {}).items()}
    asked = facts.get("config", {}).get("figure", {})
    return explain_failures(asked, failed, facts.get("figures_left_out", {}), strict)


def _list(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why.removesuffix('.')}" for name, why in reasons.items())
