"""The Muon optimiser: orthogonalised momentum steps for matrices, AdamW for all other parameters.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". The size of a step is that of
Liu et al. 2025, "Muon is scalable for LLM training", Sec. 2.2. It is about the size of a step of AdamW, so
that the same learning rates and weight decay work. `torch.optim.Muon` processes one matrix at a time, in
bfloat16, which is slow on CPUs. It also treats queries, keys and values in one matrix as a single matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adamw import adamw

from kakera.training.distributed import full_tensor, shard_like

MOMENTUM = 0.95
ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: steep at 0, so few iterations are enough
RMS = 0.2  # root mean square of a step at learning rate 1: about that of AdamW
WIDE = 2  # ratio of width to height from which `_factor` is faster
TOGETHER = 2**24  # most numbers to orthogonalise in one batch, which limits the memory


class Muon(torch.optim.Optimizer):
    """The Muon optimiser for parameter groups with `lr`, `weight_decay` and `maps`.

    `maps` is the number of matrices stacked in each parameter of the group, or 0 for parameters that AdamW
    updates: see `linear_layers`. `betas` and `fused` are those of AdamW. With `bf16`, matrices are
    orthogonalised in bfloat16 also on a CPU. The state of a matrix is its momentum.

    Example:

        >>> weight = torch.nn.Parameter(torch.eye(2))
        >>> optimizer = Muon([{"params": [weight], "maps": 1}], lr=0.1, betas=(0.9, 0.95), fused=False)
        >>> weight.sum().backward()
        >>> optimizer.step()
        >>> bool((weight < torch.eye(2)).all())
        True
    """

    def __init__(
        self,
        parameters: Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        fused: bool,
        bf16: bool = False,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": 0.0, "maps": 0})
        self._betas, self._fused, self._bf16 = betas, fused, bf16

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] # torch's overloads give the closure's loss
        """Update all parameters that have gradients. A closure is not supported."""
        assert closure is None
        turned: list[tuple[Tensor, Tensor, float, int]] = []  # parameter, momentum, rate, maps
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not group["maps"]:
                self._adamw(moved, group)
                continue
            for parameter in moved:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                turned.append((parameter, self._momentum(parameter), group["lr"], group["maps"]))
        self._turn(turned)

    def _momentum(self, parameter: Tensor) -> Tensor:
        """Return the Nesterov momentum: the moving average of the gradients, plus a step of the newest."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        return full_tensor(parameter.grad.lerp(state["momentum"], MOMENTUM))

    def _turn(self, turned: list[tuple[Tensor, Tensor, float, int]]) -> None:
        """Update matrices; those of the same shape in one batch."""
        maps = [piece for _, momentum, _, count in turned for piece in momentum.chunk(count)]
        moves = iter(orthogonal(maps, bf16=self._bf16))
        for parameter, _, rate, count in turned:
            pieces = [next(moves) for _ in range(count)]
            size = RMS * math.sqrt(max(pieces[0].shape))
            parameter.sub_(shard_like(torch.cat(pieces).to(parameter.dtype) * (rate * size), parameter))

    def _adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        states = [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.zeros((), device=parameter.device if self._fused else "cpu")
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        adamw(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=self._fused,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def orthogonal(matrices: list[Tensor], *, bf16: bool = False) -> list[Tensor]:
    """Return approximately U Vᵀ for each matrix U S Vᵀ.

    The singular values are between about 0.7 and 1.2; very small ones stay below. Uses five steps of the
    Newton-Schulz iteration (Jordan et al. 2024), in batches of matrices of the same shape, in float32 on a
    CPU without `bf16`, and in bfloat16 otherwise.

    Example:

        >>> (result,) = orthogonal([torch.diag(torch.tensor([1.0, 5.0]))])
        >>> bool(((result.diag() > 0.6) & (result.diag() < 1.3)).all())
        True
    """
    result = list(matrices)
    for numbers in _batches(matrices):
        batch = torch.stack([_wide(matrices[number]) for number in numbers])
        for number, move in zip(numbers, _iterate(batch, bf16), strict=True):
            result[number] = move if matrices[number].shape == move.shape else move.T
    return result


def _batches(matrices: list[Tensor]) -> list[list[int]]:
    """Return batches of the numbers of matrices with the same shape, or the transposed shape."""
    alike: dict[tuple[int, int], list[int]] = {}
    for number, matrix in enumerate(matrices):
        alike.setdefault((min(matrix.shape), max(matrix.shape)), []).append(number)
    batches: list[list[int]] = []
    for (rows, columns), numbers in alike.items():
        most = max(1, TOGETHER // (rows * columns))
        batches += [numbers[first : first + most] for first in range(0, len(numbers), most)]
    return batches


def _wide(matrix: Float[Tensor, "r c"]) -> Float[Tensor, "m n"]:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T


def _iterate(batch: Float[Tensor, "k m n"], bf16: bool = False) -> Float[Tensor, "k m n"]:
    """Apply x ← (a + b xxᵀ + c (xxᵀ)²) x five times."""
    x = batch.float() if batch.device.type == "cpu" and not bf16 else batch.bfloat16()
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    if x.dtype == torch.float32 and x.shape[2] >= WIDE * x.shape[1]:
        return _factor(x @ x.mT) @ x
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _factor(gram: Float[Tensor, "k m m"]) -> Float[Tensor, "k m m"]:
    """Return the factor by which the iteration multiplies x, computed from xxᵀ only.

    The factor f of a step turns xxᵀ into f xxᵀ f. For matrices that are four times as wide as high, this
    takes 0.6 of the time. The result differs by a few 1e-4 if the singular values are far apart, because
    their squares are farther apart. Therefore it is not used in bfloat16.
    """
    a, b, c = QUINTIC
    factor = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for step in range(ITERATIONS):
        bend = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)  # f without its term a
        factor = torch.baddbmm(factor, bend, factor, beta=a)
        if step < ITERATIONS - 1:
            gram = torch.baddbmm(gram, bend, gram, beta=a)
            gram = torch.baddbmm(gram, gram, bend, beta=a)
    return factor
