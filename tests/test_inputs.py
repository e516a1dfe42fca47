import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec
from tests.refusals import refused

COLOUR = InputSpec(3, 4, 5, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def test_values_are_scaled_moved_and_divided_channel_by_channel() -> None:
    pictures = torch.arange(2 * 3 * 4 * 5, dtype=torch.float64).reshape(2, 3, 4, 5)
    seen = COLOUR.normalize(pictures)
    for b, c, i, j in np.ndindex(2, 3, 4, 5):
        wanted = (pictures[b, c, i, j].item() / 255 - COLOUR.mean[c]) / COLOUR.std[c]
        assert abs(seen[b, c, i, j].item() - wanted) < 1e-12


def test_bytes_are_normalised_as_the_numbers_they_are() -> None:
    pictures = torch.arange(240, dtype=torch.uint8).reshape(4, 3, 4, 5)
    torch.testing.assert_close(COLOUR.normalize(pictures), COLOUR.normalize(pictures.double()).float())


@given(
    channels=st.integers(1, 5),
    scale=st.sampled_from([1.0, 2.0, 255.0, 65535.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_restore_is_the_inverse_of_normalise(channels: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(size=channels), rng.uniform(0.1, 3, channels)
    inputs = InputSpec(channels, 2, 3, tuple(mean), tuple(std), scale=scale)
    pictures = torch.from_numpy(rng.uniform(0, scale, (2, channels, 2, 3)))
    back = inputs.denormalize(inputs.normalize(pictures))
    assert (back - pictures).abs().max().item() <= 1e-12 * scale


def test_every_8_bit_value_comes_back_exactly() -> None:
    inputs = InputSpec(1, 16, 16, mean=(0.2860,), std=(0.3530,))
    pictures = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(inputs.denormalize(inputs.normalize(pictures)).round().to(torch.uint8), pictures)


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        (torch.uint8, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_whole_numbers_become_floats_and_floats_keep_their_precision(
    stored: torch.dtype, seen: torch.dtype
) -> None:
    assert COLOUR.normalize(torch.zeros(1, 3, 4, 5, dtype=stored)).dtype == seen


def test_the_size_is_height_and_width() -> None:
    assert COLOUR.size == (4, 5)


def test_it_comes_back_from_json_equal() -> None:
    sound = InputSpec(1, 128, 1024, (-4.27,), (9.14,), scale=1.0, axes=("mel", "time"))
    assert InputSpec.from_json(json.loads(json.dumps(sound.to_json()))) == sound


@pytest.mark.parametrize("change", [{"channels": 0}, {"height": 0}, {"width": -1}])
def test_an_input_without_extent_is_refused(change: dict[str, int]) -> None:
    with refused("input", got=str(next(iter(change.values()))), expected="positive"):
        dataclasses.replace(COLOUR, **change)


@pytest.mark.parametrize("change", [{"mean": (0.5,)}, {"std": (1.0, 1.0, 1.0, 1.0)}, {"channels": 1}])
def test_a_mean_or_std_that_is_not_one_a_channel_is_refused(change: dict[str, object]) -> None:
    changed = dataclasses.asdict(COLOUR) | change
    with refused("mean and std", got=f"{len(changed['mean'])} and {len(changed['std'])}", expected="each of"):
        InputSpec(**changed)


@pytest.mark.parametrize(
    "std", [(0.5, 0.0, 0.5), (-1.0, 0.5, 0.5), (0.5, float("nan"), 0.5), (0.5, 1e-40, 1), (1, 1e30, 1)]
)
def test_a_std_that_is_not_positive_is_refused(std: tuple[float, ...]) -> None:
    with refused("std and scale", got=str(std), expected="positive"):
        dataclasses.replace(COLOUR, std=std)


@pytest.mark.parametrize("scale", [0.0, -255.0, float("nan"), float("inf"), 10**30])
def test_a_scale_that_is_not_positive_is_refused_and_named(scale: float) -> None:
    with refused("std and scale", got=f"and {scale}", expected="positive"):
        dataclasses.replace(COLOUR, scale=scale)


@pytest.mark.parametrize("mean", [float("nan"), float("inf"), -1e30])
def test_a_mean_beyond_what_float32_computes_with_is_refused(mean: float) -> None:
    with refused("mean", got=str(mean), expected="up to 1e"):
        dataclasses.replace(COLOUR, mean=(0.5, mean, 0.5))


SOUND = InputSpec(
    1, 80, 100, (-6.0,), (8.0,), scale=1.0, axes=("frequency", "time"), sound=SoundSpec(rate=8_000, bins=80)
)


def test_how_a_recording_is_heard_survives_json_and_pictures_do_not_mention_it() -> None:
    assert InputSpec.from_json(json.loads(json.dumps(SOUND.to_json()))) == SOUND
    assert "sound" not in COLOUR.to_json()


@pytest.mark.parametrize(("channels", "height"), [(1, 79), (2, 80)])
def test_a_spectrogram_has_one_channel_and_a_row_for_each_band(channels: int, height: int) -> None:
    with refused(
        "input", got=f"{channels} channels of {height} rows", expected="one channel of 80 mel bands"
    ):
        InputSpec(channels, height, 100, (0.0,) * channels, (1.0,) * channels, sound=SoundSpec(bins=80))
