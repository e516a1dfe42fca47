"""Recordings written by the programs of the table, and by libsndfile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files import opinions, samples
from benchmarks.valid_files.comparison import cut
from benchmarks.valid_files.recording_table import FF, FLOAT32, OPUS, STEP32, TABLE
from benchmarks.valid_files.setting import RECORDING, Length, Setting, program, run

SUBTYPES = {
    ".wav": "PCM_U8 PCM_16 PCM_24 PCM_32 FLOAT DOUBLE ULAW ALAW IMA_ADPCM MS_ADPCM GSM610",
    ".w64": "PCM_16 PCM_24 FLOAT",
    ".rf64": "PCM_16 PCM_24 PCM_32 DOUBLE",
    ".caf": "PCM_16 PCM_24 FLOAT ALAC_16",
    ".aiff": "PCM_S8 PCM_16 PCM_24 PCM_32 FLOAT DOUBLE ULAW",
    ".au": "PCM_S8 PCM_16 PCM_24 FLOAT ALAW",
    ".flac": "PCM_S8 PCM_16 PCM_24",
    ".ogg": "VORBIS OPUS",
    ".mp3": "MPEG_LAYER_III",
}


def settings() -> Iterator[Setting]:
    """Return all settings of the tables, and Ogg files with several joined streams."""
    for encoder, suffix, bits, channels, rates, loss, table in TABLE:
        for number, line in enumerate(table.splitlines()):
            line = line.strip().replace("{F}", FF)
            words = line if line.startswith("ffmpeg") else f"{encoder} {line}"
            exact = loss == "="
            shortest = _shortest(encoder, suffix)
            write = partial(_written, words, bits, channels, rates, exact, shortest, False)
            opinion = None if exact else _opinion(suffix, words)
            tolerance = FLOAT32 if exact else loss
            yield Setting(RECORDING, encoder, _name(words, bits), suffix, write, opinion, tolerance)
            if suffix in (".ogg", ".opus") and number == 0 and encoder in ("oggenc", "opusenc"):
                chain = partial(_written, words, bits, channels, rates, exact, 575, True)
                yield Setting(
                    RECORDING, encoder, f"chain of two: {_name(words, bits)}", suffix, chain, None, tolerance
                )
            if suffix == ".flac" and encoder == "flac":
                unsaid = partial(_flac_without_length, write)
                yield Setting(
                    RECORDING, encoder, f"no length: {_name(words, bits)}", suffix, unsaid, None, tolerance
                )
    for suffix, subtypes in SUBTYPES.items():
        for subtype in subtypes.split():
            yield _soundfile(suffix, subtype)


def _opinion(suffix: str, words: str) -> Any:
    if "opus" in words or "OPUS" in words:
        return opinions.opusdec_at
    own = any(word in words for word in ("adpcm", "gsm", "ADPCM", "GSM"))
    return opinions.sox_sound if own else opinions.ffmpeg_sound


def _length(words: str, path: Path, samples: int, rate: int) -> Length | None:
    """Return the length that the file stores; None if it stores none.

    Ogg files store it, and MP3 files with the LAME tag in their first frame.
    """
    content = path.read_bytes()
    if "opus" in words and rate not in (8000, 12000, 16000, 24000, 48000):
        samples = -(-samples * 48000 // rate)
    tagged = (b"Xing" in content or b"Info" in content) and "--resample" not in words
    return Length(samples, rate if tagged else 0) if tagged or path.suffix in (".ogg", ".opus") else None


def _shortest(encoder: str, suffix: str) -> int:
    return 160 if suffix in (".mp3", ".mp2") else 1


def _name(words: str, bits: int) -> str:
    kept = [
        word
        for word in words.split()[1:]
        if word not in ("-v", "error", "-y", "-i", "{i}", "{o}", "-o", "-Q", "-s")
    ]
    return f"{' '.join(kept)} of {bits} bits"


def _written(
    words: str,
    bits: int,
    channels: Any,
    rates: Any,
    exact: bool,
    shortest: int,
    twice: bool,
    path: Path,
    rng: Any,
) -> Any:
    rate, many = int(rng.choice(rates)), int(rng.choice(channels))
    content, expected, parts = b"", np.zeros(0), list[Any]()
    rate_read = rate
    for _ in range(2 if twice else 1):
        file, expected = samples.wav(samples.waveform(rng, many, rate, shortest), rate, bits)
        with tempfile.TemporaryDirectory() as folder:
            given = Path(folder) / "in.wav"
            given.write_bytes(file)
            name, *rest = words.split()
            run([program(name), *(word.format(i=given, o=path) for word in rest)])
        if twice:
            content += path.read_bytes()
            found, length = _opinion(path.suffix, words)(path), _length(words, path, len(expected), rate)
            parts.append(cut(found[1], length.samples) if length else found[1])
            rate_read = found[0]
    if twice:
        path.write_bytes(content)
        return rate_read, np.concatenate(parts)
    return (rate, expected) if exact else _length(words, path, len(expected), rate)


def _flac_without_length(write: Any, path: Path, rng: Any) -> Any:
    expected = write(path, rng)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of the number of samples in STREAMINFO
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return expected


def _soundfile(suffix: str, subtype: str) -> Setting:
    exact = subtype.startswith("PCM") or subtype in ("FLOAT", "DOUBLE", "ALAC_16")
    tolerance = (
        FLOAT32
        if exact
        else OPUS
        if subtype == "OPUS"
        else FLOAT32
        if "ADPCM" in subtype or "GSM" in subtype
        else STEP32
    )
    opinion = None if exact else _opinion(suffix, subtype)
    write = partial(_by_soundfile, subtype, exact)
    return Setting(RECORDING, "libsndfile", subtype, suffix, write, opinion, tolerance)


def _by_soundfile(subtype: str, exact: bool, path: Path, rng: Any) -> Any:
    import soundfile

    bits = {"8": 8, "16": 16}.get(subtype.rpartition("_")[2].strip("US"), 24)
    rates = (8000, 48000) if subtype == "OPUS" else (16000, 44100, 48000)
    rate, many = int(rng.choice(rates)), 1 if "GSM" in subtype else int(rng.choice((1, 2)))
    values = samples.waveform(rng, many, rate, 1152 if in_blocks(subtype) else 1) >> (24 - bits)
    kind = "RF64" if path.suffix == ".rf64" else None
    whole = subtype not in ("FLOAT", "DOUBLE")
    data = values.astype(np.int32) << (32 - bits) if whole else values / 2.0 ** (bits - 1)
    soundfile.write(path, data, rate, subtype=subtype, format=kind)
    length = Length(len(values)) if subtype in ("VORBIS", "OPUS") else None
    return (rate, values / 2.0 ** (bits - 1)) if exact else length


def in_blocks(subtype: str) -> bool:
    """Return True for a block coder; its own programs test shorter files."""
    return subtype in ("ALAC_16", "VORBIS", "OPUS", "MPEG_LAYER_III")
