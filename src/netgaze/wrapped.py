"""Your own networks in a notebook as Subjects: `wrap`, and their data."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import torch
from torch import nn

from netgaze.data.base import ImageData
from netgaze.data.given import GivenData, read_given
from netgaze.data.given_pixels import Normalization
from netgaze.errors import NetgazeError
from netgaze.features import digest_weights
from netgaze.files import digest
from netgaze.inside.cascade import copy_with_model, reinitialize
from netgaze.models.own_net import OwnNet
from netgaze.subject import Subject, Untrained, device_of
from netgaze.subjects import CONTROL_SEED
from netgaze.tasks.supervised import Supervised


class Chosen(TypedDict, total=False):
    """What `OwnNet` finds by running a network, to be typed where it is found wrong."""

    output: str | int
    last_layer: str
    map_layer: str
    feature_layers: Sequence[str]
    filter_layers: Sequence[str]


@dataclass(frozen=True)
class Wrapped:
    """A network with what only its owner knows of it: see `wrap`."""

    network: nn.Module
    label: str
    class_names: tuple[str, ...] | None
    normalization: Normalization | None
    chosen: Chosen


def wrap(
    network: nn.Module,
    class_names: Sequence[str] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    label: str | None = None,
    **chosen: Unpack[Chosen],
) -> Wrapped:
    """Say what is known of a network of one's own, any PyTorch classifier, and give the result to `look`.

    As in `look("cam", wrap(net, mean=0.5, std=0.25), data=test_set)`.

    The network itself stays as it is: its weights, modes, gradients, hooks and outputs. Each `look` copies it as it
    then is, on the device where it lies, and asks the copy in evaluation mode. Nothing that is found is kept on disk,
    as a network in a notebook may change in ways that no file tells.

    `control="untrained"` shows beside it a copy in which each module draws its weights anew by `reset_parameters`.
    Parameters that no module draws, such as class tokens, get their own values in a random order; buffers other than
    the statistics of norms stay.

    Args:
        network: reads images [B,C,H,W] and gives logits [B,K], see `OwnNet`.
        class_names: of its outputs [K]; None for those of the data.
        mean: what its images are normalized by, of values in 0..1: a number per channel, or one. Images that come
            normalized are brought back to pixels by it, which figures show; those with all values in 0..1 are taken
            for pixels. None where it reads values in 0..1, or a run's data as that run does.
        std: the same, the standard deviation.
        label: what it is called; None for the name of its class.
        chosen: `output`, `last_layer`, `map_layer`, `feature_layers` and `filter_layers` of `OwnNet`, where what it
            finds by itself is wrong.

    Raises:
        NetgazeError: that is no network, or the mean and the std are none.
    """
    if not isinstance(network, nn.Module):
        raise NetgazeError(f"wrap: expected a network, a torch.nn.Module, got a {type(network).__name__}.")
    if isinstance(class_names, str):
        raise NetgazeError(f"wrap: expected a list of class_names, got the text {class_names!r}.")
    network = getattr(network, "_orig_mod", network)  # of a compiled network what was compiled, which hooks can see
    names = None if class_names is None else tuple(map(str, class_names))
    return Wrapped(network, label or type(network).__name__, names, _read_normalization(mean, std), chosen)


def _read_normalization(
    mean: float | Sequence[float] | None, std: float | Sequence[float] | None
) -> Normalization | None:
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise NetgazeError(f"wrap: mean={mean} and std={std} go together. Give both or neither.")
    # Numbers, lists, tensors and arrays alike.
    means, stds = (tuple(torch.as_tensor(each, dtype=torch.float64).flatten().tolist()) for each in (mean, std))
    if not all(0 <= each <= 1 for each in means) or not all(each > 0 for each in stds):
        raise NetgazeError(
            f"wrap: mean={list(means)} and std={list(stds)} are of values in 0..1: each mean is in 0..1, each std is "
            "above 0. Divide those of pixels in 0..255 by 255."
        )
    return means, stds


def open_wrapped(networks: Sequence[Wrapped], data: Any, beside: Sequence[Subject]) -> list[Subject]:
    """Networks as Subjects that look at the same images.

    Args:
        networks: one or more.
        data: an `ImageData`, or what `read_given` takes; None for the data of the first of the others.
        beside: what else is looked at.

    Raises:
        NetgazeError: there is no data, or data beside a run, which has its own; a network that cannot read it, or has
            another number of outputs than class names.
    """
    if data is not None and beside:
        raise NetgazeError(
            f"look: {beside[0].label} has its own data. Leave data= out, and the other networks use that data, too."
        )
    if isinstance(data, ImageData):
        data.setup()
        return _open_on(networks, data, data.fingerprint)
    if data is not None:
        return _open_on_given(networks, data)
    host = next((subject for subject in beside if not subject.lacks(("data",))), None)
    if host is None:
        raise NetgazeError(
            f"look: {networks[0].label} has no data. Give data=, a Dataset of (image, label), or (images, labels)."
        )
    plan = host.untrained
    return _open_on(networks, host.data, host.data.fingerprint if plan is None else plan.data_key)


def _open_on(networks: Sequence[Wrapped], images: ImageData, data_key: str) -> list[Subject]:
    """Networks on a data set of the project; see `Untrained` for the key."""
    shape = (images.num_channels, images.image_size, images.image_size)
    return [_make_subject(it, _open_network(it, shape), images, data_key) for it in networks]


def _open_on_given(networks: Sequence[Wrapped], data: Any) -> list[Subject]:
    """Networks on images from the notebook, whose classes are named by the first network that names any."""
    normalizations = dict.fromkeys(it.normalization for it in networks if it.normalization is not None)
    # By which of several a Dataset normalized nobody knows.
    splits, names = read_given(data, next(iter(normalizations)) if len(normalizations) == 1 else None)
    opened = [_open_network(it, splits["test"].shape) for it in networks]
    typed = next((it.class_names for it in networks if it.class_names is not None), None)
    images = GivenData(splits=splits, class_names=typed or names or _number_classes(opened[0]))
    images.setup()
    pairs = zip(networks, opened, strict=True)
    return [_make_subject(*pair, images, images.fingerprint) for pair in pairs]


def _open_network(wrapped: Wrapped, input_shape: Sequence[int]) -> OwnNet:
    """A copy of a network behind the contract of the project."""
    try:
        network = copy.deepcopy(wrapped.network)
    except Exception as error:  # whatever a network of a person's own raises
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise NetgazeError(f"{wrapped.label} cannot be copied, and showing it would change it: {said}.") from error
    try:
        own = OwnNet(network, input_shape, **wrapped.chosen)
    except NetgazeError as error:  # keys of the command line are arguments of `wrap`
        raise NetgazeError(f"{wrapped.label}: {str(error).replace('model.', '')}") from error
    num_outputs, names = own.get_classifier().out_features, wrapped.class_names
    if names is not None and len(names) != num_outputs:
        raise NetgazeError(
            f"{wrapped.label} has {num_outputs} outputs, but {len(names)} class_names. Give one name per output."
        )
    return own


def _number_classes(network: OwnNet) -> list[str]:
    return [f"class {number}" for number in range(network.get_classifier().out_features)]


def _make_subject(wrapped: Wrapped, network: OwnNet, data: ImageData, data_key: str) -> Subject:
    """A network that was opened, as a Subject.

    Args:
        wrapped: what is known of it.
        network: itself.
        data: what it looks at, normalized as it may be.
        data_key: see `Untrained`.
    """
    seen = data if wrapped.normalization is None else data.with_normalization(*wrapped.normalization)
    numbered = _number_classes(network)
    task = Supervised(model=network, num_classes=len(numbered), optimizer=_do_not_train, schedule=_do_not_train)
    fitting = data.class_names if len(data.class_names) == len(numbered) else numbered
    task.name_classes(wrapped.class_names or fitting)
    task.eval()
    return Subject(
        wrapped.label,
        task=lambda: task,
        data=lambda: seen,
        train_data=lambda: seen,  # what it was trained on is not known, nor whether it had these classes
        training=True,
        untrained=lambda: _plan_untrained(task, seen, data_key),
    )


def _do_not_train(*_: Any) -> Any:
    raise NetgazeError("A wrapped network cannot be trained here, only shown.")


def _plan_untrained(task: Supervised, data: ImageData, data_key: str) -> Untrained:
    twin = copy_with_model(task)
    _draw_anew(twin.model.cpu())  # the same numbers on every device
    twin.to(device_of(task))
    kinds = [id(kind) for kind in map(type, twin.model.modules())]
    key = digest(repr(twin.model), kinds, digest_weights(twin), task.class_names, data.mean, data.std)

    def make(subject: Subject, title: str) -> Subject:
        return Subject(
            title,
            task=lambda: twin,
            data=lambda: data,
            train_data=lambda: data,
            split=subject.split,
            control=True,
            training=True,
        )

    return Untrained(key, data_key, make)


def _draw_anew(network: nn.Module) -> None:
    """Take away all that a network has learned: see `wrap`."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(CONTROL_SEED)
        for module in reversed(list(network.modules())):  # what holds others has the last word on them
            try:
                reinitialize(module)
            except Exception as error:  # whatever a network of a person's own raises
                raise NetgazeError(
                    f"{type(module).__name__}.reset_parameters() fails, but the untrained control needs it: {error}. "
                    "Type control=None to leave the control out."
                ) from error
