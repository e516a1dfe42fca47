"""Recordings of every kind, made on the spot."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

KINDS = {
    "wav": {"subtype": "PCM_16"},
    "flac": {},
    "ogg": {},
    "mp3": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "aiff": {},
}
LOSSLESS = ("wav", "flac", "aiff")
LOSSY = ("ogg", "mp3", "opus")


def chirp(rate: int, seconds: float, channels: int = 1) -> NDArray[np.float32]:
    """A tone that rises to a quarter of the rate, (samples, channels), softer in each further channel."""
    time = np.arange(round(rate * seconds)) / rate
    wave = 0.5 * np.sin(2 * np.pi * (100 * time + rate / 8 * time**2 / seconds))
    return np.stack([wave / (1 + number) for number in range(channels)], axis=1).astype(np.float32)


def record(path: Path, values: NDArray[Any], rate: int = 16_000, **options: Any) -> Path:
    """Write a recording; the kind follows from the suffix unless it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = KINDS.get(path.suffix[1:], {}) | options
    soundfile.write(path, values, rate, **kind)
    return path


def float_wav(path: Path, values: NDArray[np.float32], rate: int = 16_000) -> Path:
    """A WAV of one channel of floats written out by hand: any value and any rate goes."""
    data = values.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, rate, (rate * 4) & 0xFFFFFFFF, 4, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return path
