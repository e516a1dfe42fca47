"""Weights that are no floats, or not finite, are refused in one line that names the tensor."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kakera.errors import RunError
from kakera.formats.build import finite, require_numbers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import load_model, save_model
from kakera.inputs import InputSpec
from kakera.model.configs import resnet_config
from kakera.model.resnet import ResNet
from tests.formats.foreign.test_jax import file as jax_file
from tests.formats.foreign.test_mae import weights
from tests.formats.foreign.test_timm import folder as timm_folder
from tests.formats.foreign.test_transformers import SMALL, saved

Change = Callable[[Tensor], Tensor]
BROKEN: dict[str, tuple[Change, str]] = {
    "int8": (lambda t: (127 * t).to(torch.int8), "in int8, expected floating-point weights"),
    "int32": (lambda t: t.to(torch.int32), "in int32, expected floating-point weights"),
    "bool": (lambda t: t > 0, "in bool, expected floating-point weights"),
    "complex": (lambda t: t.to(torch.complex64), "in complex64, expected floating-point weights"),
    "nan": (lambda t: t.index_fill(0, torch.tensor([0]), torch.nan), "with NaN or infinity"),
    "inf": (lambda t: t.index_fill(0, torch.tensor([0]), -torch.inf), "with NaN or infinity"),
}


def rewritten(path: Path, name: str, change: Change) -> None:
    tensors = load_file(path)
    save_file({**tensors, name: change(tensors[name])}, path)


def of_kakera(place: Path, change: Change) -> Path:
    cnn = ResNet(resnet_config("resnet-nano"), channels=1, classes=2)
    save_model(place, Pretrained(cnn, InputSpec(1, 16, 16, (0.5,), (0.5,)), ("a", "b")))
    rewritten(place / "model.safetensors", "head.weight", change)
    return place


def of_transformers(place: Path, change: Change) -> Path:
    saved(hf.ViTModel(hf.ViTConfig(**SMALL)), place)
    rewritten(place / "model.safetensors", "layernorm.weight", change)
    return place


def of_timm(place: Path, change: Change) -> Path:
    timm_folder("token", place)
    rewritten(place / "model.safetensors", "norm.weight", change)
    return place


def of_mae(place: Path, change: Change) -> Path:
    tensors = weights(decoder=64)
    torch.save({"model": {**tensors, "norm.weight": change(tensors["norm.weight"])}}, place / "file.pth")
    return place / "file.pth"


def of_jax(place: Path, change: Change) -> Path:
    bias = change(torch.rand(8)).numpy()
    return jax_file(place / "file.npz", **{"Transformer/encoder_norm/bias": bias})


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("make", [of_kakera, of_transformers, of_timm, of_mae, of_jax])
def test_weights_that_are_no_finite_floats_get_one_line(
    make: Callable[[Path, Change], Path], fault: str, tmp_path: Path
) -> None:
    change, words = BROKEN[fault]
    with pytest.raises(RunError) as caught:
        load(make(tmp_path, change))
    assert words in str(caught.value)
    assert "norm" in str(caught.value) or "head.weight" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_weights_in_another_precision_are_read_as_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    place = of_transformers(tmp_path, lambda t: torch.full_like(t, 1.5).to(dtype))
    found = load(place).model.state_dict()
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert (found["norm.weight"] == 1.5).all()


def test_counts_of_a_cnn_may_be_whole_numbers(tmp_path: Path) -> None:
    found = load_model(of_kakera(tmp_path, lambda t: t)).model.state_dict()
    kept = load_file(tmp_path / "model.safetensors")
    assert {t.dtype for t in kept.values() if not t.is_floating_point()} <= {torch.int64}
    assert all(torch.equal(found[name], kept[name]) for name in kept)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1e-7, -6e4, np.nan, np.inf, -np.inf])
def test_finite_is_what_numpy_says(dtype: torch.dtype, value: float) -> None:
    tensor = torch.tensor([[1.0, value], [2.0, -3.0]], dtype=dtype)
    assert finite(tensor) == bool(np.isfinite(tensor.double().numpy()).all())


def test_a_tensor_of_nothing_is_finite_and_a_sparse_one_is_refused() -> None:
    assert finite(torch.empty(0, 3))
    with pytest.raises(RunError, match=r"got a in float32, expected floating-point weights"):
        require_numbers({"a": torch.eye(2).to_sparse()}, "file")


def test_a_model_of_any_size_is_built_without_memory() -> None:
    with without_memory("file", expected="a model", do="choose another"):
        layer = nn.Linear(2**24, 2**24)  # 1 PiB
    assert layer.weight.is_meta


@pytest.mark.parametrize("error", [KeyError("a"), TypeError("a\nb"), ValueError(""), RuntimeError("X:\n  y")])
def test_what_goes_wrong_while_a_model_is_built_is_one_line(error: Exception) -> None:
    with (
        pytest.raises(RunError, match="expected a model") as caught,
        without_memory("file", expected="a model", do="choose another"),
    ):
        raise error
    assert "\n" not in str(caught.value)
