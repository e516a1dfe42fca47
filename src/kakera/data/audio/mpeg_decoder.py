"""MPEG audio (MP3, MP2) of any length: by its own header where that is right, else by all frames' headers."""

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

ID3 = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)  # an empty tag: by it libsndfile knows MPEG audio whatever the name
TAIL = 1 << 17  # bytes that are looked through for tags at the end
ALIGNED = 8  # frames after which mpg123's filter stands where it stood, so that sums are rounded alike
PREROLL = 16_384  # samples decoded before a piece, several times what overlaps and filters need
RESERVOIR = 511  # bytes before a frame that its sound may begin in
NONE = "got no whole frame of MPEG audio, expected at least one; copy or export it again"


def open_mpeg(source: Source, start: int = 0, end: int | None = None) -> Decoder:
    """The stream between two bytes of a file. Raises FaultError, and what soundfile raises."""
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
    """Of a file that has the bytes its first frame says: then it also has the samples."""
    with opened(source) as file:
        begin = mpeg.begin_of_sound(file)
        file.seek(begin)
        frame = file.read(2048)
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        end = mpeg.end_of_sound(file.read(), size)
    first, promise = mpeg.frame_header(frame[:4]), mpeg.promise(frame)
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
            promised = mpeg.promise(content[offset : offset + size])
        else:
            promised = None
    said, skip, lost = 0, 0, 0
    if promised is not None:
        frames, said = frames[1:], promised.frames
        if promised.delay or promised.padding:
            skip = promised.delay + mpeg.SYNTHESIS
            lost = max(0, promised.padding - mpeg.SYNTHESIS) if len(frames) == said else 0
    return {
        "frames": frames,
        "kinds": np.array(sorted(kinds), np.int64).reshape(-1, 3),
        "edges": np.array([said, skip, lost]),
    }


class Mpeg(Decoder):
    """Frames that stand anywhere in a file; only those that a piece needs are given to libsndfile."""

    def __init__(self, source: Source, kind: str, found: Arrays) -> None:
        """`kind` of file, and what was `found`. Raises FaultError for no frame and for several kinds."""
        self._frames: NDArray[Any] = found["frames"]
        kinds = found["kinds"].tolist()
        if not len(self._frames):
            raise FaultError(NONE)
        if len(kinds) > 1:
            raise FaultError(differing({rate for _, rate, _ in kinds}, {count for *_, count in kinds}))
        self._source = source
        self._file = opened(source)
        (layer, rate, channels), (said, self._skip, lost) = kinds[0], found["edges"].tolist()
        first = mpeg.frame_header(self._read(0, 1)[:4])
        assert first is not None
        self._each = first.samples
        self.subtype = f"MPEG_LAYER_{'I' * layer}"
        count = len(self._frames)
        samples = max(0, count * self._each - self._skip - lost)
        note = f"{count} frames where the header says {said}: all are read" if said not in (0, count) else ""
        self.header = Header(kind, rate, channels, samples, note)

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """As every decoder."""
        first, last = first + self._skip, min(last, self.header.samples) + self._skip
        if last <= first:
            return np.zeros((0, self.header.channels), dtype)
        begin = max(0, first - PREROLL) // self._each // ALIGNED * ALIGNED
        end = min(len(self._frames), -(-last // self._each) + 1)
        content, before = self._stream(begin, end), (begin - ALIGNED) * self._each
        with quiet(), extra("soundfile", "audio").SoundFile(io.BytesIO(content)) as file:
            return file.read(last - before, dtype=dtype, always_2d=True)[first - before :]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _stream(self, begin: int, end: int) -> bytes:
        """A file of quiet frames and these; those that need bytes from before them are mute.

        From the first frame libsndfile guesses how much there is, and reads no more: it is the smallest there
        is, and some more follow the last.
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
    """A file that says how long it is: its frames are looked for when they are needed."""

    def __init__(self, source: Source, header: Header) -> None:
        self._source, self.header, self.subtype = source, header, "MPEG_LAYER_III"
        self._file: Mpeg | None = None

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """As every decoder."""
        self._file = self._file or _frames(self._source)
        return self._file.read(first, min(last, self.header.samples), dtype)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _mute(content: bytearray, at: int, size: int, gathered: int) -> int:
    """Make the frame at a place silent, and say how many of its bytes those that follow can use."""
    header = mpeg.frame_header(bytes(content[at : at + 4]))
    assert header is not None
    full = header.samples == 1152
    back = min(gathered, RESERVOIR if full else RESERVOIR // 2)
    mute = (back << 8 * header.side - (9 if full else 8)).to_bytes(header.side)
    content[at + 1] |= 1  # without a checksum
    content[at + 4 : at + header.data] = mute.ljust(header.data - 4, b"\0")
    return size - 4 - header.side


def _quiet_frame(frame: bytes) -> bytes:
    """The smallest frame of the same kind, or of free format one as large: zeros are silence."""
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
