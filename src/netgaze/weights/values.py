"""Converts loaded tensors to the network's precision and number of color channels."""

from pathlib import Path

from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.weights.names import Match, Shape
from netgaze.weights.nests import Found
from netgaze.weights.opening import explain_damage
from netgaze.weights.stored import Stored

UNKNOWN = "this network has no such tensor"


class Slots:
    """Where a network takes tensors, and of what shape: its own, or in the filters that read the image other colors.

    Args:
        model: whose first of `filter_layers` reads the image, where it has such.

    Attributes:
        own: the network's tensors by name.
    """

    def __init__(self, model: nn.Module):
        self.own: dict[str, Tensor] = model.state_dict()
        self.first = f"{next(iter(getattr(model, 'filter_layers', ())), '')}.weight"

    def fit(self, name: str, shape: Shape) -> bool:
        """Whether a tensor of a shape can be put at an own name."""
        own = tuple(self.own[name].shape)
        if shape == own:
            return True
        if name != self.first or not len(shape) == len(own) == 4 or {shape[1], own[1]} != {1, 3}:
            return False
        return shape[:1] + shape[2:] == own[:1] + own[2:]


def read_values(
    match: Match, found: Found, slots: Slots, path: Path
) -> tuple[dict[str, Tensor], dict[str, str], list[str]]:
    """The tensors that fit, by own names; why others do not, by the file's names; and what was done to the first.

    Raises:
        NetgazeError: they cannot be read, or are not finite.
    """
    loaded, skipped, notes = dict[str, Tensor](), dict[str, str](), list[str]()
    nest = found.nest_of(match.place)
    for place, stored in found.tensors.items():
        if not place.startswith(nest):
            continue
        theirs, name = place.removeprefix(nest), match.names.get(place)
        unfit = UNKNOWN if name is None else _find_unfit(stored, name, slots)
        value = None if unfit or name is None else _read(stored, path)
        if value is not None and name is not None:
            unfit = _find_unfit_kind(value, slots.own[name])
        if value is None or name is None or unfit:
            skipped[theirs] = unfit
            continue
        loaded[name], done = _convert(value, slots.own[name])
        notes += [f"{name}: {done}"] if done else []
        if not loaded[name].isfinite().all():
            raise NetgazeError(
                f"{path}: {theirs} holds numbers that are not finite (NaN or infinite), and so would be all that the "
                "network answers. Give the checkpoint of an earlier epoch."
            )
    return loaded, skipped, notes


def _find_unfit(stored: Stored, name: str, slots: Slots) -> str:
    """Why a tensor is not read for an own name; "" where it is."""
    if stored.flaw:
        return stored.flaw
    return "" if slots.fit(name, stored.shape) else f"shape {list(stored.shape)}, here {list(slots.own[name].shape)}"


def _read(stored: Stored, path: Path) -> Tensor:
    try:
        return stored.read()
    except NetgazeError:
        raise
    except Exception as error:  # readers of broken files raise nearly everything
        raise explain_damage(path, error) from error


def _find_unfit_kind(value: Tensor, own: Tensor) -> str:
    """Why numbers of one kind cannot be those of another; "" where they can."""
    if value.is_complex() or (own.is_floating_point() and not value.is_floating_point()):
        return f"holds {str(value.dtype).removeprefix('torch.')}, here {str(own.dtype).removeprefix('torch.')}"
    return ""


def _convert(value: Tensor, own: Tensor) -> tuple[Tensor, str]:
    """Numbers in the network's precision, and filters for as many colors as it reads; in words what that took.

    A network of one channel answers to an image as the other did to the image repeated in three, and one of three to
    equal channels as the other did to one of them.
    """
    value = value.to(own.dtype)
    if value.shape == own.shape:
        return value, ""
    if own.shape[1] == 1:
        return value.sum(dim=1, keepdim=True), "filters for color summed over the three channels, to read gray images"
    return (value / 3).expand(own.shape).clone(), "filters for gray images spread over three channels, a third in each"
