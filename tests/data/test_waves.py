import numpy as np
import pytest

from kakera.data.audio.batches import add_noise, change_gain, time_shift

WAVE = np.arange(10, dtype=np.float32)


@pytest.mark.parametrize(("noise", "shift"), [(0.0, -4), (0.5, 0), (1 - 2**-53, 4)])
def test_a_wave_is_turned_around_by_up_to_the_most(noise: float, shift: int) -> None:
    assert time_shift(WAVE, 4, noise).tolist() == [(i - shift) % 10 for i in range(10)]


def test_gain_is_in_decibels_and_keeps_float32() -> None:
    assert change_gain(WAVE, 20.0, 0.0) == pytest.approx(WAVE / 10)
    assert change_gain(WAVE, 20.0, 0.5) == pytest.approx(WAVE)
    assert change_gain(WAVE, 6.0, 0.9).dtype == np.float32


def test_noise_is_measured_by_the_wave_s_own_loudness() -> None:
    wave = np.sin(np.arange(100_000)).astype(np.float32)  # a root mean square of √½
    draws = np.random.default_rng(0).standard_normal(100_000, dtype=np.float32)
    added = add_noise(wave, 0.5, 0.8, draws) - wave
    assert added.std() == pytest.approx(0.5**0.5 * 0.5 * 0.8, rel=1e-2)
    assert added.dtype == np.float32


def test_silence_stays_silent() -> None:
    assert not add_noise(np.zeros(5, np.float32), 1.0, 1.0, np.ones(5, np.float32)).any()
