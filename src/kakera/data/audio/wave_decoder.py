"""Decoding of WAV files, also from a pipe or an interrupted recorder, and of WAV files that contain MP3."""

from __future__ import annotations

from kakera.data.audio import errors, riff
from kakera.data.audio.av_decoder import Av
from kakera.data.audio.decoder import Decoder, FaultError
from kakera.data.audio.mpeg_decoder import open_mpeg
from kakera.data.audio.sndfile import Sndfile
from kakera.data.audio.source import Source, opened
from kakera.data.audio.splice import Splice

UNFINISHED = "0 bytes of samples in the header, probably an interrupted recorder: read to its end"


def open_wave(source: Source) -> Decoder:
    """Open a WAV file. Raises FaultError, and the errors of soundfile.

    Example:

        >>> import numpy as np
        >>> from kakera.data.audio.wav import audible_wav
        >>> decoder = open_wave(audible_wav(np.zeros(100, np.float32), 16_000))
        >>> decoder.subtype, decoder.header.samples
        ('PCM_16', 100)
    """
    with opened(source) as file:
        found = riff.wave(file)
        if found is None:
            return Sndfile(source)  # libsndfile reads it, or raises an error that describes the fault
        if found.tag in riff.MPEG:
            end = min(found.start + found.stated, found.end)
            return open_mpeg(source, found.start, end)
        if found.tag not in riff.SNDFILE:
            return Av(source, f"WAV with samples of format {found.tag:#06x}")
        if found.tag == riff.GSM:  # libsndfile counts the padding byte of the chunk as one more block
            available = min(found.stated, found.end - found.start)
            most = available // riff.GSM_BYTES * riff.GSM_SAMPLES
            return Sndfile(source, most=most) if found.stated else Sndfile(source)
        if found.long:
            return _long(source, found)
        if found.stated or found.end - found.start < 8:
            return Sndfile(source)
        file.seek(found.start)
        if riff.is_chunk(file.read(4)):  # another chunk follows, so the file really has no samples
            return Sndfile(source)
        file.seek(0)
        head = file.read(found.start)
    size = min(found.end - found.start, 0xFFFF_FFFF).to_bytes(4, found.order)
    return Sndfile(Splice(source, [head[:-4] + size, (found.start, found.end)]), UNFINISHED)


def _long(source: Source, found: riff.Wave) -> Decoder:
    """Open an RF64 file; libsndfile does not check its length. Raises FaultError if it is cut off."""
    available = found.end - found.start
    if 0 < found.stated <= available:
        return Sndfile(source)
    if 0 < found.stated < errors.ENDLESS:
        raise FaultError(errors.cut_short(available, found.stated, "bytes"))
    with opened(source) as file:
        head = file.read(found.long)
    parts = [head, available.to_bytes(8, found.order), (found.long + 8, found.end)]
    note = "no length in the header, probably written to a pipe: read to its end"
    return Sndfile(Splice(source, parts), note)
