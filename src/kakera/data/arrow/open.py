"""Open tables with encoded files as a data set: Parquet, or what `datasets` has saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kakera.data.arrow.files import table_files
from kakera.data.arrow.hub import fetch_tables, is_hub_name
from kakera.data.arrow.labels import labels_of, split_of
from kakera.data.arrow.reader import StoredFiles, StoredPictures, StoredRecording
from kakera.data.arrow.tables import Table, open_table_file
from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind, alike, channels_of, kind_of
from kakera.data.names import Names, NamesBuilder
from kakera.errors import DataError, UnreadableFileError, printable
from kakera.sound.spec import SoundSpec


def open_tables(
    source: str | Path, channels: int | None = None, kind: Kind = "any", label: str = ""
) -> tuple[Dataset, bool]:
    """Open the pictures or recordings in tables; also return True if they have a split.

    `source` is a Parquet or Arrow file, a folder of Parquet files, a folder that `datasets` saved, or a name
    on the Hugging Face hub (hf://datasets/OWNER/NAME). Tables from the hub cannot name files of this machine.
    `channels` is 1 or 3; None detects it. `label` is the column with the labels; "" finds it by its name.
    Raises DataError, OptionError, and MissingExtraError without pyarrow.

    Example:

        >>> import io
        >>> import pyarrow as pa
        >>> import pyarrow.parquet
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("L", (8, 6)).save(file, "PNG")
        >>> table = pa.table({"image": [file.getvalue()], "label": ["cat"]})
        >>> pyarrow.parquet.write_table(table, "cats.parquet")
        >>> dataset, has_split = open_tables("cats.parquet")
        >>> dataset.pictures.read(0).shape, dataset.pictures.name(0), dataset.classes, has_split
        ((6, 8, 1), 'cats.parquet[0]', ('cat',), False)
    """
    name, remote = str(source), is_hub_name(source)
    files, left = table_files(fetch_tables(name) if remote else Path(source))
    opened = [open_table_file(file.path, label) for file in files]
    pairs = [(file, table) for file, table in zip(files, opened, strict=True) if len(table)]
    if not pairs:
        raise DataError(name, got="no row", expected="at least one", do="pass other tables")
    tables = [table for _, table in pairs]
    split = split_of(tables)
    if any(file.part for file, _ in pairs):
        split = np.concatenate([np.full(len(table), file.part) for file, table in pairs])
    divided = split is not None and {*np.unique(split).tolist()} != {"train"}
    paths = [table.paths() for table in tables]
    names, inner = _names(tables, paths)
    stored = StoredFiles(tables, names, Names.of([""] * len(inner)) if remote else inner)
    found = _kind(stored, [path for path in paths[0][:256] if path], kind, name)
    rows = np.arange(len(stored))
    if found == "recordings":
        sources = [StoredRecording(stored, row) for row in rows.tolist()]
        pictures, depth = FileSounds(sources, SoundSpec()), 1
    else:
        pictures = StoredPictures(stored, channels or 3, rows)
        if channels is None:
            pictures = pictures.with_channels(channels_of(pictures))
        depth = pictures.channels
    classes, labels = labels_of(tables)
    empty = labels is not None and labels.ndim == 1 and not (labels >= 0).any()
    unused = sorted({column for table in tables for column in table.columns.unused})
    notes = [f"ignored columns: {', '.join(unused)}"] if unused else []
    dataset = Dataset(
        name,
        pictures,
        channels=depth,
        split=split.astype("<U5") if split is not None else np.full(len(stored), "train"),
        classes=() if empty else classes,
        labels=None if empty else labels,
        left_out=tuple(left),
        notes=(*notes, *alike(classes)),
    )
    return dataset, divided


def _names(tables: Sequence[Table], paths: Sequence[Sequence[str | None]]) -> tuple[Names, Names]:
    """Return the name of each file (the table, the row, the last part of its path there), and its path."""
    names, inner = NamesBuilder(), NamesBuilder()
    for table, own in zip(tables, paths, strict=True):
        words = (f" {path.rpartition('/')[2]}" if path else "" for path in own)
        names.extend([f"{printable(table.path)}[{row}]{word}" for row, word in enumerate(words)])
        inner.extend([path or "" for path in own])
    return names.names(), inner.names()


def _kind(stored: StoredFiles, paths: Sequence[str], asked: Kind, name: str) -> Kind:
    """Return the kind of the files: by the columns, the paths in the tables, or the first bytes."""
    kinds: set[Kind] = {table.columns.kind for table in stored.tables}
    found: Kind = kinds.pop() if len(kinds) == 1 else "any"
    if found == "any" and paths:
        found = kind_of(paths, "any")
    elif found == "any":
        found = _by_content(stored)
    if asked not in ("any", found):
        raise DataError(name, got=found, expected=asked, do="leave out --kind")
    return found


def _by_content(stored: StoredFiles) -> Kind:
    from kakera.data.images.decode import header

    for row in range(min(len(stored), 16)):
        try:
            header(bytes(stored.view(row)))
        except UnreadableFileError:
            continue
        return "pictures"
    from kakera.data.audio import decode

    for row in range(min(len(stored), 16)):
        try:
            decode.header(bytes(stored.view(row)))
        except UnreadableFileError:
            continue
        return "recordings"
    return "pictures"
