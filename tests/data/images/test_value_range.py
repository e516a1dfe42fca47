import numpy as np
import pytest

from kakera.data.images.value_range import Extremes, choose_ranges, eight_bits, lines, range_from_options
from kakera.errors import OptionError


def one(kind: str, *pairs: tuple[float, float]) -> tuple[tuple[str, float, float], ...]:
    return choose_ranges(Extremes(kind, low, high) for low, high in pairs)


@pytest.mark.parametrize(
    ("kind", "highest", "white"),
    [
        ("uint16", 255, 255),
        ("uint16", 300, 1023),
        ("uint16", 4095, 4095),
        ("uint16", 4096, 16383),
        ("uint16", 60000, 65535),
        ("int32", 200, 255),
        ("int32", 300, 300),
        ("int32", 4000, 4095),
        ("int32", 123456, 130000),
        ("float", 1.0, 1.0),
        ("float", 1.004, 1.0),
        ("float", 0.3, 1.0),
        ("float", 0.031, 0.031),
        ("float", 2.0, 2.0),
        ("float", 254.5, 255),
        ("float", 1000.0, 1000.0),
        ("float", 4100.0, 4100),
        ("float", 65535.0, 65535),
    ],
)
def test_white_is_what_the_values_fill(kind: str, highest: float, white: float) -> None:
    assert one(kind, (0, highest / 2), (0, highest)) == ((kind, 0, white),)


def test_pictures_far_below_zero_do_not_decide() -> None:
    assert one("float", (0, 1), (-9999, 3)) == (("float", 0, 1),)
    assert one("float", (-0.004, 1.003)) == (("float", 0, 1),)
    assert one("float", (float("nan"), float("nan"))) == ()


def test_kinds_are_decided_apart() -> None:
    found = choose_ranges([Extremes("float", 0, 1), Extremes("uint16", 0, 4000)])
    assert found == (("uint16", 0, 4095), ("float", 0, 1))


@pytest.mark.parametrize(("black", "white"), [(0.0, 1000.0), (-1.0, 1.0), (100.0, 355.0)])
def test_values_are_mapped_by_the_formula_and_clipped(black: float, white: float) -> None:
    values = np.linspace(black - 1, white + 1, 999).reshape(27, 37).astype(np.float32)
    found, outside = eight_bits(values, "float", range_from_options(0, (black, white)))
    expected = np.round(np.clip((values.astype(float) - black) / (white - black), 0, 1) * 255)
    assert np.abs(found - expected).max() <= 1
    assert outside == ((values < black) | (values > white)).sum()


def test_all_pictures_of_a_set_have_one_scale() -> None:
    ranges = one("int32", (0, 300), (0, 200))
    same = np.array([[0, 150, 200]], np.int32)
    brighter = np.array([[0, 150, 300]], np.int32)
    assert eight_bits(same, "int32", ranges)[0][0, 1] == eight_bits(brighter, "int32", ranges)[0][0, 1]


def test_16_bits_without_a_range_are_rounded_as_whole_numbers() -> None:
    values = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(eight_bits(values, "uint16", ())[0], (values.astype(int) + 128) // 257)


def test_far_below_zero_is_refused_unless_a_range_says_otherwise() -> None:
    values = np.array([[-1.0, 1.0]], np.float32)
    for ranges in ((), (("float", 0.0, 1.0),)):
        with pytest.raises(ValueError, match="-1 to 1"):
            eight_bits(values, "float", ranges)
    assert eight_bits(values, "float", range_from_options(0, (-1, 1)))[0].tolist() == [[0, 255]]


@pytest.mark.parametrize("bounds", [(1.0,), (2.0, 1.0), (0.0, 1.0, 2.0)])
def test_a_range_is_two_numbers(bounds: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match="value_range"):
        range_from_options(0, bounds)


def test_fewer_bits_are_said() -> None:
    assert "12 bits" in lines(one("uint16", (0, 4000)), one("uint16", (0, 4000)))[0]
    assert lines(range_from_options(12)[:1]) == ["16-bit values: 0 is black, 4095 is white"]
