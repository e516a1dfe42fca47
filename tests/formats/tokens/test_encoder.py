from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import kakera
from kakera.data.sources.open import open_dataset
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.checksum import read_sealed
from kakera.formats.tokens.arrays import write_arrays
from kakera.formats.tokens.encoder import encoder_of, open_encoder
from kakera.inputs import InputSpec

INPUTS = InputSpec(1, 28, 28, (0.5,), (0.5,))


def encoder(seed: int = 0) -> Pretrained:
    return Pretrained(kakera.ViT("nano", channels=1, image_size=28, seed=seed), INPUTS)


def test_an_encoder_read_without_torch_has_the_same_weights_and_key(tmp_path: Path) -> None:
    data = open_dataset("demo").take([0])
    mae = Pretrained(kakera.MAE(encoder().encoder), INPUTS)
    for saved in (encoder(), mae):
        folder = tmp_path / saved.model.kind
        saved.save(folder)
        read, loaded = open_encoder(folder), encoder_of(kakera.load(folder))
        assert read.key(data) == loaded.key(data)
        assert {*read.tensors} == {*loaded.tensors}
        assert all(np.array_equal(read.tensors[name], loaded.tensors[name]) for name in read.tensors)
    assert open_encoder(tmp_path / "mae").key(data) == open_encoder(tmp_path / "encoder").key(data)


def test_everything_that_changes_tokens_changes_the_key() -> None:
    data = open_dataset("demo").take([0])
    keys = {encoder_of(encoder()).key(data), encoder_of(encoder(1)).key(data)}
    for other in (
        replace(INPUTS, mean=(0.4,)),
        replace(INPUTS, crop_pct=0.875),
        replace(INPUTS, interpolation="bilinear"),
    ):
        keys.add(encoder_of(replace(encoder(), inputs=other)).key(data))
    keys.add(encoder_of(encoder()).key(replace(data, ranges=(("I;16", 0.0, 100.0),))))
    assert len(keys) == 6


def test_arrays_are_written_as_torch_writes_them(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((), np.float32)}
    write_arrays(tmp_path / "arrays.safetensors", arrays, {"kind": "head"})
    tensors, texts = read_sealed(tmp_path / "arrays.safetensors")  # raises if the checksum differs
    assert texts == {"kind": "head"}
    assert torch.equal(tensors["a"], torch.arange(6.0).reshape(2, 3))


def test_a_damaged_run_is_refused_by_the_usual_loader(tmp_path: Path) -> None:
    encoder().save(tmp_path)
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="checksum"):
        open_encoder(tmp_path)
