"""Reasons why a file cannot be read as a recording, from its first bytes, its header and its decoder."""

from __future__ import annotations

import re

from kakera.sound.spec import LEAST_RATE, MOST_RATE

KINDS = "expected a WAV, FLAC, Ogg, MP3, Opus or AIFF recording"
PIPE = 0x7F00_0000  # the header of a WAV or AIFF from a pipe has at least this number of bytes
FEW = 1024  # samples of tolerance: some headers also count themselves, or tags at the end
ENDLESS = 1 << 48  # samples: a length above this means that the writer did not know it

# First bytes of formats that libsndfile reads: AIFF, Wave64, Core Audio, Sun and NeXT, SPHERE.
SNDFILE = (b"FORM", b"riff\x2e\x91\xcf\x11", b"caff", b".snd", b"dns.", b"NIST_1A")
_AV = (
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMA or ASF file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"TTA1", "a TTA file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"\x0b\x77", "an AC-3 file"),
    (0, b"ADIF", "an AAC file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x00\x00\x01\xba", "an MPEG video"),
    (0, b".RMF", "a RealMedia file"),
    (4, b"ftyp", "an MP4 file"),
    (4, b"moov", "a QuickTime file"),
    (4, b"mdat", "a QuickTime file"),
    (4, b"wide", "a QuickTime file"),
    (4, b"free", "a QuickTime file"),
    (8, b"AVI ", "an AVI video"),
)
_SIZES = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


def for_av(start: bytes) -> str:
    """Describe a file that only FFmpeg's libraries read, from its first bytes; return "" for other files.

    Example:

        >>> for_av(b"wvpk"), for_av(b"RIFF")
        ('a WavPack file', '')
    """
    for place, word, name in _AV:
        if start[place : place + len(word)] == word:
            return name
    if len(start) > 6 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return "an AAC file"
    return ""


def inside(rate: int, samples: int, log: str) -> str:
    """Return the reason why a header is wrong, or "" if it is correct.

    `rate` is in Hz, `samples` is the length; `log` is the log of libsndfile.

    Example:

        >>> inside(16_000, 0, "")
        'got no samples, expected at least one frame; leave it out'
    """
    if not LEAST_RATE <= rate <= MOST_RATE:
        return f"got a rate of {rate} Hz, expected {LEAST_RATE} to {MOST_RATE} Hz; correct the header"
    for expected, available in _sizes(log):
        if (expected - available) * samples > FEW * available and expected < PIPE:
            return cut_short(available, expected, "bytes")
    if samples > ENDLESS:
        return "got a header without a length, expected a header with a length; export it again"
    return "" if samples > 0 else "got no samples, expected at least one frame; leave it out"


def note(log: str) -> str:
    """Return a note if the header has more bytes than the file, although the samples can be read.

    Example:

        >>> note("data : 100 (should be 40)")
        '100 bytes of samples in the header, 40 in the file: read to its end'
    """
    for expected, available in _sizes(log):
        return f"{expected} bytes of samples in the header, {available} in the file: read to its end"
    return ""


def _sizes(log: str) -> list[tuple[int, int]]:
    sizes = [(int(expected), int(available)) for expected, available in _SIZES.findall(log)]
    return [(expected, available) for expected, available in sizes if expected > available]


def cut_short(available: int, stated: int, unit: str = "samples") -> str:
    """Return the reason for a file that ends early: it has `available` of `stated` samples or bytes.

    Example:

        >>> cut_short(100, 400)
        'got 100 of 400 samples, expected a complete recording; copy or export it again'
    """
    return f"got {available} of {stated} {unit}, expected a complete recording; copy or export it again"


def damage(error: Exception) -> str:
    """Return the reason for data that the decoder cannot decode.

    Example:

        >>> damage(ValueError("bad frame"))
        'got a damaged recording (bad frame), expected an undamaged one; copy or export it again'
    """
    message = getattr(error, "error_string", "") or getattr(error, "strerror", "") or error
    detail = " ".join(str(message).split()) or type(error).__name__
    return f"got a damaged recording ({detail[:80]}), expected an undamaged one; copy or export it again"


def unopened(error: OSError) -> str:
    """Return the reason for a file that the system cannot open.

    Example:

        >>> unopened(FileNotFoundError())
        'got no file of this name, expected a recording'
    """
    if isinstance(error, FileNotFoundError):
        return "got no file of this name, expected a recording"
    if isinstance(error, IsADirectoryError):
        return "got a folder, expected a recording"
    if isinstance(error, PermissionError):
        return "got no permission to read it, expected a readable recording"
    return f"got {error.strerror}, expected a readable recording"


def content(start: bytes) -> str:
    """Describe a file that is not a recording, from its first bytes.

    Example:

        >>> content(b""), content(b"<html>"), content(b"a list of birds")
        ('an empty file', 'an HTML or XML file', 'a text file')
    """
    if not start:
        return "an empty file"
    if start.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8")):
        return "a picture"
    if start.lstrip()[:1] == b"<":
        return "an HTML or XML file"
    return "a text file" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start) else "unknown bytes"
