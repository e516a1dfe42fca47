"""Decoding of MPEG audio (MP3, MP2); the length is from the file's header, or from all frames."""

from __future__ import annotations

import io
import mmap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import mpeg
from kakera.data.audio.chain import differing
from kakera.data.audio.decoder import Decoder, FaultError, Header, extra
from kakera.data.audio.measured import Arrays, measured
from kakera.data.audio.source import HeldFile, Source, opened
from kakera.data.quiet import quiet

ID3 = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)  # an empty tag, so that libsndfile detects MPEG audio
TAIL = 1 << 17  # bytes at the end that are searched for tags
ALIGNED = 8  # frames: after 8 frames mpg123's filter is in the same state, so sums are rounded equally
PREROLL = 16_384  # samples decoded before a piece, several times more than overlaps and filters need
RESERVOIR = 511  # the sound of a frame may start up to this many bytes before the frame
NONE = "got no complete frame of MPEG audio, expected at least one; copy or export it again"


def open_mpeg(source: Source, start: int = 0, end: int | None = None) -> Decoder:
    """Open the MPEG stream between the bytes `start` and `end` of a file.

    Raises FaultError, and the errors of soundfile.

    Example:

        >>> import soundfile
        >>> soundfile.write("a.mp3", np.zeros(1600), 16_000)
        >>> with open("a.mp3", "rb") as file:
        ...     decoder = open_mpeg(file.read())
        >>> decoder.header.kind, decoder.header.rate, decoder.read(100, 200).shape
        ('MP3', 16000, (100, 1))
    """
    promised = _promised_header(source) if end is None else None
    if promised is not None:
        return Promised(source, promised)
    return _frames(source, start, end)


def _frames(source: Source, start: int = 0, end: int | None = None) -> Mpeg:
    return Mpeg(
        source,
        "MP3" if end is None else "WAV",
        measured(source, f"mpeg {start} {end}", lambda: _measure(source, start, end)),
    )


def _promised_header(source: Source) -> Header | None:
    """Return the header of a file whose size equals the size in its information frame; else None.

    Such a file also contains all samples, so its frames need not be counted.
    """
    with opened(source) as file:
        begin = mpeg.begin_of_sound(file)
        file.seek(begin)
        frame = file.read(2048)
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        end = mpeg.end_of_sound(file.read(), size)
    first, promise = mpeg.frame_header(frame[:4]), mpeg.xing_header(frame)
    if first is None or promise is None or not promise.frames or promise.size != end - begin:
        return None
    samples = promise.frames * first.samples - promise.delay - promise.padding
    return Header("MP3", first.rate, first.channels, max(0, samples))


def _measure(source: Source, start: int, end: int | None) -> Arrays:
    with opened(source) as file:
        first = start or mpeg.begin_of_sound(file)
    with _bytes(source) as content:
        last = end or mpeg.end_of_sound(content[-TAIL:], len(content))
        frames, kinds = mpeg.scan(content, first, last)
        if len(frames):
            offset, size = (int(frames[0][name]) for name in ("offset", "size"))
            promised = mpeg.xing_header(content[offset : offset + size])
        else:
            promised = None
    expected, skip, lost = 0, 0, 0
    if promised is not None:
        frames, expected = frames[1:], promised.frames
        if promised.delay or promised.padding:
            skip = promised.delay + mpeg.SYNTHESIS
            lost = max(0, promised.padding - mpeg.SYNTHESIS) if len(frames) == expected else 0
    return {
        "frames": frames,
        "kinds": np.array(sorted(kinds), np.int64).reshape(-1, 3),
        "edges": np.array([expected, skip, lost]),
    }


class Mpeg(Decoder):
    """A decoder of frames anywhere in a file; libsndfile receives only the frames that a piece needs.

    See `open_mpeg`.
    """

    def __init__(self, source: Source, kind: str, found: Arrays) -> None:
        """Open a file of format `kind` with the measured frames `found`.

        Raises FaultError if there is no frame, or if the frames have several kinds.
        """
        self._frames: NDArray[Any] = found["frames"]
        kinds = found["kinds"].tolist()
        if not len(self._frames):
            raise FaultError(NONE)
        if len(kinds) > 1:
            raise FaultError(differing({rate for _, rate, _ in kinds}, {count for *_, count in kinds}))
        self._source = source
        self._file = opened(source)
        (layer, rate, channels), (expected, self._skip, lost) = kinds[0], found["edges"].tolist()
        first = mpeg.frame_header(self._read(0, 1)[:4])
        assert first is not None
        self._each = first.samples
        self.subtype = f"MPEG_LAYER_{'I' * layer}"
        count = len(self._frames)
        samples = max(0, count * self._each - self._skip - lost)
        differs = expected not in (0, count)
        note = f"{count} frames, but {expected} in the header: all frames are read" if differs else ""
        self.header = Header(kind, rate, channels, samples, note)

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples as `Decoder.read`."""
        first, last = first + self._skip, min(last, self.header.samples) + self._skip
        if last <= first:
            return np.zeros((0, self.header.channels), dtype)
        begin = max(0, first - PREROLL) // self._each // ALIGNED * ALIGNED
        end = min(len(self._frames), -(-last // self._each) + 1)
        content, before = self._stream(begin, end), (begin - ALIGNED) * self._each
        with quiet(), extra("soundfile", "audio").SoundFile(io.BytesIO(content)) as file:
            return file.read(last - before, dtype=dtype, always_2d=True)[first - before :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _stream(self, begin: int, end: int) -> bytes:
        """Return an MPEG file of silent frames and the requested frames.

        Frames that need earlier bytes become silent. libsndfile estimates the length of the file from the
        first frame and reads no further. So the first frames are the smallest possible ones, and copies of
        the last frame follow the requested frames.
        """
        sizes = self._frames["size"][begin:end].tolist()
        content = bytearray(self._read(begin, end))
        before = ALIGNED * _quiet_frame(bytes(content[: sizes[0]]))
        at, gathered = 0, 0 if begin and self.subtype == "MPEG_LAYER_III" else RESERVOIR
        for size in sizes:
            if gathered >= RESERVOIR:
                break
            gathered += _mute(content, at, size, gathered)
            at += size
        return ID3 + before + content + content[-sizes[-1] :] * (2 + len(sizes) // 64)

    def _read(self, begin: int, end: int) -> bytes:
        frames = self._frames[begin:end]
        first, last = int(frames["offset"][0]), int(frames["offset"][-1]) + int(frames["size"][-1])
        self._file.seek(first)
        content = self._file.read(last - first)
        if last - first == int(frames["size"].sum(dtype=np.int64)):
            return content
        return b"".join(content[at - first : at - first + size] for at, size in frames.tolist())


class Promised(Decoder):
    """A decoder of a file whose header has the correct length: its frames are found at the first `read`.

    See `open_mpeg`.
    """

    def __init__(self, source: Source, header: Header) -> None:
        self._source, self.header, self.subtype = source, header, "MPEG_LAYER_III"
        self._file: Mpeg | None = None

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples as `Decoder.read`."""
        self._file = self._file or _frames(self._source)
        return self._file.read(first, min(last, self.header.samples), dtype)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _mute(content: bytearray, at: int, size: int, gathered: int) -> int:
    """Make the frame at offset `at` silent; return how many of its bytes later frames can use."""
    header = mpeg.frame_header(bytes(content[at : at + 4]))
    assert header is not None
    full = header.samples == 1152
    back = min(gathered, RESERVOIR if full else RESERVOIR // 2)
    mute = (back << 8 * header.side - (9 if full else 8)).to_bytes(header.side)
    content[at + 1] |= 1  # without a checksum
    content[at + 4 : at + header.data] = mute.ljust(header.data - 4, b"\0")
    return size - 4 - header.side


def _quiet_frame(frame: bytes) -> bytes:
    """Return a silent frame (all zeros) of the same kind: the smallest, or in free format one as large."""
    free = not frame[2] & 0xF0
    head = bytes([frame[0], frame[1] | 1, frame[2] if free else frame[2] & 0x0D | 0x10, frame[3]])
    header = mpeg.frame_header(head)
    assert header is not None
    return head.ljust(header.size or len(frame), b"\0")


@contextmanager
def _bytes(source: Source) -> Generator[bytes | mmap.mmap]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
    elif isinstance(source, HeldFile):
        with mmap.mmap(source.descriptor, 0, access=mmap.ACCESS_READ) as content:
            yield content
    else:
        with opened(source) as file:
            yield file.read()
