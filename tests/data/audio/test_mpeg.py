"""Oracle: the tables of ISO/IEC 11172-3 and 13818-3, written out for some headers."""

import io

import pytest

from kakera.data.audio.mpeg import begin_of_sound, end_of_sound, frame_header, scan, xing_header
from tests.data.odd_recordings import frames_of, id3, mp3

HEADERS = [  # bytes; layer, rate, channels, samples, size
    ("fffb9044", (3, 44_100, 2, 1_152, 417)),  # 128 kbit/s
    ("fffb9244", (3, 44_100, 2, 1_152, 418)),  # with padding
    ("fffbe0c4", (3, 44_100, 1, 1_152, 1_044)),  # 320 kbit/s, mono
    ("fff38064", (3, 22_050, 2, 576, 208)),  # 64 kbit/s
    ("ffe318c4", (3, 8_000, 1, 576, 72)),  # 8 kbit/s, MPEG 2.5
    ("fffda004", (2, 44_100, 2, 1_152, 626)),  # 192 kbit/s
    ("ffff8404", (1, 48_000, 2, 384, 256)),  # 256 kbit/s
    ("fffb0044", (3, 44_100, 2, 1_152, 0)),  # of free format
]


@pytest.mark.parametrize(("word", "expected"), HEADERS)
def test_a_header_says_layer_rate_channels_samples_and_size(word: str, expected: tuple[int, ...]) -> None:
    found = frame_header(bytes.fromhex(word))
    assert found is not None
    assert (found.layer, found.rate, found.channels, found.samples, found.size) == expected


@pytest.mark.parametrize(
    "word", ["00000000", "fffb", "fffbf044", "fffb9c44", "ffeb9044", "fff99044", "fffb9046"]
)
def test_what_the_standard_reserves_is_no_header(word: str) -> None:
    assert frame_header(bytes.fromhex(word)) is None


def test_the_first_frame_says_how_many_follow_and_in_how_many_bytes() -> None:
    content = mp3()
    found = xing_header(frames_of(content)[0])
    assert found is not None
    assert (found.frames, found.size) == (len(frames_of(content)) - 1, len(content))
    assert xing_header(frames_of(content)[1]) is None


def test_tags_are_before_and_behind_the_sound() -> None:
    assert begin_of_sound(io.BytesIO(id3(7) + id3(300) + mp3())) == 17 + 310
    assert begin_of_sound(io.BytesIO(mp3())) == 0
    tail = b"sound" + b"x" * 9 + b"000009" + b"LYRICS200" + b"TAG" + bytes(125)
    assert end_of_sound(tail, 1_000 + len(tail)) == 1_005
    assert end_of_sound(b"sound", 5) == 5


def test_frames_are_found_behind_rubbish_and_the_last_only_where_it_is_whole() -> None:
    frames = frames_of(mp3())
    content = (
        b"\xff\xfb\x90" * 50 + b"".join(frames[:20]) + bytes(100) + b"".join(frames[20:40]) + frames[40][:-1]
    )
    found, kinds = scan(content, 0, len(content))
    assert [content[at : at + size] for at, size in found.tolist()] == frames[:40]
    assert kinds == {(3, 44_100, 1)}
