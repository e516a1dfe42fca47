import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from kakera.data.sources.idx import find_images, is_idx, open_idx, read_idx
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.files import idx, write_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)
LABELS = np.array([2, 0, 1, 2, 0], np.uint8)


def raised(path: Path, dimensions: int = 3) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path, dimensions)
    assert str(caught.value).startswith(f"{path}: got ")
    assert str(caught.value).endswith("; download or copy the file again")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("values", [IMAGES, LABELS, IMAGES[..., None]])
def test_arrays_come_back_exactly_plain_and_packed_whatever_the_name(
    pack: type[bytes], values: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "some.bin"
    path.write_bytes(pack(idx(values)))
    assert is_idx(path)
    assert np.array_equal(read_idx(path, values.ndim), values)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "got magic number nothing, expected 00000803, an IDX file of bytes"),
        (b"\0\0", "got magic number 0000,"),
        (b"\x89PNG\r\n\x1a\n", "got magic number 89504e47"),
        (idx(LABELS), "got magic number 00000801, expected 00000803"),
        (bytes([0, 0, 0x0D, 3]) + bytes(40), "got magic number 00000d03"),
        (idx(IMAGES)[:10], "got a header of 10 bytes, expected 16"),
        (idx(IMAGES)[:-1], "got 59 bytes after the header, expected 60 bytes for 5 x 3 x 4"),
        (idx(IMAGES)[:16], "got 0 bytes after the header, expected 60"),
        (idx(IMAGES) + b"\0", "got more than 60 bytes after the header, expected 60"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3) + bytes(9), "got 9 bytes after"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    pack: type[bytes], content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(pack(content))
    assert words in raised(tmp_path / "x")


@pytest.mark.parametrize("keep", [1, 2, 11, 30, -9, -1])
def test_a_packed_file_that_is_cut_is_one_line(keep: int, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(IMAGES))[:keep])
    raised(tmp_path / "x.gz")


def test_packed_bytes_that_were_changed_are_noticed(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(idx(IMAGES)))
    packed[-8] ^= 1
    (tmp_path / "x.gz").write_bytes(packed)
    assert "CRC" in raised(tmp_path / "x.gz")


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_file_that_is_not_there_is_one_line(name: str, tmp_path: Path) -> None:
    raised(tmp_path / name)
    assert not is_idx(tmp_path / name)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08", b"\0\0\x09\x03", b"\0\0\x08\x05", b"\x1f\x8b", b"\x1f\x8b\x08" + bytes(99)]
)
def test_other_files_are_not_taken_for_idx(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert not is_idx(tmp_path / "x")


def test_a_folder_as_mnist_has_it_is_split_and_labelled(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", IMAGES, LABELS)
    write_idx(tmp_path, "t10k", IMAGES[:2], LABELS[:2])
    dataset = open_dataset(tmp_path)
    assert (dataset.channels, dataset.classes) == (1, ("0", "1", "2"))
    for part, count in (("train", 5), ("test", 2)):
        chosen = dataset.part(part)
        assert chosen.labels is not None
        assert chosen.labels.tolist() == LABELS[:count].tolist()
        assert np.array_equal([chosen.pictures.read(i)[..., 0] for i in range(count)], IMAGES[:count])
    assert dataset.part("test").pictures.name(1) == "t10k-images-idx3-ubyte[1]"


@pytest.mark.parametrize("name", ["train-images.idx3-ubyte", "train-images-idx3-ubyte", "TRAIN-IMAGES-idx3"])
def test_the_names_in_use_are_known(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(idx(IMAGES))
    assert find_images(tmp_path) == [tmp_path / name]
    assert open_idx([tmp_path / name], "x")[1]


def test_of_a_file_and_its_packed_twin_the_plain_one_is_taken(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", IMAGES)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    assert find_images(tmp_path) == [tmp_path / "train-images-idx3-ubyte"]


def test_one_file_alone_is_split_by_class(tmp_path: Path) -> None:
    path = write_idx(tmp_path, "all", np.repeat(IMAGES, 4, axis=0), np.repeat(LABELS, 4))
    assert not open_idx([path], "x")[1]
    assert (open_dataset(path, test=0.25).split == "test").sum() == 5


def test_without_a_file_of_labels_there_are_none(tmp_path: Path) -> None:
    assert open_dataset(write_idx(tmp_path, "train", IMAGES)).labels is None


def test_the_labels_of_one_part_are_enough(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", IMAGES)
    write_idx(tmp_path, "t10k", IMAGES, LABELS)
    dataset = open_dataset(tmp_path)
    assert len(dataset.part("train").labelled) == 0
    assert len(dataset.part("test").labelled) == 5


def test_a_name_without_a_word_for_images_has_no_labels_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_bytes(idx(IMAGES))
    (tmp_path / "pictures.gz").write_bytes(gzip.compress(idx(IMAGES)))
    for name in ("pictures", "pictures.gz"):
        assert open_dataset(tmp_path / name).labels is None


def test_as_many_labels_as_images_are_expected(tmp_path: Path) -> None:
    path = write_idx(tmp_path, "train", IMAGES, LABELS[:4])
    with pytest.raises(DataError, match="labels-idx1-ubyte.gz: got 4 labels, expected 5, one for each image"):
        open_idx([path], "x")


def test_a_file_of_no_images_is_refused(tmp_path: Path) -> None:
    path = write_idx(tmp_path, "train", IMAGES[:0], LABELS[:0])
    with pytest.raises(DataError, match="got no pictures, expected at least one"):
        open_idx([path], "x")


def test_two_files_for_one_part_are_refused(tmp_path: Path) -> None:
    for name in ("one-train", "two-train"):
        write_idx(tmp_path, name, IMAGES)
    with pytest.raises(DataError, match="expected one image file for each part"):
        open_dataset(tmp_path)
