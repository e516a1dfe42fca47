"""An index: the embedding vectors of pictures, recordings or windows, with their files, parts and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.formats.tokens.keys import BYTES
from kakera.inputs import InputSpec

FORMAT = 1  # of the stored index; raise it when its content changes
PATCHES = "patches"  # the pool of an index of patch tokens
ROWS = ("file", "part", "label", "start", "end", "columns", "key", "content")
"""The arrays of an index beside its vectors."""
CELL = 1024  # rows that are checked at a time


@dataclass(frozen=True)
class IndexInfo:
    """The description of an index: its encoder, its data, and the kind of its vectors. See `Index`.

    Example:

        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,)).to_json()
        >>> info = IndexInfo("0f", "runs/mae", "a", "/home", "pictures", "class", False, inputs, (4, 4))
        >>> IndexInfo.from_json(info.to_json(), "index") == info
        True
    """

    encoder: str
    """The digest of the encoder."""
    init_from: str
    """The run or the name that the encoder was loaded from."""
    data: str
    """The data set, as it was passed; "" for one in memory."""
    folder: str
    """The working folder of the command, which relative paths start from."""
    kind: str
    """ "pictures" or "recordings"."""
    pool: str
    """The pooling of the tokens, or "patches" if each patch has a vector."""
    windows: bool
    """True if each window of a recording has its own vectors."""
    inputs: Mapping[str, Any]
    """The input specification of the encoder, with the value ranges of the data."""
    grid: tuple[int, int]
    """Rows and columns of patches."""
    version: str = ""
    """The version of kakera that wrote the index."""

    @property
    def spec(self) -> InputSpec:
        """The input specification, to read queries like the files of the index."""
        return InputSpec.from_json(dict(self.inputs))

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON, with the version of the format."""
        return {"format": FORMAT, **asdict(self), "inputs": dict(self.inputs)}

    @classmethod
    def from_json(cls, content: Any, place: str) -> IndexInfo:
        """Return the description in JSON content. Raises DataError for another version, or if it is damaged.

        `place` is the path of the index, for the error.
        """
        try:
            version = content["format"]
            if version != FORMAT:
                got, do = f"an index of format {version}", "run kakera embed again"
                raise DataError(place, got=got, expected=f"format {FORMAT}", do=do)
            values: dict[str, Any] = {name: content[name] for name in cls.__dataclass_fields__}
            values["grid"] = int(values["grid"][0]), int(values["grid"][1])
            found = cls(**values)
            _ = found.spec
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, DataError):
                raise
            raise damaged(place, "its description cannot be read") from error
        return found

    def difference(self, other: IndexInfo) -> tuple[str, str] | None:
        """Return what differs from `other` in a way that makes vectors unlike: (ours, theirs) in words."""
        for name, words in (
            ("encoder", "another encoder"),
            ("pool", f"pool {self.pool}"),
            ("windows", "one vector for each window" if self.windows else "one vector for each recording"),
            ("kind", self.kind),
            ("inputs", "other value ranges"),
        ):
            if getattr(self, name) != getattr(other, name):
                theirs = {
                    "encoder": f"that of {other.init_from}",
                    "pool": f"pool {other.pool}",
                    "windows": "one for each window" if other.windows else "one for each recording",
                    "kind": other.kind,
                    "inputs": "those of these files",
                }
                return f"an index with {words}", theirs[name]
        return None


@dataclass(frozen=True, eq=False)
class Index:
    """The vectors of n pictures, recordings, or windows of recordings.

    `rows` has an array (n, …) for each name in `ROWS`: the file, its part and label; start and end in
    seconds (NaN for pictures); the columns of patches before padding; a key of the file's content with its
    span, and of its content alone, uint8 (n, 16). `vectors` is float32 (n, d), or (n, patches, d).

    Example:

        >>> info = IndexInfo("0f", "runs/mae", "pictures", "/home", "pictures", "class", False, {}, (4, 4))
        >>> len(Index(info, empty_rows(3), np.zeros((3, 8), np.float32)))
        3
    """

    info: IndexInfo
    rows: Mapping[str, NDArray[Any]]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: NDArray[np.int64]) -> Index:
        """Return the index of some rows."""
        return replace(
            self,
            rows={name: values[rows] for name, values in self.rows.items()},
            vectors=self.vectors[rows],
        )

    def all_vectors(self) -> tuple[NDArray[np.float32], NDArray[np.int64] | None, NDArray[np.int64]]:
        """Return all vectors (m, d), the first of each row (n,), and their patch numbers (m,) from 0 on.

        The second value is None if each row has one vector; the patch numbers are then 0.
        """
        if self.vectors.ndim == 2:
            return self.vectors, None, np.zeros(len(self), np.int64)
        rows, cols = self.info.grid
        valid = (np.arange(cols) < self.rows["columns"][:, None])[:, None, :].repeat(rows, axis=1)
        valid = valid.reshape(len(self), -1)
        counts = valid.sum(axis=1)
        patches = np.broadcast_to(np.arange(rows * cols), valid.shape)[valid]
        return self.vectors[valid], np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64), patches


def empty_rows(count: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of `count` rows without content.

    Example:

        >>> empty_rows(2)["start"]
        array([nan, nan])
    """
    text = np.full(count, "")
    spans, keys = np.full(count, np.nan), np.zeros((count, BYTES), np.uint8)
    kinds = (text, text, text, spans, spans, np.zeros(count, np.int32), keys, keys)
    return {name: values.copy() for name, values in zip(ROWS, kinds, strict=True)}


def checked(index: Index, place: str) -> Index:
    """Return an index that was read. Raises DataError if it is damaged, or has values that are not finite.

    Example:

        >>> info = IndexInfo("0f", "runs/mae", "pictures", "/home", "pictures", "class", False, {}, (4, 4))
        >>> checked(Index(info, empty_rows(1), np.full((1, 8), np.nan, np.float32)), "index")
        Traceback (most recent call last):
        kakera.errors.DataError: index: got vectors that are not finite (), expected numbers; embed it again
    """
    count, vectors = len(index), index.vectors
    shapes = {name: index.rows[name].shape[1:] for name in ROWS}
    wrong = [
        name for name, shape in shapes.items() if shape != ((BYTES,) if name in ("key", "content") else ())
    ]
    wrong += [name for name in ROWS if len(index.rows[name]) != count]
    dimensions = 3 if index.info.pool == PATCHES else 2
    patches = index.info.grid[0] * index.info.grid[1]
    if wrong or vectors.dtype != np.float32 or vectors.ndim != dimensions or not vectors.shape[-1]:
        raise damaged(place, "its arrays do not fit together")
    if dimensions == 3 and vectors.shape[1] != patches:
        raise damaged(place, "its arrays do not fit together")
    for first in range(0, count, CELL):
        part = vectors[first : first + CELL]
        if np.isfinite(part.sum()):  # NaN and infinity pass into the sum, which is five times as fast
            continue
        finite = np.isfinite(part.reshape(len(part), -1)).all(axis=1)
        if not finite.all():
            name = index.rows["file"][first + int(np.argmin(finite))]
            got = f"vectors that are not finite ({name})"
            raise DataError(place, got=got, expected="numbers", do="embed it again")
    return index


def damaged(place: str, reason: str) -> DataError:
    """Return the error for an index that cannot be read.

    Example:

        >>> str(damaged("index.npz", "it is too short"))
        'index.npz: got a damaged index (it is too short), expected a whole one; delete it and ...'
    """
    do = "delete it and run kakera embed again"
    return DataError(place, got=f"a damaged index ({reason})", expected="a whole one", do=do)
