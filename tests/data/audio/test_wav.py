"""Oracle: soundfile reads the WAV that is written, and the source that it was cut from."""

import io
import math
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kakera.data.audio import decode
from kakera.data.audio import wav as packable
from kakera.data.audio.decode import WHOLE
from kakera.data.audio.wav import TYPES, as_file, wav
from kakera.errors import UnreadableFileError
from tests.data.recordings import KINDS, LOSSLESS, chirp, record

SUBTYPES = [
    *(("wav", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("wav", s) for s in ("IMA_ADPCM", "MS_ADPCM")),
    *(("flac", s) for s in ("PCM_S8", "PCM_16", "PCM_24")),
    *(("aiff", s) for s in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32")),
]


@pytest.mark.parametrize(("suffix", "subtype"), SUBTYPES)
def test_a_span_decodes_to_the_samples_of_the_source(suffix: str, subtype: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{suffix}", chirp(44_100, 1.0, 2), 44_100, subtype=subtype)
    content, kind = as_file(path, (0.2, 0.7))
    wanted = soundfile.read(path, dtype="float32", always_2d=True)[0][8_820:30_870]
    found, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert (kind, rate) == (".wav", 44_100)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("suffix", ["ogg", "mp3", "opus"])
def test_a_span_of_a_lossy_recording_too(suffix: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{suffix}", chirp(48_000, 2.0), 48_000)
    content, _ = as_file(path, (0.5, 1.5))
    found = soundfile.read(io.BytesIO(content), dtype="float32")[0]
    np.testing.assert_array_equal(found, np.concatenate([*decode.blocks(path, (0.5, 1.5))])[:, 0])
    np.testing.assert_allclose(found, soundfile.read(path, dtype="float32")[0][24_000:72_000], atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_span_has_the_type_of_its_source_where_wav_has_it(subtype: str, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", chirp(8_000, 0.5, 3), 8_000, subtype=subtype)
    found = soundfile.info(io.BytesIO(as_file(path, (0.1, 0.2))[0]))
    assert (found.format, found.subtype, found.channels, found.frames) == ("WAV", subtype, 3, 800)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050])
def test_a_packed_span_is_heard_at_any_rate_as_the_span_is(rate: int, tmp_path: Path) -> None:
    path, span = record(tmp_path / "a.flac", chirp(44_100, 2.0), 44_100), (0.123456, 1.4)
    content, _ = as_file(path, span)
    np.testing.assert_array_equal(decode.read(content, rate), decode.read(path, rate, span=span))
    piece = decode.read(path, rate, start=3_333, count=1_000, span=span)
    np.testing.assert_array_equal(decode.read(content, rate, start=3_333, count=1_000), piece)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_recording_is_the_file_itself_whatever_its_name(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", chirp(16_000, 0.3))
    assert as_file(path, WHOLE) == (path.read_bytes(), f".{kind}")
    other = path.rename(tmp_path / "b.xyz")
    named = ".ogg" if kind == "opus" else f".{kind}"
    assert as_file(other, WHOLE) == (other.read_bytes(), named)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_python_s_own_reader_agrees(size: int) -> None:
    kind = {1: "PCM_U8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}[size]
    values = np.random.default_rng(0).integers(-(2**31), 2**31, (7, 1)).astype(np.int32)
    with wave.open(io.BytesIO(wav(values, 8_000, kind))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (
            *(1, size, 8_000, 7),
        )
        data = np.frombuffer(file.readframes(7), np.uint8).reshape(7, size)
    high = np.array([[(int(v) >> 8 * (4 - size + n)) & 255 for n in range(size)] for v in values[:, 0]])
    assert np.array_equal(data, high ^ 0x80 if size == 1 else high)


def test_the_same_samples_are_the_same_bytes(tmp_path: Path) -> None:
    path = record(tmp_path / "a.ogg", chirp(16_000, 1.0))
    assert as_file(path, (0.1, 0.5)) == as_file(path, (0.1, 0.5))
    assert set(TYPES) >= {"FLOAT"}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_damage_anywhere_is_found_before_it_is_packed(kind: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"a.{kind}", chirp(16_000, 1.0))
    path.write_bytes(path.read_bytes()[:-4_000])
    for span in (WHOLE, (0.5, math.inf)):
        with pytest.raises(UnreadableFileError, match="copy or export it again"):
            as_file(path, span)


@pytest.mark.parametrize("span", [WHOLE, (0.0, 0.5)])
def test_more_than_fits_is_one_line(
    span: decode.Span, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packable, "MOST", 1_000)
    path = record(tmp_path / "a.wav", chirp(16_000, 1.0))
    with pytest.raises(
        UnreadableFileError, match=r"got [\d,]+ bytes, expected at most 1,000 in a shard; cut"
    ):
        as_file(path, span)
