"""Chooses one of several sets of weights in a file: the best match, or the named one."""

import re
from collections.abc import Sequence

from netgaze.errors import NetgazeError
from netgaze.weights.names import Match
from netgaze.weights.nests import Found

# An average over training and a teacher of self-distillation are what their authors evaluate: timm loads
# `state_dict_ema` where there is one, DINO's evaluation the teacher. Of others the first counts: MoCo's query encoder,
# BYOL's online network.
_PREFERRED = re.compile(r"(^|[._])(ema|teacher)", re.IGNORECASE)
_OWN = "state_dict.model."  # where the checkpoints of this project have their network


def choose_match(
    matches: Sequence[Match], found: Found, source: str, key: str | None, is_own: bool
) -> tuple[Match, list[Match]]:
    """The set of weights to take, and others that fit equally well.

    Args:
        matches: the places of the file that fit, those first of which more fits.
        found: what lies in the file.
        source: as typed, for a person to read.
        key: as typed in `init.key`, a nest or prefix, or the last parts of one; None leaves it to the fit.
        is_own: the file is a checkpoint of this project.

    Raises:
        NetgazeError: nothing fits at `key`.
    """
    asked = [match for match in matches if key is None or f".{key.strip('.')}." in f".{match.place}"]
    if not asked:
        raise NetgazeError(f"init.key={key}: {source} has no weights for this network there. {_list_places(matches)}")
    if key is None and is_own:
        asked = [match for match in asked if match.place.startswith(_OWN)] or asked
    order = {path: number for number, path in enumerate(found.tensors)}
    best = [match for match in asked if match.num_fit == asked[0].num_fit]

    def rank(match: Match) -> tuple[bool, int, int]:
        return not _PREFERRED.search(match.place), -match.num_equal, min(order[path] for path in match.names)

    chosen, *others = sorted(best, key=rank)
    return chosen, [] if key else [match for match in others if match.names.keys() != chosen.names.keys()]


def _list_places(matches: Sequence[Match]) -> str:
    """The places worth asking for, in a sentence."""
    good = [match for match in matches if match.place and 2 * match.num_fit >= matches[0].num_fit][:8]
    if not good:
        return "It has a single set of weights: leave init.key out."
    return "It has some at " + ", ".join(f"{match.place[:-1]} ({match.num_fit} tensors)" for match in good) + "."
