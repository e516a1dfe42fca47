"""The original `.npz` files: the same outputs as timm's, which reads them too (`make_timm_file.py`)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kakera.errors import RunError
from kakera.formats.load import load
from kakera.model.classifier import Classifier
from kakera.model.vit import ViT
from tests.formats.foreign.test_timm import KEPT, TOLD, drawn_again, weights
from tests.formats.foreign.test_transformers import far


def file(path: Path, dtype: Any = np.float32, **changes: Any) -> Path:
    arrays = {name: tensor.numpy().astype(dtype) for name, tensor in weights("jax").items()}
    np.savez(path, **{**arrays, **changes})
    return path


def test_the_outputs_are_those_of_timm(tmp_path: Path) -> None:
    x, expected = KEPT["jax/input"], KEPT["jax/output"]
    single = load(file(tmp_path / "single.npz"))
    double = load(file(tmp_path / "double.npz", np.float64), dtype=torch.float64)
    with torch.inference_mode():
        assert far(single.model(x).double(), expected) < 1e-5
        assert far(double.model(x.double()), expected) < 1e-10


@pytest.mark.slow
def test_a_whole_base_model_gives_the_scores_of_timm(tmp_path: Path) -> None:
    tensors, draws = drawn_again("jax base", json.loads(TOLD["jax"]), 8)
    x = torch.randn(1, 3, 224, 224, generator=draws)
    for dtype, most in ((np.float32, 1e-5), (np.float64, 1e-10)):
        arrays = {name: tensor.numpy().astype(dtype) for name, tensor in tensors.items()}
        np.savez(tmp_path / "file.npz", **arrays)
        found = load(
            tmp_path / "file.npz", dtype=torch.float64 if dtype is np.float64 else torch.float32
        ).model
        with torch.inference_mode():
            scores = found(x.double() if dtype is np.float64 else x).double()
        assert far(scores, KEPT["jax base/output"]) < most


def test_what_is_not_in_the_file_is_assumed_and_said(tmp_path: Path) -> None:
    found = load(file(tmp_path / "file.npz"))
    assert (found.inputs.size, found.inputs.mean, found.inputs.std) == ((12, 12), (0.5,) * 3, (0.5,) * 3)
    assert found.encoder.config.block.activation == "gelu_tanh"
    assert isinstance(found.model, Classifier)
    assert any("JAX" in note for note in found.notes)


def test_a_head_behind_a_tanh_layer_is_left_behind_and_that_is_said(tmp_path: Path) -> None:
    more = {"pre_logits/kernel": np.zeros((12, 12), np.float32), "pre_logits/bias": np.zeros(12, np.float32)}
    found = load(file(tmp_path / "file.npz", **more))
    assert isinstance(found.model, ViT)
    assert any("its head and the tanh layer before it are not used" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Transformer/encoder_norm/gain": np.zeros(1)}, "1 unknown (Transformer/encoder_norm/gain)"),
        ({"cls": np.zeros((1, 12), np.float32)}, "cls of shape 1 x 12"),
        ({"head/kernel": np.zeros((3, 12), np.float32)}, "head/kernel of shape"),
    ],
    ids=["unknown", "axes", "swapped"],
)
def test_what_is_wrong_is_said_in_one_line(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        load(file(tmp_path / "file.npz", **changes))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_object_in_a_file_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez(path, cls=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(RunError, match="complete .npz file of numbers"):
        load(path)


def test_half_a_file_gets_one_line(tmp_path: Path) -> None:
    path = file(tmp_path / "file.npz")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(RunError) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_another_file_of_arrays_gets_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", x_train=np.zeros(3))
    with pytest.raises(RunError, match="an original Vision Transformer"):
        load(tmp_path / "file.npz")


def as_bfloat16(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The upper half of each float32, which NumPy keeps without knowing what it is: dtype "V2"."""
    return (np.ascontiguousarray(array).view(np.uint32) >> 16).astype(np.uint16).view("V2")


def test_bfloat16_is_read_as_the_upper_half_of_float32(tmp_path: Path) -> None:
    arrays = {name: tensor.numpy() for name, tensor in weights("jax").items()}
    np.savez(tmp_path / "half.npz", **{name: as_bfloat16(array) for name, array in arrays.items()})
    with np.load(tmp_path / "half.npz") as kept:
        assert kept["cls"].dtype == np.dtype("V2")
    cut = {n: (a.view(np.uint32) & 0xFFFF0000).view(np.float32) for n, a in arrays.items()}
    half, whole = load(tmp_path / "half.npz"), load(file(tmp_path / "whole.npz", **cut))
    after, before = half.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    with torch.inference_mode():
        assert 0 < far(half.model(KEPT["jax/input"]).double(), KEPT["jax/output"]) < 0.1


def test_ml_dtypes_writes_the_same_bytes(tmp_path: Path) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes", reason="not installed: it comes with onnx").bfloat16
    array = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    cut = (array.view(np.uint32) & 0xFFFF0000).view(np.float32)
    np.savez(tmp_path / "file.npz", a=cut.astype(bfloat16))
    with np.load(tmp_path / "file.npz") as kept:
        assert kept["a"].tobytes() == as_bfloat16(cut).tobytes()
