"""NumPy `.npz` files with x_train, y_train, x_test, y_test; or with images, labels and split.

Pictures that `np.savez` stored without compression are memory-mapped, not read. `kakera.data.mapped`
describes what the file must be like.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from io import BufferedReader
from itertools import chain
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
from kakera.out_of_memory import raise_out_of_memory

_IMAGES = ("images", "x", "data", "arr_0")
_LABELS = ("labels", "y", "target", "arr_1")
_ODD = 0x61  # flags of a zip member: encrypted (two kinds), or patched data
_SIZES = 26  # offset of the lengths of name and extra field in a zip member's own header
_HEADER = 30  # length of that header without the name and the extra field
_PIECE = 1 << 24  # bytes that are converted to uint8 at a time, so that memory stays small

Array = NDArray[Any] | MappedArray
Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def open_npz(path: Path, *, numbers: bool = False) -> tuple[Dataset, bool]:
    """Open the data set in a file, and return True if it has a split. Raises DataError.

    Labels are integers, −1 for none, or class names, "" for none. `numbers` accepts floating-point labels
    (n,) or (n, targets): numbers to predict, NaN for none.

    Pickled content is never read. Pictures (n, H, W) or (n, H, W, C) in C order are memory-mapped: opening
    copies no uint8 picture; other types are converted to uint8 in memory. The archive's checksum is compared
    for all arrays except mapped ones; of these the length of the file is checked.

    Example:

        >>> np.savez("tiny.npz", x_train=np.zeros((4, 8, 8), np.uint8), y_train=np.array([0, 1, 0, 1]))
        >>> dataset, has_split = open_npz(Path("tiny.npz"))
        >>> len(dataset), dataset.channels, dataset.classes, has_split
        (4, 1, ('0', '1'), True)
    """
    arrays, classes = _with_class_numbers(_load(path))
    pieces: list[Piece] = []
    for part in ("train", "val", "test"):
        if f"x_{part}" in arrays:
            pieces.append(_piece(path, part, arrays[f"x_{part}"], arrays.get(f"y_{part}"), numbers=numbers))
    if pieces:
        return join_parts(str(path), pieces, classes)
    images = next((arrays[key] for key in _IMAGES if key in arrays), None)
    if images is None:
        raise _error(path, f"arrays {', '.join(arrays) or 'none'}", "x_train (y_train, x_test …) or images")
    labels = next((arrays[key] for key in _LABELS if key in arrays), None)
    if "split" not in arrays:
        return join_parts(str(path), [_piece(path, "", images, labels, numbers=numbers)], classes)
    split = _values(arrays["split"])
    if split.shape != images.shape[:1] or not set(split.tolist()) <= {*PARTS}:
        raise _error(path, "a split array of other words or length", "train, val or test for each picture")
    if labels is not None and labels.shape[:1] != split.shape:
        raise _error(path, f"labels of shape {labels.shape}", f"{len(split)} integers")
    order = np.concatenate([np.flatnonzero(split == part) for part in PARTS])
    piece = _piece(path, "", images, labels, numbers=numbers)
    whole, _ = join_parts(str(path), [piece], classes, names=_numbered(split))
    return replace(whole, split=split.astype("<U5")).take(order), True


def _with_class_numbers(arrays: dict[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the arrays with numbers in place of class names, and the names, sorted; () if they have none."""
    keys = [key for key in (*_LABELS, *(f"y_{part}" for part in PARTS)) if key in arrays]
    words = {key: _values(arrays[key]).reshape(-1).tolist() for key in keys if arrays[key].dtype.kind == "U"}
    if not keys or len(words) < len(keys):
        return arrays, ()
    names = sorted({*chain.from_iterable(words.values())} - {""})
    numbers = {"": -1, **{name: number for number, name in enumerate(names)}}
    found = {key: np.array([numbers[word] for word in each], np.int64) for key, each in words.items()}
    return {**arrays, **found}, tuple(names)


def _numbered(split: NDArray[Any]) -> list[str]:
    """Return a name for each picture: its part, and its number in the part."""
    names = [""] * len(split)
    for part in PARTS:
        for number, row in enumerate(np.flatnonzero(split == part).tolist()):
            names[row] = f"{part}[{number}]"
    return names


def _load(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            assert arrays.zip is not None  # set until the archive is closed
            found: dict[str, Array] = {}
            for key in arrays.files:
                mapped = _mapped(path, file, arrays.zip, key)
                values = arrays[key] if mapped is None else mapped
                if not isinstance(values, bytes):  # the archive also has a file that is no array
                    found[key] = values
            return found
    except Exception as error:  # broken archives raise nearly every kind of error
        raise_out_of_memory(error)
        raise _error(path, f"a file that cannot be read ({error})", "a .npz file of plain arrays") from error


def _mapped(path: Path, file: BufferedReader, archive: ZipFile, key: str) -> MappedArray | None:
    """Return the pictures of a member as a map of the file; None if NumPy must read or refuse the member."""
    info = archive.getinfo(key if key in archive.namelist() else f"{key}.npy")
    if info.compress_type != ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & _ODD:
        return None
    with archive.open(info) as member:  # open compares the member's own header with the archive's list
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
        return found.reshape(shape)  # maps now; some file systems cannot
    except DataError:
        return None


def _header(member: IO[bytes]) -> Header | None:
    """Return shape, Fortran order and dtype; None if NumPy has no public function for this version."""
    try:
        version = npy.read_magic(member)
    except ValueError:
        return None
    if version == (1, 0):
        return npy.read_array_header_1_0(member)
    return npy.read_array_header_2_0(member) if version == (2, 0) else None


def _piece(path: Path, part: str, images: Array, labels: Array | None, *, numbers: bool) -> Piece:
    shape = (*images.shape, 1) if len(images.shape) == 3 else images.shape
    if len(shape) != 4 or shape[-1] not in (1, 3) or not math.prod(shape):
        raise _error(path, f"pictures of shape {shape}", "(n, H, W), (n, H, W, 1) or (n, H, W, 3)")
    if labels is not None and _values(labels).dtype.kind == "f":
        labels = _numbers(path, _values(labels), shape[0], accepted=numbers)
    elif labels is not None:
        labels = _values(labels).reshape(-1)
        if len(labels) != shape[0] or labels.dtype.kind not in "iu" or labels.min() < -1:
            raise _error(path, f"{len(labels)} labels of {labels.dtype}", f"{shape[0]} integers")
        labels = labels.astype(np.int64)
    return part, part or path.stem, _bytes(path, images.reshape(shape)), labels


def _numbers(path: Path, labels: NDArray[Any], count: int, *, accepted: bool) -> NDArray[np.float64]:
    """Return numbers to predict (n, targets). Raises DataError for another shape, or if integers are due."""
    if not accepted:
        do = "save class numbers, or train with kakera finetune --task regression to predict the numbers"
        raise DataError(str(path), got=f"{len(labels)} labels of {labels.dtype}", expected="integers", do=do)
    if labels.ndim not in (1, 2) or len(labels) != count or not labels.size or np.isinf(labels).any():
        got = f"labels of shape {labels.shape}" + ", some infinite" * bool(np.isinf(labels).any())
        raise _error(path, got, f"{count} finite numbers, or {count} rows of them (NaN for a missing one)")
    return labels.astype(np.float64).reshape(count, -1)


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
    return DataError(str(path), got=got, expected=expected, do="save the file again")
