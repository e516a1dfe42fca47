"""Copies: pairs whose tokens are alike, confirmed by their small pictures, and the groups they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.formats.tokens.keys import Key
from kakera.retrieval.alignment import aligned, gradient_correlation, warped
from kakera.retrieval.exact import Vectors, nearest, unit_length
from kakera.retrieval.pairs import best_pairs, groups_of, neighbour_limit, pairs_above

EXACT, RECODED, MIRRORED, CROPPED, EXCERPT = "exact", "re-encoded", "mirrored", "cropped", "excerpt"
RANK = 10  # neighbours of each file that are compared
DEVIATIONS = 5.5  # of the likeness of files that differ, above which two files are copies
FEWEST, FIXED, HIGHEST = 40, 0.93, 0.99  # with fewer files, the limit is fixed; it is never higher than 0.99
SAMPLE = 1000  # files whose tenth neighbours show how alike different files are
MOST = 20_000  # files among which crops are searched
PAIRS = 1024  # pairs at a time
SCALES = {"pictures": ((0.9, 0.9),), "recordings": ((0.5, 1.0), (0.65, 1.0), (0.8, 1.0), (0.9, 1.0))}
STEPS, ROUGH = (2, 4), (0.4, 0.7)  # of a window, and the least likeness before them
Pairs = NDArray[np.int64]
Small = NDArray[np.uint8]


@dataclass(frozen=True)
class CopyPair:
    """Two files of the same content: their rows, the kind of change, and the likeness, 0 to 1.

    See `find_copies`.
    """

    first: int
    second: int
    kind: str
    likeness: float


@dataclass(frozen=True, eq=False)
class Copies:
    """The pairs of copies, and their groups. See `find_copies`."""

    pairs: tuple[CopyPair, ...]
    groups: tuple[tuple[int, ...], ...]
    """The rows of each group."""
    limits: dict[str, float]
    """The likeness above which two files are copies, by kind."""
    compared: int
    """The number of pairs whose small pictures were compared."""

    def best(self, group: Sequence[int]) -> dict[int, CopyPair]:
        """Return the pair with the highest likeness for each row of a group."""
        inside, found = set(group), dict[int, CopyPair]()
        for pair in sorted(self.pairs, key=lambda pair: (-pair.likeness, pair.kind)):
            for row in (pair.first, pair.second):
                if row in inside:
                    found.setdefault(row, pair)
        return found


def find_copies(
    keys: Sequence[Key],
    tokens: NDArray[np.float32],
    small: Small,
    *,
    mirrored: NDArray[np.float32] | None = None,
    kind: str = "pictures",
) -> Copies:
    """Return the copies among n files.

    `keys` are those of their content: equal keys are exact copies. Other candidates have a high cosine of
    `tokens` (n, d), or of tokens and those of the `mirrored` pictures (n, d), or a window of the small
    picture of one file is like that of the other. All candidates are compared by the correlation of the
    gradients of `small`, uint8 (n, 48, 48). `kind` is that of the data set. The limit is chosen from the
    tenth neighbours of files, see `likeness_limit`.

    Example:

        >>> random = np.random.default_rng(0)
        >>> small = random.integers(0, 256, (4, 48, 48)).astype(np.uint8)
        >>> small[3] = small[0] // 2
        >>> find_copies([b"a", b"b", b"b", b"c"], random.normal(size=(4, 8)), small).groups
        ((0, 3), (1, 2))
    """
    firsts: dict[Key, int] = {}
    owner = [firsts.setdefault(key, row) if key else row for row, key in enumerate(keys)]
    pairs = [CopyPair(first, row, EXACT, 1.0) for row, first in enumerate(owner) if first != row]
    rows = np.array([row for row, first in enumerate(owner) if first == row], np.int64)
    seen, limits, compared = small[rows].astype(np.float32), dict[str, float](), 0
    centre = tokens.mean(axis=0, dtype=np.float64) if len(tokens) else 0
    vectors = unit_length(tokens[rows] - centre)
    found = dict[tuple[int, int], tuple[float, str]]()
    others = None if mirrored is None else unit_length(mirrored[rows] - centre)
    for name, other in ((RECODED, None), (MIRRORED, others)):
        if name == MIRRORED and other is None:
            continue
        turned = seen if name == RECODED else seen[:, :, ::-1]
        limits[name] = likeness_limit(_far(vectors, other, seen, turned))
        near = _near(vectors, other)
        likeness = _likeness(seen, turned, near)
        if name == MIRRORED:
            likeness = np.where(likeness > _likeness(seen, seen, near), likeness, -1)
        compared += len(near)
        _keep(found, near, likeness, limits[name], name)
    if len(rows) <= MOST:
        name = EXCERPT if kind == "recordings" else CROPPED
        near, likeness, far = _windows(seen, kind)
        limits[name] = likeness_limit(far)
        compared += len(near)
        _keep(found, np.sort(near, axis=1), likeness, limits[name], name)
    pairs += [
        CopyPair(int(rows[first]), int(rows[second]), name, value)
        for (first, second), (value, name) in sorted(found.items())
    ]
    groups = groups_of(len(keys), [(pair.first, pair.second) for pair in pairs])
    return Copies(tuple(pairs), tuple(map(tuple, groups)), limits, compared)


def likeness_limit(likeness: NDArray[np.float32]) -> float:
    """Return the likeness above which two files are copies, from that of files that differ (m,).

    Fisher's transformation makes correlations about normal; the limit is 5.5 standard deviations above their
    median, both robust, and at most 0.99. With fewer than 40 files it is 0.93.

    Example:

        >>> spread = np.random.default_rng(0).normal(0.5, 0.2, 100_000)
        >>> round(likeness_limit(np.tanh(spread)), 2), round(float(np.tanh(0.5 + 5.5 * 0.2)), 2)
        (0.92, 0.92)
    """
    if len(likeness) < FEWEST:
        return FIXED
    values = np.arctanh(np.clip(likeness.astype(np.float64), -0.9999, 0.9999))
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return float(min(np.tanh(middle + DEVIATIONS * spread), HIGHEST))


def _keep(
    found: dict[tuple[int, int], tuple[float, str]],
    pairs: Pairs,
    likeness: NDArray[np.float32],
    limit: float,
    name: str,
) -> None:
    """Add the pairs above the limit; a pair keeps the kind that was found first."""
    for row in np.flatnonzero(likeness > limit).tolist():
        pair = int(pairs[row, 0]), int(pairs[row, 1])
        value = min(float(likeness[row]), 1.0)
        if pair not in found or (found[pair][1] == name and found[pair][0] < value):
            found[pair] = value, name


def _near(vectors: Vectors, others: Vectors | None) -> Pairs:
    """Return the pairs of rows whose vectors are most alike."""
    limit = neighbour_limit(vectors, RANK, others) if len(vectors) >= FEWEST else -2.0
    return best_pairs(*pairs_above(vectors, limit, others), RANK)[0]


def _far(
    vectors: Vectors, others: Vectors | None, seen: NDArray[np.float32], turned: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the likeness of some files to their tenth neighbours, which look alike but are no copies."""
    if len(vectors) < FEWEST:
        return np.zeros(0, np.float32)
    rows = np.sort(seeding.permutation(0, 0, len(vectors), "copies")[:SAMPLE])
    own = vectors if others is None else others
    items, _, _ = nearest(own, vectors[rows], RANK, hidden=list(rows[:, None]))
    return _likeness(seen, turned, np.stack([rows, items[:, -1]], axis=1))


def _likeness(seen: NDArray[np.float32], turned: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float32]:
    found = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), PAIRS):
        first, second = pairs[start : start + PAIRS].T
        found[start : start + PAIRS] = gradient_correlation(seen[first], turned[second])
    return found


def _windows(seen: NDArray[np.float32], kind: str) -> tuple[Pairs, NDArray[np.float32], NDArray[np.float32]]:
    """Return pairs where the first file may be a window of the second, their likeness, and that of others."""
    windows = np.array(
        [
            (across, x * (1 - across), down, y * (1 - down))
            for across, down in SCALES[kind]
            for x in (-1, 0, 1)
            for y in ((-1, 0, 1) if down < 1 else (0,))
        ],
        np.float32,
    )
    count, many = len(seen), len(windows)
    rank = min(RANK, count - 1)
    if rank < 1:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
    cut = [_thumbnails(warped(seen, np.broadcast_to(each, (count, 4)))) for each in windows]
    vectors = np.stack(cut, axis=1).reshape(many * count, -1)
    starts, queries = np.arange(0, many * count, many), _thumbnails(seen)
    parts = list[tuple[Pairs, NDArray[np.int64]]]()
    for first in range(0, count, PAIRS):
        rows = np.arange(first, min(first + PAIRS, count))
        items, _, best = nearest(vectors, queries[rows], rank, hidden=list(rows[:, None]), starts=starts)
        parts.append((np.stack([rows.repeat(rank), items.reshape(-1)], axis=1), best.reshape(-1) % many))
    pairs, chosen = (np.concatenate(each) for each in zip(*parts, strict=True))
    likeness = np.empty(len(pairs), np.float32)
    for first in range(0, len(pairs), PAIRS):
        here = slice(first, first + PAIRS)
        likeness[here] = gradient_correlation(
            seen[pairs[here, 0]], warped(seen[pairs[here, 1]], windows[chosen[here]])
        )
    far = np.zeros(len(pairs), bool)
    if count >= FEWEST:
        some = np.sort(seeding.permutation(0, 0, count, "crops")[:SAMPLE])
        far[some * rank + rank - 1] = True
    found = windows[chosen]
    for steps, least in zip(STEPS, ROUGH, strict=True):  # most pairs are refused after few steps
        close = np.flatnonzero((likeness > least) | far)
        likeness[close], found[close] = aligned(
            seen[pairs[close, 0]], seen[pairs[close, 1]], found[close], steps
        )
    return pairs, likeness, likeness[far]


def _thumbnails(pictures: NDArray[np.float32]) -> Vectors:
    """Return the means of 8 × 8 squares of pictures as vectors (n, 64) of length 1."""
    count, side = pictures.shape[:2]
    step = side // 8
    values = pictures.reshape(count, 8, step, 8, step).mean(axis=(2, 4)).reshape(count, -1)
    return unit_length(values - values.mean(axis=1, keepdims=True))
