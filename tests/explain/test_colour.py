from collections.abc import Callable

import numpy as np
import pytest

from kakera.explain.colour import as_rgb, over, rising, signed


def lightness(colours: np.ndarray) -> np.ndarray:
    """CIE 1976 L* of sRGB bytes (…, 3)."""
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


@pytest.mark.parametrize(("scale", "ends"), [(rising, (10, 97)), (signed, (14, 96))])
def test_lightness_rises_in_proportion_to_the_value(
    scale: Callable[[np.ndarray], np.ndarray], ends: tuple[int, int]
) -> None:
    values = np.linspace(0 if scale is rising else -1, 1, 201)
    assert np.abs(lightness(scale(values)) - np.linspace(*ends, 201)).max() < 0.8


def test_the_sign_of_a_value_has_its_own_hue() -> None:
    red, _, blue = signed(np.linspace(-1, 1, 65)).astype(int).T
    assert (blue[:32] > red[:32]).all()
    assert red[32] == blue[32]
    assert (red[33:] > blue[33:]).all()


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
    assert np.array_equal(found, rising(values).repeat(2, axis=0).repeat(3, axis=1))


def test_a_picture_under_a_map_changes_no_mean_lightness_and_is_seen_inside_the_cells() -> None:
    rng = np.random.default_rng(0)
    values, picture = rng.random((5, 6)), rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    picture[8:12] = 255  # a white row of cells, which must not look like large values
    found = lightness(over(picture, values, 1.0))
    cells = found.reshape(5, 4, 6, 4)
    assert np.abs(cells.mean(axis=(1, 3)) - lightness(rising(values, 1.0))).max() < 0.5
    inside, grey = cells[1, :, 1, :].ravel(), picture.mean(axis=-1).reshape(5, 4, 6, 4)[1, :, 1, :].ravel()
    assert np.corrcoef(inside, grey)[0, 1] > 0.99
