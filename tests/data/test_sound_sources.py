from pathlib import Path

import numpy as np
import pytest

from kakera.data.audio.recordings import ArraySounds, FileSounds
from kakera.data.dataset import Dataset
from kakera.data.preload.preload import preload
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.recordings import chirp, record

WAVE = chirp(16_000, 0.5)


def tree(root: Path, *names: str) -> Path:
    for name in names:
        record(root / name, WAVE)
    return root


def table(root: Path, text: str) -> Path:
    tree(root, "a.wav", "b.flac")
    (root / "t.csv").write_text(text)
    return root / "t.csv"


def names(dataset: Dataset) -> list[str]:
    return [Path(dataset.pictures.name(i)).name for i in range(len(dataset))]


def test_a_folder_of_recordings_has_one_sub_folder_a_class(tmp_path: Path) -> None:
    dataset = open_dataset(
        tree(tmp_path, *(f"{c}/{n}.{k}" for c in "xy" for n in range(5) for k in ("ogg", "wav")))
    )
    assert isinstance(dataset.pictures, FileSounds)
    assert (len(dataset), dataset.channels, dataset.classes) == (20, 1, ("x", "y"))
    assert sorted(dataset.split) == ["test"] * 4 + ["train"] * 16
    assert dataset.sounds is dataset.pictures


def test_train_and_test_folders_split_recordings(tmp_path: Path) -> None:
    dataset = open_dataset(tree(tmp_path, "train/x/a.wav", "train/y/b.wav", "test/x/c.wav"))
    assert dict(zip(names(dataset), dataset.split, strict=True)) == {
        "a.wav": "train",
        "b.wav": "train",
        "c.wav": "test",
    }


def test_covers_beside_songs_are_no_part_of_the_data(tmp_path: Path) -> None:
    (tree(tmp_path, "x/a.wav", "y/b.wav") / "x" / "cover.png").write_bytes(b"")
    assert names(open_dataset(tmp_path)) == ["a.wav", "b.wav"]


def test_a_table_may_name_parts_of_recordings_with_several_labels(tmp_path: Path) -> None:
    text = "file,label,start,end\na.wav,dog,0,0.2\na.wav,dog|cat,0.2,\nb.flac,,,\n"
    dataset = open_dataset(table(tmp_path, text))
    assert names(dataset) == ["a.wav[0–0.2 s]", "a.wav[0.2– s]", "b.flac"]
    assert dataset.sounds is not None
    assert [dataset.sounds.length(i) for i in range(3)] == [3_200, 4_800, 8_000]
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[False, True], [True, True], [False, False]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "a.wav,x,1,0.5",
            "got start and end 1,0.5 for a.wav, expected seconds, with the end after the start",
        ),
        ("a.wav,x,-1,", "got start and end -1, for a.wav"),
        ("a.wav,x,now,", "got start and end now, for a.wav"),
        ("a.wav,x,nan,2", "got start and end nan,2 for a.wav"),
        ("a.wav,x,1,2\na.wav,y,1,2", "got a.wav more than once"),
        ("a.wav,x,1.0,2\na.wav,x,1,2.00", "got a.wav more than once"),
        ("a.wav,x,,\n./a.wav,y,0,", "got a.wav and ./a.wav, one file, more than once, with labels x and y"),
    ],
)
def test_a_table_that_cannot_be_meant_is_one_line(rows: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        open_dataset(table(tmp_path, f"file,label,start,end\n{rows}\n"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_recordings_have_one_channel_and_no_other_is_given(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.wav", "y/b.wav")
    assert open_dataset(tmp_path, channels=1).channels == 1
    with pytest.raises(DataError, match="got recordings and 3 channels, expected 1; leave out --channels"):
        open_dataset(tmp_path, channels=3)


def test_small_data_are_held_as_waveforms_and_the_unreadable_listed(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.wav", "y/b.wav", "y/d.wav")
    (tmp_path / "y" / "b.wav").write_text("no recording")
    dataset = open_dataset(tmp_path)
    held = preload(dataset)
    assert isinstance(held.pictures, ArraySounds)
    assert names(held) == ["a.wav", "d.wav"]
    assert [Path(error.path).name for error in held.unreadable] == ["b.wav"]
    np.testing.assert_allclose(held.pictures.read(1), WAVE[:, 0], atol=1e-4)
    assert preload(dataset, limit_bytes=3 * 8_000 * 4 - 1) is dataset
    assert isinstance(preload(dataset, limit_bytes=3 * 8_000 * 4).pictures, ArraySounds)


def test_a_data_set_without_one_readable_recording_is_one_line(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_text("no recording")
    with pytest.raises(DataError, match="got 2 unreadable files .*, expected at least one readable file"):
        preload(open_dataset(tmp_path))
