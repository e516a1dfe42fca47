"""Oracle: the same file with a right header, read by libsndfile."""

import io
import struct

import numpy as np
import pytest
import soundfile

from kakera.data.audio.decode import blocks, header
from kakera.errors import UnreadableFileError
from tests.data.odd_recordings import encoded, sound, with_data_size

SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"]
PIPES = [0xFFFFFFFF, 0x80000000, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFF0, 0x7F000000]


def wav(subtype: str = "PCM_16", channels: int = 2) -> bytes:
    return encoded("wav", sound(16_000, 1.0, channels), 16_000, subtype=subtype)


def whole(content: bytes) -> np.ndarray:
    return np.concatenate([*blocks(content, seconds=0.3)])


def decoded(content: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("size", PIPES)
def test_a_wav_from_a_pipe_is_read_to_its_end_with_a_note(subtype: str, size: int) -> None:
    content = with_data_size(wav(subtype), size)
    assert f"{size} bytes of samples in the header" in header(content).note
    assert header(content).samples == 16_000
    np.testing.assert_array_equal(whole(content), decoded(wav(subtype)))


@pytest.mark.parametrize("more", [4, 40, 400, 2_000])
def test_a_wav_that_counts_a_few_samples_too_many_is_read_to_its_end_with_a_note(more: int) -> None:
    content = wav()
    size = len(content) - content.index(b"data") - 8
    changed = with_data_size(content, size + more)
    assert (
        header(changed).note
        == f"{size + more} bytes of samples in the header, {size} in the file: read to its end"
    )
    np.testing.assert_array_equal(whole(changed), decoded(content))


def test_a_wav_that_was_cut_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="got .* of .* bytes, expected a complete recording"):
        header(wav()[:-20_000])


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_wav_of_a_recorder_that_was_stopped_is_read_to_its_end_with_a_note(subtype: str) -> None:
    content = with_data_size(wav(subtype), 0)
    assert header(content).note.startswith("0 bytes of samples in the header")
    np.testing.assert_array_equal(whole(content), decoded(wav(subtype)))


def test_a_wav_without_samples_before_another_chunk_has_none() -> None:
    content = wav()[: wav().index(b"data")] + b"data\0\0\0\0LIST\4\0\0\0abcd"
    with pytest.raises(UnreadableFileError, match="got no samples"):
        header(content)


@pytest.mark.parametrize("said", [0, 2**64 - 1])
def test_rf64_from_a_pipe_is_read_to_its_end_with_a_note(said: int) -> None:
    content = encoded("wav", sound(16_000, 1.0, 2), 16_000, format="RF64")
    place = content.index(b"ds64") + 16
    changed = content[:place] + struct.pack("<Q", said) + content[place + 8 :]
    assert header(changed).note.startswith("no length in the header")
    np.testing.assert_array_equal(whole(changed), decoded(content))
    with pytest.raises(UnreadableFileError, match="expected a complete recording"):
        header(content[:-20_000])


@pytest.mark.parametrize("size", [0x7F000008, 0xFFFFFFFF])
def test_aiff_from_a_pipe_is_read_to_its_end_with_a_note(size: int) -> None:
    content = encoded("aiff", sound(16_000, 1.0), 16_000)
    place = content.index(b"SSND") + 4
    changed = content[:place] + struct.pack(">I", size) + content[place + 4 :]
    assert header(changed).note.startswith(f"{size} bytes of samples in the header")
    np.testing.assert_array_equal(whole(changed), decoded(content))


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_32", "MS_ADPCM", "IMA_ADPCM", "ULAW"])
def test_a_piece_of_a_telephone_s_wav_is_what_the_whole_has_there(subtype: str) -> None:
    content = wav(subtype, 1)
    wanted = decoded(content)
    for first in (12_345, 100, 5_000):
        found = np.concatenate([*blocks(content, (first / 16_000, (first + 999) / 16_000))])
        np.testing.assert_allclose(found, wanted[first : first + 999], atol=1e-6)


@pytest.mark.parametrize("samples", [1, 320, 321, 4097])
def test_gsm_has_the_blocks_that_its_header_says(samples: int) -> None:
    content = encoded("wav", sound(16_000, 1.0, 1)[:samples], 16_000, subtype="GSM610")
    assert header(content).samples == -(-samples // 320) * 320
    assert np.abs(whole(content)).max() < 0.99


def test_floats_in_an_extensible_wave64_are_floats() -> None:
    values = sound(8_000, 0.1, 3)
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 3, 8_000, 96_000, 12, 32, 22, 32, 7)
    form += bytes.fromhex("0300000000001000800000aa00389b71")
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    data = values.astype("<f4").tobytes()
    chunks = b"".join(
        name + guid + struct.pack("<Q", 24 + len(body)) + body
        for name, body in ((b"fmt ", form), (b"data", data))
    )
    head = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"
    content = head + struct.pack("<Q", 40 + len(chunks)) + b"wave" + guid + chunks
    np.testing.assert_array_equal(whole(content), values)
