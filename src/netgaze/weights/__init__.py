"""Loads weights from a file into a network by name, with a report of what was loaded, skipped and new."""

import logging

from torch import nn

from netgaze.errors import NetgazeError
from netgaze.weights.choice import choose_match
from netgaze.weights.first_bytes import CONVERT
from netgaze.weights.names import COUNTER, match_names
from netgaze.weights.nests import gather_tensors
from netgaze.weights.opening import open_weights
from netgaze.weights.report import Loaded, describe_others, describe_place, explain_no_fit, measure_random
from netgaze.weights.restoring import read_checkpoint, restore
from netgaze.weights.source import IMAGENET_URL, Init, locate, parse_init
from netgaze.weights.values import UNKNOWN, Slots, read_values

__all__ = ["IMAGENET_URL", "Init", "Loaded", "load_weights", "parse_init", "read_checkpoint", "restore"]

log = logging.getLogger(__name__)


def load_weights(model: nn.Module, source: str, key: str | None = None) -> Loaded:
    """Copy weights into `model`, matched by name and shape.

    A file is searched, in all its nests and behind any prefix, for the names of which most fit; where none is equal,
    capital and small letters count as the same, known other spellings (`shortcut`, `linear`), and the numbers of a
    Sequential. Where a name has two candidates it has none. No code in a file runs, whatever it is, and no more of it
    is read than fits.

    Args:
        model: changed in place.
        source: a run's folder (its best checkpoint), a file of weights, or "imagenet": torchvision's file for this
            network, downloaded once to where torchvision keeps it.
        key: of a file with several sets of weights, the nest or prefix to take.

    Raises:
        NetgazeError: nothing is there, not one name fits, or what fits is not finite.
    """
    path, slots = locate(model, source), Slots(model)
    with open_weights(path) as content:
        found = gather_tensors(content, path)
        shapes = {place: stored.shape for place, stored in found.tensors.items()}
        matches = match_names(shapes, list(slots.own), slots.fit, found.nest_of, getattr(model, "last_layer", ""))
        if not matches:
            raise NetgazeError(f"init={source}: {explain_no_fit(found, slots.own)}")
        is_own = isinstance(content, dict) and "netgaze" in content
        chosen, others = choose_match(matches, found, source, key, is_own)
        loaded, skipped, notes = read_values(chosen, found, slots, path)
    if not loaded:
        name, why = next((name, why) for name, why in skipped.items() if why != UNKNOWN)
        raise NetgazeError(f"init={source}: nothing in it fits. {name}: {why}. {CONVERT}.")
    model.load_state_dict(loaded, strict=False)
    if others:
        log.warning("%s", describe_others(source, chosen, others))
    new = [name for name in slots.own if name not in loaded and not name.endswith(COUNTER)]
    share, said = measure_random(slots.own, new, getattr(model, "head_layers", ()))
    if said:
        log.warning("init=%s: %s", source, said)
    if not is_own:
        notes = [*describe_place(chosen, found.nest_of(chosen.place)), *notes]
    return Loaded(source, list(loaded), skipped, new, chosen.place, notes, share)
