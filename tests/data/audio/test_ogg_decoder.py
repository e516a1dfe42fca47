"""Oracle: one decode of the whole file by libsndfile, from its beginning; and PyAV."""

import io
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kakera.data.audio.decode import blocks, header
from kakera.data.audio.open_decoder import open_decoder
from kakera.errors import UnreadableFileError
from tests.data.odd_recordings import checksum, encoded, sound, unended


def quiet_middle(rate: int, seconds: float) -> NDArray[np.float32]:
    values = sound(rate, seconds)
    values[rate : -rate // 2] = 0
    return values


@cache
def ogg(name: str) -> bytes:
    kind, _, rest = name.partition(" ")
    rate = 48_000 if kind == "opus" else 44_100
    if rest == "speech":
        return encoded("opus", sound(16_000, 6.0), 16_000)
    if rest == "silence":
        return encoded(kind, quiet_middle(rate, 20.0), rate)
    return encoded(kind, sound(rate, 4.0, 2), rate, compression_level=0.9 if rest == "low" else 0.3)


NAMES = ["ogg", "ogg low", "ogg silence", "opus", "opus low", "opus silence", "opus speech"]


def decoded(content: bytes) -> NDArray[np.float32]:
    return soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]


def piece(content: bytes, first: int, last: int) -> NDArray[np.float32]:
    file = open_decoder(content)
    try:
        return file.read(first, last)
    finally:
        file.close()


@settings(max_examples=60)
@given(name=st.sampled_from(NAMES), place=st.floats(0, 1) | st.floats(0.97, 1), count=st.integers(1, 4_000))
def test_a_piece_is_what_the_whole_has_there(name: str, place: float, count: int) -> None:
    content, wanted = ogg(name), decoded(ogg(name))
    first = int(place * (len(wanted) - 1))
    found = piece(content, first, min(first + count, len(wanted)))
    np.testing.assert_allclose(found, wanted[first : first + count], atol=1e-6)


@pytest.mark.parametrize("name", ["ogg", "ogg silence"])
@pytest.mark.parametrize("before", [1, 100, 1_000, 5_000, 20_000])
def test_a_piece_that_begins_in_the_last_page_is_in_its_place(name: str, before: int) -> None:
    wanted = decoded(ogg(name))
    found = piece(ogg(name), len(wanted) - before, len(wanted))
    np.testing.assert_allclose(found, wanted[-before:], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_streams_one_after_another_are_read_as_one(name: str) -> None:
    one = decoded(ogg(name))
    content = ogg(name) * 3
    assert header(content).samples == 3 * len(one)
    assert header(content).note == "3 recordings one after another, read as one"
    np.testing.assert_allclose(
        np.concatenate([*blocks(content, seconds=1.3)]), np.concatenate([one] * 3), atol=1e-6
    )
    middle = piece(content, len(one) - 300, 2 * len(one) + 200)
    np.testing.assert_allclose(middle, np.concatenate([one[-300:], one, one[:200]]), atol=1e-6)


def test_streams_of_two_codecs_with_one_rate_are_read_as_one() -> None:
    vorbis = encoded("ogg", sound(48_000, 1.0, 2), 48_000)
    found = np.concatenate([*blocks(vorbis + ogg("opus"))])
    np.testing.assert_allclose(found, np.concatenate([decoded(vorbis), decoded(ogg("opus"))]), atol=1e-6)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (encoded("ogg", sound(8_000, 1.0, 2), 8_000), "8000 and 44100 Hz"),
        (encoded("ogg", sound(), 44_100), "1 and 2 channels"),
    ],
)
def test_streams_of_two_kinds_are_one_line(other: bytes, said: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"got {said} one after another in one file"):
        header(ogg("ogg") + other)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_without_its_end_mark_is_read_as_far_as_it_goes(name: str) -> None:
    content, wanted = unended(ogg(name)), decoded(ogg(name))
    assert not content[content.rindex(b"OggS") + 5] & 4
    np.testing.assert_allclose(np.concatenate([*blocks(content)]), wanted, atol=1e-6)
    assert header(content).note == "no flag for the end of the stream: read to its end"
    np.testing.assert_allclose(piece(content, len(wanted) - 700, len(wanted)), wanted[-700:], atol=1e-6)


def test_the_checksum_of_a_page_is_that_of_the_standard() -> None:
    content = ogg("ogg")
    last = content[content.rindex(b"OggS") :]
    assert checksum(last) == int.from_bytes(last[22:26], "little")


@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_a_stream_that_was_cut_within_a_page_is_refused(name: str) -> None:
    for bytes_ in (3, 20, 200):
        with pytest.raises(UnreadableFileError, match="got a recording without its end"):
            header(ogg(name)[:-bytes_])


@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_tags_around_it_are_no_sound(name: str) -> None:
    content = b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + ogg(name) + b"TAG" + bytes(125)
    np.testing.assert_allclose(np.concatenate([*blocks(content)]), decoded(ogg(name)), atol=1e-6)


@pytest.mark.parametrize("name", ["ogg", "ogg low", "opus"])
def test_pyav_agrees(name: str) -> None:
    av = pytest.importorskip("av", reason="the package av is not installed")
    with av.open(io.BytesIO(ogg(name))) as file:
        wanted = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1).T
    np.testing.assert_allclose(np.concatenate([*blocks(ogg(name))]), wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
@pytest.mark.parametrize("channels", [3, 5, 6, 7, 8])
def test_channels_stand_in_the_order_of_wav(kind: str, channels: int) -> None:
    av = pytest.importorskip("av", reason="the package av is not installed: pip install 'kakera[av]'")
    content = encoded(kind, np.float32(0.5) * sound(48_000, 0.5, channels), 48_000)
    with av.open(io.BytesIO(content)) as file:  # FFmpeg's own decoders, which have that order
        packed = [av.AudioResampler(format="flt").resample(frame)[0] for frame in file.decode(audio=0)]
    there = np.concatenate([frame.to_ndarray() for frame in packed], axis=1).reshape(-1, channels)
    found = np.concatenate([*blocks(content)])
    count = min(len(found), len(there))
    apart = [np.abs(found[4_000:count, one] - there[4_000:count, one]).max() for one in range(channels)]
    assert max(apart) < 2e-3


def page(flags: int, serial: int, number: int, packet: bytes) -> bytes:
    head = b"OggS\0" + bytes([flags]) + bytes(8) + serial.to_bytes(4, "little") + number.to_bytes(4, "little")
    whole = head + bytes(4) + bytes([1, len(packet)]) + packet
    return whole[:22] + checksum(whole).to_bytes(4, "little") + whole[26:]


def test_a_skeleton_beside_vorbis_changes_no_sample() -> None:
    content = ogg("ogg")
    first = 27 + content[26] + sum(content[27 : 27 + content[26]])
    begin, end = page(2, 7, 0, b"fishead\0" + bytes(56)), page(4, 7, 1, b"")
    with_skeleton = begin + content[:first] + page(0, 7, 1, b"fisbone\0" + bytes(44)) + end + content[first:]
    assert header(with_skeleton).samples == header(content).samples
    np.testing.assert_array_equal(
        np.concatenate([*blocks(with_skeleton)]), np.concatenate([*blocks(content)])
    )
