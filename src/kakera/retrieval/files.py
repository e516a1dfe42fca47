"""An index in one file: an .npz file, or a Parquet file, which pandas, polars and DuckDB read."""

from __future__ import annotations

import importlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError, missing_extra, printable
from kakera.retrieval.index import ROWS, Index, IndexInfo, checked, damaged
from kakera.storage import whole_file

NPZ, PARQUET = ".npz", (".parquet", ".pq")
KEY, CRC = "kakera", "kakera.crc"  # of the description in both formats, and of the checksum in Parquet
GROUP = 65_536  # rows of a row group of Parquet
PIECE = 4 << 20  # bytes of an array that are read at a time


def write_file(path: Path, index: Index) -> None:
    """Write an index as .npz or Parquet, by the suffix, all of it or nothing.

    Raises StorageError, and MissingExtraError for Parquet without pyarrow.

    Example:

        >>> from kakera.retrieval.index import empty_rows
        >>> inputs = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
        >>> info = IndexInfo("0f", "runs/mae", "a", "/", "pictures", "class", False, inputs, (4, 4))
        >>> write_file(Path("index.npz"), Index(info, empty_rows(2), np.ones((2, 8), np.float32)))
        >>> read_file(Path("index.npz")).vectors.shape
        (2, 8)
    """
    parquet = _pyarrow() if path.suffix.lower() in PARQUET else None
    with whole_file(path) as file:
        if parquet is None:
            write_arrays(file, {**index.rows, "vector": index.vectors}, index.info.to_json())
        else:
            _write_parquet(file, index, *parquet)


def read_file(path: Path) -> Index:
    """Read an index in one file. Raises DataError if it is none, damaged, or has values that are not finite.

    See `write_file`.
    """
    if path.suffix.lower() in PARQUET:
        return checked(_read_parquet(path, *_pyarrow()), str(path))
    arrays, content = read_arrays(path)
    info = IndexInfo.from_json(content, str(path))
    return checked(index_of(info, arrays, str(path)), str(path))


def index_of(info: IndexInfo, arrays: Mapping[str, NDArray[Any]], place: str) -> Index:
    """Return the index with these arrays. Raises DataError if one is missing.

    See `write_file`.
    """
    missing = [name for name in (*ROWS, "vector") if name not in arrays]
    if missing:
        raise damaged(place, f"it has no array {missing[0]}")
    return Index(info, {name: arrays[name] for name in ROWS}, arrays["vector"])


def write_arrays(file: BinaryIO, arrays: Mapping[str, NDArray[Any]], content: Mapping[str, Any]) -> None:
    """Write arrays and JSON content as an .npz file; its checksums find damage.

    Example:

        >>> import io
        >>> file = io.BytesIO()
        >>> write_arrays(file, {"a": np.arange(3)}, {"format": 1})
        >>> _ = file.seek(0)
        >>> np.load(file)["a"]
        array([0, 1, 2])
    """
    with zipfile.ZipFile(file, "w") as whole:  # as np.savez, which cannot write an array with the name "file"
        for name, values in {KEY: np.array(json.dumps(content)), **arrays}.items():
            with whole.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asanyarray(values), allow_pickle=False)


def read_arrays(path: Path, leave: str = "") -> tuple[dict[str, NDArray[Any]], Any]:
    """Return arrays and content of a file of `write_arrays`. Raises DataError if it is none, or damaged.

    The array `leave` is not read. See `write_file`.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as whole:
            names = [name.removesuffix(".npy") for name in whole.namelist()]
            if KEY not in names:
                raise DataError(str(path), got="arrays without description", expected="an index", do=EMBED)
            arrays = {name: _array(whole, name) for name in names if name != leave}
        return arrays, json.loads(str(arrays.pop(KEY)))
    except DataError:
        raise
    except OSError as error:
        got = (error.strerror or str(error)).lower()
        raise DataError(str(path), got=got, expected="an index", do="check the path") from error
    except zipfile.BadZipFile as error:
        if zipfile.is_zipfile(path):
            raise damaged(str(path), str(error)) from error
        got = "another kind of file, or one that is cut off"
        raise DataError(str(path), got=got, expected="an index", do=EMBED) from error
    except Exception as error:  # zipfile and numpy raise errors of many types for damaged bytes
        raise damaged(str(path), str(error).splitlines()[0] if str(error) else "it is cut off") from error


def _array(whole: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with whole.open(f"{name}.npy") as part:
        return np.lib.format.read_array(part, allow_pickle=False)


def read_pieces(path: Path, name: str) -> Iterator[NDArray[Any]]:
    """Yield an array of a file of `write_arrays` in pieces of about 4 MiB, so that it is never there twice.

    The checksum is compared at the end. Raises DataError if the file or the array is damaged.

    Example:

        >>> with Path("arrays.npz").open("wb") as file:
        ...     write_arrays(file, {"a": np.arange(6).reshape(3, 2)}, {})
        >>> [piece.tolist() for piece in read_pieces(Path("arrays.npz"), "a")]
        [[[0, 1], [2, 3], [4, 5]]]
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as whole, whole.open(f"{name}.npy") as part:
            shape, fortran, dtype = array_header(part)
            row = int(np.prod(shape[1:])) * dtype.itemsize
            if fortran or dtype.hasobject or not shape or not row:
                raise ValueError("an array of another kind")
            for first in range(0, shape[0], max(1, PIECE // row)):
                count = min(max(1, PIECE // row), shape[0] - first)
                content = part.read(count * row)
                yield np.frombuffer(content, dtype).reshape(count, *shape[1:])
            if part.read(1):  # the checksum is compared at the end
                raise ValueError("more than its shape")
    except Exception as error:  # as in `read_arrays`
        raise damaged(str(path), "it cannot be read") from error


def array_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order (True for Fortran) and type of the array at the start of an .npy file.

    Raises ValueError if it is none.

    Example:

        >>> import io
        >>> file = io.BytesIO()
        >>> np.save(file, np.zeros((2, 3), np.float32))
        >>> _ = file.seek(0)
        >>> array_header(file)
        ((2, 3), False, dtype('float32'))
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


EMBED = "write one with kakera embed DATA --init-from ENCODER --out INDEX"


def _pyarrow() -> tuple[Any, Any]:
    """Import pyarrow. Raises MissingExtraError."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise missing_extra("pyarrow", "parquet") from error


def require_parquet() -> None:
    """Check that Parquet files can be written. Raises MissingExtraError. See `write_file`."""
    _pyarrow()


def _write_parquet(file: BinaryIO, index: Index, arrow: Any, parquet: Any) -> None:
    rows, width = index.rows, int(np.prod(index.vectors.shape[1:]))
    columns: dict[str, Any] = {}
    for name in ROWS:
        values = rows[name]
        if values.ndim == 2:
            columns[name] = arrow.array([each.tobytes() for each in values], arrow.binary(values.shape[1]))
        elif values.dtype.kind == "U":
            columns[name] = arrow.array([printable(each) for each in values.tolist()], arrow.string())
        else:
            columns[name] = arrow.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)
    flat = arrow.array(index.vectors.reshape(-1))
    columns["vector"] = arrow.FixedSizeListArray.from_arrays(flat, width)
    content = json.dumps(index.info.to_json())
    metadata = {KEY: content, CRC: str(_checksum(index, content))}
    table = arrow.table(columns).replace_schema_metadata(metadata)
    parquet.write_table(table, file, row_group_size=GROUP, write_page_checksum=True)


def _read_parquet(path: Path, arrow: Any, parquet: Any) -> Index:
    try:
        table = parquet.read_table(path, page_checksum_verification=True)
        metadata = table.schema.metadata or {}
        content, checksum = metadata.get(KEY.encode()), metadata.get(CRC.encode(), b"").decode()
        if content is None:
            raise DataError(str(path), got="a table without description", expected="an index", do=EMBED)
        info = IndexInfo.from_json(json.loads(content), str(path))
        arrays = {name: _column(table[name].combine_chunks(), name) for name in (*ROWS, "vector")}
    except DataError:
        raise
    except FileNotFoundError as error:
        got, do = "no such file or folder", "check the path"
        raise DataError(str(path), got=got, expected="an index", do=do) from error
    except (arrow.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(str(path), str(error).splitlines()[0][:120]) from error
    if info.pool == "patches":
        arrays["vector"] = arrays["vector"].reshape(len(arrays["file"]), info.grid[0] * info.grid[1], -1)
    found = index_of(info, arrays, str(path))
    if str(_checksum(found, content.decode(errors="replace"))) != checksum:
        raise damaged(str(path), "its content does not match its checksum")
    return found


def _checksum(index: Index, content: str) -> int:
    """Return the CRC-32 of the description and all columns; Parquet has none for its own description."""
    found = zlib.crc32(content.encode())
    for values in (*(index.rows[name] for name in ROWS), index.vectors):
        if values.dtype.kind == "U":
            found = zlib.crc32("\0".join(map(printable, values.tolist())).encode(), found)
        else:
            found = zlib.crc32(np.ascontiguousarray(values).data, found)
    return found


def _column(column: Any, name: str) -> NDArray[Any]:
    if name == "vector":
        return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    values = column.to_pylist()
    if name in ("key", "content"):
        return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    if name in ("start", "end"):
        return np.array([np.nan if each is None else each for each in values], np.float64)
    return np.array(values, np.int32 if name == "columns" else np.str_)
