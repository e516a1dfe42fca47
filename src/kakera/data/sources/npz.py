"""NumPy `.npz` files: x_train, y_train, x_test, y_test; or images, labels and split.

Pictures that `np.savez` stored without compression are mapped, not read: `kakera.data.mapped` says what that
asks of the file.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from kakera.data.blocks import Block
from kakera.data.dataset import PARTS, Dataset
from kakera.data.mapped import MappedArray, state_of
from kakera.data.sources.arrays import Piece, join_parts
from kakera.errors import DataError
from kakera.out_of_memory import raise_lack

_IMAGES = ("images", "x", "data", "arr_0")
_LABELS = ("labels", "y", "target", "arr_1")
_ODD = 0x61  # flags of a member: encrypted, in two ways, or a patch of another file
_SIZES = 26  # bytes of a member's own header before the lengths of its name and its extra field
_HEADER = 30  # and before these two themselves
_PIECE = 1 << 24  # bytes of other numbers that become uint8 at once

Array = NDArray[Any] | MappedArray
Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def open_npz(path: Path) -> tuple[Dataset, bool]:
    """The data set in a file, and whether it is split. Nothing pickled is read. Raises DataError.

    Pictures (n, H, W) or (n, H, W, C) are mapped where they are stored in C order: of uint8 opening copies
    none, and other numbers become uint8 in memory. The checksum that the archive has of mapped ones is not
    compared, as those of all else are, but the file is as long as they need.
    """
    arrays = _load(path)
    pieces: list[Piece] = []
    for part in ("train", "val", "test"):
        if f"x_{part}" in arrays:
            pieces.append(_piece(path, part, arrays[f"x_{part}"], arrays.get(f"y_{part}")))
    if pieces:
        return join_parts(str(path), pieces)
    images = next((arrays[key] for key in _IMAGES if key in arrays), None)
    if images is None:
        raise _error(path, f"arrays {', '.join(arrays) or 'none'}", "x_train (y_train, x_test …) or images")
    labels = next((arrays[key] for key in _LABELS if key in arrays), None)
    if "split" not in arrays:
        return join_parts(str(path), [_piece(path, "", images, labels)])
    split = _values(arrays["split"])
    if split.shape != images.shape[:1] or not set(split.tolist()) <= {*PARTS}:
        raise _error(path, "a split of other words or length", "train, val or test for each picture")
    if labels is not None and labels.shape[:1] != split.shape:
        raise _error(path, f"labels of shape {labels.shape}", f"{len(split)} whole numbers")
    order = np.concatenate([np.flatnonzero(split == part) for part in PARTS])
    whole, _ = join_parts(str(path), [_piece(path, "", images, labels)], names=_numbered(split))
    return replace(whole, split=split.astype("<U5")).take(order), True


def _numbered(split: NDArray[Any]) -> list[str]:
    """A name for each picture: its part, and its number in that."""
    names = [""] * len(split)
    for part in PARTS:
        for number, row in enumerate(np.flatnonzero(split == part).tolist()):
            names[row] = f"{part}[{number}]"
    return names


def _load(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            assert arrays.zip is not None  # it has one until it is closed
            found: dict[str, Array] = {}
            for key in arrays.files:
                mapped = _mapped(path, file, arrays.zip, key)
                values = arrays[key] if mapped is None else mapped
                if not isinstance(values, bytes):  # of another file in the archive
                    found[key] = values
            return found
    except Exception as error:  # broken archives raise nearly every kind of error
        raise_lack(error)
        raise _error(path, f"a file that cannot be read ({error})", "a .npz file of plain arrays") from error


def _mapped(path: Path, file: BufferedReader, archive: ZipFile, key: str) -> MappedArray | None:
    """The pictures of a member as they lie in the file; None of what is to be read, or refused, by NumPy."""
    info = archive.getinfo(key if key in archive.namelist() else f"{key}.npy")
    if info.compress_type != ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & _ODD:
        return None
    with archive.open(info) as member:  # which compares the member's own header with the list's
        header = _header(member)
        before = member.tell()
    if header is None:
        return None
    shape, fortran, dtype = header
    if len(shape) < 3 or min(shape) < 1 or fortran or dtype.kind not in "biuf":
        return None
    file.seek(info.header_offset + _SIZES)
    start = info.header_offset + _HEADER + sum(struct.unpack("<HH", file.read(4))) + before
    size, state = math.prod(shape) * dtype.itemsize, state_of(file)
    if before + size > info.file_size or start + size > state[0]:
        return None
    found = MappedArray(path.absolute(), start, shape, dtype, state)
    try:
        return found.reshape(shape)  # mapped now, where the file system can
    except DataError:
        return None


def _header(member: IO[bytes]) -> Header | None:
    """Shape, whether in Fortran's order, and type; None of what NumPy has no public function for."""
    try:
        version = npy.read_magic(member)
    except ValueError:
        return None
    if version == (1, 0):
        return npy.read_array_header_1_0(member)
    return npy.read_array_header_2_0(member) if version == (2, 0) else None


def _piece(path: Path, part: str, images: Array, labels: Array | None) -> Piece:
    shape = (*images.shape, 1) if len(images.shape) == 3 else images.shape
    if len(shape) != 4 or shape[-1] not in (1, 3) or not math.prod(shape):
        raise _error(path, f"pictures of shape {shape}", "(n, H, W), (n, H, W, 1) or (n, H, W, 3)")
    if labels is not None:
        labels = _values(labels).reshape(-1)
        if len(labels) != shape[0] or labels.dtype.kind not in "iu" or labels.min() < -1:
            raise _error(path, f"{len(labels)} labels of {labels.dtype}", f"{shape[0]} whole numbers")
        labels = labels.astype(np.int64)
    return part, part or path.stem, _bytes(path, images.reshape(shape)), labels


def _bytes(path: Path, images: Array) -> Block:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "fiu":
        raise _error(path, f"{images.dtype} values", "0 to 255, or 0 to 1 as floats")
    values = _values(images)
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= 255:
        raise _error(path, f"{images.dtype} values from {low} to {high}", "0 to 255, or 0 to 1 as floats")
    scale = 255 if images.dtype.kind == "f" and high <= 1 else 1
    half = 0.5 if images.dtype.kind == "f" else 0
    found, step = np.empty(values.shape, np.uint8), max(1, _PIECE // values[0].nbytes)
    for start in range(0, len(values), step):
        found[start : start + step] = (values[start : start + step] * scale + half).astype(np.uint8)
    return found


def _values(array: Array) -> NDArray[Any]:
    return array.values if isinstance(array, MappedArray) else array


def _error(path: Path, got: str, expected: str) -> DataError:
    return DataError(str(path), got=got, expected=expected, do="write the file again")
