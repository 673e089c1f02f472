"""Optimizers with separate rates for filters, linear weights and vectors (biases and norms).

What a parameter is follows from its shape: filters have three dimensions or more, linear weights two, vectors one.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Jordan et al. 2024 (kellerjordan.github.io/posts/muon): a quintic whose slope at zero is as steep as it can be.
_QUINTIC = (3.4445, -4.7750, 2.0315)

Groups = Iterable[Tensor] | Iterable[dict[str, Any]]


class SGD(torch.optim.SGD):
    """torch's SGD, in which biases and norms may learn faster than weights (Page 2019; Jordan 2024).

    Args:
        params: parameters, or groups of them.
        lr: of weights.
        bias_lr_scale: how many times as large the rate of biases and norms is.
        bias_weight_decay: of biases and norms.
        others: see `torch.optim.SGD`.
    """

    def __init__(
        self,
        params: Groups,
        *,
        lr: float,
        bias_lr_scale: float = 1.0,
        bias_weight_decay: float = 0.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        fused: bool | None = None,
    ):
        groups = []
        for kind, group in split_by_shape(params):
            if kind == "vectors":
                rate = group.get("lr", lr) * bias_lr_scale
                group |= {"lr": rate, "weight_decay": bias_weight_decay}
            groups.append(group)
        super().__init__(
            _join_alike(groups), lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=fused
        )


class Muon(Optimizer):
    """Momentum whose steps are orthogonalized, for filters; SGD for all else (Jordan et al. 2024).

    A filter bank [O,C,h,w] is taken as a matrix [O, C*h*w]; its step, momentum with Nesterov's correction, is replaced
    by the nearest matrix with orthogonal rows, approximately: see `orthogonalize`. Before each step a bank is scaled to
    the length sqrt(O), which a norm after it makes harmless and which takes the place of weight decay. Linear weights
    and vectors learn by SGD with Nesterov momentum.

    Deviation from the paper's code for language models: there the rate grows with a matrix's shape. Here it is that
    of the author's CIFAR-10 record, the same for every bank.

    Args:
        params: parameters, or groups of them, which may have an `lr` of their own.
        lr: of filters.
        momentum: of filters.
        ns_steps: Newton-Schulz steps.
        scale_filters: whether banks are scaled; without, they have decoupled weight decay in its place.
        linear_lr_scale, bias_lr_scale: how many times as large the rates of linear weights and of vectors are, for a
            loss that is a mean over the batch.
        sgd_momentum: of linear weights and vectors.
        weight_decay: the share of a weight that a step at its full rate takes away: the same for all, whatever the
            rates are.
    """

    def __init__(
        self,
        params: Groups,
        *,
        lr: float,
        momentum: float = 0.6,
        ns_steps: int = 3,
        scale_filters: bool = True,
        linear_lr_scale: float = 1.0,
        bias_lr_scale: float = 1.0,
        sgd_momentum: float = 0.85,
        weight_decay: float = 0.0,
    ):
        scales = {"filters": 1.0, "linear": linear_lr_scale, "vectors": bias_lr_scale}
        if min(lr, *scales.values(), momentum, sgd_momentum, weight_decay) < 0 or ns_steps < 1:
            raise ValueError("expected rates, momentum and decay of 0 or more, and ns_steps of 1 or more")
        groups = []
        for kind, group in split_by_shape(params):
            rate = scales[kind] * group.get("lr", lr)
            decay = weight_decay / rate if rate and not (kind == "filters" and scale_filters) else 0.0
            own = {"lr": rate, "weight_decay": decay, "orthogonal": kind == "filters"}
            groups.append(group | own | {"momentum": momentum if kind == "filters" else sgd_momentum})
        super().__init__(_join_alike(groups), {"lr": lr})
        self.ns_steps, self.scale_filters = ns_steps, scale_filters

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, after `closure` has been called with gradients, where one is given; what it returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            learning = [parameter for parameter in group["params"] if parameter.grad is not None]
            if learning:
                (self._turn if group["orthogonal"] else self._descend)(learning, group)
        return loss

    def _turn(self, filters: list[Tensor], group: dict[str, Any]) -> None:
        """Move filter banks by orthogonal steps."""
        steps = self._advance(filters, [_get_grad(bank) for bank in filters], group["momentum"])
        for bank, step in zip(filters, steps, strict=True):
            if self.scale_filters:
                bank.mul_(len(bank) ** 0.5 / bank.norm())
            else:
                bank.mul_(1 - group["lr"] * group["weight_decay"])
            bank.sub_(orthogonalize(step.flatten(1), self.ns_steps).view_as(bank), alpha=group["lr"])

    def _descend(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Move linear weights or vectors down the gradient."""
        grads = torch._foreach_add([_get_grad(p) for p in parameters], parameters, alpha=group["weight_decay"])
        steps = self._advance(parameters, list(grads), group["momentum"])
        torch._foreach_add_(parameters, steps, alpha=-group["lr"])

    def _advance(self, parameters: list[Tensor], grads: list[Tensor], momentum: float) -> list[Tensor]:
        """Add gradients to the momentum of each parameter, and say where Nesterov's step goes."""
        for parameter, grad in zip(parameters, grads, strict=True):
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(grad)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, grads)
        return list(torch._foreach_add(grads, buffers, alpha=momentum))


def orthogonalize(matrix: Tensor, steps: int) -> Tensor:
    """A matrix [M,N] with its singular values pushed towards 1: near U V^T, where the matrix is U S V^T.

    Newton-Schulz: each step is a X + b X X^T X + c (X X^T)^2 X, which acts on the singular values alone. With the
    coefficients of Jordan et al. 2024 they do not converge to 1: those that are no smaller than about 0.01 of the
    matrix's length come to lie between 0.6 and 1.3 within five steps. In bf16 on a GPU, as there; else in fp32.
    """
    a, b, c = _QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T  # the smaller product
    x = wide.to(torch.bfloat16 if matrix.is_cuda else torch.float32)
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide is matrix else x.T).to(matrix.dtype)


def split_by_shape(params: Groups) -> list[tuple[str, dict[str, Any]]]:
    """Parameters or groups of them, as groups of one kind: "filters", "linear" or "vectors", each with its name."""
    content = list(params)
    whole: Any = content if content and isinstance(content[0], dict) else [{"params": content}]
    split = []
    for group in whole:
        for kind, dims in (("filters", range(3, 9)), ("linear", (2,)), ("vectors", (0, 1))):
            if chosen := [parameter for parameter in group["params"] if parameter.ndim in dims]:
                split.append((kind, group | {"params": chosen}))
    return split


def _join_alike(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same groups, those that follow each other with equal settings made one."""
    joined: list[dict[str, Any]] = []
    for group in groups:
        if joined and _get_settings(joined[-1]) == _get_settings(group):
            joined[-1] = joined[-1] | {"params": [*joined[-1]["params"], *group["params"]]}
        else:
            joined.append(group)
    return joined


def _get_settings(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "params"}


def _get_grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
