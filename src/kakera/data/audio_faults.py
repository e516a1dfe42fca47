"""Why a file cannot be heard: short reasons in the house's form, from its bytes, header and decoder."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

from kakera.data.stored import Source, opened
from kakera.sound.spec import LEAST_RATE, MOST_RATE

KINDS = "expected a WAV, FLAC, Ogg, MP3, Opus or AIFF recording"
UNKNOWN_LENGTH = 0xFFFF_FFFF  # what a WAV says that was written to a pipe
ENDLESS = 1 << 48  # samples
LARGEST_PAGE = 65_307  # bytes, of Ogg

_STARTS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3")
_SIZES = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


def outside(source: Source) -> str:
    """What can be told without a decoder; empty where nothing is wrong."""
    try:
        with opened(source) as file:
            start = file.read(64)
            if start.startswith(b"OggS") and not _ogg_ends(file):
                return "got a recording without its end, expected a whole one; copy or export it again"
    except FileNotFoundError:
        return "got no file of this name, expected a recording"
    except IsADirectoryError:
        return "got a folder, expected a recording"
    except PermissionError:
        return "got no permission to read it, expected a readable recording"
    except OSError as error:
        return f"got {error.strerror}, expected a readable recording"
    if start.startswith(_STARTS) or (len(start) > 1 and start[0] == 0xFF and start[1] >= 0xE0):
        return ""
    return f"got {_content(start)}, {KINDS}"


def inside(rate: int, samples: int, log: str) -> str:
    """What a header says that cannot be; `log` is the decoder's. Empty where nothing is wrong."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        return f"got a rate of {rate} Hz, expected {LEAST_RATE} to {MOST_RATE} Hz; correct the header"
    for said, there in _SIZES.findall(log):
        if int(said) > int(there) and int(said) < UNKNOWN_LENGTH:
            return cut_short(int(there), int(said), "bytes")
    if samples > ENDLESS:
        return "got a header without the length, expected one that has it; export it again"
    return "" if samples > 0 else "got no samples, expected at least one frame; leave it out"


def cut_short(there: int, said: int, unit: str = "samples") -> str:
    """The reason for a file that ends early."""
    return f"got {there} of {said} {unit}, expected a whole recording; copy or export it again"


def damage(error: Exception) -> str:
    """The reason for what a decoder does not understand."""
    detail = " ".join(str(getattr(error, "error_string", "") or error).split()) or type(error).__name__
    return f"got a damaged recording ({detail[:80]}), expected a whole one; copy or export it again"


def _ogg_ends(file: BinaryIO) -> bool:
    """Whether the last page is whole and says that it is the last (RFC 3533, Sec. 6)."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - LARGEST_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return False
    sizes = page[27 : 27 + page[26]]
    return len(page) >= 27 + page[26] + sum(sizes)


def _content(start: bytes) -> str:
    if not start:
        return "an empty file"
    if start.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8")):
        return "a picture"
    if start[4:8] == b"ftyp":
        return "an MP4 file"
    if start.lstrip()[:1] == b"<":
        return "an HTML or XML file"
    return "a text file" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start) else "unknown bytes"
