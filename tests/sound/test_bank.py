import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.sound.bank import edges, filters, hertz, mel, window
from kakera.sound.spec import PRESETS, SoundSpec
from tests.sound import waves


@pytest.mark.parametrize("name", PRESETS)
def test_filters_are_the_triangles_written_out(name: str) -> None:
    spec = PRESETS[name]
    wanted = waves.filters(spec.rate, spec.bins, spec.points, spec.low, spec.highest)
    np.testing.assert_allclose(filters(spec), wanted, atol=1e-9)


def test_1000_hertz_are_almost_1000_mel() -> None:
    assert abs(float(mel(1000.0)) - 1000.0) < 0.05
    assert float(mel(0.0)) == 0.0


@given(st.floats(0, 400_000))
def test_hertz_is_the_inverse_of_mel(frequency: float) -> None:
    assert float(hertz(mel(frequency))) == pytest.approx(frequency, rel=1e-12, abs=1e-9)


def test_edges_run_from_the_lowest_to_the_highest_equally_far_in_mel() -> None:
    found = edges(SoundSpec(low=50.0, high=7000.0, bins=10))
    assert found[[0, -1]] == pytest.approx([50.0, 7000.0])
    assert np.ptp(np.diff(mel(found))) < 1e-9


def test_between_the_outermost_peaks_neighbouring_triangles_sum_to_one() -> None:
    spec = PRESETS["music"]
    frequencies = np.arange(spec.points // 2 + 1) * spec.rate / spec.points
    inside = (frequencies >= edges(spec)[1]) & (frequencies <= edges(spec)[-2])
    np.testing.assert_allclose(filters(spec).sum(axis=0)[inside], 1.0, atol=1e-9)


def test_with_512_points_some_of_ast_s_128_bands_hear_nothing_and_none_of_speech_s() -> None:
    assert (filters(PRESETS["ast"]).sum(axis=1) == 0).any()
    assert not (filters(PRESETS["speech"]).sum(axis=1) == 0).any()


@pytest.mark.parametrize(
    ("name", "ends", "middle"),
    [
        ("hann", 0.0, 1.0),
        ("povey", 0.0, 1.0),
        ("hamming", 0.08, 1.0),
        ("blackman", 0.0, 1.0),
        ("rectangular", 1.0, 1.0),
    ],
)
def test_windows_are_symmetric_with_known_ends_and_middle(name: str, ends: float, middle: float) -> None:
    found = window(name, 401)
    np.testing.assert_allclose(found, found[::-1], atol=1e-12)
    assert found[[0, 200]] == pytest.approx([ends, middle], abs=1e-12)


def test_povey_is_hann_to_the_power_of_0_85() -> None:
    np.testing.assert_allclose(window("povey", 400), window("hann", 400) ** 0.85, atol=1e-12)
