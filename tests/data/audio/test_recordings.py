import math
from pathlib import Path

import numpy as np
import pytest

from kakera.data.audio.decode import Header
from kakera.data.audio.recordings import WHOLE, ArraySounds, FileSounds, Sounds
from kakera.errors import DataError, UnreadableFileError
from kakera.sound.spec import SoundSpec, preset
from tests.data.recordings import chirp, record

SPEC = SoundSpec()
VALUES = chirp(16_000, 2.0, 2)
MIXED = VALUES.mean(axis=1)


def file(root: Path) -> Path:
    return record(root / "a.wav", VALUES, subtype="FLOAT")


def both(root: Path) -> list[Sounds]:
    return [FileSounds([file(root)], SPEC), ArraySounds([MIXED], SPEC)]


def unreadable(sounds: Sounds, index: int = 0) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        sounds.length(index)
    with pytest.raises(UnreadableFileError):
        sounds.read(index)
    return caught.value


def test_on_disk_and_in_memory_the_same_is_heard(tmp_path: Path) -> None:
    for sounds in both(tmp_path):
        assert (len(sounds), sounds.length(0)) == (1, 32_000)
        np.testing.assert_allclose(sounds.read(0), MIXED, atol=1e-6)
        np.testing.assert_allclose(sounds.piece(0, 1_000, 500), MIXED[1_000:1_500], atol=1e-6)
        assert len(sounds.piece(0, 31_900, 500)) == 100
        assert len(sounds.piece(0, 40_000, 500)) == 0


def test_blocks_are_the_recording_as_it_is(tmp_path: Path) -> None:
    on_disk, in_memory = both(tmp_path)
    np.testing.assert_array_equal(np.concatenate(list(on_disk.blocks(0))), VALUES)
    np.testing.assert_array_equal(np.concatenate(list(in_memory.blocks(0))), MIXED[:, None])
    assert on_disk.header(0) == Header("WAV", 16_000, 2, 32_000)
    assert in_memory.header(0) == Header("memory", 16_000, 1, 32_000)


def test_a_span_is_a_recording_of_its_own(tmp_path: Path) -> None:
    sounds = FileSounds([file(tmp_path)] * 3, SPEC, [(0.5, 1.25), (1.5, math.inf), WHOLE])
    assert [sounds.length(i) for i in range(3)] == [12_000, 8_000, 32_000]
    np.testing.assert_allclose(sounds.read(0), MIXED[8_000:20_000], atol=1e-6)
    np.testing.assert_allclose(sounds.piece(0, 11_000, 5_000), MIXED[19_000:20_000], atol=1e-6)
    np.testing.assert_array_equal(np.concatenate(list(sounds.blocks(0))), VALUES[8_000:20_000])
    assert sounds.header(1).samples == 8_000
    assert [Path(sounds.name(i)).name for i in range(3)] == ["a.wav[0.5–1.25 s]", "a.wav[1.5– s]", "a.wav"]


def test_nothing_outside_of_a_span_is_heard_at_any_rate(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((44_100, 1)).astype(np.float32) * 0.1
    path, cut = record(tmp_path / "a.wav", values, 44_100, subtype="FLOAT"), values[5_424:29_988]
    sounds = FileSounds([path], SPEC, [(0.123, 0.68)])
    alone = FileSounds([record(tmp_path / "b.wav", cut, 44_100, subtype="FLOAT")], SPEC)
    assert sounds.length(0) == alone.length(0) == len(cut) * 16_000 // 44_100
    np.testing.assert_array_equal(sounds.read(0), alone.read(0))
    np.testing.assert_array_equal(sounds.piece(0, 4_321, 900), alone.piece(0, 4_321, 900))


def test_another_spec_hears_another_rate_and_channel(tmp_path: Path) -> None:
    heard = FileSounds([file(tmp_path)], SPEC).with_spec(SoundSpec(rate=8_000, channel=1))
    assert heard.length(0) == 16_000
    found = heard.read(0)
    # In its first second the chirp stays below what 8 kHz can carry.
    np.testing.assert_allclose(found[100:8_000], VALUES[200:16_000:2, 1], atol=1e-4)


def test_waveforms_in_memory_keep_their_rate_and_channel() -> None:
    sounds = ArraySounds([MIXED], SPEC)
    assert sounds.with_spec(SoundSpec(bins=40)).spec.bins == 40
    for other in (SoundSpec(rate=8_000), SoundSpec(channel=1)):
        with pytest.raises(DataError, match="recordings in memory: got .*, expected 16000 Hz and channel -1"):
            sounds.with_spec(other)


def test_rows_are_taken_in_any_order_and_again(tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{n}.wav", VALUES[: 1_000 * (n + 1)]) for n in range(4)]
    spans = [(0.0, 0.01 * (n + 3)) for n in range(4)]
    for sounds in (
        FileSounds(paths, SPEC, spans),
        ArraySounds([MIXED[: 160 * (n + 3)] for n in range(4)], SPEC, [f"{n}.wav" for n in range(4)]),
    ):
        taken = sounds.take(np.array([3, 1, 1])).take(np.array([2, 0]))
        assert [taken.length(i) for i in range(2)] == [160 * 4, 160 * 6]
        assert [Path(taken.name(i)).name[:5] for i in range(2)] == ["1.wav", "3.wav"]


@pytest.mark.parametrize(("samples", "shown"), [(1, "0.0625 ms"), (399, "24.9 ms")])
def test_what_is_shorter_than_a_frame_is_refused(samples: int, shown: str, tmp_path: Path) -> None:
    sounds = FileSounds([record(tmp_path / "a.wav", VALUES[:samples])], SPEC)
    error = unreadable(sounds)
    assert error.reason == f"got {shown}, expected at least a frame of 25 ms; leave it out"
    assert error.path == str(tmp_path / "a.wav")


def test_a_frame_is_enough(tmp_path: Path) -> None:
    assert FileSounds([record(tmp_path / "a.wav", VALUES[:400])], SPEC).length(0) == 400


def test_a_span_beyond_the_end_is_refused_by_its_own_name(tmp_path: Path) -> None:
    error = unreadable(FileSounds([file(tmp_path)], SPEC, [(3.0, 4.0)]))
    assert error.reason == "got 0 ms in a recording of 2 s, expected at least a frame of 25 ms; leave it out"
    assert error.path.endswith("a.wav[3–4 s]")


def test_an_unreadable_file_is_refused_by_the_name_of_the_span(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no recording")
    sounds = FileSounds([tmp_path / "a.wav"], SPEC, [(3.0, 4.0)])
    assert unreadable(sounds).path.endswith("a.wav[3–4 s]")
    for attempt in (sounds.header, lambda index: list(sounds.blocks(index))):
        with pytest.raises(UnreadableFileError, match=r"a.wav\[3–4 s\]: got a text file"):
            attempt(0)


def test_one_of_two_opposite_channels_is_heard_where_it_is_chosen(tmp_path: Path) -> None:
    wave = VALUES[:, :1]
    path = record(tmp_path / "a.wav", np.concatenate([wave, -wave], axis=1), subtype="FLOAT")
    assert not FileSounds([path], preset("ast")).read(0).any()
    np.testing.assert_array_equal(FileSounds([path], preset("ast,channel=left")).read(0), wave[:, 0])
    np.testing.assert_array_equal(FileSounds([path], preset("ast,channel=right")).read(0), -wave[:, 0])
