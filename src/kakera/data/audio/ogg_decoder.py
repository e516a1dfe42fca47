"""Decoding of Ogg files with any number of links, with or without the flag for the last page."""

from __future__ import annotations

import numpy as np

from kakera.data.audio import ogg
from kakera.data.audio.av_decoder import Av
from kakera.data.audio.chain import Chain
from kakera.data.audio.decoder import Decoder, FaultError
from kakera.data.audio.kept_samples import Onwards
from kakera.data.audio.measured import Arrays, measured
from kakera.data.audio.sndfile import Sndfile
from kakera.data.audio.source import Source, opened
from kakera.data.audio.splice import Splice

LARGEST_BLOCK = 8192  # samples: the largest block of Vorbis
CUT = "got a recording without its end, expected a complete one; copy or export it again"


def open_ogg(source: Source) -> Decoder:
    """Open an Ogg file.

    Raises FaultError, the errors of soundfile, and MissingExtraError if another decoder must be installed.

    Example:

        >>> import soundfile
        >>> soundfile.write("a.ogg", np.zeros(1600), 16_000)
        >>> with open("a.ogg", "rb") as file:
        ...     decoder = open_ogg(file.read())
        >>> decoder.subtype, decoder.header.samples
        ('VORBIS', 1600)
    """
    found = measured(source, "ogg", lambda: _links(source))["links"].tolist()
    if not found:
        raise FaultError(
            "got a damaged recording (no page), expected an undamaged one; copy or export it again"
        )
    with opened(source) as file:
        kinds = [ogg.codecs(file, start) for start, _ in found]
    if any(ogg.SKELETON in kind and len(kind) > 1 for kind in kinds):  # a table of contents beside the sound
        with opened(source) as file:
            return open_ogg(Splice(source, ogg.without_skeleton(file)))
    if any(kind not in (["Vorbis"], ["Opus"]) for kind in kinds):
        kind = next(kind for kind in kinds if kind not in (["Vorbis"], ["Opus"]))
        return Av(source, f"Ogg with {' and '.join(kind) or 'no stream'}")
    if len(found) == 1:
        decoder = _link(source, *found[0], alone=True)
    else:
        decoder = Chain(source, len(found), lambda number: _link(source, *found[number]), "ogg")
    if ["Opus"] in kinds and measured(source, "speech", lambda: _speech(source))["speech"]:
        return Onwards(source, decoder, "ogg onwards")  # SILK depends slightly on all earlier samples
    return decoder


def _speech(source: Source) -> Arrays:
    with opened(source) as file:
        return {"speech": np.array(ogg.has_speech_frames(file))}


def _links(source: Source) -> Arrays:
    with opened(source) as file:
        return {"links": np.array(ogg.links(file), np.int64).reshape(-1, 2)}


def _link(source: Source, start: int, end: int, *, alone: bool = False) -> Sndfile:
    with opened(source) as file:
        pages = ogg.last_pages(file, start, end)
        if not pages or pages[-1].end > end:
            raise FaultError(CUT)
        last = pages[-1]
        file.seek(last.start)
        content = file.read(end - last.start)
    if content[last.size :] and b"OggS".startswith(content[last.size :][:4]):  # a page header that is cut off
        raise FaultError(CUT)
    marked = bool(last.flags & ogg.LAST)
    whole = source
    if not marked:
        whole = Splice(source, [(start, last.start), ogg.ended(content[: last.size])])
    elif not alone:
        whole = Splice(source, [(start, end)])
    decoder = Sndfile(whole, "" if marked else "no flag for the end of the stream: read to its end")
    if decoder.subtype == "VORBIS":
        # libsndfile counts back from the end of the last page, which can differ from that of its last block.
        before = [found.granule for found in pages if 0 <= found.granule < last.granule]
        offset = last.granule - decoder.header.samples
        decoder.latest = max(0, before[-1] - offset - LARGEST_BLOCK) if before else 0
    return decoder
