"""Pictures of an `.npz` file that stay in it."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from kakera.commands.prepare import prepare
from kakera.data.checks.digest import FILES, LABELS, SPLIT, digest
from kakera.data.checks.leaks import leaks
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.preload.preload import preload
from kakera.data.sources.npz import open_npz
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from kakera.training.options import PretrainOptions

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (60, 12, 10, 3), dtype=np.uint8)
LABELS_OF = np.arange(60) % 3
SPLIT_OF = RANDOM.choice(["train", "val", "test"], 60)
ROWS = {part: np.flatnonzero(np.char.equal(SPLIT_OF, part)) for part in ("train", "val", "test")}
ORDER = np.concatenate([*ROWS.values()])


def npz(root: Path, save: Callable[..., None] = np.savez, **arrays: Any) -> Path:
    save(root / "data.npz", **arrays)
    return root / "data.npz"


def pictures_of(dataset: Dataset) -> ArrayPictures:
    assert isinstance(dataset.pictures, ArrayPictures)
    return dataset.pictures


def read(dataset: Dataset) -> list[np.ndarray]:
    return [dataset.pictures.read(i) for i in range(len(dataset))]


def is_mapped(array: np.ndarray) -> bool:
    base: Any = array
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    return base is not None


def member(path: Path, header: bytes, content: bytes, force_zip64: bool = False) -> Path:
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open("images.npy", "w", force_zip64=force_zip64) as file,
    ):
        file.write(header + content)
    return path


def header(shape: tuple[int, ...], descr: str = "|u1", fortran: bool = False) -> bytes:
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    return npy.magic(1, 0) + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(("save", "mapped"), [(np.savez, True), (np.savez_compressed, False)])
def test_what_is_not_compressed_is_mapped_and_has_the_values_of_numpy(
    save: Callable[..., None], mapped: bool, grey: bool, tmp_path: Path
) -> None:
    path = npz(tmp_path, save, images=COLOUR[..., 0] if grey else COLOUR, labels=LABELS_OF)
    dataset, _ = open_npz(path)
    with np.load(path) as arrays:
        assert np.array_equal(np.stack(read(dataset)).reshape(arrays["images"].shape), arrays["images"])
    assert {is_mapped(picture) for picture in read(dataset)} == {mapped}
    assert pictures_of(dataset).mapped == mapped


def test_a_mapped_picture_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        open_npz(npz(tmp_path, images=COLOUR))[0].pictures.read(0)[:] = 1


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_parts_named_by_an_array_are_rows_of_the_one_array(save: Any, tmp_path: Path) -> None:
    dataset, divided = open_npz(npz(tmp_path, save, images=COLOUR, labels=LABELS_OF, split=SPLIT_OF))
    assert divided
    assert np.array_equal(read(dataset), COLOUR[ORDER])
    assert dataset.split.tolist() == SPLIT_OF[ORDER].tolist()
    assert dataset.labels is not None
    assert dataset.labels.tolist() == LABELS_OF[ORDER].tolist()
    whole = pictures_of(dataset).arrays
    for part, rows in ROWS.items():
        chosen = dataset.part(part)
        assert pictures_of(chosen).arrays is whole
        assert chosen.pictures.name(len(chosen) - 1) == f"{part}[{len(rows) - 1}]"
        assert all(
            np.shares_memory(chosen.pictures.read(i), whole[int(row)]) for i, row in enumerate(rows.tolist())
        )


def test_parts_named_by_their_arrays_are_not_joined_by_a_copy(tmp_path: Path) -> None:
    path = npz(tmp_path, x_train=COLOUR[:40], x_val=COLOUR[40:50, :5], x_test=COLOUR[50:])
    dataset, _ = open_npz(path)
    wanted = [*COLOUR[:40], *COLOUR[40:50, :5], *COLOUR[50:]]
    assert all(np.array_equal(one, other) for one, other in zip(read(dataset), wanted, strict=True))
    assert all(map(is_mapped, read(dataset)))
    assert pictures_of(dataset).block is None


def test_what_is_in_fortrans_order_is_read(tmp_path: Path) -> None:
    dataset, _ = open_npz(npz(tmp_path, images=np.asfortranarray(COLOUR)))
    assert np.array_equal(read(dataset), COLOUR)
    assert not is_mapped(dataset.pictures.read(0))


@pytest.mark.parametrize("dtype", [">i2", "<i8", "<f4", ">f8"])
def test_other_numbers_become_bytes_in_memory(dtype: str, tmp_path: Path) -> None:
    path = npz(tmp_path, images=COLOUR.astype(dtype), split=SPLIT_OF)
    dataset, _ = open_npz(path)
    assert np.array_equal(read(dataset), COLOUR[ORDER])
    assert not pictures_of(dataset).mapped


def test_other_numbers_become_bytes_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakera.data.sources.npz._PIECE", 7 * COLOUR[0].size * 4)
    assert np.array_equal(read(open_npz(npz(tmp_path, images=COLOUR / np.float32(255)))[0]), COLOUR)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("force_zip64", [False, True])
def test_headers_of_each_version_and_of_large_archives_are_passed_over(
    version: tuple[int, int], force_zip64: bool, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open("images.npy", "w", force_zip64=force_zip64) as file,
    ):
        npy.write_array(file, COLOUR, version)
    dataset, _ = open_npz(path)
    assert np.array_equal(read(dataset), COLOUR)
    assert pictures_of(dataset).mapped == (version < (3, 0))


@pytest.mark.parametrize("force_zip64", [False, True])
def test_pictures_need_not_be_the_first_or_the_last_of_an_archive(force_zip64: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "words")
        for name, array in (("labels", LABELS_OF), ("images", COLOUR), ("split", SPLIT_OF)):
            info = zipfile.ZipInfo(f"{name}.npy")
            info.extra = b"\xfe\xca\x03\x00abc"  # a field of no meaning, in the member's header as well
            with archive.open(info, "w", force_zip64=force_zip64) as file:
                npy.write_array(file, array)
    dataset, _ = open_npz(path)
    assert np.array_equal(read(dataset), COLOUR[ORDER])
    assert pictures_of(dataset).mapped


def refused(path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_npz(path)
    assert str(caught.value).startswith(f"{path}: got a file that cannot be read (")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_short_is_refused_in_one_line(tmp_path: Path) -> None:
    content = npz(tmp_path, images=COLOUR, labels=LABELS_OF).read_bytes()
    for length in [*range(0, len(content), 997), len(content) - 1]:
        (tmp_path / "cut.npz").write_bytes(content[:length])
        refused(tmp_path / "cut.npz")


def test_a_file_without_its_middle_is_refused_in_one_line(tmp_path: Path) -> None:
    content = npz(tmp_path, labels=LABELS_OF, images=COLOUR).read_bytes()
    middle = len(content) // 2
    (tmp_path / "cut.npz").write_bytes(content[:middle] + content[middle + 500 :])
    refused(tmp_path / "cut.npz")


@pytest.mark.parametrize(
    "start",
    [
        header((61, 12, 10, 3)),  # a picture too many
        header((1 << 40, 1 << 40, 10, 3)),
        header((-60, 12, -10, 3)),
        header((60, 12, 10, 3), "<f8"),
        header((60, 12, 10, 3), "|O"),
        header((60, 12, 10, 3)).replace(b"{", b"("),
        header((60, 12, 10, 3))[:40],
        npy.magic(9, 0) + header((60, 12, 10, 3))[8:],
    ],
)
def test_an_array_that_is_not_as_it_says_is_refused_in_one_line(start: bytes, tmp_path: Path) -> None:
    refused(member(tmp_path / "x.npz", start, COLOUR.tobytes()))


def test_nothing_beyond_the_end_of_the_file_is_mapped(tmp_path: Path) -> None:
    """The list of the archive promises, as the array does, more bytes than there are."""
    start = header((600, 12, 10, 3))
    path = member(tmp_path / "x.npz", start, COLOUR.tobytes())
    content = path.read_bytes()
    there = (len(start) + COLOUR.size).to_bytes(4, "little")
    promised = (len(start) + 10 * COLOUR.size).to_bytes(4, "little")
    assert (
        content.count(2 * there) == 2
    )  # stored: both sizes are the same, in the member's header and the list
    path.write_bytes(content.replace(2 * there, 2 * promised))
    refused(path)


def test_a_checksum_of_labels_is_compared(tmp_path: Path) -> None:
    path = npz(tmp_path, images=COLOUR, labels=LABELS_OF)
    content = path.read_bytes()
    at = content.index(LABELS_OF.tobytes())
    path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    refused(path)


def hashed(*pieces: bytes) -> str:
    found = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "little") + piece)
    return found.hexdigest()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("by_part", [False, True])
def test_the_digest_is_that_of_arrays_in_memory(save: Any, by_part: bool, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"images": COLOUR, "labels": LABELS_OF, "split": SPLIT_OF}
    if by_part:
        arrays = {f"x_{part}": COLOUR[rows] for part, rows in ROWS.items()}
        arrays |= {f"y_{part}": LABELS_OF[rows] for part, rows in ROWS.items()}
    names = [f"{part}[{i}]" for part, rows in ROWS.items() for i in range(len(rows))]
    shapes = repr([(12, 10, 3)] * 60).encode()
    values = [COLOUR[row].tobytes() for row in ORDER]  # fewer than 4096 each: all of them
    assert digest(open_dataset(npz(tmp_path, save, **arrays))) == {
        FILES: hashed("\0".join(names).encode(), shapes, *values),
        LABELS: hashed(b"0\x001\x002", LABELS_OF[ORDER].astype("<i8").tobytes()),
        SPLIT: hashed("\0".join(SPLIT_OF[ORDER]).encode()),
    }


def test_pictures_of_two_parts_that_are_equal_are_found(tmp_path: Path) -> None:
    values = COLOUR.copy()
    train, test = (int(ROWS[part][2]) for part in ("train", "test"))
    values[test] = values[train]
    dataset = open_dataset(npz(tmp_path, images=values, split=SPLIT_OF))
    assert leaks(dataset.part("train"), dataset.part("test")) == (("train[2]", "test[2]"),)


@pytest.mark.parametrize(("save", "held"), [(np.savez, 0), (np.savez_compressed, COLOUR.nbytes)])
def test_mapped_pictures_stay_mapped_and_count_as_no_memory(save: Any, held: int, tmp_path: Path) -> None:
    path = npz(tmp_path, save, images=COLOUR, labels=LABELS_OF, split=SPLIT_OF)
    dataset = open_dataset(path)
    assert preload(dataset) is dataset
    _, prepared = prepare(PretrainOptions, path, "micro", {})
    assert prepared.bytes_held() == held
    assert pictures_of(prepared.dataset).mapped == (held == 0)
