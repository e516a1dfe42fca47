"""Oracle: Pillow, and what its documentation says of the files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from kakera.data.images.decode import MOST_PIXELS, decode
from kakera.data.images.jpeg import plain_jpeg
from kakera.errors import UnreadableFileError
from tests.data.files import encoded, tagged

PHOTOGRAPH = Image.fromarray(load_sample_image("china.jpg"))
WAYS = [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}]


def quick(content: bytes, channels: int = 3) -> np.ndarray | None:
    return plain_jpeg(content, channels, MOST_PIXELS)


@pytest.mark.parametrize("size", [(250, 187), (33, 47), (17, 8), (1, 1)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_plain_jpeg_has_pillow_s_values_to_the_bit(
    size: tuple[int, int], mode: str, subsampling: int, channels: int
) -> None:
    small = PHOTOGRAPH.resize(size).convert(mode)
    for quality in (10, 90, 100):
        for way in WAYS:
            content = encoded(small, "JPEG", quality=quality, subsampling=subsampling, **way)
            with Image.open(io.BytesIO(content)) as image:
                wanted = np.asarray(image.convert("L" if channels == 1 else "RGB"))
            found = quick(content, channels)
            assert found is not None
            assert np.array_equal(found, wanted.reshape(*size[::-1], channels))


def test_colours_stored_as_red_green_and_blue_are_so(tmp_path: Path) -> None:
    content = encoded(PHOTOGRAPH.resize((40, 30)), "JPEG", keep_rgb=True)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(quick(content), np.asarray(image))


LEFT = {
    "turned": encoded(PHOTOGRAPH, "JPEG", exif=tagged(6)),
    "cmyk": encoded(PHOTOGRAPH.convert("CMYK"), "JPEG"),
    "stereo": encoded(PHOTOGRAPH, "MPO", save_all=True, append_images=[PHOTOGRAPH]),
    "png": encoded(PHOTOGRAPH.resize((40, 30)), "PNG"),
    "xmp": encoded(PHOTOGRAPH, "JPEG", xmp=b'<x:xmpmeta tiff:Orientation="3"/>'),
    "nothing": b"",
    "start": b"\xff\xd8",
}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_not_plain_is_left_to_pillow(kind: str) -> None:
    assert quick(LEFT[kind]) is None


def test_upright_by_its_own_word_is_plain() -> None:
    assert quick(encoded(PHOTOGRAPH, "JPEG", exif=tagged(1))) is not None


def test_a_turned_one_is_upright_in_the_end() -> None:
    assert decode(LEFT["turned"], 3).shape == (640, 427, 3)


def test_pixels_are_counted_before_any_is_decoded() -> None:
    assert plain_jpeg(encoded(PHOTOGRAPH, "JPEG"), 3, 640 * 427 - 1) is None


def test_a_damaged_one_is_left_to_pillow_wherever_it_ends(tmp_path: Path) -> None:
    content = encoded(PHOTOGRAPH.resize((64, 48)), "JPEG")
    for end in range(0, len(content) - 2, 7):
        assert quick(content[:end]) is None
    path = tmp_path / "half.jpg"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFileError, match=r"half\.jpg: got a damaged picture .*truncated"):
        decode(path, 3)


def test_any_changed_byte_gives_pillow_s_values_or_its_word() -> None:
    content = bytearray(encoded(PHOTOGRAPH.resize((48, 32)), "JPEG"))
    random = np.random.default_rng(0)
    for place in random.choice(len(content), 300, replace=False):
        changed = bytearray(content)
        changed[place] = random.integers(256)
        found = quick(bytes(changed))
        if found is not None:
            with Image.open(io.BytesIO(changed)) as image:
                assert np.array_equal(found, np.asarray(image.convert("RGB")))
