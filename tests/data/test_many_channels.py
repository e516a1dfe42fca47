"""TIFFs of many channels beside the values that tifffile was given."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kakera.data.checks.inspect import Inspection, inspect_dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.images.decode import decode, header
from kakera.data.images.resize import visible
from kakera.data.images.value_range import range_from_options
from kakera.data.sources.files import open_pictures
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, UnreadableFileError
from tests.data.files import encoded

tifffile = pytest.importorskip(
    "tifffile", reason="the package tifffile is not installed: pip install 'kakera[tiff]'"
)
KINDS = {"uint8": 255, "uint16": 65535, "float32": 1}


def values(channels: int, kind: str = "uint8") -> Any:
    shares = np.random.default_rng(channels).random((24, 30, channels))
    return (shares * KINDS[kind]).astype(kind)


def tiff(values: Any, layout: str = "contig", **words: Any) -> bytes:
    file = io.BytesIO()
    planes = values.transpose(2, 0, 1) if layout == "separate" else values
    planes = planes[..., 0] if values.shape[2] == 1 else planes
    layout = None if values.shape[2] == 1 else layout
    tifffile.imwrite(file, planes, **{"photometric": "minisblack", "planarconfig": layout, **words})
    return file.getvalue()


def folder(path: Path, *channels: int) -> Path:
    for number, count in enumerate(channels):
        (path / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        (path / "ab"[number % 2] / f"{number}.tif").write_bytes(tiff(values(count)))
    return path


@pytest.mark.parametrize("channels", [2, 4, 5, 13, 16])
@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", "<>")
def test_all_channels_are_read_as_they_were_written(
    channels: int, layout: str, kind: str, order: str
) -> None:
    written = values(channels, kind)
    content = tiff(written, layout, byteorder=order, compression="zlib")
    expected = np.round(written.astype(float) * (255 / KINDS[kind]))
    assert header(content) == (24, 30, channels)
    found = decode(content, channels, ranges=range_from_options(16) if kind == "uint16" else ())
    assert np.abs(found - expected).max() <= (kind == "float32")  # 0.5 of a level either way


def test_a_fourth_channel_is_opacity_only_where_the_file_says_so() -> None:
    written = values(4)
    plain = tiff(written, photometric="rgb", extrasamples=["unspecified"])
    clear = tiff(written, photometric="rgb", extrasamples=["unassalpha"])
    assert (header(plain)[2], header(clear)[2]) == (4, 3)
    np.testing.assert_array_equal(decode(plain, 4), written)
    np.testing.assert_array_equal(decode(plain, 3), written[..., :3])
    shares = written[..., 3:] / 255
    assert np.abs(decode(clear, 3) - (written[..., :3] * shares + 255 * (1 - shares))).max() <= 1


def test_opacity_by_opencv_is_opacity_though_the_file_does_not_say_so() -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless, which writes it, is not installed")
    content = bytes(cv2.imencode(".tif", values(4))[1])
    shares = values(4)[..., 3:] / 255
    assert header(content)[2] == 3
    assert np.abs(decode(content, 3) - (values(4)[..., 2::-1] * shares + 255 * (1 - shares))).max() <= 1


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_grey_with_opacity_is_grey_on_white(kind: str) -> None:
    written = values(2, kind)
    content = tiff(written, extrasamples=["unassalpha"], bigtiff=True)
    grey, shares = (written[..., one] / KINDS[kind] for one in range(2))
    assert header(content)[2] == 1
    assert (
        np.abs(decode(content, 1)[..., 0] - 255 * (grey * shares + 1 - shares)).max() <= 1.5
    )  # rounded three times


def test_many_channels_with_opacity_are_laid_on_white() -> None:
    written = values(6)
    content = tiff(written, extrasamples=["unspecified"] * 4 + ["unassalpha"])
    shares = written[..., 5:] / 255
    assert header(content)[2] == 5
    assert np.abs(decode(content, 5) - (written[..., :5] * shares + 255 * (1 - shares))).max() <= 1


def test_many_channels_are_not_made_grey_or_colour() -> None:
    with pytest.raises(UnreadableFileError, match="5 channels of 8-bit values, .*; use --channels 5"):
        decode(tiff(values(5)), 3)
    with pytest.raises(UnreadableFileError, match="got 3 channels, expected 5"):
        decode(encoded(values(3)), 5)


def test_a_folder_has_the_channels_of_its_files_and_their_mean(tmp_path: Path) -> None:
    found = inspect_dataset(folder(tmp_path, 5, 5, 5, 5))
    assert isinstance(found, Inspection)
    assert found.channels == 5
    np.testing.assert_allclose(found.mean, values(5).mean(axis=(0, 1)) / 255, atol=1e-6)


@pytest.mark.parametrize("others", [(5, 5, 5, 4), (4, 5, 5, 5), (3, 5, 5, 5), (5, 1, 5, 5)])
def test_other_numbers_of_channels_beside_them_are_refused_by_name(
    tmp_path: Path, others: tuple[int, ...]
) -> None:
    with pytest.raises(DataError, match=r"\.tif: got \d channels?, expected \d, as in .*\.tif; put them"):
        open_dataset(folder(tmp_path, *others))


def test_a_png_among_them_is_refused_by_name(tmp_path: Path) -> None:
    Image.fromarray(values(3)).save(folder(tmp_path, *[5] * 40) / "a" / "x.png")
    with pytest.raises(DataError, match=r"x\.png: got 3 channels, expected 5"):
        open_dataset(tmp_path)


def test_a_data_set_of_others_cannot_become_theirs(tmp_path: Path) -> None:
    dataset = open_dataset(folder(tmp_path, 5, 5, 5, 5))
    with pytest.raises(DataError, match="got pictures of 5 channels, expected 3"):
        dataset.with_channels(3)


def test_arrays_of_as_many_channels_are_taken() -> None:
    np.testing.assert_array_equal(open_pictures([values(5)], 5).pictures.read(0), values(5))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_each_channel_is_resized_as_if_it_were_alone(channels: int) -> None:
    picture, crop = values(channels), CenterCrop((16, 16))
    alone = [crop(picture[..., one : one + 1])[0] for one in range(channels)]
    np.testing.assert_array_equal(crop(picture), alone)


def test_three_channels_of_many_are_shown() -> None:
    picture = values(5)
    np.testing.assert_array_equal(visible(picture), picture[..., :3])
    np.testing.assert_array_equal(visible(picture, (4, 0, 9)), picture[..., [4, 0, 4]])
    assert visible(values(2)).shape == (24, 30, 1)
