"""LARS: stochastic gradient descent with a step proportional to the norm of each matrix.

You, Gitman and Ginsburg 2017, "Large Batch Training of Convolutional Networks", algorithm 1. The MAE
paper's linear probe uses it (He et al. 2022, appendix A.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

from kakera.errors import OptionError


class LARS(torch.optim.Optimizer):
    """The LARS optimiser: steps of lr · trust · |w| / |g + decay · w| along the gradient, with momentum.

    One-dimensional parameters (biases, norms) get plain momentum steps of lr · g, without scaling and without
    weight decay. A matrix of zeros also gets steps without scaling, otherwise it would stay zero. The same
    holds for a matrix whose gradient is zero. Raises OptionError if a setting is negative or `momentum` is 1
    or more.

    Example:

        >>> weight = torch.nn.Parameter(torch.ones(2, 2))
        >>> optimizer = LARS([weight], lr=1.0, trust=0.5)
        >>> weight.sum().backward()
        >>> optimizer.step()
        >>> weight[0].tolist()
        [0.5, 0.5]
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust}
        if min(settings.values()) < 0 or momentum >= 1:
            raise OptionError(
                "LARS", got=settings, expected="numbers from 0, momentum below 1", do="correct them"
            )
        super().__init__(params, settings)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Do one step with the current gradients. Parameters without a gradient do not change."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if parameter.ndim > 1:
            gradient = gradient + group["weight_decay"] * parameter
            sizes = parameter.norm() * gradient.norm()
            ratio = group["trust"] * parameter.norm() / gradient.norm()
            # torch.where instead of `if`: the host does not wait for the device to compare with zero.
            gradient = gradient * torch.where(sizes > 0, ratio, torch.ones_like(ratio))
        state: dict[str, Tensor] = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(group["momentum"]).add_(gradient)
        parameter.add_(state["momentum"], alpha=-group["lr"])
