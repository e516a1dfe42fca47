"""Which decoder reads a file, by what it begins with."""

from __future__ import annotations

from kakera.data import audio_faults
from kakera.data.av_decoder import Av
from kakera.data.decoder import Decoder, FaultError
from kakera.data.flac_decoder import open_flac
from kakera.data.mpeg import begin_of_sound, frame_header
from kakera.data.mpeg_decoder import open_mpeg
from kakera.data.ogg_decoder import open_ogg
from kakera.data.sndfile import Sndfile
from kakera.data.stored import Source, opened
from kakera.data.wave_decoder import open_wave


def open_decoder(source: Source) -> Decoder:
    """Raises FaultError, OSError, and what the library of its kind raises."""
    with opened(source) as file:
        start = file.read(64)
        tag = begin_of_sound(start)
        if tag:  # ID3 stands before MPEG audio, and before others too
            file.seek(tag)
            after = file.read(64)
        else:
            after = start
    if after.startswith(b"OggS"):
        return open_ogg(source)
    if start.startswith(b"fLaC"):
        return open_flac(source)
    if start.startswith((b"RIFF", b"RIFX")) and start[8:12] == b"WAVE":
        return open_wave(source)
    kind = audio_faults.for_av(start)
    if kind:
        return Av(source, kind)
    if start.startswith((b"RIFF", b"RIFX", *audio_faults.SNDFILE)) or after.startswith(b"fLaC"):
        return Sndfile(source)
    if tag or frame_header(after[:4]) is not None:
        return open_mpeg(source)
    raise FaultError(f"got {audio_faults.content(start)}, {audio_faults.KINDS}")
