"""Why a file cannot be read as a recording: short reasons, from its first bytes, header and decoder."""

from __future__ import annotations

import re

from kakera.sound.spec import LEAST_RATE, MOST_RATE

KINDS = "expected a WAV, FLAC, Ogg, MP3, Opus or AIFF recording"
PIPE = 0x7F00_0000  # a WAV or AIFF that was written to a pipe says so many bytes or more
FEW = 1024  # samples that a header may say too much: some count themselves, or tags at the end
ENDLESS = 1 << 48  # samples

# What libsndfile reads by these first bytes: AIFF, Wave64, Core Audio, Sun and NeXT, SPHERE.
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
    """What FFmpeg's libraries read and libsndfile does not; empty for all else."""
    for place, word, name in _AV:
        if start[place : place + len(word)] == word:
            return name
    if len(start) > 6 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return "an AAC file"
    return ""


def inside(rate: int, samples: int, log: str) -> str:
    """What a header says that cannot be; `log` is the decoder's. Empty where nothing is wrong."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        return f"got a rate of {rate} Hz, expected {LEAST_RATE} to {MOST_RATE} Hz; correct the header"
    for said, there in _sizes(log):
        if (said - there) * samples > FEW * there and said < PIPE:
            return cut_short(there, said, "bytes")
    if samples > ENDLESS:
        return "got a header without the length, expected one that has it; export it again"
    return "" if samples > 0 else "got no samples, expected at least one frame; leave it out"


def note(log: str) -> str:
    """What is unusual in a header, though the samples are there: more bytes are said than are in the file."""
    for said, there in _sizes(log):
        return f"{said} bytes of samples in the header, {there} in the file: read to its end"
    return ""


def _sizes(log: str) -> list[tuple[int, int]]:
    found = [(int(said), int(there)) for said, there in _SIZES.findall(log)]
    return [(said, there) for said, there in found if said > there]


def cut_short(there: int, said: int, unit: str = "samples") -> str:
    """The reason for a file that ends early."""
    return f"got {there} of {said} {unit}, expected a whole recording; copy or export it again"


def damage(error: Exception) -> str:
    """The reason for what a decoder does not understand."""
    said = getattr(error, "error_string", "") or getattr(error, "strerror", "") or error
    detail = " ".join(str(said).split()) or type(error).__name__
    return f"got a damaged recording ({detail[:80]}), expected a whole one; copy or export it again"


def unopened(error: OSError) -> str:
    """The reason for what the system does not give."""
    if isinstance(error, FileNotFoundError):
        return "got no file of this name, expected a recording"
    if isinstance(error, IsADirectoryError):
        return "got a folder, expected a recording"
    if isinstance(error, PermissionError):
        return "got no permission to read it, expected a readable recording"
    return f"got {error.strerror}, expected a readable recording"


def content(start: bytes) -> str:
    """What is in a file that is no recording."""
    if not start:
        return "an empty file"
    if start.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8")):
        return "a picture"
    if start.lstrip()[:1] == b"<":
        return "an HTML or XML file"
    return "a text file" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start) else "unknown bytes"
