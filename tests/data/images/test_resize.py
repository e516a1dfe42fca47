import numpy as np
import pytest
from PIL import Image

from kakera.data.images.augment import TRIES, crop, random_boxes
from kakera.data.images.resize import shrunken, shrunken_size, stored_side
from tests.data.files import NOISE


@pytest.mark.parametrize(
    ("image", "least", "side"), [(96, 0.2, 215), (96, 1.0, 96), (224, 0.25, 448), (64, 0.08, 144)]
)
def test_the_smallest_square_crop_is_not_enlarged_up_to_a_limit(image: int, least: float, side: int) -> None:
    assert stored_side(image, least) == side
    assert side * side * least >= image * image or side == image * 2.25


@pytest.mark.parametrize(
    ("size", "shorter", "smaller"),
    [
        ((300, 400), 150, (150, 200)),
        ((400, 300), 150, (200, 150)),
        ((150, 900), 150, (150, 900)),
        ((100, 900), 150, (100, 900)),
        ((301, 100), 50, (150, 50)),
        ((300, 400), 0, (300, 400)),
    ],
)
def test_the_shorter_side_is_made_so_long_and_nothing_is_enlarged(
    size: tuple[int, int], shorter: int, smaller: tuple[int, int]
) -> None:
    assert shrunken_size(size, shorter) == smaller


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shrunken_picture_is_pillow_s(channels: int) -> None:
    picture = np.kron(NOISE[..., :channels], np.ones((9, 9, 1), np.uint8))
    image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
    wanted = np.asarray(image.resize((40, 30), Image.Resampling.LANCZOS)).astype(int)
    found = shrunken(picture, 30)
    assert found.shape == (30, 40, channels)
    assert abs(found.reshape(wanted.shape) - wanted).mean() < 3


def test_a_small_picture_is_left_as_it_is() -> None:
    assert shrunken(NOISE, 12) is NOISE


def test_crops_of_the_shrunken_picture_are_those_of_the_whole_one() -> None:
    rows, columns = np.mgrid[:600, :800] / 40
    waves = 127.5 + 60 * np.sin(rows + columns / 3) + 60 * np.cos(columns)
    picture = np.repeat(waves.astype(np.uint8)[..., None], 3, axis=2)
    small = shrunken(picture, stored_side(64, 0.2))
    noise = np.random.default_rng(0).random((8, 4 * TRIES))
    for box in random_boxes(noise, np.full((8, 2), small.shape[:2]), (0.2, 1.0)):
        whole = np.round(box * 600 / small.shape[0])
        apart = crop(small, box, (64, 64)).astype(int) - crop(picture, whole, (64, 64))
        assert abs(apart).mean() < 2
