"""The setup of `kakera embed`: options, encoder, opened data, and the description of the index."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kakera
from kakera.commands.indexing.processes import EmbedProcesses
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.data.images.value_range import Ranges
from kakera.data.shards.open import is_shards
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError
from kakera.formats.tokens.encoder import FrozenEncoder, open_encoder
from kakera.option_fields import AUTO
from kakera.retrieval.files import NPZ, PARQUET, require_parquet
from kakera.retrieval.index import PATCHES, IndexInfo

KNOWN = re.compile(
    r"\.lock|vectors|graphs|\.index\.json\.\w+|(vectors/\.?|\.?rows-)[0-9a-f]{16}\.npz(\.\w+)?", re.ASCII
)
"""The content of the folder of an unfinished index, also after a kill."""
POOLS = ("class", "mean", "class and mean", "normed mean", "attention")


@dataclass(frozen=True, eq=False)
class IndexSetup:
    """The encoder and the files of an index, and its description. See `open_index_setup`."""

    encoder: FrozenEncoder
    dataset: Dataset
    info: IndexInfo
    keys: NDArray[np.uint8]
    """The key of each file, uint8 (n, 16), see `Index`."""
    contents: NDArray[np.uint8]

    @property
    def settings(self) -> str:
        """A digest of everything that a vector depends on, beside its file."""
        info = self.info
        values = [info.encoder, info.pool, info.windows, info.kind, dict(info.inputs), info.grid]
        return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def open_index_setup(
    data: str | Path | Dataset,
    init_from: str | Path,
    *,
    pool: str = AUTO,
    tokens: bool = False,
    windows: bool = False,
    kind: Kind = "any",
    old: IndexInfo | None = None,
    processes: EmbedProcesses | None = None,
) -> IndexSetup:
    """Open encoder and data, and read all files once for their keys. The options are as in `build_index`.

    `old` is the description of the index that grows: its value ranges are used. Each of the `processes` reads
    its share of the files. Raises OptionError, DataError and RunError.
    """
    if tokens and pool != AUTO:
        raise OptionError("pool", got=f"{pool} with tokens", expected="one of both", do="leave one out")
    if pool not in (AUTO, *POOLS):
        raise OptionError("pool", got=pool, expected=f"auto, {', '.join(POOLS)}", do="choose one of these")
    encoder = open_encoder(init_from)
    chosen = PATCHES if tokens else encoder.default_pool if pool == AUTO else pool
    if chosen not in (PATCHES, *encoder.pools, "normed mean", encoder.pool):
        do = "choose one of these, or leave it out"
        expected = ", ".join(dict.fromkeys((*encoder.pools, "normed mean")))
        raise OptionError("pool", got=chosen, expected=expected, do=do)
    inputs = encoder.inputs
    if tokens and inputs.any_shape:
        expected, do = "an encoder with one grid of patches", "leave out --tokens"
        raise OptionError("tokens", got="an encoder that keeps shapes (NaFlex)", expected=expected, do=do)
    if windows and inputs.sound is None:
        got, do = "an encoder of pictures", "leave out --windows"
        raise OptionError("windows", got=got, expected="an encoder of recordings", do=do)
    ranges = old.spec.values if old is not None and inputs.sound is None else inputs.values
    dataset = _opened(data, encoder, kind, ranges)
    if inputs.sound is None:
        inputs = replace(inputs, values=dataset.ranges)
    keys, contents = (_as_array(found, dataset) for found in (processes or EmbedProcesses()).keys(dataset))
    start = Path(init_from)
    info = IndexInfo(
        encoder.digest(),
        str(start.resolve()) if start.exists() else str(init_from),
        "" if isinstance(data, Dataset) else str(data),
        str(Path.cwd()),
        dataset.kind,
        chosen,
        windows,
        json.loads(json.dumps(inputs.to_json())),
        encoder.grid,
        kakera.__version__,
    )
    return IndexSetup(encoder, dataset, info, keys, contents)


def _opened(data: str | Path | Dataset, encoder: FrozenEncoder, kind: Kind, ranges: Ranges) -> Dataset:
    sound = encoder.inputs.sound
    if isinstance(data, Dataset):
        dataset = data.with_ranges(ranges) if ranges else data
    else:
        own: Kind = "recordings" if sound else "pictures"
        chosen = own if kind == "any" and Path(data).exists() and not is_shards(data) else kind
        channels = None if sound else encoder.inputs.channels
        dataset = open_dataset(data, channels=channels, kind=chosen, ranges=ranges)
    expected = "recordings" if sound else "pictures"
    if dataset.kind != expected:
        expected += ", as in --init-from"
        raise DataError(dataset.name, got=dataset.kind, expected=expected, do="choose another encoder")
    if dataset.sounds is not None and sound is not None:
        return replace(dataset, pictures=dataset.sounds.with_spec(sound))
    return dataset.with_channels(encoder.inputs.channels)


def _as_array(keys: list[bytes], dataset: Dataset) -> NDArray[np.uint8]:
    """Return keys as uint8 (n, 16); a file that cannot be read gets one of its name."""
    named = (
        key or hashlib.blake2b(dataset.pictures.name(row).encode(errors="replace"), digest_size=16).digest()
        for row, key in enumerate(keys)
    )
    return np.frombuffer(b"".join(named), np.uint8).reshape(len(keys), 16)


def check_out(out: str | Path) -> Path:
    """Return the path of an index. Raises OptionError for another kind of file, or an unusable folder.

    Raises MissingExtraError for Parquet without pyarrow.

    Example:

        >>> check_out("index.npz").name
        'index.npz'
    """
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        require_parquet()
    elif suffix and suffix != NPZ and not path.is_dir():
        expected = ".npz, .parquet, or a folder, which has no suffix"
        raise OptionError("out", got=str(out), expected=expected, do="choose one of these")
    if path.is_dir() and suffix in (NPZ, *PARQUET):
        raise OptionError("out", got=f"{out}, a folder", expected="a file", do="choose another name")
    if path.is_file() and suffix not in (NPZ, *PARQUET):
        raise OptionError("out", got=f"{out}, a file", expected="a folder", do="choose another name")
    if path.is_dir() and not (path / "index.json").exists() and not _is_unfinished(path):
        got, expected = f"{out}, a folder with other files", "an index, or a new folder"
        raise OptionError("out", got=got, expected=expected, do="choose another folder")
    return path


def _is_unfinished(folder: Path) -> bool:
    """Return whether a folder has only what a stopped command leaves, so that it may be deleted."""
    names = [each.relative_to(folder).as_posix() for each in (*folder.glob("*"), *folder.glob("vectors/*"))]
    return all(KNOWN.fullmatch(name) for name in names) and ("vectors" in names or set(names) <= {".lock"})


def labels_of(dataset: Dataset) -> list[str]:
    """Return the label of each file as text: "" without one, several joined by "|", numbers by spaces.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> labels_of(open_dataset("demo").take([0]))
        ['Pullover']
    """
    labels, classes = dataset.labels, dataset.classes
    if labels is None:
        return [""] * len(dataset)
    if dataset.multi_label:
        return ["|".join(name for name, has in zip(classes, row, strict=True) if has) for row in labels]
    if dataset.regression:
        return [" ".join("" if np.isnan(value) else f"{value:.9g}" for value in row) for row in labels]
    return [classes[label] if label >= 0 else "" for label in labels.tolist()]


def require_same(old: IndexInfo, new: IndexInfo, place: str) -> None:
    """Check that an index can grow. Raises DataError if its vectors or its data are others.

    Example:

        >>> info = IndexInfo("0f", "runs/mae", "pictures", "/home", "pictures", "class", False, {}, (4, 4))
        >>> require_same(info, info, "index")
    """
    found = old.difference(new)
    if found is not None:
        do = "choose another --out, or delete it"
        if old.pool != new.pool and old.pool in found[0]:
            flag = "--tokens" if old.pool == "patches" else f"--pool '{old.pool}'"
            do = f"pass {flag}, or choose another --out"
        raise DataError(place, got=found[0], expected=found[1], do=do)
    before, now = (Path(each.folder, each.data) for each in (old, new))
    if before.resolve() != now.resolve():
        got, do = f"an index of {old.data}", "choose another --out, or delete it"
        raise DataError(place, got=got, expected=f"one of {new.data}", do=do)


def changes(
    old: Mapping[str, NDArray[Any]],
    folder: str,
    files: list[str],
    keys: NDArray[np.uint8],
    embedded: Collection[str],
) -> list[str]:
    """Return what changed since the old rows of an index, in words: new, changed and missing files.

    `folder` is the working folder of the old names. `embedded` are those of `files` that have vectors.

    Example:

        >>> from kakera.retrieval.index import empty_rows
        >>> rows = empty_rows(1) | {"file": np.array(["a.png"])}
        >>> changes(rows, ".", ["b.png"], np.zeros((1, 16), np.uint8), ["b.png"])
        ['1 new', '1 no longer there, dropped (a.png)']
    """
    before = {
        os.path.normpath(Path(folder, name)): (name, bytes(key))
        for name, key in zip(old["file"].tolist(), old["key"], strict=True)
    }
    now = {
        os.path.normpath(Path.cwd() / name): (name, bytes(key)) for name, key in zip(files, keys, strict=True)
    }
    there = [(place, name, key) for place, (name, key) in now.items() if name in embedded]
    fresh = [name for place, name, _ in there if place not in before]
    other = [name for place, name, key in there if place in before and before[place][1] != key]
    gone = [name for place, (name, _) in before.items() if place not in now]
    found = [f"{len(fresh):,} new"] if fresh else []
    found += [f"{len(other):,} changed, embedded again ({_some(other)})"] if other else []
    found += [f"{len(gone):,} no longer there, dropped ({_some(gone)})"] if gone else []
    return found


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
