"""The table files of a data set: one file, a folder of Parquet files, or a folder that `datasets` saved."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.data.arrow.tables import ARROW, PARQUET
from kakera.data.folders.media import SUFFIXES
from kakera.data.folders.part_names import part_of
from kakera.data.folders.tree import suffix_of, tree
from kakera.data.names import natural
from kakera.errors import DataError

DICT, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"


@dataclass(frozen=True)
class TableFile:
    """A table file and its part; "" if its name has none. See `table_files`."""

    path: Path
    part: str


def is_tables(source: Path) -> bool:
    """Return True for a Parquet or Arrow file, a folder that `datasets` saved, or a folder of Parquet files.

    A folder that also has pictures or recordings is none.

    Example:

        >>> is_tables(Path("train.parquet")), is_tables(Path("train.csv"))
        (True, False)
    """
    if not source.is_dir():
        return source.suffix.lower() in (*PARQUET, *ARROW)
    if _is_saved(source):
        return True
    found = tree(source)
    if not any(suffix in names.lower() for names in found.folders.values() for suffix in PARQUET):
        return False  # names of a folder are one text, so this takes little time for millions of files
    suffixes = {suffix_of(name) for name in found.names}
    return bool(suffixes & {*PARQUET}) and not suffixes & SUFFIXES


def _is_saved(folder: Path) -> bool:
    return (folder / DICT).exists() or ((folder / STATE).exists() and (folder / INFO).exists())


def table_files(source: Path) -> tuple[list[TableFile], list[tuple[str, str]]]:
    """Return the table files in order, and those that are left out with the reason.

    The part is in the name of a file (train-00000-of-00002.parquet) or of a folder. If some files have a
    part, the others are left out. Raises DataError without a file, or if several folders have the same parts.

    Example:

        >>> for name in ("train-00000-of-00001.parquet", "test.parquet"):
        ...     Path(name).touch()
        >>> [(one.path.name, one.part) for one in table_files(Path("."))[0]]
        [('train-00000-of-00001.parquet', 'train'), ('test.parquet', 'test')]
    """
    if not source.is_dir():
        return [TableFile(source, "")], []
    if (source / DICT).exists():
        names = _json(source / DICT).get("splits")
        names = names if isinstance(names, list) else []
        found = [one for name in names for one in _saved(source / str(name), str(name))]
    elif _is_saved(source):
        return _saved(source, str(_json(source / STATE).get("_split") or "")), []
    else:
        names = [name for name in tree(source).names if suffix_of(name) in PARQUET]
        found = [_with_part(source, name) for name in sorted(names, key=natural)]
    if not found:
        raise DataError(str(source), got="no table", expected="at least one", do="check the path")
    parts = ("train", "val", "test", "")
    left = [one for one in found if not one.part] if any(one.part for one in found) else []
    kept = sorted((one for one in found if one not in left), key=lambda one: parts.index(one.part))
    _require_one_set(source, kept)
    return kept, [(str(one.path), "its name has no part (train, val or test)") for one in left]


def _saved(folder: Path, name: str) -> list[TableFile]:
    files = _json(folder / STATE).get("_data_files")
    if not isinstance(files, list):
        got, do = "no list of files", "save the data set again"
        raise DataError(str(folder / STATE), got=got, expected="what datasets writes", do=do)
    part = part_of(name) or ""
    named = [str(one.get("filename")) for one in files if isinstance(one, dict)]
    if any(Path(one).name != one for one in named):
        got, do = "files outside of the folder", "save the data set again"
        raise DataError(str(folder / STATE), got=got, expected="files in the folder", do=do)
    return [TableFile(folder / one, part) for one in named]


def _with_part(root: Path, name: str) -> TableFile:
    """Return a file with the only part that its name has, or else the part of its nearest folder."""
    stem = Path(name).name.partition(".")[0]
    words = {part for word in re.split(r"[\W\d_]+", stem) if word and (part := part_of(word))}
    if len(words) == 1:
        return TableFile(root / name, words.pop())
    folders = (part_of(folder) for folder in reversed(Path(name).parts[:-1]))
    return TableFile(root / name, next((part for part in folders if part), ""))


def _require_one_set(source: Path, files: list[TableFile]) -> None:
    """Raise DataError if two folders each have the same part: they are probably two data sets."""
    places: dict[str, set[Path]] = {}
    for one in files:
        place = one.path.parent
        while place != source and part_of(place.name):
            place = place.parent
        if one.part:
            places.setdefault(one.part, set()).add(place)
    several = next((sorted(found) for found in places.values() if len(found) > 1), [])
    if several:
        got = f"the same parts in {', '.join(folder.name for folder in several[:5])}"
        do = f"name one of these folders, such as {several[0]}"
        raise DataError(str(source), got=got, expected="one data set", do=do)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        do = "save the data set again"
        raise DataError(str(path), got=f"no readable JSON ({error})", expected="an object", do=do) from error
    if not isinstance(content, dict):
        do = "save the data set again"
        raise DataError(str(path), got=f"a {type(content).__name__}", expected="an object", do=do)
    return content
