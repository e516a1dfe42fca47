"""Pictures kept small: in memory, in the cache or decoded each time, training sees the same."""

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.data.batch import Augmentation
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures, FilePictures
from kakera.data.loader import evaluation_batches, training_batches
from kakera.data.preload import cache, pieces
from kakera.data.preload.kept import CachedPictures
from kakera.data.preload.preload import is_decoded, preload
from kakera.errors import DataError, StorageError
from tests.data.files import NOISE, on_disk

SIDE, SHORTER, COUNT = 8, 18, 9
LARGE = {
    f"{i}.png": np.asarray(Image.fromarray(np.roll(NOISE, i, 0)).resize((64 + i, 48))) for i in range(COUNT)
}
FILES = {**LARGE, "3.png": b"text", "5.png": NOISE, "7.png": NOISE[:, :10]}
CROPS = Augmentation(crop=(0.2, 1.0), flip=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pieces, "MOST", 4)  # pictures of a piece
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    dataset = on_disk(tmp_path / "files", FILES)
    return replace(dataset, labels=np.arange(COUNT), classes=tuple(map(str, range(COUNT))))


def kept(data: Dataset, limit: int = 1 << 30, size: tuple[int, int] | None = (SIDE, SIDE)) -> Dataset:
    return preload(data, limit, shorter=SHORTER, size=size)


def crops(dataset: Dataset, workers: int = 0) -> np.ndarray:
    found = training_batches(dataset, (SIDE, SIDE), CROPS, seed=3, batch=4, steps=6, workers=workers)
    return np.concatenate([batch.pictures.numpy() for batch in found])


def middles(dataset: Dataset, side: int = SIDE) -> np.ndarray:
    return np.concatenate(
        [b.pictures.numpy() for b in evaluation_batches(dataset, (side, side), batch=4, workers=0)]
    )


def decoded_anew(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded from now on."""
    found: list[Path] = []
    read = FilePictures.read

    def counted(self: FilePictures, index: int) -> np.ndarray:
        found.append(self.paths[index])
        return read(self, index)

    monkeypatch.setattr(FilePictures, "read", counted)
    return found


def test_pictures_are_small_and_what_is_small_is_as_it_was(data: Dataset) -> None:
    found = kept(data)
    shapes = [found.pictures.read(index).shape for index in range(len(found))]
    assert isinstance(found.pictures, CachedPictures)
    assert shapes[0] == (18, 24, 3)
    assert shapes[4:] == [(12, 16, 3), (18, 26, 3), (12, 10, 3), (18, 27, 3)]
    assert np.array_equal(found.pictures.read(4), NOISE)
    assert found.pictures.name(4).endswith("5.png")


def test_unreadable_files_are_dropped_with_their_labels_in_memory_and_from_the_cache(data: Dataset) -> None:
    for found in (kept(data), kept(data, 0), kept(data, 0)):
        assert found.labels is not None
        assert found.labels.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
        assert [(Path(error.path).name, error.reason) for error in found.unreadable] == [
            (
                "3.png",
                "got a text file, expected a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM or TGA "
                "picture",
            )
        ]


@pytest.mark.parametrize("limit", [1 << 30, 0])
@pytest.mark.parametrize("size", [(SIDE, SIDE), (5, 5), None])
def test_evaluation_is_that_of_the_whole_pictures_bit_for_bit(
    limit: int, size: tuple[int, int] | None, data: Dataset
) -> None:
    assert np.array_equal(middles(kept(data, limit, size)), middles(data))


@pytest.mark.parametrize("side", [8, 96])
def test_training_on_whole_pictures_is_that_of_the_whole_pictures(side: int, data: Dataset) -> None:
    files = data.take(np.flatnonzero(np.arange(COUNT) != 3))
    kinds = {"seed": 3, "batch": 4, "steps": 4}
    held = preload(data, shorter=SHORTER, size=(side, side))
    batches = [training_batches(d, (side, side), Augmentation(flip=True), **kinds) for d in (files, held)]
    for one, other in zip(*batches, strict=True):
        assert np.array_equal(one.pictures, other.pictures)


def test_in_memory_in_the_cache_and_decoded_each_time_crops_are_the_same(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = crops(kept(data))
    first, second = kept(data, 0), kept(data, 0)
    assert np.array_equal(crops(first), wanted)
    assert np.array_equal(crops(second), wanted)
    assert np.array_equal(crops(second, workers=2), wanted)
    assert np.array_equal(crops(pickle.loads(pickle.dumps(second))), wanted)
    monkeypatch.setattr(cache, "MOST", 0)
    monkeypatch.setenv("KAKERA_CACHE", "/nowhere/at/all")
    rows = [row for row in range(COUNT) if row != 3]
    each_time = kept(data.take(rows), 0)
    assert not is_decoded(each_time)
    assert np.array_equal(crops(each_time), wanted)


def test_the_second_time_nothing_is_decoded(
    data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(data, 0)
    assert f"files: decoded pictures are stored in {folder} (" in capsys.readouterr().err
    again = decoded_anew(monkeypatch)
    found = kept(data, 0)
    assert f"files: 9 of 9 pictures are already decoded in {folder}\n" in capsys.readouterr().err
    crops(found)
    middles(found)
    assert again == []
    assert is_decoded(found)


def test_what_takes_long_to_decode_is_in_the_cache_though_it_fits_into_memory(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "SLOW", -1.0)
    plain = data.take([0, 1, 2])
    for dataset, options in ((data, {"shorter": SHORTER}), (plain, {})):
        before = preload(dataset, **options)
        again = decoded_anew(monkeypatch)
        after = preload(dataset, **options)
        assert again == []
        for index in range(len(before)):
            assert np.array_equal(before.pictures.read(index), after.pictures.read(index))


def test_what_decodes_quickly_and_fits_leaves_nothing_on_disk(data: Dataset, folder: Path) -> None:
    kept(data)
    assert not folder.exists()


@pytest.mark.parametrize("how", ["content", "time", "gone"])
def test_a_changed_file_is_noticed_and_its_piece_alone_is_made_anew(
    how: str, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(data, 0)
    path = tmp_path / "files" / "1.png"
    if how == "content":
        Image.fromarray(LARGE["2.png"]).save(path)
    elif how == "time":
        os.utime(path, (1, 1))
    else:
        path.unlink()
    again = decoded_anew(monkeypatch)
    found = kept(data, 0)
    assert {path.name for path in again} == {"0.png", "1.png", "2.png", "3.png"}
    assert len(found) == (COUNT - 2 if how == "gone" else COUNT - 1)
    if how == "content":
        assert np.array_equal(found.pictures.read(1), found.pictures.read(2))


@pytest.mark.parametrize("other", [{"shorter": 17}, {"size": (9, 9)}])
def test_other_sizes_are_other_pieces(
    other: dict[str, int], data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(data, 0)
    again = decoded_anew(monkeypatch)
    preload(data, 0, **({"shorter": SHORTER, "size": (SIDE, SIDE)} | other))
    assert len(again) == COUNT


@pytest.mark.parametrize("suffix", [".json", ".pixels"])
def test_a_piece_that_is_cut_off_is_made_anew_with_one_line(
    suffix: str, data: Dataset, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = crops(kept(data, 0))
    path = next(iter(sorted(folder.glob(f"*{suffix}"))))
    path.write_bytes(path.read_bytes()[:-5])
    capsys.readouterr()
    assert np.array_equal(crops(kept(data, 0)), wanted)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "damaged" in line] == [
        f"cache: {path.stem} in {folder} is damaged; its pictures are decoded again"
    ]
    kept(data, 0)
    assert "damaged" not in capsys.readouterr().err


def test_bytes_that_rot_are_decoded_again(data: Dataset, folder: Path) -> None:
    wanted, seen = crops(kept(data, 0)), middles(data)
    for path in folder.glob("*.pixels"):
        path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    found = kept(data, 0)
    assert np.array_equal(crops(found), wanted)
    assert np.array_equal(middles(found), seen)


def test_the_cache_may_be_deleted_while_it_is_used(data: Dataset, folder: Path) -> None:
    found = kept(data, 0)
    wanted = crops(kept(data))
    shutil.rmtree(folder)
    assert np.array_equal(crops(found), wanted)


def test_pieces_used_longest_ago_make_room_for_new_ones(
    data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(data, 0)
    old = {path.stem for path in folder.iterdir()}
    for path in folder.glob("*.json"):
        os.utime(path, (1, 1))
    size = sum(path.stat().st_size for path in folder.glob("*.pixels"))
    monkeypatch.setattr(cache, "MOST", size + 100)
    preload(data, 0, shorter=SHORTER, size=(SIDE + 1, SIDE + 1))
    assert not old <= {path.stem for path in folder.iterdir()}
    assert sum(path.stat().st_size for path in folder.glob("*.pixels")) <= 2 * size


def test_what_a_killed_process_left_behind_goes(data: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".one.pixels.12345678").write_bytes(b"half")
    (folder / ".two.pixels.12345678").write_bytes(b"half")
    os.utime(folder / ".one.pixels.12345678", (1, 1))
    kept(data, 0)
    assert [path.name for path in folder.glob(".*")] == [".two.pixels.12345678"]


def test_a_full_disk_is_one_line_and_pictures_are_decoded_each_time(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = crops(kept(data))

    def full(*_: object) -> None:
        raise StorageError("cache: got No space left on device, expected room to write; free some disk space")

    monkeypatch.setattr(cache, "store", full)
    found = kept(data.take([row for row in range(COUNT) if row != 3]), 0)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert np.array_equal(crops(found), wanted)


def test_nothing_readable_is_one_line_from_the_cache_too(tmp_path: Path) -> None:
    files = on_disk(tmp_path / "files", {"a.png": b"", "b.png": b"text"})
    for _ in range(2):
        with pytest.raises(DataError, match="files: got 2 unreadable files .*expected at least one"):
            preload(files, 0, shorter=SHORTER)


def test_pictures_that_are_all_small_are_one_array_as_ever(tmp_path: Path) -> None:
    files = on_disk(tmp_path / "files", {f"{i}.png": np.roll(NOISE, i, 0) for i in range(5)})
    found = preload(files, shorter=SHORTER, size=(SIDE, SIDE))
    assert isinstance(found.pictures, ArrayPictures)
    assert found.pictures.block is not None


def test_a_part_and_other_channels_can_be_taken(data: Dataset) -> None:
    found = kept(data)
    some = found.take([4, 0])
    assert np.array_equal(middles(some), middles(data.take([5, 0])))
    assert np.array_equal(middles(some.with_channels(1)), middles(data.take([5, 0]).with_channels(1)))
