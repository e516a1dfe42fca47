"""The contents of the files: pictures of every mode, and waveforms, from random numbers."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = ((1, 1), (1, 17), (5, 7), (16, 16), (33, 47), (64, 48), (91, 130))  # (height, width)
LENGTHS = (1, 2, 7, 160, 575, 1152, 4097, 11_025, 30_000)  # samples
SPEAKERS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
CHANNELS = {"grey": 1, "la": 2, "rgb": 3, "rgba": 4}


def picture(rng: np.random.Generator, mode: str) -> NDArray[Any]:
    """Return a random picture (H, W) or (H, W, C).

    `mode` is grey, la, rgb or rgba with 8 bits, such names with 16 (rgb16), grey1, grey2, grey4 or palette.
    """
    height, width = SIZES[rng.integers(len(SIZES))]
    if mode == "palette":
        colours = rng.integers(0, 256, (7, 3), dtype=np.uint8)
        return colours[rng.integers(0, 7, (height, width))]
    name, bits = mode.rstrip("0123456789"), int(mode.lstrip("greyablut") or 8)
    found = np.stack([_smooth(rng, height, width) for _ in range(CHANNELS[name])], -1)
    found = found[..., 0] if name == "grey" else found
    if bits < 8:
        return (np.round(found * (2**bits - 1)) * (255 // (2**bits - 1))).astype(np.uint8)
    return np.round(found * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def _smooth(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Return values 0.05 … 0.95: waves with a little noise, which lossy coders can preserve."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    a, b, c = rng.uniform(1, 6, 3)
    waves = 0.5 + 0.4 * np.sin(a * x + b * y + c)
    return np.clip(waves + rng.uniform(-0.03, 0.03, (height, width)), 0.05, 0.95)


def eight(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the expected values: 8 bits, upright, on a white background."""
    white = 255.0 if values.dtype == np.uint8 else 65535.0
    shares = values.astype(np.float64) / white
    if shares.ndim == 3 and shares.shape[2] in (2, 4):
        opacity = shares[..., -1:]
        shares = shares[..., :-1] * opacity + 1 - opacity
        shares = shares[..., 0] if shares.shape[2] == 1 else shares
    return np.floor(shares * 255 + 0.5).astype(np.uint8)


def png(values: NDArray[Any]) -> bytes:
    """Return a PNG file, built according to its specification."""
    height, width = values.shape[:2]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    rows = values.astype(values.dtype.newbyteorder(">"))
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8 * values.dtype.itemsize, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def pnm(values: NDArray[Any]) -> bytes:
    """Return a PGM or PPM file of 8 or 16 bits."""
    height, width = values.shape[:2]
    most = 255 if values.dtype == np.uint8 else 65535
    kind = 5 if values.ndim == 2 else 6
    return (
        f"P{kind}\n{width} {height}\n{most}\n".encode()
        + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )


def parsed(content: bytes) -> NDArray[Any]:
    """Parse a raw PGM or PPM as decoders write it: (H, W) or (H, W, 3). Raises ValueError."""
    words: list[bytes] = []
    place = 0
    while len(words) < 4:
        end = content.index(b"\n", place) if content[place : place + 1] == b"#" else place
        if end > place:
            place = end + 1
            continue
        stop = place
        while not content[stop : stop + 1].isspace():
            stop += 1
        if stop > place:
            words.append(content[place:stop])
        place = stop + 1
    width, height, most = map(int, words[1:])
    values = np.frombuffer(content[place:], ">u2" if most > 255 else "u1")
    return values[: height * width * (1 if words[0] == b"P5" else 3)].reshape(
        (height, width) if words[0] == b"P5" else (height, width, 3)
    )


def waveform(rng: np.random.Generator, channels: int, rate: int, shortest: int = 1) -> NDArray[np.int32]:
    """Return (samples, channels) as 24-bit integers: tones and noise at half of full scale."""
    lengths = [length for length in LENGTHS if length >= shortest]
    length = int(lengths[rng.integers(len(lengths))])
    time = np.arange(length)[:, None] / rate
    tones = 0.3 * np.sin(2 * np.pi * rng.uniform(80, rate / 5, channels) * time + rng.uniform(0, 6, channels))
    noise = rng.uniform(-0.05, 0.05, (length, channels))
    return np.round((tones + noise) * 2**23).astype(np.int32)


def wav(values: NDArray[np.int32], rate: int, bits: int = 16) -> tuple[bytes, NDArray[np.float64]]:
    """Return a WAV file of 8, 16, 24 or 32 bits, and its values as shares of full scale."""
    shifted = values >> (24 - bits) if bits <= 24 else values.astype(np.int64) << 8
    if bits == 8:
        data = (shifted + 128).astype(np.uint8).tobytes()
    elif bits == 24:
        data = shifted.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    else:
        data = shifted.astype(f"<i{bits // 8}").tobytes()
    channels, size = values.shape[1], bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * size, channels * size, bits)
    if channels > 2:  # WAVE_FORMAT_EXTENSIBLE, whose mask gives the positions of the speakers
        identity = bytes.fromhex("0100000000001000800000aa00389b71")
        form = (
            struct.pack("<H", 0xFFFE)
            + form[2:]
            + struct.pack("<HHI", 22, bits, SPEAKERS[channels])
            + identity
        )
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body + b"\0" * (len(data) % 2), shifted / 2.0 ** (
        bits - 1
    )
