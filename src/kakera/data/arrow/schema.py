"""The columns of a table with encoded files: which one has the files, the labels and the parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kakera.data.folders.media import Kind
from kakera.errors import DataError, OptionError

FILES = "image img picture photo audio recording sound speech file content bytes data"
LABELS = "label labels class classes category categories target fine_label"
SPLITS = "split subset partition"
BINARY = ("binary", "large_binary", "binary_view")
FEATURES: dict[str, Kind] = {"Image": "pictures", "Audio": "recordings"}


@dataclass(frozen=True)
class Columns:
    """The columns of a table. See `columns_of`."""

    files: str
    nested: bool
    """True if the column of files has the fields bytes and path, as `datasets` writes them."""
    path: bool
    """True if it has the field path."""
    kind: Kind
    """Kind of the files, from the description of `datasets` or the name of the column; or "any"."""
    label: str = ""
    names: tuple[str, ...] = ()
    """Names of the classes, if the labels are their numbers."""
    split: str = ""
    unused: tuple[str, ...] = ()


def columns_of(schema: Any, place: str, label: str = "", split: str = "") -> Columns:
    """Return the columns of a pyarrow schema.

    `place` is for messages. `label` names the column of labels; "" finds it by its name. Raises DataError if
    no column, or more than one, has encoded files, or if two columns have one name; OptionError if there is
    no such label.

    Example:

        >>> import pyarrow as pa
        >>> image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        >>> found = columns_of(pa.schema([("image", image), ("label", pa.int64())]), "a.parquet")
        >>> found.files, found.nested, found.kind, found.label
        ('image', True, 'pictures', 'label')
    """
    _require_names(schema, place)
    features = _features(schema)
    files = _files(schema, features, place)
    rest = [name for name in schema.names if name != files]
    if label and label not in rest:
        got = f"{label} for {place}"
        expected = f"one of its columns: {', '.join(rest) or 'none'}"
        raise OptionError("target_column", got=got, expected=expected, do="correct it")
    chosen = label or _first(rest, LABELS)
    split = _first(rest, SPLITS)
    kind = FEATURES.get(str(features.get(files, {}).get("_type")), "any")
    if kind == "any" and any(word in files.lower() for word in ("audio", "recording", "sound", "speech")):
        kind = "recordings"
    elif kind == "any" and any(word in files.lower() for word in ("image", "img", "picture", "photo")):
        kind = "pictures"
    nested = _is_nested(schema.field(files).type)
    path = nested and schema.field(files).type.get_field_index("path") >= 0
    unused = tuple(name for name in rest if name not in (chosen, split))
    return Columns(files, nested, path, kind, chosen, _names(features.get(chosen)), split, unused)


def _require_names(schema: Any, place: str) -> None:
    names = list[str](schema.names)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        got, do = f"several columns {twice}", "rename or remove all but one"
        raise DataError(place, got=got, expected="one column of each name", do=do)


def _files(schema: Any, features: Mapping[str, Any], place: str) -> str:
    possible = [name for name in schema.names if _has_files(schema.field(name).type)]
    found = [name for name in possible if str(features.get(name, {}).get("_type")) in FEATURES] or possible
    if len(found) > 1 and _first(found, FILES):
        return _first(found, FILES)
    if len(found) != 1:
        shown = ", ".join(f"{field.name} ({field.type})" for field in schema)[:160]
        got = f"columns {shown or 'none'}" if not found else f"encoded files in {', '.join(found)}"
        expected = "one column of encoded files: binary, or bytes and path as datasets writes them"
        do = "rename the column to image or audio" if found else "pass another table"
        raise DataError(place, got=got, expected=expected, do=do)
    return found[0]


def _has_files(kind: Any) -> bool:
    return str(kind) in BINARY or _is_nested(kind)


def _is_nested(kind: Any) -> bool:
    if not str(kind).startswith("struct<"):
        return False
    place = kind.get_field_index("bytes")
    return place >= 0 and str(kind.field(place).type) in BINARY


def _first(names: Sequence[str], words: str) -> str:
    """Return the first of the names that is one of the words, in the order of the words; "" for none."""
    folded = {name.casefold(): name for name in reversed(names)}
    return next((folded[word] for word in words.split() if word in folded), "")


def _features(schema: Any) -> dict[str, Any]:
    """Return the description that `datasets` stores; an empty one for other tables."""
    try:
        content = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = content.get("info", {}).get("features") or {}
        return {str(name): value for name, value in found.items() if isinstance(value, dict)}
    except (ValueError, AttributeError):
        return {}


def _names(feature: Any) -> tuple[str, ...]:
    """Return the names of a ClassLabel, also inside a list."""
    while isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return ()
    return tuple(map(str, feature.get("names") or ()))
