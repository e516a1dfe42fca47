"""Decoding of FLAC files, also of unknown length, and of several joined FLAC files."""

from __future__ import annotations

import os

import numpy as np

from kakera.data.audio import flac
from kakera.data.audio.chain import Chain
from kakera.data.audio.decoder import Decoder, FaultError
from kakera.data.audio.measured import Arrays, measured
from kakera.data.audio.sndfile import Sndfile
from kakera.data.audio.source import Source, opened
from kakera.data.audio.splice import Splice

NO_LENGTH = "no length in the header, probably written to a pipe: read to its end"


def open_flac(source: Source) -> Decoder:
    """Open a FLAC file. Raises FaultError, and the errors of soundfile.

    Example:

        >>> import soundfile
        >>> soundfile.write("a.flac", np.zeros(100), 16_000)
        >>> with open("a.flac", "rb") as file:
        ...     decoder = open_flac(file.read())
        >>> decoder.header.samples, decoder.read(20, 30).shape
        (100, (10, 1))
    """
    with opened(source) as file:
        info = flac.stream_info(file.read(flac.HEAD))
    if info is None:
        return Sndfile(source)  # libsndfile raises an error that describes the fault
    found = measured(source, "flac", lambda: _measure(source, info))
    begins, size = found["begins"].tolist(), int(found["size"])
    edges = [*begins, size]
    if len(begins) > 1:
        return Chain(source, len(begins), lambda n: _one(source, edges[n], edges[n + 1], whole=False), "flac")
    return Sndfile(source) if info.samples else _one(source, 0, size, whole=True)


def _measure(source: Source, info: flac.StreamInfo) -> Arrays:
    with opened(source) as file:
        begins = flac.begins(file, info)
        return {"begins": np.array(begins), "size": np.array(file.seek(0, os.SEEK_END))}


def _one(source: Source, start: int, end: int, *, whole: bool) -> Sndfile:
    with opened(source) as file:
        file.seek(start)
        head = file.read(flac.HEAD)
        info = flac.stream_info(head)
        samples = info.samples if info else 0
        if info is not None and not samples:
            samples = flac.samples_at_end(file, end, info)
            if not samples:
                raise FaultError(
                    "got a recording without its end, expected a complete one; copy or export it again"
                )
            return Sndfile(
                Splice(source, [flac.with_samples(head, samples), (start + flac.HEAD, end)]), NO_LENGTH
            )
    return Sndfile(source if whole else Splice(source, [(start, end)]))
