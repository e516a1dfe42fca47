"""Choice of the decoder for a file, by its first bytes."""

from __future__ import annotations

from kakera.data.audio import errors, riff
from kakera.data.audio.av_decoder import Av
from kakera.data.audio.decoder import Decoder, FaultError
from kakera.data.audio.flac_decoder import open_flac
from kakera.data.audio.mpeg import begin_of_sound, frame_header, scan
from kakera.data.audio.mpeg_decoder import open_mpeg
from kakera.data.audio.ogg_decoder import open_ogg
from kakera.data.audio.sndfile import Sndfile
from kakera.data.audio.source import Source, opened
from kakera.data.audio.splice import Splice
from kakera.data.audio.wave_decoder import open_wave

SEARCHED = 1 << 16  # bytes that are searched for MPEG frames if a file starts with other data
LINEAR = (b"lpcm", b"ulaw", b"alaw")  # sample formats of a CAF file that libsndfile reads completely
FRAMES = 8  # frames in these bytes that cannot be an accident


def open_decoder(source: Source) -> Decoder:
    """Open a recording with the decoder for its format.

    Raises FaultError, OSError, and the errors of the decoder's library.

    Example:

        >>> import numpy as np
        >>> from kakera.data.audio.wav import audible_wav
        >>> decoder = open_decoder(audible_wav(np.zeros(100, np.float32), 16_000))
        >>> decoder.header.kind, decoder.read(20, 30).shape
        ('WAV', (10, 1))
    """
    with opened(source) as file:
        tag, size = (
            begin_of_sound(file),
            file.seek(0, 2),
        )  # an ID3 tag can be before MPEG audio, and before other formats too
        file.seek(0)
        start = file.read(64)
        file.seek(tag)
        after = file.read(64)
    if after.startswith(b"OggS"):
        return open_ogg(Splice(source, [(tag, size)]) if tag else source)
    if after.startswith(b"fLaC"):
        return open_flac(Splice(source, [(tag, size)]) if tag else source)
    if start.startswith((b"RIFF", b"RIFX", b"RF64")) and start[8:12] == b"WAVE":
        return open_wave(source)
    kind = errors.for_av(start)
    if kind:
        return Av(source, kind)
    if start.startswith((b"RIFF", b"RIFX", *errors.SNDFILE)):
        return _unless_piped(source, start)
    if tag or frame_header(after[:4]) is not None:
        return open_mpeg(source)
    if _has_frames(source):
        return open_mpeg(source)
    raise FaultError(f"got {errors.content(start)}, {errors.KINDS}")


def _has_frames(source: Source) -> bool:
    """Return True if MPEG frames follow later in the file, as in a piece cut from a longer file."""
    with opened(source) as file:
        content = file.read(SEARCHED)
    return len(scan(content, 0, len(content))[0]) >= FRAMES


def _unless_piped(source: Source, start: bytes) -> Decoder:
    """Open a file with libsndfile, or with PyAV a Core Audio file of unknown length or of another codec."""
    with opened(source) as file:
        head, size = file.read(4096), file.seek(0, 2)
    floats = riff.wave64_of_floats(head) if start.startswith(b"riff") else 0
    if floats:
        return Sndfile(Splice(source, [head[:floats] + b"\3\0", (floats + 2, size)]))
    try:
        return Sndfile(source)
    except Exception:
        if not start.startswith(b"caff"):
            raise
        if b"\xff" * 8 in head:
            return Av(source, "a CAF file of unknown length")
        if start[28:32] in LINEAR:
            raise
        return Av(source, f"a CAF file of {start[28:32].decode('ascii', 'replace').strip()}")
