import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from kakera.data.images.augment import TRIES, crop, crop_and_resize, is_whole, random_boxes, shift
from tests.data.files import NOISE

RATIO = (3 / 4, 4 / 3)
shares = st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(lambda pair: (min(pair), max(pair)))


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 4 * TRIES))


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    area=shares,
    ratio=st.sampled_from([RATIO, (1.0, 1.0), (0.5, 3.0)]),
    seed=st.integers(0, 999),
)
def test_random_boxes_lie_within_the_picture_with_area_and_ratio_within_range(
    size: tuple[int, int], area: tuple[float, float], ratio: tuple[float, float], seed: int
) -> None:
    height, width = size
    for left, top, right, bottom in random_boxes(noise(20, seed), np.array([size] * 20), area, ratio):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        wide, high = right - left, bottom - top
        if (round(wide), round(high)) == (wide, high):  # rounded from an exact box within half a pixel
            assert (wide + 0.5) / (high - 0.5) >= ratio[0] * (1 - 1e-9)
            assert (wide - 0.5) / (high + 0.5) <= ratio[1] * (1 + 1e-9)
        else:
            assert ratio[0] * (1 - 1e-9) <= wide / high <= ratio[1] * (1 + 1e-9)
        middle = abs(left - (width - wide) / 2) < 1 and abs(top - (height - high) / 2) < 1
        small, large = (wide - 0.5) * (high - 0.5), (wide + 0.5) * (high + 0.5)
        assert middle or small <= area[1] * height * width * (1 + 1e-9)
        assert middle or large >= area[0] * height * width * (1 - 1e-9)


def test_areas_and_places_fill_their_ranges_evenly() -> None:
    boxes = random_boxes(noise(4000, 0), np.array([(400, 400)] * 4000), (0.2, 0.5))
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area, aspect = wide * high / 160_000, np.log(wide / high)
    assert area.mean() == pytest.approx(0.35, abs=0.01)
    assert [area.min(), area.max()] == pytest.approx([0.2, 0.5], abs=0.005)
    assert aspect.mean() == pytest.approx(0, abs=0.02)
    assert [aspect.min(), aspect.max()] == pytest.approx(np.log(RATIO), abs=0.01)
    assert (boxes[:, 0] / (400 - wide)).mean() == pytest.approx(0.5, abs=0.03)
    assert (boxes[:, 1] / (400 - high)).mean() == pytest.approx(0.5, abs=0.03)


def test_every_place_is_as_likely_the_last_ones_too() -> None:
    boxes = random_boxes(noise(3000, 0), np.array([(4, 4)] * 3000), (0.25, 0.25), (1.0, 1.0))
    places = Counter((int(left), int(top)) for left, top, *_ in boxes)
    assert set(places) == set(product(range(3), range(3)))
    assert min(places.values()) > 3000 / 9 - 5 * math.sqrt(3000 / 9)


@pytest.mark.parametrize(
    ("size", "box"), [((10, 100), (43, 0, 43 + 40 / 3, 10)), ((120, 12), (0, 52, 12, 68))]
)
def test_where_no_candidate_fits_the_largest_middle_is_taken(
    size: tuple[int, int], box: tuple[float, ...]
) -> None:
    assert random_boxes(noise(1, 0), np.array([size]), (0.9, 1.0))[0] == pytest.approx(box)


def test_a_box_depends_on_its_own_noise_alone() -> None:
    draws, sizes = noise(5, 0), np.array([(30, 40), (50, 20), (9, 9), (100, 7), (64, 64)])
    together = random_boxes(draws, sizes, (0.1, 0.9))
    for row in range(5):
        alone = random_boxes(draws[row : row + 1], sizes[row : row + 1], (0.1, 0.9))
        assert np.array_equal(alone[0], together[row])


@pytest.mark.parametrize("box", [(0, 0, 16, 12), (2, 1, 9, 11), (0.5, 1.25, 15.5, 10), (7, 3, 8, 4)])
@pytest.mark.parametrize("size", [(12, 16), (5, 9), (30, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_cutting_is_pillow_s_bicubic_resize(
    box: tuple[float, float, float, float], size: tuple[int, int], channels: int
) -> None:
    found = crop_and_resize(NOISE[..., :channels], box, size)
    assert found.shape == (channels, *size)
    assert found.flags.c_contiguous
    for channel in range(channels):
        image = Image.fromarray(NOISE[..., channel])
        wanted = image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
        assert np.array_equal(found[channel], np.asarray(wanted))


def test_a_whole_picture_of_the_right_size_is_itself() -> None:
    assert np.array_equal(crop_and_resize(NOISE, (0, 0, 16, 12), (12, 16)), NOISE.transpose(2, 0, 1))


def test_a_box_that_rounding_pushed_over_the_edge_is_clamped() -> None:
    over = (-1e-12, -1e-12, 16 + 1e-12, 12 + 1e-12)
    assert np.array_equal(
        crop_and_resize(NOISE, over, (6, 6)), crop_and_resize(NOISE, (0, 0, 16, 12), (6, 6))
    )


@pytest.mark.parametrize("size", [(12, 16), (5, 9)])
def test_a_mirror_swaps_left_and_right(size: tuple[int, int]) -> None:
    box = (0, 0, 16, 12)
    assert np.array_equal(
        crop_and_resize(NOISE, box, size, flip=True), crop_and_resize(NOISE, box, size)[..., ::-1]
    )


@pytest.mark.parametrize("most", [1, 3, 20])
def test_shifted_pictures_are_moved_within_range_with_zeros_behind(most: int) -> None:
    pictures = np.random.default_rng(0).integers(1, 256, (50, 2, 6, 9), dtype=np.uint8)
    found = shift(pictures, np.random.default_rng(1).random((50, 2)), most)
    assert found.dtype == np.uint8
    canvas = np.zeros((50, 2, 6 + 2 * most, 9 + 2 * most), np.uint8)
    canvas[:, :, most : most + 6, most : most + 9] = pictures
    for picture, wide in zip(found, canvas, strict=True):
        windows = (
            wide[:, y : y + 6, x : x + 9] for y, x in product(range(2 * most + 1), range(2 * most + 1))
        )
        assert any(np.array_equal(picture, window) for window in windows)


@pytest.mark.parametrize(("draw", "moved"), [(0.0, 2), (0.5, 0), (math.nextafter(1, 0), -2)])
def test_every_shift_is_as_likely_from_one_end_to_the_other(draw: float, moved: int) -> None:
    pictures = np.zeros((1, 1, 9, 9), np.uint8)
    pictures[0, 0, 4, 4] = 1
    found = shift(pictures, np.array([[draw, 0.5]]), 2)
    assert np.argwhere(found[0, 0]).tolist() == [[4 + moved, 4]]
    found = shift(pictures, np.array([[0.5, draw]]), 2)
    assert np.argwhere(found[0, 0]).tolist() == [[4, 4 + moved]]


@pytest.mark.parametrize(
    ("area", "whole"), [((1.0, 1.0), True), ((0.2, 1.0), False), ((0.999, 0.999), False), ((1, 1), True)]
)
def test_only_a_crop_of_everything_is_whole(area: tuple[float, float], whole: bool) -> None:
    assert is_whole(area) == whole


@pytest.mark.parametrize("box", [(0, 0, 640, 427), (11, 20, 300, 291), (100, 50, 130, 90), (5, 7, 229, 231)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_crop_of_a_photograph_is_the_papers_within_one_of_255(
    box: tuple[int, int, int, int], flip: bool
) -> None:
    photograph = load_sample_image("flower.jpg")
    image = Image.fromarray(photograph).crop(box).resize((224, 224), Image.Resampling.BICUBIC)
    wanted = np.asarray(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else image)
    found = crop(photograph, box, (224, 224), flip=flip).transpose(1, 2, 0)
    apart = np.abs(found.astype(int) - wanted)
    assert apart.max() <= 1
    assert apart.mean() < 0.02


@pytest.mark.parametrize("box", [(63, 60, 253, 297), (100, 20, 325, 313), (204, 6, 489, 375)])
def test_of_a_tall_crop_nearly_every_value_is_within_one(box: tuple[int, int, int, int]) -> None:
    photograph = load_sample_image("flower.jpg")
    wanted = Image.fromarray(photograph).crop(box).resize((224, 224), Image.Resampling.BICUBIC)
    apart = np.abs(crop(photograph, box, (224, 224)).transpose(1, 2, 0).astype(int) - np.asarray(wanted))
    assert apart.max() <= 8
    assert (apart > 1).mean() < 0.002


def test_a_grey_crop_is_pillow_s() -> None:
    assert np.array_equal(
        crop(NOISE[..., :1], (2, 1, 9, 11), (8, 8)), crop_and_resize(NOISE[..., :1], (2, 1, 9, 11), (8, 8))
    )
