"""Every random number, as a function of (seed, epoch, sample, purpose): nothing is remembered.

A run may stop anywhere, go on with another number of workers or processes, and draw the same crops,
masks and orders. Per-sample numbers come from a vectorised counter-based hash (the finaliser of
SplitMix64: Steele, Lea and Flood 2014); per-batch draws that need a distribution come from NumPy's
Philox generator (Salmon et al. 2011), keyed the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def key(seed: int, purpose: str, *numbers: int) -> int:
    """A 63-bit key for (seed, purpose, numbers…), to seed another generator with."""
    text = "/".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def bits(
    seed: int,
    epoch: int,
    samples: Sequence[int] | NDArray[np.int64],
    purpose: str,
    count: int,
    first: int = 0,
) -> NDArray[np.uint64]:
    """Hashed words `first` … `first` + count − 1 of each sample, (len(samples), count)."""
    start = np.array(key(seed, purpose, epoch), dtype=np.uint64)
    numbers = np.asarray(samples, dtype=np.int64).astype(np.uint64)
    rows = _mix(start + (numbers + np.uint64(1)) * _GOLDEN)[:, None]
    columns = np.arange(first + 1, first + count + 1, dtype=np.uint64) * _GOLDEN
    return _mix(_mix(rows + columns))


def uniform(
    seed: int,
    epoch: int,
    samples: Sequence[int] | NDArray[np.int64],
    purpose: str,
    count: int = 1,
    first: int = 0,
) -> NDArray[np.float64]:
    """Numbers in [0, 1), (len(samples), count): one row a sample, whatever batch it comes in.

    Those from `first` on; each number keeps its value whichever others are drawn.
    """
    words = bits(seed, epoch, samples, purpose, count, first)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(seed: int, epoch: int, count: int, purpose: str = "order") -> NDArray[np.int64]:
    """A permutation of 0 … count − 1."""
    return np.argsort(bits(seed, epoch, np.arange(count), purpose, 1)[:, 0], kind="stable")


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A NumPy generator for the draws of one step (mixing, for instance)."""
    return np.random.Generator(np.random.Philox(key=key(seed, purpose, *numbers)))
