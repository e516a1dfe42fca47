"""Table files on disk: Parquet, whose row groups are decoded one by one, and Arrow, which is mapped."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.arrow.schema import Columns, columns_of
from kakera.errors import DataError, missing_extra

PARQUET, ARROW = (".parquet", ".pq"), (".arrow",)
MOST = 2 << 30  # bytes of a row group: each process that reads holds one or two


@dataclass(frozen=True)
class Table:
    """A table file of `size` bytes, its columns, and the first row of each row group with the end (g + 1,).

    See `open_table_file`.
    """

    path: Path
    size: int
    columns: Columns
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def group_of(self, row: int) -> int:
        """Return the number of the row group of a row. See `open_table_file`."""
        return int(np.searchsorted(self.starts, row, side="right")) - 1

    def load(self, group: int) -> Any:
        """Return the encoded files of a row group, as a pyarrow array of binary values.

        Raises DataError if the file is damaged or another one. See `open_table_file`.
        """
        found = self._read([self.columns.files], group)
        return pyarrow("compute").struct_field(found, "bytes") if self.columns.nested else found

    def values(self, column: str) -> list[Any]:
        """Return a whole column as Python values. Raises DataError. See `open_table_file`."""
        return self._read([column], None).to_pylist()

    def paths(self) -> list[str | None]:
        """Return the path of each file in the table, None where it has none. See `load`."""
        if not self.columns.path:
            return [None] * len(self)
        if self.path.suffix.lower() in ARROW:
            return pyarrow("compute").struct_field(self._read([self.columns.files], None), "path").to_pylist()
        found = self._read([f"{self.columns.files}.path"], None)
        return pyarrow("compute").struct_field(found, "path").to_pylist()

    def _read(self, columns: list[str], group: int | None) -> Any:
        """Return one column, of a row group or of all; the column may be a field of a column."""
        try:
            if self.path.stat().st_size != self.size:
                raise self._other()
            if self.path.suffix.lower() in ARROW:
                return _mapped(self.path).column(columns[0])
            with _parquet(self.path) as file:
                if group is None:
                    table = file.read(columns, use_threads=False)
                else:
                    table = file.read_row_group(group, columns, use_threads=False)
            return table.column(0)
        except (pyarrow().ArrowException, OSError) as error:
            raise table_error(self.path, error) from error

    def _other(self) -> DataError:
        got, do = "another file than before", "start again"
        return DataError(str(self.path), got=got, expected=f"a table of {self.size} bytes", do=do)


def open_table_file(path: Path, label: str = "") -> Table:
    """Open a Parquet or Arrow file; nothing but its description is read.

    `label` is as in `columns_of`. Raises DataError, OptionError, and MissingExtraError without pyarrow.

    Example:

        >>> import pyarrow as pa
        >>> import pyarrow.parquet
        >>> table = pa.table({"image": pa.array([b"one", b"two", b"three"], pa.binary())})
        >>> pyarrow.parquet.write_table(table, "a.parquet", row_group_size=2)
        >>> found = open_table_file(Path("a.parquet"))
        >>> len(found), found.starts, found.load(1)[0].as_py()
        (3, array([0, 2, 3]), b'three')
    """
    arrow = pyarrow()
    try:
        size = path.stat().st_size
        if path.suffix.lower() in ARROW:
            table = _mapped(path)
            return Table(path, size, columns_of(table.schema, str(path), label), np.array([0, len(table)]))
        with _parquet(path) as file:
            columns, metadata = columns_of(file.schema_arrow, str(path), label), file.metadata
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            largest = max((_bytes(group, columns.files) for group in groups), default=0)
            counts = [group.num_rows for group in groups]
    except (arrow.ArrowException, OSError) as error:
        raise table_error(path, error) from error
    if largest > MOST:
        got, expected = f"a row group of {largest / 2**30:.1f} GB", f"at most {MOST >> 30} GB"
        raise DataError(str(path), got=got, expected=expected, do="write it with a smaller row_group_size")
    return Table(path, size, columns, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]))


def _bytes(group: Any, column: str) -> int:
    columns = (group.column(number) for number in range(group.num_columns))
    return sum(
        each.total_uncompressed_size for each in columns if each.path_in_schema.split(".")[0] == column
    )


def _parquet(path: Path) -> Any:
    return pyarrow("parquet").ParquetFile(path, memory_map=True, pre_buffer=False)


def _mapped(path: Path) -> Any:
    """Return the table of an Arrow file as views of the mapped file; `datasets` writes streams."""
    arrow, ipc = pyarrow(), pyarrow("ipc")
    file = arrow.memory_map(str(path), "r")
    try:
        return ipc.open_stream(file).read_all()
    except arrow.ArrowInvalid:
        return ipc.open_file(file).read_all()


def table_error(path: Path, error: Exception) -> DataError:
    """Return the error for a table that cannot be read.

    Example:

        >>> str(table_error(Path("a.parquet"), FileNotFoundError(2, "No such file or directory")))
        'a.parquet: got no readable table (No such file or directory), expected ...; copy or write it again'
    """
    text = getattr(error, "strerror", None) or (str(error).splitlines() or [""])[0]
    got, expected = f"no readable table ({text[:100]})", "a Parquet or Arrow file"
    return DataError(str(path), got=got, expected=expected, do="copy or write it again")


def pyarrow(part: str = "") -> Any:
    """Import pyarrow, or a part of it. Raises MissingExtraError.

    Example:

        >>> pyarrow("parquet").__name__
        'pyarrow.parquet'
    """
    try:
        return importlib.import_module(f"pyarrow.{part}" if part else "pyarrow")
    except ImportError as error:
        raise missing_extra("pyarrow", "parquet") from error
