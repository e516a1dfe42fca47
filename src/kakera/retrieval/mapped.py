"""Arrays of an uncompressed .npz file, mapped into memory: only what is used is read from disk."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kakera.retrieval.files import array_header
from kakera.retrieval.index import damaged

LOCAL = struct.Struct("<26xHH")  # the lengths of name and extra field in the header before a member


def map_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return arrays of a file of `write_arrays`, mapped read-only.

    Checksums are not compared, because that reads the whole file. Raises DataError if the file is missing,
    cut off, or has other members.

    Example:

        >>> from kakera.retrieval.files import write_arrays
        >>> with Path("arrays.npz").open("wb") as file:
        ...     write_arrays(file, {"a": np.arange(3)}, {})
        >>> map_arrays(Path("arrays.npz"), ["a"])["a"].tolist()
        [0, 1, 2]
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as whole:
            return {name: _mapped(path, file, whole.getinfo(f"{name}.npy")) for name in names}
    except Exception as error:  # zipfile and numpy raise errors of many types for damaged bytes
        raise damaged(str(path), "it is missing, cut off, or of another kind") from error


def _mapped(path: Path, file: BinaryIO, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("a compressed array")
    file.seek(member.header_offset)
    name, extra = LOCAL.unpack(file.read(LOCAL.size))
    file.seek(name + extra, 1)
    first = file.tell()
    shape, fortran, dtype = array_header(file)
    size = int(np.prod(shape)) * dtype.itemsize
    if dtype.hasobject or file.tell() + size != first + member.file_size:
        raise ValueError("an array of another size")
    if not size:
        return np.zeros(shape, dtype)
    order = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", file.tell(), shape, order)
