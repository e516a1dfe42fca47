"""Engines: each one answers like float32, and works on a copy."""

import pytest
import torch

from kakera.data.batch import Batch
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.engines.builders import ENGINES, available, build, merged_per_layer
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from tests.refusals import refused

INPUTS = InputSpec(3, 32, 32, (0.5,) * 3, (0.5,) * 3, 255.0)


def _saved() -> Pretrained:
    model = Classifier("nano", 4, channels=3, image_size=32, patch=4, seed=0).eval()
    torch.nn.init.normal_(model.head.weight, std=0.2, generator=torch.Generator().manual_seed(0))
    return Pretrained(model, INPUTS, ("a", "b", "c", "d"))


def _batch() -> Batch:
    """Smooth pictures: neighbouring patches are alike, as in photographs."""
    coarse = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    fine = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear")
    return Batch((255 * fine).to(torch.uint8), None, torch.arange(6), 0, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_answers_nearly_like_float32(engine: str) -> None:
    saved, batch = _saved(), _batch()
    if engine not in available(saved):
        pytest.skip(f"{engine} is not installed")
    expected = saved.probabilities(batch.pictures)
    before = {name: each.clone() for name, each in saved.model.state_dict().items()}
    found = build(saved, engine, batch).probabilities(batch.pictures)  # type: ignore[arg-type]
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < (0.1 if "merging" in engine else 0.03)
    assert (found == expected).all() == (engine == "torch")
    assert all(torch.equal(before[name], each) for name, each in saved.model.state_dict().items())


def test_three_layers_merge_a_third_of_the_patches_that_are_left() -> None:
    counts = merged_per_layer(Classifier("small", 2, channels=3, image_size=224))
    assert [number for number, count in enumerate(counts, start=1) if count] == [2, 4, 6]
    assert 196 - sum(counts) == round(196 * (2 / 3) ** 3) + 1  # each count is rounded down


def test_an_unknown_engine_is_refused() -> None:
    with refused("engine", got="warp", expected="torch"):
        build(_saved(), "warp", _batch())  # type: ignore[arg-type]


def test_an_engine_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match="openvino"):
        build(_saved(), "openvino", _batch())
