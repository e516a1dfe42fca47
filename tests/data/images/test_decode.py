import io
import os
import shutil
import struct
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kakera.data.images.decode import MOST_PIXELS, decode, header
from kakera.errors import UnreadableFileError
from tests.data.files import LOSSLESS, NOISE, encoded, png, tagged

GREY = NOISE[..., 0]
STEPS = np.arange(256, dtype=np.uint16).reshape(16, 16)
WHOLE = {
    **{kind.lower(): encoded(NOISE, kind) for kind in (*LOSSLESS, "GIF")},
    "jpeg": encoded(NOISE, "JPEG"),
    "mpo": encoded(Image.fromarray(NOISE), "MPO", save_all=True, append_images=[Image.new("RGB", (16, 12))]),
    "deep": encoded(STEPS * 257),
    "float": encoded(STEPS.astype(np.float32), "TIFF"),
    "palette": encoded(Image.fromarray(NOISE).quantize(7), transparency=3),
    "clear": encoded(np.dstack([NOISE, GREY]), "WEBP", exif=tagged(6)),
}


def unreadable(source: Path | bytes, channels: int = 3) -> str:
    """The reason, after checking that there is one line of it and that the path stands in front."""
    with pytest.raises(UnreadableFileError) as caught:
        decode(source, channels)
    assert "\n" not in str(caught.value)
    assert str(caught.value) == f"{'picture' if isinstance(source, bytes) else source}: {caught.value.reason}"
    assert caught.value.reason.startswith("got ")
    assert ", expected " in caught.value.reason
    return caught.value.reason


@pytest.mark.parametrize("kind", LOSSLESS)
def test_colours_of_a_lossless_file_are_exact(kind: str) -> None:
    assert np.array_equal(decode(encoded(NOISE, kind), 3), NOISE)
    assert header(encoded(NOISE, kind)) == (12, 16, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_greys_of_a_lossless_file_are_exact_with_one_channel_or_three(kind: str) -> None:
    content = encoded(GREY, kind)
    assert np.array_equal(decode(content, 1)[..., 0], GREY)
    assert np.array_equal(decode(content, 3), np.repeat(GREY[..., None], 3, axis=2))
    assert header(content) == (12, 16, 1)


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_as_pillow_shows_it(kind: str, mode: str) -> None:
    content = encoded(Image.fromarray(NOISE).convert(mode), kind, quality=80)
    channels = len(mode)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(decode(content, channels).squeeze(), np.asarray(image))
    assert header(content) == (12, 16, channels)


@pytest.mark.parametrize("kind", ["MPO", "GIF", "TIFF", "PNG", "WEBP"])
def test_of_several_frames_the_first_is_taken(kind: str) -> None:
    frames = [Image.new("L" if kind == "GIF" else "RGB", (16, 16), "white" if n else "black") for n in (0, 1)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert decode(content, 3).max() == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_two_colours_are_black_and_white(kind: str) -> None:
    dots = GREY > 127
    assert np.array_equal(decode(encoded(Image.fromarray(dots), kind), 1)[..., 0], np.where(dots, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_a_palette_is_looked_up(kind: str) -> None:
    colours = NOISE[0, :4]
    image = Image.fromarray(GREY % 4).convert("P")
    image.putpalette(colours.tobytes())
    assert np.array_equal(decode(encoded(image, kind), 3), colours[GREY % 4])
    assert header(encoded(image, kind))[2] == 3


def test_a_palette_of_greys_is_grey() -> None:
    image = Image.fromarray(GREY % 4).convert("P")
    image.putpalette(np.repeat(np.arange(4, dtype=np.uint8) * 50, 3).tobytes())
    assert header(encoded(image)) == (12, 16, 1)
    assert np.array_equal(decode(encoded(image), 1)[..., 0], GREY % 4 * 50)


def test_cyan_magenta_yellow_and_black_are_inks() -> None:
    inks = np.zeros((2, 2, 4), np.uint8)
    inks[0, 1, 0] = inks[1, 0, 1] = inks[1, 1, 3] = 255
    values = decode(encoded(Image.fromarray(inks, "CMYK"), "TIFF"), 3)
    assert values.tolist() == [[[255, 255, 255], [0, 255, 255]], [[255, 0, 255], [0, 0, 0]]]


def test_an_inked_jpeg_is_not_inverted() -> None:
    values = decode(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100), 3)
    assert np.abs(values.astype(int) - [0, 255, 255]).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_become_eight_by_their_range(kind: str, channels: int) -> None:
    values = decode(encoded(STEPS * 257, kind), channels)
    assert np.array_equal(values, np.repeat(STEPS[..., None], channels, axis=2))
    assert decode(encoded(np.full((1, 1), 65535, np.uint16), kind), 1).tolist() == [[[255]]]
    assert header(encoded(STEPS, kind)) == (16, 16, 1)


@pytest.mark.parametrize("value", [0, 128, 129, 1000, 30000, 65407])
def test_sixteen_bits_are_rounded_to_the_nearest(value: int) -> None:
    assert decode(encoded(np.full((2, 2), value, np.uint16)), 1)[0, 0, 0] == round(value / 257)


@pytest.mark.parametrize(("colour", "each"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_colour_and_transparency_become_eight(colour: int, each: int) -> None:
    values = np.full((256, each), 65535, ">u2")
    values[:, 0] = np.arange(256) * 257
    assert np.array_equal(decode(png(16, colour, values), 3)[:, 0, 0], np.arange(256))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[0, 257 * 9, 65535]], np.int32), [0, 9, 255]),
        (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
        (np.array([[0, 257 * 9, 65535]], np.float32), [0, 9, 255]),
        (np.array([[0, 0.2, 1]], np.float32), [0, 51, 255]),
        (np.array([[0.4, 99.6, 200.4]], np.float32), [0, 100, 200]),
        (np.array([[300, 257 * 9 + 200, 257 * 9 + 100]], np.int32), [1, 10, 9]),
        (np.array([[0, 0.001, 0.003]], np.float32), [0, 0, 1]),
    ],
)
def test_wide_numbers_are_taken_by_what_they_fit(values: NDArray[Any], wanted: list[int]) -> None:
    assert decode(encoded(values, "TIFF"), 1)[0, :, 0].tolist() == wanted
    assert header(encoded(values, "TIFF")) == (1, 3, 1)


@pytest.mark.parametrize("value", [-1.0, 70000.0, float("nan"), float("inf")])
def test_wide_numbers_that_fit_nothing_are_refused(value: float) -> None:
    reason = unreadable(encoded(np.array([[0, value]], np.float32), "TIFF"))
    assert "expected 0 to 65535 or 0 to 1; rescale them" in reason


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_laid_on_white(kind: str) -> None:
    alpha = np.tile(np.array([0, 255, 100, 200], np.uint8), (12, 4))
    values = decode(encoded(np.dstack([NOISE, alpha]), kind), 3)
    share = alpha[..., None] / 255
    wanted = NOISE * share + 255 * (1 - share)
    assert (values[:, 0::4] == 255).all()
    assert np.array_equal(values[:, 1::4], NOISE[:, 1::4])
    assert np.abs(values - wanted).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_greys_are_laid_on_white(channels: int) -> None:
    alpha = np.where(GREY > 99, 255, 0).astype(np.uint8)
    values = decode(encoded(Image.fromarray(np.dstack([GREY, alpha]), "LA")), channels)
    assert np.array_equal(values, np.repeat(np.where(GREY > 99, GREY, 255)[..., None], channels, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_colour_of_a_palette_is_white(kind: str) -> None:
    image = Image.fromarray(GREY % 4).convert("P")
    image.putpalette(NOISE[0, :4].tobytes())
    wanted = np.where((GREY % 4 == 2)[..., None], 255, NOISE[0, :4][GREY % 4])
    assert np.array_equal(decode(encoded(image, kind, transparency=2), 3), wanted)


def test_a_transparent_grey_without_alpha_is_white() -> None:
    steps = np.arange(4, dtype=np.uint8)[None]
    assert decode(encoded(steps, transparency=2), 1)[0, :, 0].tolist() == [0, 1, 255, 3]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_pictures_are_upright(kind: str, orientation: int) -> None:
    content = encoded(NOISE, kind, exif=tagged(orientation))
    values = decode(content, 3)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(values, np.asarray(ImageOps.exif_transpose(image)))
    assert header(content) == values.shape
    plain = decode(encoded(NOISE, kind), 3)
    turned = plain if orientation < 5 else plain.transpose(1, 0, 2)
    rows, cols = (-1 if orientation in which else 1 for which in ((3, 4, 7, 8), (2, 3, 6, 7)))
    assert np.array_equal(values, turned[::rows, ::cols])


@pytest.mark.parametrize("orientation", [1, 2, 6, 7])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_pictures_are_upright_too(kind: str, orientation: int) -> None:
    content = encoded(STEPS[:5] * 257, kind, exif=tagged(orientation))
    shallow = encoded(STEPS[:5].astype(np.uint8), kind, exif=tagged(orientation))
    assert np.array_equal(decode(content, 1), decode(shallow, 1))
    assert header(content) == decode(content, 1).shape


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    content = encoded(NOISE, exif=tagged(orientation))
    assert np.array_equal(decode(content, 3), NOISE)
    assert header(content) == (12, 16, 3)


@pytest.mark.parametrize("way", [Path, str])
def test_a_file_may_have_any_name_with_any_suffix(way: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "絵 %s\u00e9.jpg"
    path.write_bytes(WHOLE["png"])
    assert np.array_equal(decode(way(path), 3), NOISE)
    assert header(way(path)) == (12, 16, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"GIF", "a text file"),
        (b"this is not a picture\n", "a text file"),
        (b"  <!doctype html>", "an HTML or XML file"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF file"),
        (b"PK\x03\x04" + bytes(90), "a ZIP file"),
        (bytes(3000), "unknown bytes"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    wanted = f"got {words}, expected a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM or TGA picture"
    assert unreadable(content) == wanted
    (tmp_path / "x.png").write_bytes(content)
    assert unreadable(tmp_path / "x.png") == wanted
    with pytest.raises(UnreadableFileError, match=words):
        header(content)


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("bmp", "mpo", "gif")])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_half_a_picture_is_not_filled_up_with_grey(name: str, share: float) -> None:
    unreadable(WHOLE[name][: int(len(WHOLE[name]) * share)])


def test_a_file_that_unpacks_to_more_than_fits_is_refused_by_its_header() -> None:
    content = png(8, 2, np.zeros((1, 600_000), np.uint8), (200_000, 200_000))
    assert unreadable(content) == "got too many pixels, expected at most 100,000,000; make it smaller"
    with pytest.raises(UnreadableFileError, match="too many pixels"):
        header(content)


def test_the_limit_of_pixels_is_met_exactly() -> None:
    # Between Pillow's warning (89 million) and its error (179 million); a bit a pixel.
    row = np.zeros((1, 1250), np.uint8)
    assert header(png(1, 0, row, (MOST_PIXELS // 10_000, 10_000))) == (10_000, 10_000, 1)
    above = png(1, 0, row, (MOST_PIXELS // 10_000 + 1, 10_000))
    assert unreadable(above).startswith("got 10000 x 10001 pixels, expected at most 100,000,000")


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """A grey picture without edges, that a JPEG keeps nearly as it is."""
    down, across = np.mgrid[:height, :width]
    return (40 + 100 * down / height + 80 * across / width).astype(np.uint8)


def resized(content: bytes, width: int, height: int) -> bytes:
    """A baseline JPEG whose header says another size."""
    place = content.index(b"\xff\xc0") + 5
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return content[:place] + size + content[place + 4 :]


@pytest.mark.parametrize(
    ("most", "scale"), [(64 * 96, 1), (64 * 96 - 1, 2), (32 * 48, 2), (32 * 48 - 1, 4), (16 * 24, 4)]
)
def test_a_jpeg_of_too_many_pixels_is_decoded_as_little_smaller_as_need_be(most: int, scale: int) -> None:
    whole = smooth(64, 96)
    found = decode(encoded(whole, "JPEG", quality=95), 1, most_pixels=most)[..., 0]
    means = whole.reshape(64 // scale, scale, 96 // scale, scale).mean(axis=(1, 3))
    assert found.shape == means.shape
    assert np.abs(found - means).max() < 4


def test_a_jpeg_beyond_what_pillow_opens_has_the_size_that_it_is_decoded_at() -> None:
    content = encoded(smooth(64, 64), "JPEG")
    assert header(resized(content, 20_000, 15_000)) == (7_500, 10_000, 1)
    assert header(resized(content, 40_000, 30_000)) == (7_500, 10_000, 1)


def test_a_jpeg_of_far_too_many_pixels_is_refused() -> None:
    content = resized(encoded(smooth(64, 64), "JPEG"), 60_000, 60_000)
    assert unreadable(content).startswith("got 60000 x 60000 pixels, expected at most 100,000,000")


def test_a_progressive_jpeg_of_too_many_pixels_is_refused() -> None:
    content = encoded(smooth(64, 64), "JPEG", progressive=True)
    with pytest.raises(UnreadableFileError, match="expected at most 1,000"):
        decode(content, 1, most_pixels=1000)


def test_what_is_not_there_or_no_file_is_named(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "no.png") == "got no file of this name, expected a picture"
    assert unreadable(tmp_path) == "got a folder, expected a picture"
    assert unreadable(tmp_path / ("x" * 300)).startswith("got a damaged picture")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_behind_a_closed_door_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(WHOLE["png"])
    path.chmod(0)
    assert unreadable(path) == "got no permission to read it, expected a readable picture"


def read(source: Path | bytes, channels: int = 3) -> NDArray[np.uint8] | str:
    try:
        return decode(source, channels)
    except UnreadableFileError as error:
        return str(error)


def decoded_or_refused(content: bytes, channels: int) -> None:
    found = read(content, channels)
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert found.dtype == np.uint8
        assert found.shape == (*header(content)[:2], channels)


@given(st.binary(max_size=200), st.sampled_from([1, 3]), st.sampled_from([0, 2, 4, 8, 12, 16]))
def test_any_bytes_are_decoded_or_refused(tail: bytes, channels: int, start: int) -> None:
    for whole in WHOLE.values():
        decoded_or_refused(whole[:start] + tail, channels)


@given(st.sampled_from(sorted(WHOLE)), st.data(), st.sampled_from([1, 3]))
def test_a_damaged_picture_is_decoded_or_refused(name: str, data: st.DataObject, channels: int) -> None:
    content = bytearray(WHOLE[name])
    place = st.integers(0, len(content) - 1) | st.integers(0, 80)
    for at, byte in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=8)):
        content[min(at, len(content) - 1)] = byte
    decoded_or_refused(bytes(content[: data.draw(st.integers(0, len(content)) | st.just(None))]), channels)


def odd() -> bytes:
    """A readable TIFF of which Pillow warns: a tag says that its text lies beyond the file."""
    content = bytearray(encoded(GREY, "TIFF", description="a text that is longer than four bytes"))
    at = content.index(struct.pack("<HH", 270, 2))
    content[at + 4 : at + 8] = struct.pack("<I", 5_000_000)
    return bytes(content)


def test_pillow_does_warn_of_the_odd_file() -> None:
    with pytest.warns(UserWarning, match="Skipping tag 270"):
        Image.open(io.BytesIO(odd())).load()


@pytest.mark.parametrize("action", ["error", "always"])
def test_an_odd_but_readable_file_is_read_without_a_word_in_threads_too(action: Any) -> None:
    content = odd()
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(8) as pool:
        warnings.simplefilter(action)
        found = list(pool.map(lambda _: decode(content, 1)[..., 0], range(200)))
        warnings.simplefilter(action)
        assert header(content) == (12, 16, 1)
    assert not caught
    assert all(np.array_equal(values, GREY) for values in found)


def test_no_file_is_left_open(tmp_path: Path) -> None:
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("there is no /proc here")
    (tmp_path / "good.png").write_bytes(WHOLE["png"])
    (tmp_path / "bad.png").write_bytes(WHOLE["png"][:60])
    shutil.copy(tmp_path / "good.png", tmp_path / "text.png")
    (tmp_path / "text.png").write_text("no")
    before = len(list(fds.iterdir()))
    assert isinstance(read(tmp_path / "good.png"), np.ndarray)
    assert isinstance(read(tmp_path / "bad.png"), str)
    assert isinstance(read(tmp_path / "text.png"), str)
    header(tmp_path / "good.png")
    assert len(list(fds.iterdir())) == before
