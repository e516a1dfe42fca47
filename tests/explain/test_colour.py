import numpy as np
import pytest

from kakera.explain.colour import as_rgb, over, rising, signed


def lightness(colours: np.ndarray) -> np.ndarray:
    """Relative luminance (ITU-R BT.709) of sRGB bytes."""
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_lightness_alone_tells_how_large_a_value_is() -> None:
    assert (np.diff(lightness(rising(np.linspace(0, 1, 64)))) > 0).all()
    both = lightness(signed(np.linspace(-1, 1, 65)))
    assert (np.diff(both[:33]) > 0).all()
    assert (np.diff(both[32:]) < 0).all()


def test_values_beyond_the_limits_are_cut_off_and_nothing_at_all_is_dark() -> None:
    assert np.array_equal(rising(np.array([-1.0, 2.0]), 1.0), rising(np.array([0.0, 1.0]), 1.0))
    assert np.array_equal(signed(np.array([-3.0, 3.0])), signed(np.array([-1.0, 1.0])))
    assert np.array_equal(rising(np.zeros(2)), rising(np.zeros(2), 1.0))


@pytest.mark.parametrize(
    ("channels", "shown"), [(1, [0, 0, 0]), (2, [0, 1, 1]), (3, [0, 1, 2]), (5, [0, 1, 2])]
)
def test_pictures_of_any_number_of_channels_can_be_shown(channels: int, shown: list[int]) -> None:
    picture = np.arange(4 * 6 * channels, dtype=np.uint8).reshape(4, 6, channels)
    assert np.array_equal(as_rgb(picture), picture[..., shown])


def test_a_map_lies_square_by_square_over_its_patches() -> None:
    values = np.arange(20.0).reshape(4, 5)
    found = over(np.zeros((8, 15, 1), np.uint8), values)
    wanted = rising(values).repeat(2, axis=0).repeat(3, axis=1) * 0.65
    assert np.abs(found - wanted).max() <= 0.5
