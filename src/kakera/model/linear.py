"""Linear maps, by the faster of the two libraries for matrix products that PyTorch has on a CPU.

`torch.nn.Linear` calls MKL. PyTorch brings oneDNN along too, whose products of large matrices were up to
1.25 times as fast on a processor with AVX-512, and which computes a GELU on the way. On one without, MKL
made a step of ViT-B/16 in 0.89 of oneDNN's time, and does it. Both are float32 throughout. On GPUs, in other
precisions, compiled or exported, all is as in `torch.nn`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

Then: TypeAlias = Literal["nothing", "gelu", "tanh gelu"]

LARGE = 2**17  # numbers in a matrix of weights: with fewer, what a step costs in Python is more than is won
HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
FASTER = HAS_ONEDNN and torch.backends.cpu.get_cpu_capability() == "AVX512"
_ATTRIBUTES: dict[Then, tuple[str, str]] = {
    "nothing": ("none", ""),
    "gelu": ("gelu", "none"),
    "tanh gelu": ("gelu", "tanh"),
}


class Linear(nn.Linear):
    """x Wᵀ + b, as `torch.nn.Linear`."""

    def forward(self, input: Float[Tensor, "... i"], then: Then = "nothing") -> Float[Tensor, "... o"]:
        """With a GELU after it, exact or its tanh form, where `then` says so."""
        return linear(input, self.weight, self.bias, then)


def linear(
    x: Float[Tensor, "... i"],
    weight: Float[Tensor, "o i"],
    bias: Float[Tensor, " o"] | None,
    then: Then = "nothing",
) -> Float[Tensor, "... o"]:
    """x Wᵀ + b, and a GELU of it if wanted: by oneDNN where `suits` says so."""
    learns = x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    learns = learns and torch.is_grad_enabled()
    if not is_supported(x, weight) or (learns and weight.numel() < LARGE):
        return _activated(functional.linear(x, weight, bias), then)
    if learns:
        return _activated(_Differentiable.apply(x, weight, bias), then)
    return _product(x, weight, bias, then)


def is_supported(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN's product can take the place of `torch.nn.functional.linear`."""
    return (
        FASTER
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
        and bool(torch.backends.mkldnn.enabled)
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, then: Then = "nothing") -> Tensor:
    kind, algorithm = _ATTRIBUTES[then]
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, kind, [], algorithm)


def _activated(found: Tensor, then: Then) -> Tensor:
    if then == "nothing":
        return found
    return functional.gelu(found, approximate="tanh" if then == "tanh gelu" else "none")


class _Differentiable(torch.autograd.Function):
    """The product with its gradients: ∂x = ∂y W by oneDNN, ∂W = ∂yᵀ x by MKL, which is faster there."""

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
        """As torch counts any other product: so that a counter sees these too."""
        return 2 * math.prod(x) * weight[0]
