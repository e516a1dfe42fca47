"""Real files of every kind, made on the spot."""

import gzip
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.holders import FilePictures

NOISE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}, "TIFF": {}, "BMP": {}}


def encoded(values: NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file of this kind."""
    file, image = io.BytesIO(), values if isinstance(values, Image.Image) else Image.fromarray(values)
    image.save(file, kind, **LOSSLESS.get(kind, {}), **options)
    return file.getvalue()


def tagged(orientation: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png(depth: int, colour: int, rows: NDArray[Any], size: tuple[int, int] | None = None) -> bytes:
    """A PNG written out by hand: rows (H, bytes) unfiltered; `size` (height, width) may lie."""
    height, width = size or (len(rows), 1)
    unfiltered = b"".join(b"\0" + row.tobytes() for row in rows)
    start = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", start), (b"IDAT", zlib.compress(unfiltered)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def idx(values: NDArray[np.uint8]) -> bytes:
    """An IDX file of bytes."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_idx(
    folder: Path, part: str, images: NDArray[np.uint8], labels: NDArray[np.uint8] | None = None
) -> Path:
    """A pair of gzip files with the names that MNIST gave them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(images), mtime=0))
    if labels is not None:
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels), mtime=0))
    return path


def on_disk(folder: Path, values: Mapping[str, NDArray[np.uint8] | bytes], channels: int = 3) -> Dataset:
    """A data set of files, all for training: arrays as PNG, bytes as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name).write_bytes(value if isinstance(value, bytes) else encoded(value))
    paths = [folder / name for name in values]
    return Dataset("files", FilePictures(paths, channels), channels, np.full(len(paths), "train"))
