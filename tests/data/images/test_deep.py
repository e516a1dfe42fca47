"""Deep pictures and odd TIFFs beside tifffile, OpenCV, ffmpeg's rule for white, and formulas."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from kakera.data.images.decode import decode, extremes, header
from kakera.data.images.value_range import range_from_options
from kakera.errors import UnreadableFileError
from tests.data.files import encoded

tifffile = pytest.importorskip(
    "tifffile", reason="the package tifffile is not installed: pip install 'kakera[tiff]'"
)
cv2 = pytest.importorskip("cv2", reason="opencv-python-headless, the second opinion, is not installed")

DEEP = np.linspace(0, 65535, 40 * 48).reshape(40, 48).astype(np.uint16)
WIDE = np.stack([DEEP, DEEP[::-1], DEEP // 2], -1)
FLOATS = (DEEP / 65535).astype(np.float32)


def tiff(values: Any, **words: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **words)
    return file.getvalue()


def eight(values: Any) -> Any:
    """Of 16 bits, rounded."""
    return (values.astype(int) + 128) // 257


def far(found: Any, expected: Any) -> int:
    return int(np.abs(found.astype(int) - np.asarray(expected).reshape(found.shape)).max())


def refusal(content: bytes) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        decode(content, 3)
    return caught.value.reason


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("big", [False, True])
def test_16_bits_whose_zero_is_white_are_turned_around(
    order: str, compression: str | None, tile: Any, big: bool, tmp_path: Path
) -> None:
    words = {"byteorder": order, "compression": compression, "tile": tile, "bigtiff": big}
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(DEEP, photometric="miniswhite", **words))
    assert far(decode(path, 1), eight(65535 - DEEP)) == 0
    assert far(decode(path.read_bytes(), 1), eight(65535 - DEEP)) == 0
    assert header(path) == (40, 48, 1)


def test_8_bits_whose_zero_is_white_are_turned_around_once() -> None:
    for compression in (None, "lzw"):
        content = tiff(eight(DEEP).astype(np.uint8), photometric="miniswhite", compression=compression)
        assert far(decode(content, 1), 255 - eight(DEEP)) == 0


@pytest.mark.parametrize("values", [FLOATS, (FLOATS * 1000).astype(np.int32)])
def test_other_values_whose_zero_is_white_are_refused_with_the_reason(values: Any) -> None:
    assert "in which zero is white" in refusal(tiff(values, photometric="miniswhite"))


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_of_any_width_are_shares(kind: str, order: str) -> None:
    content = tiff(FLOATS.astype(kind), byteorder=order, photometric="minisblack")
    assert far(decode(content, 1), np.round(FLOATS * 255)) <= 1


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_numbers_of_any_width_are_taken_as_they_are(kind: str, order: str) -> None:
    values = (FLOATS * 120).astype(kind)
    assert far(decode(tiff(values, byteorder=order, photometric="minisblack"), 1), values) == 0


def test_signed_bytes_below_zero_are_not_taken_for_bright_ones() -> None:
    assert "-100" in refusal(tiff((FLOATS * 200 - 100).astype(np.int8), photometric="minisblack"))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("bits", [12, 16])
def test_wide_colours_keep_their_values_in_any_layout(
    order: str, planes: str, compression: str | None, bits: int
) -> None:
    values = WIDE >> (16 - bits)
    laid = values if planes == "contig" else values.transpose(2, 0, 1)
    words = {"planarconfig": planes, "byteorder": order, "compression": compression}
    content = tiff(laid, photometric="rgb", **words)
    white = 2**bits - 1
    assert far(decode(content, 3, ranges=range_from_options(bits)), np.round(values * (255 / white))) <= 1
    if bits == 16:
        assert far(decode(content, 3), eight(values)) <= 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("values", [DEEP >> 4, WIDE >> 4], ids=["grey", "colour"])
def test_12_bits_in_16_are_told_as_opencv_reads_them(suffix: str, values: Any, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    cv2.imwrite(str(path), values)
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    expected = np.round((read[..., ::-1] if read.ndim == 3 else read) * (255 / 4095))
    found = decode(path, 3 if read.ndim == 3 else 1, ranges=range_from_options(12))
    assert far(found, expected) <= 1
    assert len(np.unique(found)) > 200
    most = extremes(path)
    assert most is not None
    assert (most.kind, most.low, most.high) == ("uint16", read.min(), read.max())


@pytest.mark.parametrize("colour", [False, True])
def test_wide_values_beside_opacity_are_laid_on_white(colour: bool, tmp_path: Path) -> None:
    opacity = np.where(np.arange(48) < 24, 65535, 0).astype(np.uint16) * np.ones((40, 1), np.uint16)
    path = tmp_path / "x.png"
    values = (WIDE if colour else np.dstack([DEEP] * 3)) >> 4
    cv2.imwrite(str(path), np.dstack([values[..., ::-1], opacity]))
    found = decode(path, 3, ranges=range_from_options(12))
    assert far(found[:, :24], np.round(values[:, :24] * (255 / 4095))) <= 1
    assert (found[:, 24:] == 255).all()


@pytest.mark.parametrize("most", [1, 255, 1023, 4095, 65535])
def test_a_portable_map_says_itself_what_is_white(most: int) -> None:
    values = DEEP.astype(int) * most // 65535
    content = f"P5 48 40 {most}\n".encode() + values.astype(">u2" if most > 255 else "u1").tobytes()
    for ranges in ((), range_from_options(12)):
        assert far(decode(content, 1, ranges=ranges), np.round(values * 255 / most)) <= 1


def test_jpeg_2000_of_wide_colours_is_refused_since_white_would_be_black(tmp_path: Path) -> None:
    path = tmp_path / "x.jp2"
    cv2.imwrite(str(path), WIDE)
    assert "16 bits per colour" in refusal(path.read_bytes())
    cv2.imwrite(str(path), DEEP)
    assert far(decode(path, 1), eight(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))) <= 1
    cv2.imwrite(str(path), eight(WIDE).astype(np.uint8))
    assert far(decode(path, 3), cv2.imread(str(path))[..., ::-1]) <= 1


@pytest.mark.parametrize("count", [2, 5])
def test_other_numbers_of_channels_are_named(count: int) -> None:
    content = tiff(np.dstack([DEEP] * count), photometric="minisblack", planarconfig="contig")
    assert f"{count} channels of 16-bit values, expected grey or colour; use --channels {count}" in refusal(
        content
    )


def test_a_jpeg_of_12_bits_is_named() -> None:
    content = bytearray(encoded(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place : place + 2], content[place + 4] = b"\xff\xc1", 12
    assert "a JPEG (with 12 bits per value, not 8)" in refusal(bytes(content))
    content[place : place + 2], content[place + 4] = b"\xff\xc3", 8
    assert "lossless" in refusal(bytes(content))


def test_a_directory_that_leads_nowhere_is_a_damaged_file() -> None:
    for start in (b"II*\0" + struct.pack("<I", 1 << 30), b"MM\0*" + bytes(4), b"II+\0" + bytes(12)):
        assert refusal(start + bytes(100))


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "PPM", "TGA", "QOI", "PCX", "SGI", "ICO"])
def test_what_pillow_reads_is_read(kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    content = encoded(values, kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(decode(content, 3), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["zero is white", "wide", "64 bits"])
def test_deep_pictures_stand_upright_as_those_of_8_bits_do(kind: str, orientation: int) -> None:
    plain = eight(DEEP).astype(np.uint8)
    tag = {"extratags": [(274, 3, 1, orientation, True)]}
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(tiff(plain, **tag)))))
    if kind == "zero is white":
        content = tiff(65535 - DEEP, photometric="miniswhite", byteorder=">", **tag)
    elif kind == "wide":
        content = tiff(np.dstack([DEEP] * 3), photometric="rgb", **tag)
    else:
        content = tiff(DEEP / 65535, photometric="minisblack", **tag)
    assert far(decode(content, 1, ranges=range_from_options(16)), wanted) <= 1
    assert header(content)[:2] == wanted.shape


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_values_of_less_than_8_bits_are_spread_out(bits: int, photometric: int, order: str) -> None:
    values = np.random.default_rng(0).integers(0, 2**bits, (16, 24)).astype(np.uint8)
    each = 8 // bits
    packed = np.zeros((16, 24 // each), np.uint8)
    for place in range(each):
        packed |= values[:, place::each] << (8 - bits * (place + 1))
    tags = {256: 24, 257: 16, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 16, 279: packed.size}
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + packed.size)
    content = start + packed.tobytes() + struct.pack(order + "H", len(tags)) + entries + bytes(4)
    shown = values if photometric else 2**bits - 1 - values
    assert far(decode(content, 1), np.round(shown * (255 / (2**bits - 1)))) == 0


@pytest.mark.parametrize("kind", ["QOI", "SGI", "TGA", "PPM", "BMP"])
def test_eight_bits_beside_deep_files_are_read_as_alone(kind: str) -> None:
    colour = (WIDE >> 8).astype(np.uint8)
    np.testing.assert_array_equal(decode(encoded(colour, kind), 3, ranges=range_from_options(16)), colour)


def test_a_tiff_compressed_as_webp_is_read() -> None:
    grey = np.repeat((DEEP >> 8).astype(np.uint8)[..., None], 3, axis=2)
    content = tiff(grey, photometric="rgb", compression="webp", compressionargs={"lossless": True})
    np.testing.assert_array_equal(decode(content, 3), grey)
