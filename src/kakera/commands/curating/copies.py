"""Copies: pairs whose tokens are alike, confirmed by their small pictures, and the groups they form."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.commands.curating.crops import FEWEST, RANK, SAMPLE, Small, crop_pairs
from kakera.formats.tokens.keys import Key
from kakera.machine import usable_cores
from kakera.retrieval.alignment import gradient_correlation
from kakera.retrieval.exact import Vectors, nearest, unit_length
from kakera.retrieval.pairs import best_pairs, groups_of, neighbour_limit, pairs_above

EXACT, RECODED, MIRRORED, CROPPED, EXCERPT = "exact", "re-encoded", "mirrored", "cropped", "excerpt"
DEVIATIONS = 5.5  # of the likeness of files that differ, above which two files are copies
FIXED, HIGHEST = 0.93, 0.99  # with fewer files, the limit is fixed; it is never higher than 0.99
MOST = 20_000  # files among which crops are searched
PAIRS = 128  # pairs at a time: their pictures stay in the cache of a core
WIDTH, ROWS = 128, 20_000  # components of the tokens that are compared, from so many files
Pairs = NDArray[np.int64]


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
    seen, limits, compared = small[rows], dict[str, float](), 0
    found = dict[tuple[int, int], tuple[float, str]]()
    vectors, others = _vectors(tokens[rows], None if mirrored is None else mirrored[rows])
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
        near, likeness, far = crop_pairs(seen, kind)
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


def _vectors(
    tokens: NDArray[np.float32], mirrored: NDArray[np.float32] | None
) -> tuple[Vectors, Vectors | None]:
    """Return centred tokens of length 1, and those of the mirrored pictures; of wide ones the components."""
    centre = tokens.mean(axis=0, dtype=np.float64).astype(np.float32)
    both = [tokens - centre] if mirrored is None else [tokens - centre, mirrored - centre]
    if tokens.shape[1] > WIDTH:
        some = both[0][:: -(-len(tokens) // ROWS)].astype(np.float64)
        axes = np.linalg.eigh(some.T @ some)[1][:, -WIDTH:].astype(np.float32)
        both = [values @ axes for values in both]
    units = [unit_length(values) for values in both]
    return units[0], units[1] if len(units) > 1 else None


def _near(vectors: Vectors, others: Vectors | None) -> Pairs:
    """Return the pairs of rows whose vectors are most alike."""
    limit = neighbour_limit(vectors, RANK, others) if len(vectors) >= FEWEST else -2.0
    return best_pairs(*pairs_above(vectors, limit, others), RANK)[0]


def _far(vectors: Vectors, others: Vectors | None, seen: Small, turned: Small) -> NDArray[np.float32]:
    """Return the likeness of some files to their tenth neighbours, which look alike but are no copies."""
    if len(vectors) < FEWEST:
        return np.zeros(0, np.float32)
    rows = np.sort(seeding.permutation(0, 0, len(vectors), "copies")[:SAMPLE])
    own = vectors if others is None else others
    items, _, _ = nearest(own, vectors[rows], RANK, hidden=list(rows[:, None]))
    return _likeness(seen, turned, np.stack([rows, items[:, -1]], axis=1))


def _likeness(seen: Small, turned: Small, pairs: Pairs) -> NDArray[np.float32]:
    def of_part(start: int) -> NDArray[np.float32]:
        first, second = pairs[start : start + PAIRS].T
        return gradient_correlation(seen[first].astype(np.float32), turned[second].astype(np.float32))

    with ThreadPoolExecutor(usable_cores()) as threads:
        parts = threads.map(of_part, range(0, len(pairs), PAIRS))
        return np.concatenate([np.zeros(0, np.float32), *parts])
