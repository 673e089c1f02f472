"""Your own network, by its name in a package or a file."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.own_net import OwnNet
from netgaze.trusted import check_may_import, import_named, is_trusted


class ModuleNet(OwnNet):
    """A network by its name: `model=module model.target=my_nets.MyNet`, or `model.target=nets/my_nets.py:MyNet`.

    Its code runs where it was typed on the command line, or composed from one's own files; of a stored run only where
    it is trusted, see `netgaze.trusted`.

    Args:
        target: a class of networks; where it was typed, whatever makes one.
        kwargs: its arguments; `num_classes`, where it takes that and it is not among these, is the task's.
        image_size: side of the images in pixels.
        in_channels: image channels.
        num_classes: outputs.
        output, last_layer, map_layer, feature_layers, filter_layers: see `OwnNet`.

    Raises:
        NetgazeError: the name leads to nothing or is not trusted, its arguments are refused, or as `OwnNet`.
    """

    def __init__(
        self,
        *,
        target: str,
        kwargs: Mapping[str, Any] | None = None,
        output: str | int | None = None,
        last_layer: str | None = None,
        map_layer: str | None = None,
        feature_layers: Sequence[str] | None = None,
        filter_layers: Sequence[str] | None = None,
        image_size: int,
        in_channels: int,
        num_classes: int,
    ):
        super().__init__(
            make_network(target, kwargs or {}, num_classes),
            (in_channels, image_size, image_size),
            num_classes=num_classes,
            output=output,
            last_layer=last_layer,
            map_layer=map_layer,
            feature_layers=feature_layers,
            filter_layers=filter_layers,
        )
        self.target, self.kwargs = target, dict(kwargs or {})

    def extra_repr(self) -> str:
        """What was typed of the network, by which stored answers of its are known."""
        return f"target={self.target}, kwargs={self.kwargs}"


def make_network(target: str, kwargs: Mapping[str, Any], num_classes: int) -> nn.Module:
    """The network that a class, or whatever was typed, makes; see `ModuleNet`.

    Raises:
        NetgazeError: the name leads to nothing or is not trusted, or makes no network of these arguments.
    """
    check_may_import(target, "model.target")
    make = import_named(target, "model.target")
    # A function of torch's could do anything with arguments of a stranger's.
    if not (is_trusted(target) or (inspect.isclass(make) and issubclass(make, nn.Module))):
        raise NetgazeError(
            f"model.target={target} is refused: it is not a network class, and a stored config may come from a "
            f"stranger. If you trust it, type trust={target}."
        )
    if not callable(make):
        raise NetgazeError(
            f"model.target={target} does not make a network. Give a class, or a function that returns one."
        )
    takes = inspect.signature(make).parameters
    given = {"num_classes": num_classes, **kwargs} if "num_classes" in takes else dict(kwargs)
    try:
        network = make(**given)
    except Exception as error:  # whatever a constructor of a person's own raises
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise NetgazeError(f"model.target={target} refuses model.kwargs={given}: {said}.") from error
    if not isinstance(network, nn.Module):
        raise NetgazeError(f"model.target={target} makes a {type(network).__name__}, not a torch.nn.Module.")
    return network
