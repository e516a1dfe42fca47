import os
from pathlib import Path

import numpy as np
import pytest

from kakera.data.audio import measured
from kakera.data.audio.measured import Arrays


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(measured, "LONG", 0.0)
    (tmp_path / "a").write_bytes(b"content")
    return tmp_path / "a"


class Counter:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Arrays:
        self.times += 1
        return {"n": np.array([self.times])}


def test_a_file_is_measured_once_in_a_process_and_once_on_a_disk(path: Path) -> None:
    count = Counter()
    for _ in range(3):
        assert measured.measured(path, "x", count)["n"] == [1]
        measured.forget()
    assert measured.measured(path, "y", count)["n"] == [2]


def test_a_changed_file_is_measured_again(path: Path) -> None:
    count = Counter()
    measured.measured(path, "x", count)
    os.utime(path, ns=(5, 5))
    assert measured.measured(path, "x", count)["n"] == [2]
    path.write_bytes(b"other")
    assert measured.measured(path, "x", count)["n"] == [3]


def test_what_took_no_time_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "LONG", 10.0)
    measured.measured(path, "x", Counter())
    assert not measured.folder().exists()


def test_a_damaged_measurement_is_made_again(path: Path) -> None:
    count = Counter()
    measured.measured(path, "x", count)
    (file,) = measured.folder().iterdir()
    for content in (b"", file.read_bytes()[:40], b"nonsense"):
        file.write_bytes(content)
        measured.forget()
        measured.measured(path, "x", count)
    assert count.times == 4


def test_a_cache_that_cannot_be_written_costs_only_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(path))  # a file, where a folder must be
    assert measured.measured(path, "x", Counter())["n"] == [1]
    assert not measured.store_samples(path, [np.zeros((3, 1), np.float32)], 12)


def test_samples_are_mapped_as_they_were_written(path: Path) -> None:
    pieces = [np.arange(6, dtype=np.float32).reshape(3, 2), np.ones((2, 2), np.float32)]
    assert measured.store_samples(path, pieces, 24)
    found = measured.mapped_samples(path, 5, 2)
    assert found is not None
    np.testing.assert_array_equal(found, np.concatenate(pieces))
    assert measured.mapped_samples(path, 4, 2) is None
    assert measured.mapped_samples(path.with_name("no"), 5, 2) is None


def test_what_was_used_longest_ago_goes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [path.with_name(str(number)) for number in range(3)]
    for number, other in enumerate(others):
        other.write_bytes(bytes(number + 1))
        measured.store_samples(other, [np.zeros((100, 1), np.float32)], 400)
    files = sorted(measured.folder().glob("*.f32"), key=lambda file: file.stat().st_mtime_ns)
    for number, file in enumerate(files):
        os.utime(file, ns=(number, number))
    monkeypatch.setattr(measured, "ON_DISK", 1_000)
    measured.store_samples(path, [np.zeros((100, 1), np.float32)], 400)
    assert not files[0].exists()
    assert files[2].exists()
