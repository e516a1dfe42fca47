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
from tests.data.odd_recordings import encoded, sound, without_length

KINDS = [
    (44_100, 2, "PCM_16", 3.0),
    (8_000, 1, "PCM_24", 1.0),
    (96_000, 3, "PCM_S8", 0.5),
    (22_050, 1, "PCM_16", 0.02),
]


@cache
def flac(kind: tuple[int, int, str, float]) -> bytes:
    rate, channels, subtype, seconds = kind
    return encoded("flac", sound(rate, seconds, channels), rate, subtype=subtype)


def decoded(content: bytes) -> NDArray[np.float32]:
    return soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_from_a_pipe_is_read_to_its_end(kind: tuple[int, int, str, float]) -> None:
    content = without_length(flac(kind))
    assert header(content).samples == len(decoded(flac(kind)))
    assert header(content).note.startswith("no length in the header")
    np.testing.assert_array_equal(np.concatenate([*blocks(content)]), decoded(flac(kind)))


@pytest.mark.parametrize("known", [True, False])
def test_files_one_after_another_are_read_as_one(known: bool) -> None:
    one = flac(KINDS[0]) if known else without_length(flac(KINDS[0]))
    wanted = np.concatenate([decoded(flac(KINDS[0]))] * 2)
    np.testing.assert_array_equal(np.concatenate([*blocks(one * 2, seconds=0.7)]), wanted)


@settings(max_examples=20)
@given(kind=st.sampled_from(KINDS), place=st.floats(0, 1), count=st.integers(1, 3_000))
def test_a_piece_is_what_the_whole_has_there(
    kind: tuple[int, int, str, float], place: float, count: int
) -> None:
    wanted = decoded(flac(kind))
    first = int(place * (len(wanted) - 1))
    for content in (flac(kind), without_length(flac(kind)), b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + flac(kind)):
        file = open_decoder(content)
        found = file.read(first, min(first + count, len(wanted)))
        file.close()
        np.testing.assert_array_equal(found, wanted[first : first + count])


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_from_a_pipe_that_was_cut_is_refused(share: float) -> None:
    content = without_length(flac(KINDS[0]))
    with pytest.raises(UnreadableFileError, match="got a recording without its end"):
        header(content[: int(len(content) * share)])
