"""Frozen tokens of a data set, from the cache as far as it has them. Imports torch only to compute others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.errors import DataError, UnreadableFileError
from kakera.formats.tokens.encoder import FrozenEncoder
from kakera.formats.tokens.keys import Key, file_keys, mirrored_key
from kakera.formats.tokens.store import Kind, PoolName, TokenStore

BLOCK, SECONDS = 1024, 10.0  # files, or seconds of computing, after which a file of the cache is written
BYTES = 64 << 20  # the same for tokens of many values


def stored_features(
    encoder: FrozenEncoder,
    dataset: Dataset,
    kinds: Sequence[Kind],
    *,
    keys: Sequence[Key] | None = None,
    workers: int = 0,
    progress: str = "tokens",
    device: str = "auto",
    unreadable: list[UnreadableFileError] | None = None,
    mirrored: bool = False,
) -> tuple[dict[Any, NDArray[np.float32]], NDArray[np.int64]]:
    """Return embeddings (n, d) for each (layer, pool) of `kinds`, and the numbers of the n readable files.

    They are those of `kakera.formats.features.features`. Tokens that the cache has are read; others are
    computed and added to it every 1024 files or 10 seconds, also when the computation is interrupted. Files
    with the same content are computed once. The pooling "patches" gives all patch tokens of a picture after
    the final norm, one after another. `keys` are those of `file_keys`, if they are known. `mirrored` turns
    the pictures around their vertical axis.
    Unreadable files are appended to `unreadable`. Raises OptionError for another layer, and DataError for
    tokens that are not finite.

    Example:

        >>> import os
        >>> from unittest.mock import patch
        >>> from kakera import InputSpec, ViT
        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.formats.bundle import Pretrained
        >>> from kakera.formats.tokens.encoder import encoder_of
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=28), InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     files = open_dataset("demo").take(range(3))
        ...     found, numbers = stored_features(encoder_of(saved), files, [(-1, "mean")])
        >>> found[-1, "mean"].shape, numbers
        ((3, 64), array([0, 1, 2]))
    """
    store, names = TokenStore(encoder.key(dataset)), {kind: _last(kind, encoder.depth) for kind in kinds}
    own = list(dict.fromkeys(names.values()))
    keys = file_keys(dataset) if keys is None else keys
    keys = [mirrored_key(key) for key in keys] if mirrored else keys
    tokens, known = store.find(keys, own)
    missing = _once(keys, known)
    if len(missing):
        broken: list[UnreadableFileError] = []
        computed, numbers = _computed(
            encoder,
            store,
            dataset.take(missing),
            [keys[row] for row in missing],
            own,
            workers,
            progress,
            device,
            broken,
            mirrored=mirrored,
        )
        for kind in own:
            values = computed[kind]
            whole = tokens.setdefault(kind, np.zeros((len(dataset), values.shape[1]), np.float32))
            whole[missing[numbers]] = values
        known[missing[numbers]] = True
        _copied(keys, known, missing[numbers], tokens)
        if unreadable is not None:
            unreadable += [*broken, *_copies(dataset, keys, missing, broken)]
    rows = np.flatnonzero(known)
    for kind in own:  # no file at all
        tokens.setdefault(kind, np.zeros((len(dataset), _width(encoder, kind)), np.float32))
    found = tokens if len(rows) == len(dataset) else {name: tokens[name][rows] for name in own}
    return {kind: found[name] for kind, name in names.items()}, rows


def missing_files(
    encoder: FrozenEncoder, dataset: Dataset, kinds: Sequence[Kind], keys: Sequence[Key] | None = None
) -> NDArray[np.int64]:
    """Return the numbers of the files whose tokens must be computed, because the cache lacks them.

    See `stored_features`.
    """
    keys, own = keys or file_keys(dataset), [_last(kind, encoder.depth) for kind in kinds]
    return _once(keys, TokenStore(encoder.key(dataset)).find(keys, own)[1])


def _last(kind: Kind, depth: int) -> Kind:
    layer, pool = kind
    return (-1 if layer == depth else layer if layer < 0 and layer == -1 else layer % (depth + 1), pool)


def _once(keys: Sequence[Key], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows that are not known, each content once; rows without a key are all different."""
    rows: dict[Any, int] = {}
    for row in np.flatnonzero(~known).tolist():
        rows.setdefault(keys[row] or row, row)
    return np.array([*rows.values()], dtype=np.int64)


def _copied(
    keys: Sequence[Key],
    known: NDArray[np.bool_],
    fresh: NDArray[np.int64],
    tokens: dict[Kind, NDArray[np.float32]],
) -> None:
    """Copy the tokens of `fresh` rows to the rows that have the same content."""
    places = {keys[row]: row for row in fresh.tolist() if keys[row]}
    for row in np.flatnonzero(~known).tolist():
        if keys[row] in places:
            for values in tokens.values():
                values[row] = values[places[keys[row]]]
            known[row] = True


def _copies(
    dataset: Dataset, keys: Sequence[Key], missing: NDArray[np.int64], broken: Sequence[UnreadableFileError]
) -> list[UnreadableFileError]:
    """Return the errors of unreadable files that were not read, because `broken` has their content."""
    reasons, read = {error.path: error.reason for error in broken}, {*missing.tolist()}
    names = {row: dataset.pictures.name(row) for row in missing.tolist()} if broken else {}
    found = {keys[row]: reasons[name] for row, name in names.items() if keys[row] and name in reasons}
    copies = [row for row, key in enumerate(keys) if key in found and row not in read]
    return [UnreadableFileError(dataset.pictures.name(row), found[keys[row]]) for row in copies]


def _computed(
    encoder: FrozenEncoder,
    store: TokenStore,
    files: Dataset,
    keys: Sequence[Key],
    kinds: Sequence[Kind],
    workers: int,
    progress: str,
    device: str,
    unreadable: list[UnreadableFileError],
    *,
    mirrored: bool = False,
) -> tuple[dict[Kind, NDArray[np.float32]], NDArray[np.int64]]:
    """Compute the tokens of files and add them to the cache; return them with the numbers of the files."""
    from kakera.formats.features import each_features, require_layers
    from kakera.training.device import moved_to_device

    saved = encoder.load()
    layers = [*dict.fromkeys(layer for layer, _ in kinds)]
    pools: list[PoolName] = [*dict.fromkeys(pool for _, pool in kinds)]
    require_layers(saved.encoder, layers)
    numbers, values = list[NDArray[np.int64]](), {kind: list[NDArray[np.float32]]() for kind in kinds}
    first, began = 0, time.monotonic()  # the first batch that the cache lacks, and the time of the last write
    most = min(BLOCK, BYTES // (4 * sum(_width(encoder, kind) for kind in kinds)))

    def write() -> None:
        nonlocal first, began
        rows = [row for part in numbers[first:] for row in part.tolist()]
        found = {kind: np.concatenate(parts[first:]) for kind, parts in values.items()} if rows else {}
        first, began = len(numbers), time.monotonic()
        if rows:
            store.add([keys[row] for row in rows], found)

    with moved_to_device(saved, device):
        batches = each_features(
            saved, files, layers, pools, workers=workers, progress=progress, mirrored=mirrored
        )
        try:
            for samples, found, broken in batches:
                unreadable += broken
                for kind in kinds:
                    _require_finite(found[kind], samples, files)
                    values[kind].append(found[kind])
                numbers.append(samples)
                if sum(map(len, numbers[first:])) >= most or time.monotonic() - began > SECONDS:
                    write()
        finally:
            write()
    found = {
        kind: np.concatenate([np.zeros((0, _width(encoder, kind)), np.float32), *parts])
        for kind, parts in values.items()
    }
    return found, np.concatenate([np.zeros(0, np.int64), *numbers])


def _width(encoder: FrozenEncoder, kind: Kind) -> int:
    if kind[1] == "patches":
        return encoder.patches * encoder.width
    return encoder.width * (2 if kind[1] in ("class and mean", "class and attention", "distilled") else 1)


def _require_finite(values: NDArray[np.float32], samples: NDArray[np.int64], files: Dataset) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        name, do = (
            files.pictures.name(int(samples[~finite][0])),
            "check this file and the weights of the encoder",
        )
        raise DataError(name, got="tokens that are not finite", expected="finite numbers", do=do)
