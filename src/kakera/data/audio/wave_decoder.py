"""WAV files, also from a pipe or a recorder that was stopped, and those that hold MP3."""

from __future__ import annotations

from kakera.data.audio import errors, riff
from kakera.data.audio.av_decoder import Av
from kakera.data.audio.decoder import Decoder, FaultError
from kakera.data.audio.mpeg_decoder import open_mpeg
from kakera.data.audio.sndfile import Sndfile
from kakera.data.audio.source import Source, opened
from kakera.data.audio.splice import Splice

UNFINISHED = "0 bytes of samples in the header, as a recorder leaves it that was stopped: read to its end"


def open_wave(source: Source) -> Decoder:
    """Raises FaultError, and what soundfile raises."""
    with opened(source) as file:
        found = riff.wave(file)
        if found is None:
            return Sndfile(source)  # it says what is wrong, or reads a kind of its own
        if found.tag in riff.MPEG:
            end = min(found.start + found.said, found.end)
            return open_mpeg(source, found.start, end)
        if found.tag not in riff.SNDFILE:
            return Av(source, f"WAV with samples of format {found.tag:#06x}")
        if found.tag == riff.GSM:  # libsndfile takes the byte that makes the chunk even for one more block
            there = min(found.said, found.end - found.start)
            most = there // riff.GSM_BYTES * riff.GSM_SAMPLES
            return Sndfile(source, most=most) if found.said else Sndfile(source)
        if found.long:
            return _long(source, found)
        if found.said or found.end - found.start < 8:
            return Sndfile(source)
        file.seek(found.start)
        if riff.is_chunk(file.read(4)):  # there are no samples indeed
            return Sndfile(source)
        file.seek(0)
        head = file.read(found.start)
    size = min(found.end - found.start, 0xFFFF_FFFF).to_bytes(4, found.order)
    return Sndfile(Splice(source, [head[:-4] + size, (found.start, found.end)]), UNFINISHED)


def _long(source: Source, found: riff.Wave) -> Decoder:
    """RF64, which libsndfile believes whatever it says of its length. Raises FaultError where it was cut."""
    there = found.end - found.start
    if 0 < found.said <= there:
        return Sndfile(source)
    if 0 < found.said < errors.ENDLESS:
        raise FaultError(errors.cut_short(there, found.said, "bytes"))
    with opened(source) as file:
        head = file.read(found.long)
    parts = [head, there.to_bytes(8, found.order), (found.long + 8, found.end)]
    return Sndfile(Splice(source, parts), "no length in the header, as a pipe leaves it: read to its end")
