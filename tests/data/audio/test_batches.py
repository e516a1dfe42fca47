import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from kakera.data.audio.batches import Crops, Windows, starts, windows_at
from kakera.data.audio.recordings import ArraySounds, FileSounds
from kakera.data.audio.wav import wav
from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.loader import evaluation_batches, training_batches
from kakera.sound.spec import SoundSpec
from tests.data.recordings import chirp, record

SPEC = SoundSpec(rate=1_000, frame=20.0, hop=10.0, bins=8)
SIZE = (8, 9)  # 20 + 8 · 10 = 100 samples
LENGTHS = [40, 100, 101, 250, 1000]


def data() -> Dataset:
    """Recording i counts up from 10 000 · i."""
    arrays = [10_000 * i + np.arange(length, dtype=np.float32) for i, length in enumerate(LENGTHS)]
    labels = np.arange(5) % 2
    return Dataset("d", ArraySounds(arrays, SPEC), 1, np.full(5, "train"), ("a", "b"), labels)


def crops(*, start: int = 0, workers: int = 0, kind: Augmentation | None = None) -> list[Batch]:
    kind = kind or Augmentation()
    given = {"seed": 3, "batch": 2, "steps": 40, "start": start, "workers": workers}
    return list(training_batches(data(), SIZE, kind, **given))


@pytest.mark.parametrize(
    ("length", "expected"),
    [(40, [0]), (100, [0]), (101, [0, 1]), (200, [0, 100]), (250, [0, 100, 150])],
)
def test_windows_cover_a_recording_and_the_last_ends_with_it(length: int, expected: list[int]) -> None:
    assert starts(length, 100) == expected


def test_evaluation_hears_every_sample_of_every_recording() -> None:
    heard: dict[int, set[float]] = {}
    for batch in evaluation_batches(data(), SIZE, batch=4):
        assert batch.lengths is not None
        for number, wave, length in zip(batch.samples.tolist(), batch.pictures, batch.lengths, strict=True):
            heard.setdefault(number, set()).update(wave[: int(length)].tolist())
            assert not wave[int(length) :].any()
    assert {number: len(values) for number, values in heard.items()} == dict(enumerate(LENGTHS))


def test_a_crop_is_a_piece_of_the_recording_and_starts_vary() -> None:
    places: set[int] = set()
    for batch in crops():
        assert batch.starts is not None
        assert batch.lengths is not None
        assert batch.pictures.shape == (2, 100)
        columns = (batch.samples.tolist(), batch.starts.tolist(), batch.lengths.tolist())
        for number, start, length, wave in zip(*columns, batch.pictures.numpy(), strict=True):
            assert length == min(LENGTHS[number], 100)
            expected = 10_000 * number + start + np.arange(length)
            np.testing.assert_array_equal(wave[:length], expected)
            places |= {start} if number == 4 else set()
    assert len(places) > 8
    assert max(places) <= 900


def test_crops_are_the_same_from_any_step_on_and_with_workers() -> None:
    kind = Augmentation(time_shift=0.02, gain=6.0, noise=0.3)
    whole = crops(kind=kind)
    for found in (crops(start=30, kind=kind), crops(start=30, workers=2, kind=kind)):
        for one, other in zip(found, whole[30:], strict=True):
            np.testing.assert_array_equal(one.pictures, other.pictures)
            assert one.step == other.step


def test_a_window_begins_where_it_is_asked_for_and_ends_with_the_recording() -> None:
    found = windows_at(data(), 100, 90)
    assert found.lengths is not None
    assert found.starts is not None
    assert found.samples.tolist() == [3, 4]  # the others have less than a frame of 20 left
    assert found.lengths.tolist() == [100, 100]
    assert found.starts.tolist() == [90, 90]
    assert found.pictures[0].tolist() == [30_090 + i for i in range(100)]
    assert [error.path for error in found.unreadable] == [f"recording[{i}]" for i in range(3)]
    assert "expected a frame after 0.09 s; start earlier" in found.unreadable[1].reason
    short = windows_at(data(), 100, 200)
    assert short.lengths is not None
    assert short.lengths.tolist() == [50, 100]
    assert not short.pictures[0, 50:].any()


OPENED: list[str] = []


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | Path):
        OPENED.append(str(arguments[0]))


sys.addaudithook(hook)  # of whatever Python opens; libsndfile opens by itself what it is given a name of


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    class Counted(soundfile.SoundFile):
        def __init__(self, file: Any, *args: Any, **given: Any) -> None:
            if isinstance(file, str | Path):
                OPENED.append(str(file))
            super().__init__(file, *args, **given)

    monkeypatch.setattr(soundfile, "SoundFile", Counted)
    OPENED.clear()
    return OPENED


def on_disk(root: Path, kind: str, count: int = 3) -> Dataset:
    files = [record(root / f"{number}.{kind}", chirp(8_000, 2.0), 8_000) for number in range(count)]
    sounds = FileSounds(files, SoundSpec(rate=8_000))
    return Dataset("d", sounds, 1, np.full(count, "train"))


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system opens a file for each look into it")
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_a_crop_opens_its_file_once(kind: str, tmp_path: Path, opened: list[str]) -> None:
    data = on_disk(tmp_path, kind)
    opened.clear()
    batch = Crops(data, 4_000, Augmentation(), 0, 3).__getitems__([(0, 0, i, i) for i in range(3)])
    assert len(batch.samples) == 3
    assert Counter(Path(name).name for name in opened if name.endswith(kind)) == {
        f"{number}.{kind}": 1 for number in range(3)
    }


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system opens a file for each look into it")
def test_windows_of_one_recording_open_its_file_once_a_batch(tmp_path: Path, opened: list[str]) -> None:
    windows = Windows(on_disk(tmp_path, "wav"), 4_000)
    opened.clear()
    batch = windows.__getitems__([(0, 0, number, number) for number in range(len(windows))])
    assert len(batch.samples) == 12
    assert Counter(Path(name).name for name in opened if name.endswith("wav")) == {
        "0.wav": 1,
        "1.wav": 1,
        "2.wav": 1,
    }


def test_a_window_that_cannot_be_decoded_leaves_the_others_of_its_recording(tmp_path: Path) -> None:
    values = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    values[5_000] = np.nan
    path = tmp_path / "a.wav"
    path.write_bytes(wav(values[:, None], 8_000, "FLOAT"))
    data = Dataset("d", FileSounds([path], SoundSpec(rate=8_000)), 1, np.full(1, "train"))
    batch = Windows(data, 4_000).__getitems__([(0, 0, number, number) for number in range(4)])
    assert batch.starts is not None
    assert batch.starts.tolist() == [0, 8_000, 12_000]
    assert [error.path for error in batch.unreadable] == [str(path)]


def test_windows_of_a_file_that_is_gone_are_all_named(tmp_path: Path) -> None:
    data = on_disk(tmp_path, "wav", count=1)
    windows = Windows(data, 4_000)
    (tmp_path / "0.wav").unlink()
    batch = windows.__getitems__([(0, 0, number, number) for number in range(4)])
    assert [error.path for error in batch.unreadable] == [str(tmp_path / "0.wav")] * 4
