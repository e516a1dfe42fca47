"""Linear maps in int8: their error stays within the bounds of rounding."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from kakera.model.classifier import Classifier
from kakera.model.int8 import HAS_INT8, Int8Linear, Int8MLP, largest_weight, quantised
from kakera.model.linear import Linear
from kakera.model.trace import Trace

pytestmark = pytest.mark.skipif(not HAS_INT8, reason="this build of torch has no int8 products")


def _layer(inputs: int, outputs: int) -> Linear:
    torch.manual_seed(0)
    layer = Linear(inputs, outputs)
    torch.nn.init.normal_(layer.weight, std=0.1)
    torch.nn.init.normal_(layer.bias)
    return layer


@torch.inference_mode()
@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (-2.0, 0.0), (0.0, 1.0)])
def test_the_error_is_at_most_that_of_rounding_inputs_and_weights(low: float, high: float) -> None:
    layer = _layer(48, 24)
    x = low + (high - low) * torch.rand(2, 50, 48)
    error = (Int8Linear(layer, low, high)(x) - functional.linear(x, layer.weight, layer.bias)).abs()
    weights = layer.weight.abs()
    half_input, half_weight = (high - low) / 255, weights.amax(dim=1) / largest_weight() / 2
    # 1.001: sums in float32; a whole input step: the zero point is rounded too
    bound = 1.001 * (half_input * weights.sum(dim=1) + half_weight * (x.abs().amax() + half_input) * 48)
    assert (error <= bound).all()
    assert error.mean() < bound.mean() / 4


@torch.inference_mode()
def test_a_sum_of_the_largest_products_does_not_saturate() -> None:
    layer = Linear(96, 4, bias=False)
    torch.nn.init.ones_(layer.weight)
    torch.testing.assert_close(Int8Linear(layer, 0.0, 1.0)(torch.ones(2, 96)), torch.full((2, 4), 96.0))


def test_weights_have_seven_bits_on_a_cpu_without_vnni_and_products_are_right_there() -> None:
    this = test_a_sum_of_the_largest_products_does_not_saturate
    code = f"from {__name__} import *; {this.__name__}(); print(largest_weight())"
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "64\n", done.stderr


@torch.inference_mode()
def test_values_beyond_the_calibrated_range_are_clipped() -> None:
    layer = _layer(8, 4)
    eight = Int8Linear(layer, -1.0, 1.0)
    torch.testing.assert_close(eight(torch.full((1, 8), 50.0)), eight(torch.ones(1, 8)))


@torch.inference_mode()
def test_some_rows_are_those_of_the_whole_result() -> None:
    eight, x = Int8Linear(_layer(8, 6), -1.0, 1.0), torch.rand(3, 8)
    assert torch.equal(eight.rows(x, slice(2, 5)), eight(x)[:, 2:5])


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["gelu", "gelu_tanh"])
def test_an_mlp_in_int8_is_near_to_its_formula(kind: str) -> None:
    up, down, x = _layer(16, 64), _layer(64, 16), torch.rand(1, 5, 16)
    inside = functional.gelu(
        functional.linear(x, up.weight, up.bias), approximate="none" if kind == "gelu" else "tanh"
    )
    expected = functional.linear(inside, down.weight, down.bias)
    low, high = inside.aminmax()
    mlp = Int8MLP(Int8Linear(up, 0.0, 1.0), Int8Linear(down, float(low), float(high)), kind)  # type: ignore[arg-type]
    assert (mlp(x) - expected).abs().max() < 0.05 * expected.abs().max()


@torch.inference_mode()
@pytest.mark.parametrize("pool", ["class", "mean"])
def test_every_linear_map_of_the_layers_becomes_int8_and_the_original_stays(pool: str) -> None:
    model = Classifier("nano", 3, pool, channels=1, image_size=28, seed=0).eval()  # type: ignore[arg-type]
    torch.nn.init.normal_(model.head.weight)
    pictures = torch.rand(4, 1, 28, 28)
    expected = model(pictures)
    copied = quantised(model, lambda: model(pictures, trace=Trace()))
    assert not any(isinstance(each, Linear) for each in copied.encoder.layers.modules())
    assert isinstance(copied.head, Linear)
    assert (copied(pictures) - expected).norm() < 0.1 * expected.norm()
    assert torch.equal(model(pictures), expected)
