"""Linear maps in int8, for inference on CPUs whose oneDNN multiplies int8 matrices (AVX-512 VNNI, AMX).

Weights have one scale for each output, symmetric around 0. Inputs have one scale and one zero point, from the
smallest and largest calibration value (Nagel et al. 2021, "A White Paper on Neural Network Quantization",
Sec. 2 and 3). Products are summed in int32; the output is in the type of the input.

A CPU without VNNI adds two products in int16, which saturates: 255 · 127 · 2 > 32 767, and nothing says so
(oneDNN 3, "Nuances of int8 Computations"). There the weights have 7 bits: 255 · 64 · 2 fits.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kakera.model.attention import MLP
from kakera.model.linear import Linear, Then, with_activation
from kakera.model.network import Network

HIGHEST = 255  # largest value of an input in uint8
HAS_INT8 = torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_pointwise")
_ALGORITHM: dict[Then, tuple[str, str]] = {
    "nothing": ("none", "none"),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
}


@functools.cache
def largest_weight() -> int:
    """Return the largest weight in int8 that this CPU multiplies without saturation, by a trial: 127 or 64.

    Example:

        >>> largest_weight() in (127, 64) if HAS_INT8 else True
        True
    """
    count, full, seven_bits = 64, 127, 64
    inputs = torch.full((count, count), HIGHEST, dtype=torch.uint8)
    packed = torch.ops.onednn.qlinear_prepack(torch.full((count, count), full, dtype=torch.int8), None)
    ones, zeros = torch.ones(count), torch.zeros(count, dtype=torch.int32)
    options = (None, 1.0, 0, torch.float32, "none", [], "none")
    found = torch.ops.onednn.qlinear_pointwise(inputs, 1.0, 0, packed, ones, zeros, *options)
    return full if bool((found == count * HIGHEST * full).all()) else seven_bits


class Int8Linear(nn.Module):
    """A linear map x Wᵀ + b with weights and inputs in int8, made from a `Linear`.

    `low` and `high` are the smallest and the largest value of the inputs; values beyond are clipped.

    Example:

        >>> layer = Linear(2, 1)
        >>> _ = layer.weight.data.fill_(1.0), layer.bias.data.fill_(0.5)
        >>> round(Int8Linear(layer, 0.0, 4.0)(torch.tensor([[1.0, 2.0]])).item(), 1) if HAS_INT8 else 3.5
        3.5
    """

    def __init__(self, layer: nn.Linear, low: float, high: float) -> None:
        super().__init__()
        low, high = min(low, 0.0), max(high, 0.0)  # 0 needs an exact value
        self.scale = max(high - low, 1e-12) / HIGHEST
        self.zero = round(-low / self.scale)
        self.shift = torch.tensor([self.zero + 0.5])
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight = layer.weight.detach().float()
        scales = weight.abs().amax(dim=1).clamp(min=1e-12) / largest_weight()
        eight = (weight / scales.unsqueeze(1)).round().to(torch.int8)
        self.packed = torch.ops.onednn.qlinear_prepack(eight, None)
        self.scales = scales
        self.zeros = torch.zeros(self.out_features, dtype=torch.int32)
        bias = cast("Tensor | None", layer.bias)
        self.bias = None if bias is None else bias.detach().float()

    def forward(self, input: Float[Tensor, "... i"], then: Then = "nothing") -> Float[Tensor, "... o"]:
        """Return x Wᵀ + b in the type of the input; `then` applies a GELU to it."""
        if then not in _ALGORITHM:
            return with_activation(self.product(self.quantise(input), input.dtype), then)
        return self.product(self.quantise(input), input.dtype, then)

    def quantise(self, x: Tensor) -> Tensor:
        """Return inputs in uint8."""
        # In float32; truncation then rounds. A cast first is faster than a sum of two types.
        scaled = torch.add(self.shift, x.float(), alpha=1 / self.scale)
        return scaled.clamp_(0, HIGHEST).to(torch.uint8)

    def product(
        self, x: Tensor, dtype: torch.dtype, then: Then = "nothing", scale: float = 1.0, zero: int = 0
    ) -> Tensor:
        """Return the product of inputs in uint8; for a uint8 result, `scale` and `zero` are those of it."""
        kind, algorithm = _ALGORITHM[then]
        return torch.ops.onednn.qlinear_pointwise(
            x,
            self.scale,
            self.zero,
            self.packed,
            self.scales,
            self.zeros,
            self.bias,
            scale,
            zero,
            dtype,
            kind,
            [],
            algorithm,
        )

    def rows(self, input: Float[Tensor, "... i"], which: slice) -> Float[Tensor, "... o"]:
        """Return some of the outputs: those of the rows `which` of the weight."""
        return self(input)[..., which]


class Int8MLP(nn.Module):
    """An MLP in int8: the GELU of the first map is written in int8, as the input of the second map.

    Example:

        >>> first, second = Linear(4, 8), Linear(8, 4)
        >>> if HAS_INT8:
        ...     mlp = Int8MLP(Int8Linear(first, 0.0, 1.0), Int8Linear(second, 0.0, 1.0), "gelu")
        ...     assert mlp(torch.rand(1, 5, 4)).shape == (1, 5, 4)
    """

    def __init__(self, up: Int8Linear, down: Int8Linear, activation: Then) -> None:
        super().__init__()
        self.up, self.down = up, down
        self.activation: Then = activation

    def forward(self, z: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Return tokens (b, n, d) from tokens (b, n, d), in the type of `z`."""
        inside = self.up.product(
            self.up.quantise(z), torch.uint8, self.activation, self.down.scale, self.down.zero
        )
        return self.down.product(inside, z.dtype)


def quantised(model: Network, run: Callable[[], object]) -> Network:
    """Return a copy of a model with the linear maps of its layers in int8; the head stays as it is.

    `run` applies `model` to pictures for calibration.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=28, seed=0)
        >>> copied = quantised(model, lambda: model(torch.rand(2, 1, 28, 28))) if HAS_INT8 else model
        >>> copied(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 2])
    """
    found: dict[nn.Module, list[float]] = {}

    def look(layer: nn.Module, given: tuple[Any, ...]) -> None:
        low, high = found.get(layer, (0.0, 0.0))
        least, most = given[0].aminmax()
        found[layer] = [min(low, float(least)), max(high, float(most))]

    layers = {name: each for name, each in model.named_modules() if ".layers." in f".{name}"}
    hooks = [each.register_forward_pre_hook(look) for each in layers.values() if isinstance(each, Linear)]
    try:
        with torch.inference_mode():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    # A layer that computes some rows only (the last one with a class token) calls no hook of `qkv`.
    copied = copy.deepcopy(model)
    for name, layer in layers.items():
        if isinstance(layer, Linear) and layer in found:
            copied.set_submodule(name, Int8Linear(layer, *found[layer]))
    for name, layer in list(copied.named_modules()):
        if isinstance(layer, MLP) and not layer.gated and isinstance(layer.down, Int8Linear):
            if layer.activation not in _ALGORITHM or layer.norm is not None:
                continue
            assert isinstance(layer.up, Int8Linear)
            copied.set_submodule(name, Int8MLP(layer.up, layer.down, layer.activation))
    return copied
