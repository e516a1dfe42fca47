"""IDX files, the format of MNIST and similar data sets: a magic number, the sizes, then plain bytes."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.sources.arrays import join_parts
from kakera.errors import DataError

_BYTES = 0x08  # of IDX's six value types, the one for 8-bit pictures
_PIECE = 1 << 20
_PART_WORDS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val"}
_IMAGES = re.compile(r"images(?P<between>.?)idx3", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Return True if the file starts like an IDX file of bytes, with or without gzip. See `read_idx`."""
    try:
        with _open(path) as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:3] == bytes([0, 0, _BYTES]) and 1 <= start[3] <= 4


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the uint8 array in an IDX file, with or without gzip compression.

    `dimensions` is the expected number of axes. Raises DataError.

    Example:

        >>> _ = Path("x-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        >>> is_idx(Path("x-idx1-ubyte")), read_idx(Path("x-idx1-ubyte"), 1).tolist()
        (True, [7, 8, 9])
    """
    try:
        with _open(path) as file:
            sizes = _sizes(path, file, dimensions)
            expected = math.prod(sizes)
            data = bytearray()  # in pieces: a wrong header may declare more bytes than the file or memory has
            while len(data) <= expected and (piece := file.read(_PIECE)):
                data += piece
    except (OSError, EOFError, zlib.error) as error:
        raise _error(path, f"a file that cannot be read ({error})", "a whole IDX file") from error
    if len(data) != expected:
        got = f"{len(data)} bytes" if len(data) < expected else f"more than {expected} bytes"
        shape = " x ".join(map(str, sizes))
        raise _error(path, f"{got} after the header", f"{expected} bytes for {shape}")
    return np.frombuffer(data, dtype=np.uint8).reshape(sizes)


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if compressed else path.open("rb")


def _sizes(path: Path, file: gzip.GzipFile | BufferedReader, dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    if magic != bytes([0, 0, _BYTES, dimensions]):
        expected = bytes([0, 0, _BYTES, dimensions]).hex()
        raise _error(path, f"magic number {magic.hex() or 'nothing'}", f"{expected}, an IDX file of bytes")
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise _error(path, f"a header of {4 + len(header)} bytes", f"{4 + 4 * dimensions}")
    return struct.unpack(f">{dimensions}I", header)


def _error(path: Path, got: str, expected: str) -> DataError:
    return DataError(str(path), got=got, expected=expected, do="download or copy the file again")


def find_images(folder: Path) -> list[Path]:
    """Return the IDX files of images in a folder, sorted; if a file also exists as .gz, the plain one.

    Example:

        >>> Path("mnist").mkdir()
        >>> for name in ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"):
        ...     Path("mnist", name).touch()
        >>> [path.name for path in find_images(Path("mnist"))]
        ['train-images-idx3-ubyte']
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if _IMAGES.search(path.name) and path.is_file() and not path.name.startswith("."):
            found.setdefault(path.name.removesuffix(".gz"), path)
    return list(found.values())


def open_idx(images: list[Path], name: str, classes: tuple[str, ...] = ()) -> tuple[Dataset, bool]:
    """Open the pictures and labels of one or more IDX files; also return True if they have a split.

    The file of labels is next to the file of images. The file name tells the part (train; t10k or test; val).
    `classes` names the labels. Raises DataError.

    Example:

        >>> images = Path("train-images-idx3-ubyte")
        >>> _ = images.write_bytes(struct.pack(">4B3I2B", 0, 0, 8, 3, 2, 1, 1, 0, 255))
        >>> dataset, has_split = open_idx([images], "tiny")
        >>> len(dataset), has_split, dataset.pictures.read(1).tolist()
        (2, True, [[[255]]])
    """
    parts = [(_part(path), path) for path in images]
    if len({part for part, _ in parts}) != len(parts):
        raise DataError(
            name,
            got=", ".join(path.name for path in images),
            expected="one image file for each part",
            do="choose one image file",
        )
    pieces = [(part, path.name.split(".")[0], *_pair(path)) for part, path in parts]
    return join_parts(name, pieces, classes)


def _part(path: Path) -> str:
    words = re.split(r"[^a-z0-9]+", path.name.lower())
    return next((_PART_WORDS[word] for word in words if word in _PART_WORDS), "")


def _pair(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Return images (n, H, W, 1) and labels (n,), or None for the labels if there is no file of them."""
    images = read_idx(path, 3)
    if not images.size:
        raise _error(path, "no pictures", "at least one")
    base = _IMAGES.sub(r"labels\g<between>idx1", path.name.removesuffix(".gz"))
    beside = [path.with_name(base), path.with_name(base + ".gz")]
    labels_path = next((labels for labels in beside if labels.exists()), None)
    if labels_path is None or path in beside:
        return images[..., None], None
    labels = read_idx(labels_path, 1)
    if len(labels) != len(images):
        raise _error(labels_path, f"{len(labels)} labels", f"{len(images)}, one for each image")
    return images[..., None], labels.astype(np.int64)
