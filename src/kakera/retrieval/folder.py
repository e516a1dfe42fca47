"""An index in a folder, which grows with the data: only the vectors of new content are added."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.retrieval.blocks import Block, Blocks, read_blocks, write_block
from kakera.retrieval.files import EMBED, read_arrays, read_pieces, write_arrays
from kakera.retrieval.index import ROWS, Index, IndexInfo, checked, damaged
from kakera.storage import storing, whole_file, write_atomically

INDEX, VECTORS = "index.json", "vectors"
GRAPH = "graph"  # the entry of index.json; null while graphs are wanted but not yet written
SHIFT = 40  # bits of a row number
WASTE, MANY, LARGE = 0.5, 64, 1 << 28
"""Unused share of a block, and number of small blocks, above which they are merged; bytes of a full block."""


def write_folder(
    folder: Path,
    info: IndexInfo,
    rows: Mapping[str, NDArray[Any]],
    blocks: Blocks,
    settings: str,
    *,
    graph: bool = False,
) -> None:
    """Write an index into a folder. `rows` also has "block" and "row": the place of each vector in `blocks`.

    Blocks in memory are written first, then the table of rows, then `index.json`; so an interruption leaves
    the old index. Blocks without use are deleted. With `graph`, `index.json` says that graphs are wanted, so
    that the next command writes them if this one is stopped before. Raises StorageError.

    Example:

        >>> from kakera.retrieval.index import empty_rows
        >>> inputs = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
        >>> info = IndexInfo("0f", "runs/mae", "a", "/", "pictures", "class", False, inputs, (4, 4))
        >>> rows = empty_rows(1)
        >>> fields = (rows[name] for name in ("key", "start", "end", "columns"))
        >>> blocks = Blocks([Block(*fields, values=np.ones((1, 8), np.float32))])
        >>> rows |= {"block": np.zeros(1, np.int64), "row": np.zeros(1, np.int64)}
        >>> write_folder(Path("index"), info, rows, blocks, "0f")
        >>> read_folder(Path("index")).vectors.shape
        (1, 8)
    """
    blocks, place, row = _split(blocks, rows["block"], rows["row"])
    small = _small_blocks(blocks, place, row)
    if len(small) > MANY or sum(len(blocks.blocks[n]) for n in small) * WASTE > len(
        np.unique((place << SHIFT | row)[np.isin(place, small)])
    ):
        blocks, place, row = _compact(blocks, place, row, small)
    used = np.unique(place)
    names = {
        number: blocks.blocks[number].name
        or write_block(folder / VECTORS, settings, blocks.blocks[number]).name
        for number in used.tolist()
    }
    order = {number: here for here, number in enumerate(names)}
    places = np.array([order[number] for number in place.tolist()], np.int32)
    table = f"rows-{secrets.token_hex(8)}.npz"
    arrays = {**{name: rows[name] for name in ROWS}, "block": places, "row": row}
    with whole_file(folder / table) as file:
        write_arrays(file, arrays, {"settings": settings})
    content = {**info.to_json(), "settings": settings, "rows": table, "blocks": [*names.values()]}
    content |= {GRAPH: None} if graph else {}
    write_atomically(folder / INDEX, json.dumps(content, indent=1).encode() + b"\n")
    with storing(folder):
        _clean(folder, {table, *names.values()})


def _split(
    blocks: Blocks, place: NDArray[np.int64], row: NDArray[np.int64]
) -> tuple[Blocks, NDArray[np.int64], NDArray[np.int64]]:
    """Return blocks with those in memory divided into full ones, without a copy, and all places in them."""
    parts, place, row = list[Block](), place.copy(), row.copy()
    for number, block in enumerate(blocks.blocks):
        if block.values is None or block.size <= LARGE:
            continue
        here = place == number
        more, own, row[here] = _cut(block, block.values, row[here])
        place[here] = len(blocks.blocks) + len(parts) + own
        parts += more
    return (Blocks([*blocks.blocks, *parts]) if parts else blocks), place, row


def _cut(
    block: Block, values: NDArray[np.float32], row: NDArray[np.int64]
) -> tuple[list[Block], NDArray[np.int64], NDArray[np.int64]]:
    """Return the full blocks of a block in memory, and the block and row there of each of its rows."""
    cuts = block.pieces(max(1, LARGE // max(1, values[:1].nbytes)))
    own = np.searchsorted(cuts, row, "right") - 1
    parts = [block.rows(first, last) for first, last in itertools.pairwise(cuts.tolist())]
    return parts, own, row - cuts[own]


def _small_blocks(blocks: Blocks, place: NDArray[np.int64], row: NDArray[np.int64]) -> list[int]:
    """Return the numbers of the blocks in use that are far from full, or have many rows without use.

    The others stay as they are when an index grows, and keep their graphs.
    """
    used = np.unique(place << SHIFT | row) >> SHIFT
    counts = np.bincount(used, minlength=len(blocks.blocks))
    return [
        number
        for number, block in enumerate(blocks.blocks)
        if counts[number] and (block.size < LARGE * WASTE or counts[number] < len(block) * WASTE)
    ]


def _compact(
    blocks: Blocks, place: NDArray[np.int64], row: NDArray[np.int64], chosen: Sequence[int]
) -> tuple[Blocks, NDArray[np.int64], NDArray[np.int64]]:
    """Return blocks with the used rows of the chosen ones in new blocks, in memory, and all places in them.

    Equal rows are there once.
    """
    here = np.isin(place, chosen)
    places, where = np.unique((place << SHIFT | row)[here], return_inverse=True)
    pairs = places >> SHIFT, places & ((1 << SHIFT) - 1)
    values = blocks.gather("vectors", *pairs)
    fields = [blocks.gather(name, *pairs) for name in ("key", "start", "end", "columns")]
    parts, own, rows = _cut(Block(*fields, values=values), values, where)
    place, row = place.copy(), row.copy()
    place[here], row[here] = len(blocks.blocks) + own, rows
    return Blocks([*blocks.blocks, *parts]), place, row


def _clean(folder: Path, used: set[str]) -> None:
    """Delete the files of the index that nothing refers to."""
    for pattern in ("rows-*.npz", f"{VECTORS}/*.npz", ".rows-*.npz.*", f".{INDEX}.*"):
        for path in folder.glob(pattern):
            if path.name not in used:
                with suppress(FileNotFoundError):
                    path.unlink()


def read_info(folder: Path) -> tuple[IndexInfo, dict[str, Any]]:
    """Return the description of an index in a folder, and its content. Raises DataError if it is none.

    See `write_folder`.
    """
    place = str(folder)
    try:
        content = json.loads((folder / INDEX).read_text())
    except FileNotFoundError as error:
        if (folder / VECTORS).is_dir():
            got, do = "an unfinished index", "run the same kakera embed command again, which resumes it"
            raise DataError(place, got=got, expected="a whole one", do=do) from error
        raise DataError(place, got=f"a folder without {INDEX}", expected="an index", do=EMBED) from error
    except OSError as error:
        got, do = f"{INDEX}: {(error.strerror or str(error)).lower()}", "check the folder"
        raise DataError(place, got=got, expected="an index", do=do) from error
    except ValueError as error:
        raise damaged(place, f"{INDEX} cannot be read") from error
    return IndexInfo.from_json(content, place), content


def read_rows(folder: Path, content: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the table of rows of an index in a folder. Raises DataError if it is damaged.

    See `write_folder`.
    """
    try:
        arrays = read_arrays(folder / str(content["rows"]))[0]
        missing = [name for name in (*ROWS, "block", "row") if name not in arrays]
        lengths = {len(values) for values in arrays.values()}
        blocks = len(content["blocks"])
    except (DataError, KeyError, TypeError) as error:
        raise damaged(str(folder), "its table of rows is missing or damaged") from error
    if missing or len(lengths) > 1 or (len(arrays["row"]) and int(arrays["block"].max()) >= blocks):
        raise damaged(str(folder), "its table of rows does not fit")
    return arrays


def read_folder(folder: Path) -> Index:
    """Read an index in a folder. Raises DataError if it is none, unfinished, damaged, or not finite.

    See `write_folder`.
    """
    info, content = read_info(folder)
    arrays = read_rows(folder, content)
    found: NDArray[np.float32] | None = None
    for number, name in enumerate(content["blocks"]):
        path = folder / VECTORS / str(name)
        try:
            read_arrays(path, leave="vector")  # compares checksums
            here = np.flatnonzero(arrays["block"] == number)
            here = here[np.argsort(arrays["row"][here], kind="stable")]
            row, last = arrays["row"][here], 0
            for piece in read_pieces(path, "vector"):
                if found is None:
                    found = np.zeros((len(arrays["row"]), *piece.shape[1:]), np.float32)
                first, last = last, last + len(piece)
                own = slice(*np.searchsorted(row, [first, last]))
                found[here[own]] = piece[row[own] - first]
            if len(row) and not 0 <= int(row[0]) <= int(row[-1]) < last:
                raise IndexError
        except (DataError, KeyError, IndexError, ValueError) as error:
            raise damaged_block(folder, path.name) from error
    if found is None:
        raise damaged(str(folder), "it has no vectors")
    return checked(Index(info, {name: arrays[name] for name in ROWS}, found), str(folder))


def damaged_block(folder: Path, name: str) -> DataError:
    """Return the error for a block of an index that cannot be read.

    Example:

        >>> str(damaged_block(Path("index"), "0f.npz"))
        'index: got a missing or damaged file 0f.npz, expected a whole index; run the same kakera embed ...'
    """
    do = "run the same kakera embed command again, which computes its vectors again"
    return DataError(str(folder), got=f"a missing or damaged file {name}", expected="a whole index", do=do)


def stored_blocks(folder: Path, settings: str) -> Blocks:
    """Return the blocks of an index in a folder, or of an unfinished one, that have these settings.

    See `write_folder`.
    """
    return Blocks(read_blocks(folder / VECTORS, settings))


def open_index(path: str | Path) -> Index:
    """Open an index of `kakera embed`: a folder, an .npz file or a Parquet file.

    Raises DataError if it is none, unfinished, damaged, of another version, or has values that are not
    finite, and MissingExtraError for Parquet without pyarrow. See `write_folder`.
    """
    from kakera.retrieval.files import read_file

    place = Path(path)
    unfinished = place.with_name(place.name + UNFINISHED)
    if not place.exists() and unfinished.is_dir():
        got, do = "an unfinished index", "run the same kakera embed command again, which resumes it"
        raise DataError(str(path), got=got, expected="a whole one", do=do)
    if not place.exists():
        raise DataError(str(path), got="no such file or folder", expected="an index", do="check the path")
    return read_folder(place) if place.is_dir() else read_file(place)


UNFINISHED = ".unfinished"
"""Suffix of the folder beside an index in one file that has the vectors until all are computed."""
