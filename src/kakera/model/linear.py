"""Linear maps that use the faster of PyTorch's two CPU libraries for matrix products, MKL or oneDNN.

`torch.nn.Linear` calls MKL. PyTorch also contains oneDNN, whose products of large matrices were up to 1.25
times as fast on a processor with AVX-512, and which can compute a GELU in the same step. On a processor
without AVX-512, a step of ViT-B/16 took 0.89 of oneDNN's time with MKL, so kakera uses MKL there. Both
compute in float32 throughout. On GPUs, in other precisions, and in compiled or exported models, everything is
as in `torch.nn`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

Then: TypeAlias = Literal["nothing", "gelu", "gelu_tanh", "quick_gelu"]

LARGE = 2**17  # numbers in a weight matrix: below this, extra Python calls cost more time than they save
HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
FASTER = HAS_ONEDNN and torch.backends.cpu.get_cpu_capability() == "AVX512"
_ATTRIBUTES: dict[Then, tuple[str, str]] = {
    "nothing": ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
}


class Linear(nn.Linear):
    """A linear map x Wᵀ + b, like `torch.nn.Linear`, with an optional GELU.

    Example:

        >>> Linear(4, 2)(torch.zeros(3, 4), "gelu").shape
        torch.Size([3, 2])
    """

    def forward(self, input: Float[Tensor, "... i"], then: Then = "nothing") -> Float[Tensor, "... o"]:
        """Return x Wᵀ + b; `then` applies a GELU to it: "gelu", "gelu_tanh" or "quick_gelu"."""
        return linear(input, self.weight, self.bias, then)

    def rows(self, input: Float[Tensor, "... i"], which: slice) -> Float[Tensor, "... o"]:
        """Return some of the outputs: those of the rows `which` of the weight."""
        bias = cast("Tensor | None", self.bias)
        return linear(input, self.weight[which], None if bias is None else bias[which])


def linear(
    x: Float[Tensor, "... i"],
    weight: Float[Tensor, "o i"],
    bias: Float[Tensor, " o"] | None,
    then: Then = "nothing",
) -> Float[Tensor, "... o"]:
    """Return x Wᵀ + b, with the GELU that `then` names; oneDNN computes it if `is_supported` is True.

    Example:

        >>> linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), None)
        tensor([[3.]])
    """
    learns = x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    learns = learns and torch.is_grad_enabled()
    if not is_supported(x, weight) or (learns and weight.numel() < LARGE):
        return with_activation(functional.linear(x, weight, bias), then)
    if learns:
        return with_activation(_Differentiable.apply(x, weight, bias), then)
    return _product(x, weight, bias, then)


def is_supported(x: Tensor, weight: Tensor) -> bool:
    """Return True if oneDNN's product can replace `torch.nn.functional.linear`.

    Example:

        >>> is_supported(torch.zeros(1, 2, dtype=torch.float64), torch.zeros(3, 2))
        False
    """
    return (
        FASTER
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
        and bool(torch.backends.mkldnn.enabled)
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, then: Then = "nothing") -> Tensor:
    if then not in _ATTRIBUTES:
        return with_activation(_product(x, weight, bias), then)
    kind, algorithm = _ATTRIBUTES[then]
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, kind, [], algorithm)


def with_activation(x: Float[Tensor, ...], then: Then) -> Float[Tensor, ...]:
    """Return x, or its GELU if `then` names one.

    Example:

        >>> with_activation(torch.zeros(2), "gelu")
        tensor([0., 0.])
    """
    if then == "nothing":
        return x
    if then == "quick_gelu":
        return x * torch.sigmoid(1.702 * x)
    return functional.gelu(x, approximate="tanh" if then == "gelu_tanh" else "none")


class _Differentiable(torch.autograd.Function):
    """The product with gradients: ∂x = ∂y W by oneDNN, ∂W = ∂yᵀ x by MKL, which is faster here."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _product(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        x, weight, _ = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (slope,), (x, weight) = slopes, ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        rows = slope.reshape(-1, slope.shape[-1])
        return (
            linear(slope, weight.t(), None) if to_x else None,
            rows.t() @ x.reshape(-1, x.shape[-1]) if to_weight else None,
            rows.sum(dim=0) if to_bias else None,
        )


if HAS_ONEDNN:

    @register_flop_formula(torch.ops.mkldnn._linear_pointwise)
    def _flops(x: Sequence[int], weight: Sequence[int], *rest: object, **shapes: object) -> int:
        """Count operations as torch does for other products, so that FLOP counters include these."""
        return 2 * math.prod(x) * weight[0]
