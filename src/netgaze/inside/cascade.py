"""A network whose stages are randomized from last to first: do its maps change?

The cascading randomization check of Adebayo et al. 2018 (arXiv 1810.03292).
"""

import copy
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


def list_stages(model: nn.Module) -> dict[str, list[nn.Module]]:
    """The modules of a network that have weights or statistics of their own, by stage, the last stage first.

    Stages are the `feature_layers` that the network names. What lies between two of them counts to the later one, what
    follows the last is the `head`, and what comes before a first one that has weights of its own the `stem`.
    """
    names = [name for name in getattr(model, "feature_layers", ()) if name]
    stages: dict[str, list[nn.Module]] = defaultdict(list)
    passed: list[str] = []
    for path, module in model.named_modules():
        inside = next((name for name in names if path == name or path.startswith(f"{name}.")), None)
        passed += [inside] if inside is not None and inside not in passed else []
        if [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            ahead = [name for name in names if name not in passed]
            stages[inside or (_name_loose(model, ahead, bool(passed)) if ahead else "head")].append(module)
    return dict(reversed(stages.items()))


def _name_loose(model: nn.Module, ahead: list[str], is_later: bool) -> str:
    """The stage of a module that lies in none, and has some ahead of it."""
    has_weights = any(True for _ in model.get_submodule(ahead[0]).parameters())
    return ahead[0] if is_later or not has_weights else "stem"


@torch.no_grad()
def reinitialize(module: nn.Module) -> None:
    """Initialize a module's own weights again, as torch does; weights that this leaves unchanged are shuffled."""
    versions = {weights: weights._version for weights in module.parameters(recurse=False)}
    draw: Any = getattr(module, "reset_parameters", None)
    if draw is not None:
        draw()
    for weights in module.parameters(recurse=False):
        if versions.get(weights) == weights._version:
            weights.copy_(weights.flatten()[torch.randperm(weights.numel(), device=weights.device)].view_as(weights))


def randomize_downward(model: nn.Module, seed: int) -> Iterator[str]:
    """Randomize a network's stages, one more at each step, from last to first; yields each one's name.

    The network itself changes: pass a copy.
    """
    for number, (name, modules) in enumerate(list_stages(model).items()):
        with torch.random.fork_rng():
            torch.manual_seed(seed + number)
            for module in modules:
                reinitialize(module)
        yield name


def copy_with_model(task: nn.Module) -> Any:
    """A task whose `model` is a copy, which may be changed; all else it shares with the task."""
    twin: Any = copy.copy(task)
    twin._modules = dict(task._modules)
    twin.model = copy.deepcopy(task.model)
    return twin
