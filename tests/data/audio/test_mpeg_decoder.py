"""Oracle: the same frames with the header that says their number, decoded by libsndfile; and PyAV."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kakera.data.audio import decode, measured, mpeg_decoder
from kakera.data.audio.decode import blocks, header
from kakera.data.audio.open_decoder import open_decoder
from kakera.data.audio.source import Source
from kakera.errors import UnreadableFileError
from tests.data.odd_recordings import encoded, frames_of, id3, mp3, saved, sound, unannounced

KINDS = [(44_100, 2, True), (44_100, 1, False), (22_050, 1, True), (22_050, 2, False), (8_000, 1, True)]
LATE = 1105  # samples that LAME and the decoder put before the first: 576 and 529


def whole(source: Source) -> NDArray[np.float32]:
    return np.concatenate([*blocks(source, seconds=0.7)])


def piece(source: Source, first: int, last: int) -> NDArray[np.float32]:
    file = open_decoder(source)
    try:
        return file.read(first, last)
    finally:
        file.close()


@pytest.mark.parametrize(("rate", "channels", "variable"), KINDS)
def test_all_is_read_where_no_header_says_the_length(rate: int, channels: int, variable: bool) -> None:
    announced = mp3(rate, channels=channels, variable=variable)
    content = unannounced(announced)
    found, wanted = (
        whole(content),
        soundfile.read(io.BytesIO(id3(10) + announced), dtype="float32", always_2d=True)[0],
    )
    assert len(found) == len(frames_of(content)) * (1152 if rate > 30_000 else 576)
    assert header(content).samples == len(found)
    np.testing.assert_allclose(found[LATE : LATE + len(wanted)], wanted, atol=1e-6)


@settings(max_examples=30)
@given(kind=st.sampled_from(KINDS), place=st.floats(0, 1), count=st.integers(1, 5_000))
def test_a_piece_is_what_the_whole_has_there(kind: tuple[int, int, bool], place: float, count: int) -> None:
    rate, channels, variable = kind
    for content in (
        mp3(rate, 2.0, channels, variable=variable),
        unannounced(mp3(rate, 2.0, channels, variable=variable)),
    ):
        wanted = whole(content)
        first = int(place * (len(wanted) - 1))
        np.testing.assert_allclose(
            piece(content, first, first + count), wanted[first : first + count], atol=1e-6
        )


def test_joined_files_are_read_as_one() -> None:
    one = unannounced(mp3())
    alone, found = whole(one), whole(one + one)
    assert len(found) == 2 * len(alone)
    np.testing.assert_allclose(found[-30_000:], alone[-30_000:], atol=1e-6)
    announced = mp3()
    assert header(announced + announced).samples == (2 * len(frames_of(announced)) - 1) * 1152 - LATE
    assert "233 frames, but 116 in the header: all frames are read" in header(announced + announced).note


def test_joined_files_of_two_rates_are_one_line() -> None:
    with pytest.raises(UnreadableFileError, match="got 22050 and 44100 Hz one after another in one file"):
        header(unannounced(mp3(22_050)) + unannounced(mp3(44_100)))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("announced", [True, False])
def test_a_part_of_a_file_is_read_to_its_end(share: float, announced: bool) -> None:
    content = mp3() if announced else unannounced(mp3())
    cut = content[: int(len(content) * share)]
    found, wanted = whole(cut), whole(content)
    assert len(found) == (len(frames_of(cut)) - announced) * 1152 - announced * LATE
    np.testing.assert_allclose(found, wanted[: len(found)], atol=1e-6)
    assert bool(header(cut).note) == announced


def test_a_part_from_the_middle_is_read_from_its_first_frame() -> None:
    content = unannounced(mp3())
    cut = content[len(content) // 3 :]
    found, wanted = whole(cut), whole(content)
    np.testing.assert_allclose(found[10_000:], wanted[len(wanted) - len(found) + 10_000 :], atol=1e-6)


APE = b"x" * 100 + b"APETAGEX" + struct.pack("<IIII", 2000, 132, 1, 0) + bytes(8)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (id3(1_000), b""),
        (id3(200_000), b""),
        (id3(300) + id3(5_000), b""),
        (bytes(3_000), bytes(5_000)),
        (b"", b"TAG" + bytes(125)),
        (b"", APE),
        (id3(1_000), APE + b"TAG" + bytes(125)),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_tags_and_rubbish_around_the_frames_are_no_sound(
    before: bytes, after: bytes, announced: bool
) -> None:
    content = mp3() if announced else unannounced(mp3())
    np.testing.assert_allclose(whole(before + content + after), whole(content), atol=1e-6)


def test_tags_between_joined_files_are_no_sound() -> None:
    content = unannounced(mp3())
    np.testing.assert_array_equal(whole(content + id3(700) + content), whole(content + content))


def test_a_header_that_says_too_much_is_not_believed() -> None:
    announced = bytearray(mp3())
    at = announced.index(b"Xing") + 8
    assert int.from_bytes(announced[at : at + 4]) == 116
    announced[at : at + 4] = (60).to_bytes(4)
    content = bytes(announced) + frames_of(bytes(announced))[-1]
    assert header(content).samples == 117 * 1152 - LATE


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    for content in (mp3(), unannounced(mp3())):
        found = [whole(saved(tmp_path / name, content)) for name in ("a.mp3", "b.wav", "c")]
        for other in (*found[1:], whole(content)):
            np.testing.assert_array_equal(found[0], other)


def test_mp3_within_wav_is_read_by_its_frames() -> None:
    content = unannounced(mp3())
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 44_100, 8_000, 1, 0, 12, 1, 2, 417, 1, 1393)
    chunks = (
        b"WAVEfmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", len(content))
        + content
    )
    np.testing.assert_array_equal(whole(b"RIFF" + struct.pack("<I", len(chunks)) + chunks), whole(content))


def test_pyav_agrees_about_every_sample(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the package av is not installed")
    for number, kind in enumerate(KINDS):
        rate, channels, variable = kind
        path = saved(tmp_path / f"{number}.mp3", unannounced(mp3(rate, channels=channels, variable=variable)))
        with av.open(str(path)) as file:
            wanted = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1).T
        np.testing.assert_allclose(whole(path), wanted, atol=1e-5)


def test_a_file_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(measured, "LONG", 0.0)
    path, times = saved(tmp_path / "a.mp3", unannounced(mp3())), list[int]()
    scan = mpeg_decoder.mpeg.scan
    monkeypatch.setattr(mpeg_decoder.mpeg, "scan", lambda *given: times.append(1) or scan(*given))
    for _ in range(3):
        decode.read(path, 16_000, start=20_000, count=100)
    measured.forget()
    decode.read(path, 16_000, start=30_000, count=100)
    assert len(times) == 1
    os.utime(path, ns=(1, 1))
    decode.read(path, 16_000, start=30_000, count=100)
    assert len(times) == 2


def test_the_decoder_is_quiet_wherever_a_piece_begins(capfd: pytest.CaptureFixture[str]) -> None:
    content = mp3(8_000, 5.0)
    for first in range(0, 36_000, 4_000):
        piece(content, first, first + 4_000)
    assert capfd.readouterr().err == ""
    with soundfile.SoundFile(io.BytesIO(id3(10) + content)) as file:
        for first in range(0, 36_000, 4_000):
            file.seek(first)
            file.read(4_000)
    if not capfd.readouterr().err:
        pytest.skip("this libsndfile is quiet by itself")


def test_frames_that_hold_no_sound_are_one_line() -> None:
    with pytest.raises(UnreadableFileError, match="got no complete frame of MPEG audio"):
        header(mp3()[:100])


def test_a_longer_file_of_either_kind_has_its_length(tmp_path: Path) -> None:
    values = sound(16_000, 30.0)
    content = encoded("mp3", values, 16_000, bitrate_mode="VARIABLE", compression_level=0.9)
    assert header(content).samples == len(values)
    assert header(unannounced(content)).samples == (len(frames_of(content)) - 1) * 576
