"""Random numbers as a function of (seed, epoch, sample, purpose), without any stored state.

A run can stop at any step, resume with another number of workers or processes, and draw the same crops, masks
and orders. Numbers for each sample come from a vectorised counter-based hash (the finaliser of SplitMix64:
Steele, Lea and Flood 2014). Draws for a whole batch that need a distribution come from NumPy's Philox
generator (Salmon et al. 2011), which uses the same keys.
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
    """Return a 63-bit key for (seed, purpose, numbers…), to seed another generator.

    Example:

        >>> key(0, "crop", 3) == key(0, "crop", 3), key(0, "crop", 3) == key(0, "crop", 4)
        (True, False)
    """
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
    """Return hashed 64-bit words `first` … `first` + `count` − 1 of each sample.

    `samples` are the numbers of the samples in the data set. Returns a uint64 array (len(samples), count).

    Example:

        >>> bits(0, 0, [17, 3], "crop", 4).shape
        (2, 4)
    """
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
    """Return random numbers in [0, 1), one row for each sample.

    A row depends on the number of the sample and not on the batch. `count` numbers are drawn for each sample,
    from number `first` on; the value of a number does not depend on which other numbers are drawn. Returns a
    float64 array (len(samples), count).

    Example:

        >>> noise = uniform(0, 0, [17, 3], "mask", 4)
        >>> noise.shape, bool((uniform(0, 0, [3], "mask", 2, first=2) == noise[1, 2:]).all())
        ((2, 4), True)
    """
    words = bits(seed, epoch, samples, purpose, count, first)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(seed: int, epoch: int, count: int, purpose: str = "order") -> NDArray[np.int64]:
    """Return a random permutation of 0 … `count` − 1, an int64 array (count,).

    Example:

        >>> sorted(permutation(0, 0, 5).tolist())
        [0, 1, 2, 3, 4]
    """
    return np.argsort(bits(seed, epoch, np.arange(count), purpose, 1)[:, 0], kind="stable")


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return a NumPy generator for the draws of one step, for example for mixing.

    Example:

        >>> generator(0, "mix", 3).random() == generator(0, "mix", 3).random()
        True
    """
    return np.random.Generator(np.random.Philox(key=key(seed, purpose, *numbers)))
