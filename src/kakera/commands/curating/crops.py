"""Crops: small pictures that look like a window of another small picture, without the encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.retrieval.alignment import aligned, gradient_correlation, warped
from kakera.retrieval.exact import Vectors, nearest, unit_length

RANK = 10  # neighbours of each file that are compared
SAMPLE = 1000  # files whose tenth neighbours show how alike different files are
FEWEST = 40  # files from which this is measured
PAIRS = 1024  # pictures or pairs at a time
SCALES = {"pictures": ((0.9, 0.9),), "recordings": ((0.5, 1.0), (0.65, 1.0), (0.8, 1.0), (0.9, 1.0))}
STEPS, ROUGH = (2, 4), (0.4, 0.7)  # of a window, and the least likeness before them
Pairs = NDArray[np.int64]
Small = NDArray[np.uint8]


def crop_pairs(seen: Small, kind: str) -> tuple[Pairs, NDArray[np.float32], NDArray[np.float32]]:
    """Return pairs of small pictures where the first may be a window of the second, and their likeness.

    `seen` is uint8 (n, 48, 48), `kind` "pictures" or "recordings". The pairs are (m, 2), their likeness (m,).
    The third value is the likeness of some files to their tenth candidates, which are no crops.

    Example:

        >>> random = np.random.default_rng(0)
        >>> seen = random.integers(0, 256, (3, 12, 12)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
        >>> seen[2] = warped(seen[:1].astype(np.float32), np.array([[0.9, 0, 0.9, 0.1]], np.float32))[0]
        >>> pairs, likeness, _ = crop_pairs(seen, "pictures")
        >>> pairs[likeness > 0.95].tolist()
        [[2, 0]]
    """
    windows = _starts(kind)
    count, many = len(seen), len(windows)
    rank = min(RANK, count - 1)
    if rank < 1:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
    vectors, queries = _thumbnails(seen, windows), _thumbnails(seen, np.array([[1, 0, 1, 0]], np.float32))
    starts = np.arange(0, many * count, many)
    parts = list[tuple[Pairs, NDArray[np.int64]]]()
    for first in range(0, count, PAIRS):
        rows = np.arange(first, min(first + PAIRS, count))
        items, _, best = nearest(vectors, queries[rows], rank, hidden=list(rows[:, None]), starts=starts)
        parts.append((np.stack([rows.repeat(rank), items.reshape(-1)], axis=1), best.reshape(-1) % many))
    pairs, chosen = (np.concatenate(each) for each in zip(*parts, strict=True))
    likeness = _rough(seen, pairs, windows[chosen])
    far = np.zeros(len(pairs), bool)
    if count >= FEWEST:
        some = np.sort(seeding.permutation(0, 0, count, "crops")[:SAMPLE])
        far[some * rank + rank - 1] = True
    found = windows[chosen]
    for steps, least in zip(STEPS, ROUGH, strict=True):  # most pairs are refused after few steps
        close = np.flatnonzero((likeness > least) | far)
        for first in range(0, len(close), PAIRS):
            here = close[first : first + PAIRS]
            one, other = (seen[pairs[here, side]].astype(np.float32) for side in (0, 1))
            likeness[here], found[here] = aligned(one, other, found[here], steps)
    return pairs, likeness, likeness[far]


def _starts(kind: str) -> NDArray[np.float32]:
    """Return the windows from which the search starts (w, 4)."""
    found = [
        (across, x * (1 - across), down, y * (1 - down))
        for across, down in SCALES[kind]
        for x in (-1, 0, 1)
        for y in ((-1, 0, 1) if down < 1 else (0,))
    ]
    return np.array(found, np.float32)


def _rough(seen: Small, pairs: Pairs, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    found = np.empty(len(pairs), np.float32)
    for first in range(0, len(pairs), PAIRS):
        here = slice(first, first + PAIRS)
        one, other = (seen[pairs[here, side]].astype(np.float32) for side in (0, 1))
        found[here] = gradient_correlation(one, warped(other, windows[here]))
    return found


def _thumbnails(seen: Small, windows: NDArray[np.float32]) -> Vectors:
    """Return the means of 8 × 8 squares of all windows of pictures, (n · w, 64), as vectors of length 1."""
    step, found = seen.shape[1] // 8, list[Vectors]()
    for first in range(0, len(seen), PAIRS):
        part = seen[first : first + PAIRS].astype(np.float32)
        for_each = [warped(part, np.broadcast_to(each, (len(part), 4))) for each in windows]
        values = np.stack(for_each, axis=1).reshape(-1, 8, step, 8, step).mean(axis=(2, 4))
        values = values.reshape(len(part) * len(windows), -1)
        found.append(unit_length(values - values.mean(axis=1, keepdims=True)))
    return np.concatenate(found)
