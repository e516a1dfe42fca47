import numpy as np
import pytest

from kakera.explain.axes import axes_of
from kakera.inputs import InputSpec
from kakera.sound.bank import edges
from kakera.sound.spec import SoundSpec
from tests.explain.views import spec

SOUND = SoundSpec(rate=8_000, bins=32)  # frames of 25 ms every 10
INPUTS = InputSpec(1, 32, 80, (0.0,), (1.0,), scale=1.0, axes=("frequency", "time"), sound=SOUND)


def test_a_picture_is_measured_in_pixels() -> None:
    axes = axes_of(spec())
    assert axes.plain
    assert not axes.upwards
    assert (axes.down.length, axes.across.length) == (8, 15)
    assert [(measure.unit, measure.scale) for measure in axes.measures()] == [("pixels", (1.0, 1.0))]


def test_a_frame_stands_in_its_middle_and_a_band_at_its_peak() -> None:
    axes = axes_of(INPUTS, start=2.0)
    middles = (axes.across.edges[:-1] + axes.across.edges[1:]) / 2
    np.testing.assert_allclose(middles, 2.0 + 0.0125 + 0.01 * np.arange(80))
    mels = 1127 * np.log1p(axes.down.edges / 700)
    peaks = 700 * np.expm1((mels[:-1] + mels[1:]) / 2 / 1127)
    np.testing.assert_allclose(peaks, edges(SOUND)[1:-1])


def test_scales_are_round_numbers_at_their_own_places() -> None:
    axes = axes_of(INPUTS)
    assert [name for _, name in axes.across.ticks()] == ["0.2", "0.4", "0.6", "0.8"]
    for place, name in axes.across.ticks():
        assert place * 0.8 + 0.0075 == pytest.approx(float(name))
    names = [name for _, name in axes.down.ticks()]
    assert names == ["100", "500", "1k", "2k"]
    places = [place for place, _ in axes.down.ticks()]
    assert np.diff(places).min() >= 1 / 6
    third = axes.down.place(1000.0) * 32  # the pixel in which 1 kHz lies holds it between its edges
    assert axes.down.edges[int(third)] <= 1000 <= axes.down.edges[int(third) + 1]


def test_of_a_shorter_recording_the_axis_is_shorter() -> None:
    assert axes_of(INPUTS, 24).across.length == 24
    np.testing.assert_array_equal(axes_of(INPUTS, 24).across.edges, axes_of(INPUTS).across.edges[:25])


def test_distances_of_a_spectrogram_are_told_along_each_axis() -> None:
    time, frequency = axes_of(INPUTS).measures()
    assert (time.axis, time.unit, time.scale) == ("time", "s", (0.0, 0.01))
    assert (frequency.axis, frequency.unit, frequency.scale) == ("frequency", "mel bands", (1.0, 0.0))
