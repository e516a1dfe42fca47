import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kakera.explain.picture import GAP, LEAST, png, sheet


def values(image: Image.Image) -> np.ndarray:
    return np.asarray(image).reshape(image.height, image.width, -1)


@given(
    count=st.integers(1, 7),
    each=st.integers(1, 3),
    across=st.integers(1, 3),
    channels=st.sampled_from([1, 3]),
    size=st.tuples(st.integers(LEAST, LEAST + 9), st.integers(3, 9)),
)
def test_pictures_stand_in_rows_of_groups_with_white_between_them(
    count: int, each: int, across: int, channels: int, size: tuple[int, int]
) -> None:
    height, width = size
    shape = (count, each, height, width, channels)
    pictures = np.random.default_rng(count).integers(0, 200, shape, dtype=np.uint8)
    found = values(sheet(pictures, across=across)).copy()
    for number, group in enumerate(pictures):
        for place, picture in enumerate(group):
            top = number // across * (height + GAP)
            left = (number % across) * (each * (width + GAP) + GAP) + place * (width + GAP)
            part = found[top : top + height, left : left + width]
            assert np.array_equal(part, picture)
            part[:] = 255
    assert (found == 255).all()


@pytest.mark.parametrize(("across", "size"), [(1, (4 * 84 + 3 * 2, 84)), (2, (2 * 84 + 2, 2 * 84 + 4))])
def test_nothing_hangs_over_the_edge(across: int, size: tuple[int, int]) -> None:
    image = sheet(np.zeros((4, 1, 84, 84, 1), np.uint8), across=across)
    assert (image.height, image.width) == size
    assert values(image)[-1, -1] == values(image)[0, 0] == 0


@pytest.mark.parametrize(("height", "factor"), [(28, 3), (32, 3), (8, 10), (84, 1), (224, 1), (1, 84)])
def test_small_pictures_are_enlarged_in_whole_steps(height: int, factor: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (1, 1, height, 4, 3), dtype=np.uint8)
    found = values(sheet(pictures))
    assert np.array_equal(found, pictures[0, 0].repeat(factor, axis=0).repeat(factor, axis=1))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_is_read_back_the_same(channels: int, mode: str) -> None:
    shape = (2, 3, 28, 28, channels)
    image = sheet(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    with Image.open(io.BytesIO(png(image))) as again:
        assert (again.format, again.mode) == ("PNG", mode)
        assert np.array_equal(np.asarray(again), np.asarray(image))
