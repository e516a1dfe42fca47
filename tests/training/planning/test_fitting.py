"""A training that does not fit says what to lower, and goes on with that."""

from pathlib import Path

import pytest

import kakera
from kakera.errors import OutOfMemoryError
from kakera.training import loop
from kakera.training.planning.fitting import advice
from tests.small import QUICK, pictures

CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1073741824 bytes."


def test_it_is_kakeras_error_and_with_more_pieces_the_same_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = QUICK | {"checkpoint_seconds": 0}
    backward, steps = loop._backward, 0

    def lack(*given: object) -> float:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise RuntimeError(CPU)
        return backward(*given)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(loop, "_backward", lack)
    with pytest.raises(
        OutOfMemoryError, match="^pretrain with --batch-size 16 --grad-accum 1: got .* 1.0 GiB more"
    ) as caught:
        kakera.pretrain(pictures(), out=tmp_path / "run", **options)
    assert "run the same command with --grad-accum 2" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "run" / "checkpoints").glob("step-*2.safetensors"))
    trained = kakera.pretrain(pictures(), out=tmp_path / "run", grad_accum=2, **options)
    assert (trained.folder / "model.safetensors").exists()


def test_a_cnn_is_not_sent_to_pieces_that_it_cannot_take() -> None:
    assert "--grad-accum" not in advice({"model": "resnet-18", "grad_accum": 1})
    assert "--grad-accum 8" in advice({"model": "base", "grad_accum": 4})
    assert "--activation-checkpointing" not in advice({"grad_accum": 1, "activation_checkpointing": True})
