import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.audio.decode import blocks, header, read
from kakera.errors import MissingExtraError, UnreadableFileError
from tests.data.recordings import KINDS, LOSSLESS, LOSSY, chirp, float_wav, record

WAVE = chirp(16_000, 1.0)[:, 0]


def unreadable(path: Path, rate: int = 16_000, **options: Any) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read(path, rate, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.path == str(path)
    return caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_tells_its_rate_channels_and_samples(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", chirp(48_000, 0.5, 2), 48_000)
    found = header(path)
    assert (found.rate, found.channels, found.samples, found.seconds) == (48_000, 2, 24_000, 0.5)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_kinds_give_back_what_was_recorded(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", WAVE)
    np.testing.assert_allclose(read(path, 16_000), WAVE, atol=2.0**-15)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_kinds_give_back_nearly_what_was_recorded(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", WAVE)
    found = read(path, 16_000)
    assert len(found) == len(WAVE)
    assert np.corrcoef(found, WAVE)[0, 1] > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_known_by_its_content_whatever_the_name(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", WAVE)
    for name in ("絵 %s.wav", "b.mp3", "c"):
        shutil.copy(path, tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name, 16_000), read(path, 16_000))


def test_one_channel_or_the_mean_of_all_is_heard(tmp_path: Path) -> None:
    values = chirp(16_000, 0.2, 32)
    path = record(tmp_path / "a.wav", values, subtype="FLOAT")
    np.testing.assert_allclose(read(path, 16_000), values.mean(axis=1), atol=1e-6)
    for channel in (0, 31):
        np.testing.assert_array_equal(read(path, 16_000, channel), values[:, channel])
    said = "got 32 channels, expected a channel number 32; choose another channel"
    assert unreadable(path, channel=32) == said


@pytest.mark.parametrize("own", [8_000, 11_025, 22_050, 44_100, 44_101, 48_000, 384_000])
def test_a_piece_is_what_the_whole_recording_has_there_at_another_rate(own: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(2 * own).astype(np.float32) * 0.1
    path = record(tmp_path / "a.wav", values, own, subtype="FLOAT")
    whole = soxr.resample(values, own, 16_000)
    assert len(read(path, 16_000)) == header(path).samples_at_rate(16_000) == 32_000
    np.testing.assert_allclose(read(path, 16_000), whole, atol=1e-6)
    for start, count in ((0, 100), (1, 1), (7_777, 4_000), (31_000, 1_000), (31_999, 5), (15_000, 99_999)):
        np.testing.assert_allclose(
            read(path, 16_000, start=start, count=count), whole[start : start + count], atol=1e-6
        )


def test_a_tone_keeps_its_pitch_and_level_at_another_rate(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    path = record(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * time), 44_100, subtype="FLOAT")
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(read(path, 16_000)[500:-500], wanted[500:-500], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_of_any_kind_is_what_the_whole_has_there(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", chirp(24_000, 2.0), 24_000)
    whole = read(path, 16_000)
    found = read(path, 16_000, start=22_345, count=6_000)
    np.testing.assert_allclose(found, whole[22_345:28_345], atol=1e-6)


@pytest.mark.parametrize("start", [16_000, 10**9])
def test_beyond_the_end_there_is_nothing(start: int, tmp_path: Path) -> None:
    assert read(record(tmp_path / "a.wav", WAVE), 16_000, start=start, count=10).shape == (0,)


def test_only_the_piece_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path / "a.wav", np.zeros(44_100 * 60), 44_100)
    decoded: list[int] = []
    original = soundfile.SoundFile.read

    def counted(self: soundfile.SoundFile, frames: int, **options: Any) -> Any:
        decoded.append(frames)
        return original(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    read(path, 16_000, start=16_000 * 30, count=16_000)
    assert sum(decoded) < 2 * 44_100


def test_blocks_are_the_recording_in_pieces(tmp_path: Path) -> None:
    values = chirp(8_000, 1.3, 2)
    path = record(tmp_path / "a.wav", values, 8_000, subtype="FLOAT")
    found = list(blocks(path, seconds=0.5))
    assert [len(block) for block in found] == [4_000, 4_000, 2_400]
    np.testing.assert_array_equal(np.concatenate(found), values)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"mp3"}))
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_recording_is_refused(kind: str, share: float, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(48_000) * 0.1
    content = record(tmp_path / f"a.{kind}", values, 48_000).read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(content[: int(len(content) * share)])
    assert unreadable(path).startswith("got ")
    assert "; copy or export it again" in unreadable(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"this is not a recording\n", "a text file"),
        (b"  <!doctype html>", "an HTML or XML file"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (bytes(3000), "unknown bytes"),
    ],
)
@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_what_is_no_recording_is_named(content: bytes, words: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content)
    assert unreadable(path) == f"got {words}, expected a WAV, FLAC, Ogg, MP3, Opus or AIFF recording"


def test_what_is_not_there_or_no_file_is_named(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "no.wav") == "got no file of this name, expected a recording"
    assert unreadable(tmp_path) == "got a folder, expected a recording"
    assert unreadable(tmp_path / ("x" * 300)).startswith("got File name too long")


@pytest.mark.parametrize("rate", [1, 999, 800_000, 2**31 - 1])
def test_a_rate_that_no_recording_has_is_refused(rate: int, tmp_path: Path) -> None:
    said = f"got a rate of {rate} Hz, expected 1000 to 768000 Hz; correct the header"
    assert unreadable(float_wav(tmp_path / "a.wav", WAVE, rate)) == said


def test_no_samples_are_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", np.zeros((0, 1)))
    assert unreadable(path) == "got no samples, expected at least one frame; leave it out"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_found_where_it_is(value: float, tmp_path: Path) -> None:
    values = WAVE.copy()
    values[8_000:8_010] = value
    path = float_wav(tmp_path / "a.wav", values)
    said = "got a NaN or infinite value at 0.500 s, expected −1 to 1; export it again"
    assert unreadable(path) == said
    np.testing.assert_array_equal(read(path, 16_000, count=8_000), WAVE[:8_000])


def test_a_wav_of_unknown_length_as_pipes_write_it_is_read(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", WAVE)
    content = bytearray(path.read_bytes())
    for name in (b"RIFF", b"data"):
        at = content.index(name) + 4
        content[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    np.testing.assert_allclose(read(path, 16_000), WAVE, atol=2.0**-15)


def test_a_missing_extra_is_one_line_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path / "a.wav", WAVE)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError) as caught:
        header(path)
    assert str(caught.value) == (
        "recordings: got no soundfile, expected the extra kakera[audio]; pip install 'kakera[audio]'"
    )


def test_resampling_without_soxr_is_one_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record(tmp_path / "a.wav", WAVE)
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert len(read(path, 16_000)) == 16_000
    with pytest.raises(MissingExtraError, match="got no soxr, expected the extra"):
        read(path, 8_000)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("contents")
    return {kind: record(root / f"a.{kind}", chirp(16_000, 0.1)).read_bytes() for kind in KINDS}


def attempted(path: Path) -> NDArray[np.float32] | str:
    try:
        return read(path, 16_000)
    except UnreadableFileError as error:
        return str(error)


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(KINDS)), data=st.data())
def test_a_damaged_recording_is_read_or_refused(
    kind: str, data: st.DataObject, contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(contents[kind])
    place = st.integers(0, len(content) - 1) | st.integers(0, 60)
    for at, byte in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)):
        content[at] = byte
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(None))])
    found = attempted(path)
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


def test_no_file_is_left_open(tmp_path: Path) -> None:
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("there is no /proc here")
    good = record(tmp_path / "a.flac", WAVE)
    (tmp_path / "b.flac").write_bytes(good.read_bytes()[:-200])
    before = len(list(fds.iterdir()))
    read(good, 8_000)
    unreadable(tmp_path / "b.flac")
    next(blocks(good))
    assert len(list(fds.iterdir())) == before
    assert {f".{kind}" for kind in KINDS} <= decode.SUFFIXES


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_what_is_in_a_file_is_read_as_the_file_is(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, 0.3 * np.sin(np.arange(22_050) / 10), 22_050)
    content = path.read_bytes()
    assert decode.header(content) == decode.header(path)
    whole, piece = decode.read(content, 16_000), decode.read(content, 16_000, start=4_000, count=2_000)
    assert np.array_equal(whole, decode.read(path, 16_000))
    assert np.array_equal(piece, decode.read(path, 16_000, start=4_000, count=2_000))


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "an empty file"), (b"hello", "a text file"), (b"RIFF" + bytes(60), "damaged")]
)
def test_content_that_is_no_recording_is_named_without_a_path(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"^recording: got .*{said}"):
        decode.read(content, 16_000)
