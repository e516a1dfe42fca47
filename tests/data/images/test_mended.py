"""Files built by their formats' specifications, whose values are known."""

import struct

import numpy as np
import pytest

from kakera.data.images.decode import decode
from kakera.errors import UnreadableFileError

VALUES = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)


def pcx(values: np.ndarray) -> bytes:
    """Three planes of eight bits, without run lengths."""
    height, width, _ = values.shape
    head = struct.pack("<4B6H48xBBH", 10, 5, 0, 8, 0, 0, width - 1, height - 1, 72, 72, 0, 3, width)
    return head.ljust(128, b"\0") + values.transpose(0, 2, 1).tobytes()


def sgi(values: np.ndarray, end: bytes) -> bytes:
    """Run lengths: each row one run of single values, and `end` behind it."""
    height, width, channels = values.shape
    head = struct.pack(">HBBHHHHII", 474, 1, 1, 3, width, height, channels, 0, 255).ljust(512, b"\0")
    rows = [
        bytes([0x80 | width]) + row.tobytes() + end
        for row in values.transpose(2, 0, 1)[:, ::-1].reshape(-1, width)
    ]
    lengths = [len(row) for row in rows]
    starts = 512 + 8 * len(rows) + np.cumsum([0, *lengths[:-1]])
    return head + struct.pack(f">{2 * len(rows)}I", *starts.tolist(), *lengths) + b"".join(rows)


def test_a_pcx_without_run_lengths_has_the_values_that_stand_there() -> None:
    np.testing.assert_array_equal(decode(pcx(VALUES), 3), VALUES)


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_the_rows_of_an_sgi_file_may_end_without_a_zero(end: bytes) -> None:
    np.testing.assert_array_equal(decode(sgi(VALUES, end), 3), VALUES)


def test_an_sgi_file_whose_rows_lie_beyond_its_end_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="damaged"):
        decode(sgi(VALUES, b"\0")[:-40], 3)


def test_a_tga_of_one_pixel_is_read() -> None:
    content = struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, 1, 1, 24, 0x20) + bytes([30, 20, 10])
    assert decode(content, 3).tolist() == [[[10, 20, 30]]]
