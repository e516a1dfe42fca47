from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kakera.data.audio.recordings import ArraySounds
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.preload import preload as preload_module
from kakera.data.preload.preload import preload
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, UnreadableFileError
from kakera.sound.spec import SoundSpec
from tests.data.files import NOISE, on_disk
from tests.data.test_dataset import Negatives

SAME = {f"{i}.png": np.roll(NOISE, i, axis=0) for i in range(7)}
BYTES = 7 * NOISE.size


@pytest.mark.parametrize("sizes", [{}, {"tall.png": NOISE[:, :4], "wide.png": NOISE[:4]}])
def test_the_pictures_are_the_same_and_in_the_same_order(
    sizes: dict[str, np.ndarray], tmp_path: Path
) -> None:
    files = on_disk(tmp_path, {**SAME, **sizes})
    held = preload(files)
    assert isinstance(held.pictures, ArrayPictures)
    assert (held.pictures.block is None) == bool(sizes)
    for index in range(len(files)):
        assert np.array_equal(held.pictures.read(index), files.pictures.read(index))
        assert held.pictures.name(index) == files.pictures.name(index)


def test_they_are_not_read_from_disk_again(tmp_path: Path) -> None:
    held = preload(on_disk(tmp_path, SAME))
    for path in tmp_path.iterdir():
        path.unlink()
    assert np.array_equal(held.pictures.read(0), NOISE)


def test_unreadable_ones_are_dropped_with_their_labels_and_listed(tmp_path: Path) -> None:
    files = on_disk(tmp_path, {"a.png": b"", "b.png": NOISE, "c.png": b"text", "d.png": NOISE[::-1]})
    before = UnreadableFileError("gone.png", "got no file of this name, expected a picture")
    split = np.array(["train", "test", "train", "val"])
    files = replace(files, labels=np.arange(4), classes=tuple("abcd"), split=split, unreadable=(before,))
    held = preload(files)
    assert held.labels is not None
    assert held.labels.tolist() == [1, 3]
    assert held.split.tolist() == ["test", "val"]
    assert np.array_equal(held.pictures.read(1), NOISE[::-1])
    assert [Path(error.path).name for error in held.unreadable] == ["gone.png", "a.png", "c.png"]
    assert "an empty file" in held.unreadable[1].reason


@pytest.mark.parametrize(("limit", "fits"), [(BYTES, True), (BYTES - 1, False), (0, False)])
def test_more_than_the_limit_stays_on_disk(limit: int, fits: bool, tmp_path: Path) -> None:
    files = on_disk(tmp_path, SAME)
    held = preload(files, limit)
    assert isinstance(held.pictures, ArrayPictures) == fits
    assert fits or held is files


def test_what_is_in_memory_or_of_an_unknown_kind_is_left_alone(tmp_path: Path) -> None:
    held = preload(on_disk(tmp_path, SAME))
    assert preload(held) is held
    unknown = Dataset("negatives", Negatives(), 1, np.full(6, "train"))
    assert preload(unknown) is unknown


@pytest.mark.parametrize("files", [{}, {"a.png": b"", "b.png": b"text"}])
def test_nothing_readable_is_one_line(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"files: got {len(files)} unreadable files .*expected at") as caught:
        preload(on_disk(tmp_path, files))
    assert "\n" not in str(caught.value)


def test_recordings_that_turn_out_longer_than_the_few_looked_at_stay_in_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile = pytest.importorskip("soundfile")
    for number, seconds in enumerate((0.1, 1.0, 1.0)):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(int(8000 * seconds)), 8000)
    dataset = open_dataset(tmp_path)
    assert dataset.sounds is not None
    dataset = replace(dataset, pictures=dataset.sounds.with_spec(SoundSpec(rate=8000)))
    monkeypatch.setattr(preload_module, "SAMPLE", 1)  # the first: it says 3 x 3 200 bytes
    limit = 3 * 3200
    assert preload(dataset, limit) is dataset
    held = preload(dataset, 8 * limit)
    assert isinstance(held.pictures, ArraySounds)
    assert sum(array.nbytes for array in held.pictures.arrays) == 4 * 16_800
