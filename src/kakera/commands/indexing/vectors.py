"""The vectors that an index lacks: from the token cache, or computed and stored block by block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from kakera.commands.indexing.processes import EmbedProcesses
from kakera.commands.indexing.setup import IndexSetup
from kakera.data.dataset import Dataset
from kakera.errors import DataError, UnreadableFileError
from kakera.machine import usable_cores
from kakera.option_fields import AUTO, Auto
from kakera.retrieval.blocks import Block, Blocks, read_blocks, write_block
from kakera.retrieval.index import PATCHES

if TYPE_CHECKING:
    from kakera.formats.tokens.store import Kind, PoolName
    from kakera.formats.window_tokens import Pool, WindowTokens

FEW = 256  # up to this number of files, reading them takes less time than starting processes
LARGE, SECONDS = 1 << 26, 10.0  # bytes of vectors, or seconds of computing, after which a block is written


def add_missing(
    setup: IndexSetup,
    blocks: Blocks,
    folder: Path,
    *,
    workers: int | Auto,
    device: str,
    processes: EmbedProcesses,
) -> tuple[int, tuple[UnreadableFileError, ...]]:
    """Add the vectors of all files that `blocks` lacks; return the number of computed files, and the errors,
    one for each unreadable file.

    Pooled vectors of whole files come from the token cache, and new ones are added to it. Others are written
    as blocks into `folder` while they are computed. With several processes, each computes its share, and all
    vectors are written as blocks; only `blocks` of the main process are used, and then hold all of them.
    Raises DataError for vectors that are not finite, and StorageError.
    """
    dist = processes.dist
    if dist is None:
        computed, found = _add(setup, blocks, folder, blocks.known(setup.keys), workers, device, processes)
        return computed, _with_copies(setup, found)
    known = dist.on_rank_zero(lambda: blocks.known(setup.keys))
    with dist.detect_lost_process():
        counts, broken = zip(
            *dist.all_gather(_add(setup, blocks, folder, known, workers, device, processes)), strict=True
        )
    if processes.is_main:
        names = {each.name for each in blocks.blocks}
        for block in read_blocks(folder, setup.settings):
            if block.name not in names:
                blocks.add(block)
    return sum(counts), _with_copies(setup, [error for part in broken for error in part])


def _with_copies(setup: IndexSetup, broken: Sequence[UnreadableFileError]) -> tuple[UnreadableFileError, ...]:
    """Return one error for each unreadable file, also for copies, which were not read."""
    found = {error.path: error for error in broken}
    if not found:
        return ()
    names = [setup.dataset.pictures.name(row) for row in range(len(setup.dataset))]
    keys = setup.keys.view("V16")[:, 0].tolist()
    reasons = {key: found[name].reason for name, key in zip(names, keys, strict=True) if name in found}
    for name, key in zip(names, keys, strict=True):
        if key in reasons and name not in found:
            found[name] = UnreadableFileError(name, reasons[key])
    return tuple(found.values())


def _add(
    setup: IndexSetup,
    blocks: Blocks,
    folder: Path,
    known: NDArray[np.bool_],
    workers: int | Auto,
    device: str,
    processes: EmbedProcesses,
) -> tuple[int, tuple[UnreadableFileError, ...]]:
    """Add the share of this process. See `add_missing`."""
    _, first = np.unique(setup.keys.view("V16")[:, 0], return_index=True)  # each content once
    rows = np.sort(first[~known[first]])[processes.rank :: processes.size]
    if not len(rows):
        return 0, ()
    files, keys, broken = setup.dataset.take(rows), setup.keys[rows], list[UnreadableFileError]()
    readers = workers if workers != AUTO else 0 if files.pictures.in_memory or len(files) <= FEW else None
    count = max(1, usable_cores() // processes.here) if readers is None else readers
    if setup.info.pool != PATCHES and not setup.info.windows:
        block, computed = _from_cache(setup, files, keys, count, device, broken)
        blocks.add(block if processes.dist is None else write_block(folder, setup.settings, block))
    else:
        computed = 0
        for block in _computed(setup, files, keys, count, device, broken):
            blocks.add(write_block(folder, setup.settings, block))
            computed += len(np.unique(block.key.view("V16")))
    return computed, tuple({error.path: error for error in broken}.values())


def _from_cache(
    setup: IndexSetup,
    files: Dataset,
    keys: NDArray[np.uint8],
    workers: int,
    device: str,
    broken: list[UnreadableFileError],
) -> tuple[Block, int]:
    """Return pooled vectors of whole files as a block in memory, and how many were not in the cache."""
    from kakera.formats.tokens.keys import file_keys
    from kakera.training.stored_features import missing_files, stored_features

    kind: Kind = (-1, cast("PoolName", setup.info.pool))
    span_keys = file_keys(files)
    computed = len(missing_files(setup.encoder, files, [kind], span_keys))
    found, rows = stored_features(
        setup.encoder,
        files,
        [kind],
        keys=span_keys,
        workers=workers,
        progress="embed",
        device=device,
        unreadable=broken,
    )
    computed -= len({error.path for error in broken})
    spans = np.full((len(rows), 2), np.nan)
    sounds = files.sounds
    if sounds is not None:
        begins = [sounds.spans[row][0] if len(sounds.spans) else 0.0 for row in rows.tolist()]
        lengths = [sounds.length(row) / sounds.spec.rate for row in rows.tolist()]
        spans = np.array(begins)[:, None] + np.stack([np.zeros(len(rows)), lengths], axis=1)
    columns = np.full(len(rows), setup.info.grid[1], np.int32)
    return Block(keys[rows], spans[:, 0], spans[:, 1], columns, found[kind]), computed


def _computed(
    setup: IndexSetup,
    files: Dataset,
    keys: NDArray[np.uint8],
    workers: int,
    device: str,
    broken: list[UnreadableFileError],
) -> Iterator[Block]:
    """Yield blocks of windows or patch tokens; the windows of a recording are in one block."""
    from kakera.formats.window_tokens import window_tokens
    from kakera.training.device import moved_to_device

    saved, began = setup.encoder.load(), time.monotonic()
    parts: list[WindowTokens] = []
    pool = cast("Pool", setup.info.pool)
    with moved_to_device(saved, device):
        found = window_tokens(saved, files, pool, workers=workers, progress="embed")
        for part in found:
            broken += part.unreadable
            finite = np.isfinite(part.vectors.reshape(len(part.samples), -1)).all(axis=1)
            if not finite.all():
                name = files.pictures.name(int(part.samples[~finite][0]))
                do = "check this file and the weights of the encoder"
                raise DataError(name, got="tokens that are not finite", expected="numbers", do=do)
            parts += [part] if len(part.samples) else []
            size = sum(each.vectors.nbytes for each in parts)
            several = bool(parts) and parts[0].samples[0] != parts[-1].samples[-1]
            if several and (size > LARGE or time.monotonic() - began > SECONDS):
                block, rest = _block(parts, keys, whole=files.sounds is None)
                if block is not None:
                    yield block
                parts, began = rest, time.monotonic()
    block, _ = _block(parts, keys, whole=True) if parts else (None, [])
    if block is not None:
        yield block


def _block(
    parts: Sequence[WindowTokens], keys: NDArray[np.uint8], *, whole: bool
) -> tuple[Block | None, list[WindowTokens]]:
    """Return a block of parts, and the windows of the last recording, unless it is `whole`."""
    samples = np.concatenate([part.samples for part in parts])
    spans = np.concatenate([part.spans for part in parts])
    columns = np.concatenate([part.columns for part in parts])
    vectors = np.concatenate([part.vectors for part in parts])
    cut = len(samples) if whole else int(np.searchsorted(samples, samples[-1]))
    block = Block(keys[samples[:cut]], spans[:cut, 0], spans[:cut, 1], columns[:cut], vectors[:cut])
    rest = replace(
        parts[-1], samples=samples[cut:], spans=spans[cut:], columns=columns[cut:], vectors=vectors[cut:]
    )
    return block if cut else None, [rest] if len(rest.samples) else []
