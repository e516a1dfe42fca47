import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.holders import FilePictures
from kakera.data.images.decode import decode
from kakera.data.packing.pack import pack
from kakera.data.sources.files import open_pictures, open_recordings
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, UnreadableFileError
from kakera.sound.spec import SoundSpec
from tests.data.files import NOISE, encoded, on_disk, tagged
from tests.data.recordings import chirp, record
from tests.small import folder, pictures

SPEC = SoundSpec(rate=8000)
TRANSPARENT = np.dstack([NOISE, np.linspace(0, 255, NOISE[..., 0].size).reshape(12, 16).astype(np.uint8)])


def test_pictures_to_look_at_come_in_the_order_given(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=2)
    found = open_pictures([root / "boot" / "1.png", root / "bag"], 3)
    names = [Path(found.pictures.name(index)).relative_to(root).as_posix() for index in range(len(found))]
    assert names == ["boot/1.png", "bag/0.png", "bag/1.png"]
    assert found.pictures.read(0).shape[-1] == 3


def test_a_folder_without_pictures_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got no picture, expected at least one; choose another folder"):
        open_pictures([tmp_path], 1)


def test_the_name_of_a_built_in_set_means_a_picture_of_each_class() -> None:
    demo, found = open_dataset("demo"), open_pictures(["demo"], 1)
    assert [found.pictures.name(index) for index in range(10)] == list(demo.classes)
    test = demo.part("test")
    assert test.labels is not None
    first = int(np.flatnonzero(test.labels == 8)[0])
    assert (found.pictures.read(8) == test.pictures.read(first)).all()


def names(dataset: Dataset) -> list[str]:
    return [dataset.pictures.name(index) for index in range(len(dataset))]


def test_a_string_is_a_path_and_never_its_letters(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=2)
    assert names(open_pictures(str(root), 3)) == names(open_pictures([root], 3))
    assert names(open_pictures("nowhere.png", 3)) == ["nowhere.png"]


WAYS: dict[str, Callable[[bytes], Any]] = {
    "bytes": lambda content: content,
    "bytearray": bytearray,
    "a file": io.BytesIO,
    "an image": lambda content: Image.open(io.BytesIO(content)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "content",
    [
        encoded(NOISE),
        encoded(NOISE, "JPEG", exif=tagged(6)),
        encoded(TRANSPARENT),
        encoded(Image.fromarray(NOISE).quantize(), transparency=3),
        encoded((NOISE[..., 0].astype(np.uint16) << 8) + NOISE[..., 1]),
        encoded(Image.fromarray(NOISE).convert("CMYK"), "TIFF"),
    ],
    ids=["colour", "on its side", "transparent", "a palette", "16 bits", "CMYK"],
)
def test_a_picture_in_memory_is_the_picture_of_its_file(
    way: str, channels: int, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(content)
    found = open_pictures(WAYS[way](content), channels)
    np.testing.assert_array_equal(found.pictures.read(0), decode(tmp_path / "file", channels))
    assert len(found) == 1


ARRAYS = {
    "grey": NOISE[..., 0],
    "one channel": NOISE[..., :1],
    "colour": NOISE,
    "transparent": TRANSPARENT,
    "bool": NOISE[..., 0] > 99,
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_is_the_picture_that_pillow_writes_of_it(kind: str, channels: int) -> None:
    values = ARRAYS[kind]
    expected = decode(encoded(values[..., 0] if values.shape[2:] == (1,) else values), channels)
    np.testing.assert_array_equal(open_pictures(values, channels).pictures.read(0), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint16])
def test_shares_and_16_bits_become_the_nearest_of_256_values(dtype: Any) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    given = values * dtype(257) if dtype == np.uint16 else (values / 255).astype(dtype)
    np.testing.assert_array_equal(open_pictures(given, 1).pictures.read(0)[..., 0], values)


def test_tensors_have_their_channels_first() -> None:
    tensor = torch.from_numpy(NOISE).permute(2, 0, 1)
    for given in (tensor, tensor / 255, tensor[None]):
        np.testing.assert_array_equal(open_pictures(given, 3).pictures.read(0), NOISE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            NOISE.transpose(2, 0, 1),
            "picture[0]: got an array of shape (3, 12, 16), expected (H, W) or",
        ),
        (np.zeros((5, 6, 7), np.uint8), "got an array of shape (5, 6, 7)"),
        (np.zeros(5, np.uint8), "got an array of shape (5,)"),
        (np.zeros((0, 4), np.uint8), "got an array of shape (0, 4)"),
        (
            NOISE.astype(np.float32),
            "got float32 values from 0.0 to 255.0, expected uint8, uint16, bool,",
        ),
        (NOISE.astype(np.int64), "got int64 values from 0 to 255"),
        (NOISE / 127 - 1, "got float64 values from -1.0"),
        (np.full((3, 4), np.nan), "got float64 values from nan to nan"),
        ([NOISE, None], "files: got a value of type NoneType, expected paths, bytes, images, arrays"),
        ({"a": "b"}, "files: got a value of type dict"),
        (7, "files: got a value of type int"),
        (io.StringIO("text"), "file: got a file opened in text mode, expected a file opened in binary mode"),
        ((np.zeros(900), 8000), "picture[0]: got a waveform, expected pictures, which the model reads"),
    ],
)
def test_what_may_mean_several_things_is_refused_in_one_line(given: Any, words: str) -> None:
    with pytest.raises(DataError) as caught:
        open_pictures(given, 3)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_may_stand_in_one_list_or_generator(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=1)
    pack(root, tmp_path / "shards", workers=1)
    Image.fromarray(NOISE).save(tmp_path / "x.png")
    given = [
        str(root),
        tmp_path / "x.png",
        NOISE,
        "demo",
        np.stack([NOISE, NOISE]),
        encoded(NOISE),
        Image.open(tmp_path / "x.png"),
        tmp_path / "shards",
    ]
    found = open_pictures((one for one in given), 3)
    demo = list(open_dataset("demo").classes)
    assert names(found) == [
        *(str(root / name / "0.png") for name in ("bag", "boot")),
        str(tmp_path / "x.png"),
        "picture[2]",
        *demo,
        *("picture[4]", "picture[5]", "picture[6]"),
        str(tmp_path / "x.png"),
        *("bag/0.png", "boot/0.png"),
    ]
    for index in (2, 3, 14, 15, 16, 17):
        np.testing.assert_array_equal(found.pictures.read(index), NOISE)
    np.testing.assert_array_equal(found.pictures.read(1), found.pictures.read(19))
    assert found.pictures.read(4).shape == (28, 28, 3)


def test_files_alone_stay_files(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=2)
    assert isinstance(open_pictures([root / "bag", root / "boot" / "0.png"], 1).pictures, FilePictures)
    assert len(open_pictures([], 1)) == 0


def test_a_data_set_keeps_its_labels_and_gets_the_channels() -> None:
    data = pictures(4, 2)
    found = open_pictures(data, 3)
    assert found.labels is data.labels
    assert found.pictures.read(5).shape == (28, 28, 3)


def test_what_cannot_be_read_is_named_when_it_is_read(tmp_path: Path) -> None:
    half = encoded(np.tile(NOISE, (20, 20, 1)))[:900]
    found = open_pictures([NOISE, half, Image.open(io.BytesIO(half)), b"no picture"], 3)
    reasons = []
    for index in (1, 2, 3):
        with pytest.raises(UnreadableFileError) as caught:
            found.pictures.read(index)
        assert caught.value.path == f"picture[{index}]"
        reasons.append(caught.value.reason)
    assert reasons[0].startswith("got a damaged picture")
    assert reasons[1].startswith("got a damaged picture")
    assert reasons[2].startswith("got a text file")


def test_a_recording_in_memory_is_the_recording_of_its_file(tmp_path: Path) -> None:
    wave = chirp(11_025, 0.5, channels=2)
    path = record(tmp_path / "a.wav", wave, 11_025, subtype="FLOAT")
    expected = open_recordings(path, SPEC).sounds
    assert expected is not None
    ways = [
        path.read_bytes(),
        io.BytesIO(path.read_bytes()),
        (wave, 11_025),
        (11_025, wave),
        (torch.from_numpy(wave.T), 11_025.0),
        (wave.astype(np.float64), np.int64(11_025)),
    ]
    for given in ways:
        found = open_recordings(given, SPEC).sounds
        assert found is not None
        np.testing.assert_array_equal(found.read(0), expected.read(0))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_32"])
def test_whole_numbers_have_the_full_scale_of_their_type(subtype: str, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", chirp(8000, 0.2), 8000, subtype=subtype)
    kinds = {"PCM_U8": np.uint8, "PCM_16": np.int16, "PCM_32": np.int32}
    values = soundfile.read(path, dtype="int16" if subtype != "PCM_32" else "int32")[0]
    if subtype == "PCM_U8":
        values = (values >> 8) + 128
    found = open_recordings((values.astype(kinds[subtype]), 8000), SPEC).sounds
    assert found is not None
    np.testing.assert_allclose(found.read(0), soundfile.read(path, dtype="float32")[0], atol=1e-7)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            np.zeros(900),
            "recording[0]: got an array of shape (900,) without a sample rate, expected",
        ),
        ((np.zeros((2, 900)), 8000), "got a waveform of shape (2, 900) at 8000 Hz"),
        ((np.zeros(900), 0), "got a waveform of shape (900,) at 0 Hz"),
        ((np.zeros(900), 8000.5), "at 0 Hz"),
        ((np.full(900, 32767.0), 8000), "got float64 values up to 32767.0, expected floats from −1 to 1"),
        ((np.zeros(900, np.int64), 8000), "got int64 values up to 0"),
        (Image.fromarray(NOISE), "got a picture, expected recordings, which the model reads"),
    ],
)
def test_what_can_be_no_recording_is_refused_in_one_line(given: Any, words: str) -> None:
    with pytest.raises(DataError) as caught:
        open_recordings(given, SPEC)
    assert words in str(caught.value)


def test_recordings_of_every_kind_may_stand_in_one_list(tmp_path: Path) -> None:
    wave = chirp(8000, 0.3)
    path = record(tmp_path / "d" / "a.wav", wave, 8000)
    found = open_recordings([str(tmp_path / "d"), (wave, 8000), path.read_bytes()], SPEC)
    assert names(found) == [str(path), "recording[1]", "recording[2]"]
    assert found.sounds is not None
    assert [found.sounds.length(index) for index in range(3)] == [2400] * 3


def test_data_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got pictures, expected recordings, which the model reads"):
        open_recordings(on_disk(tmp_path / "d", {"a.png": NOISE}), SPEC)
    record(tmp_path / "r" / "a.wav", chirp(8000, 0.3), 8000)
    with pytest.raises(DataError, match="got recordings, expected pictures, which the model reads"):
        open_pictures(open_dataset(tmp_path / "r"), 1)


def test_a_folder_of_the_other_kind_names_what_it_holds(tmp_path: Path) -> None:
    sounds, images = tmp_path / "sounds", tmp_path / "images"
    for place in (sounds / "a.wav", sounds / "b.wav", images / "a.png"):
        place.parent.mkdir(exist_ok=True)
        place.touch()
    with pytest.raises(DataError, match="got no picture, but 2 recordings, .*; .* a model of recordings"):
        open_pictures(sounds, 1)
    with pytest.raises(DataError, match="got no recording, but 1 picture, .*; .* a model of pictures"):
        open_recordings(images, SPEC)
