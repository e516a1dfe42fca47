import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from kakera.cli.main import main
from kakera.data.checks.inspect import inspect_dataset
from kakera.data.checks.inspect_sounds import SoundInspection, clipped
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.odd_recordings import with_data_size
from tests.data.recordings import chirp, record

WAVE = chirp(16_000, 1.0)
LOUD = np.clip(4 * WAVE, -1, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, in two parts: equal ones, a silent one, a clipped one, a short one, one of 32 channels."""
    half = WAVE.copy()
    half[:8_000] = 0
    record(tmp_path / "train/x/a.wav", WAVE)
    record(tmp_path / "train/x/b.wav", LOUD, subtype="FLOAT")
    record(tmp_path / "train/y/silent.flac", np.zeros((32_000, 1)))
    record(tmp_path / "train/y/loud.wav", LOUD, subtype="FLOAT")
    record(tmp_path / "train/y/short.wav", WAVE[:10])
    record(tmp_path / "test/y/leak.wav", WAVE)
    record(tmp_path / "test/y/half.wav", half[:, :1], 8_000)
    record(tmp_path / "test/x/many.wav", chirp(384_000, 0.5, 32), 384_000)
    return tmp_path


def inspected(folder: Path) -> SoundInspection:
    found = inspect_dataset(open_dataset(folder))
    assert isinstance(found, SoundInspection)
    return found


def test_rates_channels_kinds_and_durations_are_counted(folder: Path) -> None:
    found = inspected(folder)
    assert found.parts == {"train": 4, "val": 0, "test": 3}
    assert found.rates == {16_000: 5, 8_000: 1, 384_000: 1}
    assert found.channels == {1: 6, 32: 1}
    assert found.kinds == {"WAV": 6, "FLAC": 1}
    assert found.seconds == (0.5, 1.0, 2.0)
    assert found.total_seconds == pytest.approx(8.5)
    assert found.classes == {
        "x": {"train": 2, "val": 0, "test": 1},
        "y": {"train": 2, "val": 0, "test": 2},
    }


def test_silence_and_clipping_are_found(folder: Path) -> None:
    found = inspected(folder)
    assert [Path(name).name for name in found.silent] == ["silent.flac"]
    assert found.silence == pytest.approx(3.0 / 8.5, abs=0.01)
    runs = [len(list(run)) for full, run in groupby(np.abs(LOUD[:, 0]) >= 0.999) if full]
    assert {Path(name).name: samples for name, samples in found.clipped} == dict.fromkeys(
        ("b.wav", "loud.wav"), sum(length for length in runs if length >= 3)
    )


def test_equal_recordings_are_found_in_a_part_across_parts_and_with_other_labels(folder: Path) -> None:
    found = inspected(folder)

    def names(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, ...]]:
        return [tuple(sorted(Path(name).name for name in pair)) for pair in pairs]

    assert names(found.duplicates) == [("b.wav", "loud.wav")]
    assert names(found.leaks) == [("a.wav", "leak.wav")]
    assert sorted(names(found.contradictions)) == [("a.wav", "leak.wav"), ("b.wav", "loud.wav")]


def test_what_cannot_be_heard_is_named(folder: Path) -> None:
    ((path, reason),) = inspected(folder).unreadable
    assert Path(path).name == "short.wav"
    assert reason == "got 0.625 ms, expected at least a frame of 25 ms; leave it out"


def test_two_samples_at_full_scale_are_no_clipping_and_three_are() -> None:
    values = np.zeros((100, 2), np.float32)
    values[10:12, 0] = 1.0
    values[50:52, 1] = -1.0
    assert clipped(values) == 0
    values[52, 1] = -1.0
    assert clipped(values) == 3
    values[53, 1] = -1.0
    assert clipped(values) == 4
    assert clipped(values[:2]) == 0


def test_the_command_prints_one_fact_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert f"{folder}: 7 recordings, 0.00 hours" in said
    assert "seconds: 0.50 to 2.00, median 1.00" in said
    assert "sample rates: 16000 Hz (5), 8000 Hz (1), 384000 Hz (1)" in said
    assert "channels: 1 (6), 32 (1)" in said
    assert "silence: 35.3 % of the time" in said
    assert "silent recordings: 1" in said
    assert "classes: 2, 0 recordings without a label" in said
    assert "unreadable: 1" in said
    assert main(["inspect", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rates"]["384000"] == 1


def test_recordings_none_of_which_can_be_heard_are_one_line(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", WAVE[:10])
    with pytest.raises(DataError, match="got no readable recording, expected at least one"):
        inspect_dataset(open_dataset(tmp_path))


def test_channels_that_cancel_each_other_are_named(tmp_path: Path) -> None:
    wave = WAVE[:, 0]
    record(tmp_path / "opposite.wav", np.stack([wave, -wave], axis=1))
    record(tmp_path / "nearly.wav", np.stack([wave, -0.97 * wave], axis=1))
    record(tmp_path / "four.wav", np.stack([wave, -wave, 0.5 * wave, -0.5 * wave], axis=1))
    record(tmp_path / "half.wav", np.stack([wave, -0.5 * wave], axis=1))
    record(tmp_path / "same.wav", np.stack([wave, wave], axis=1))
    record(tmp_path / "mono.wav", wave)
    record(tmp_path / "silent.wav", np.zeros((16_000, 2)))
    found = inspected(tmp_path)
    assert [Path(name).name for name in found.cancelled] == ["four.wav", "nearly.wav", "opposite.wav"]
    assert [Path(name).name for name in found.silent] == ["silent.wav"]
    assert "channels cancel each other (choose one: --sound ast,channel=left): 3" in found.lines()


def test_files_that_are_read_with_a_note_are_named_with_it(tmp_path: Path) -> None:
    path = record(tmp_path / "pipe.wav", WAVE)
    path.write_bytes(with_data_size(path.read_bytes(), 0x7FFFF000))
    record(tmp_path / "a.wav", WAVE)
    found = inspected(tmp_path)
    note = "2147479552 bytes of samples in the header, 32000 in the file: read to its end"
    assert [(Path(name).name, said) for name, said in found.noted] == [("pipe.wav", note)]
    assert "read, but unusual: 1" in found.lines()


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("0,2", "1,3", True),
        ("0,3", "1,2", True),
        (",", "1,2", True),
        ("0,1", "1,2", False),
        ("0,1", "2,3", False),
    ],
)
def test_spans_of_one_file_that_overlap_between_parts_are_named(
    tmp_path: Path, first: str, second: str, overlap: bool
) -> None:
    record(tmp_path / "long.wav", chirp(16_000, 4.0))
    rows = [
        f"long.wav,{first},train",
        f"long.wav,{second},test",
        "long.wav,3.2,3.5,train",
        "long.wav,3.4,3.6,train",
    ]
    (tmp_path / "table.csv").write_text("\n".join(["file,start,end,split", *rows]) + "\n")
    found = inspected(tmp_path / "table.csv")
    assert len(found.overlaps) == overlap
    assert any(line.startswith("overlapping spans in different parts: ") for line in found.lines())
    if overlap:
        assert all(name.startswith(f"{tmp_path}/long.wav") for name in found.overlaps[0])
