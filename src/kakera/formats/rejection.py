"""Files that are unlike the training files: "none of these". Does not import torch.

The tokens of the training files have a mean and a covariance. The distance of a file is that of its token
from this mean, in units of the covariance (Mahalanobis; Lee et al. 2018, section 2.1, here with one mean for
all classes). The covariance is shrunk towards a multiple of the identity (Ledoit and Wolf 2004). The limit is
a quantile of the distances of held-out training files (split conformal prediction, Vovk et al. 2005, section
4.1; Bates et al. 2023): a new file of the same kind exceeds it with at most the stated rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.errors import OptionError, RunError
from kakera.formats.tokens.arrays import checksum_of, read_arrays, sealed_arrays
from kakera.storage import write_atomically

FILE = "rejection.safetensors"
NONE = "none of these"
SHARE = 0.2  # of the training files, held out for the limit
LEAST = 40  # training files
LEAST_HELD = 8  # held-out files: a fifth of the least training files
MOST = 20_000  # training files to use


def rejection_pool(class_tokens: int) -> Literal["class and mean", "mean"]:
    """Return the pooling that the distance is measured on, for an encoder with so many class tokens.

    Example:

        >>> rejection_pool(1), rejection_pool(0)
        ('class and mean', 'mean')
    """
    return "class and mean" if class_tokens else "mean"


@dataclass(frozen=True, eq=False)
class Rejection:
    """The distance of a file from the training files, from its pooled tokens (see `rejection_pool`).

    `mean` is (e,), `whitening` (e, r), and `distances` (m,) are those of held-out training files, in
    ascending order. See `fit_rejection`.
    """

    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]
    distances: NDArray[np.float32]

    def distance(self, tokens: NDArray[Any]) -> NDArray[np.float32]:
        """Return the distance (n,) of tokens (n, e): squared, and divided by their width."""
        placed = (tokens - self.mean) @ self.whitening
        return np.square(placed).mean(axis=1, dtype=np.float64).astype(np.float32)

    def typical(self, tokens: NDArray[Any]) -> NDArray[np.float64]:
        """Return the conformal p-value (n,) of tokens (n, e), above 0 and at most 1.

        It is the share of held-out training files, the file itself counted among them, that are at least as
        far away.
        """
        count = len(self.distances)
        nearer = np.searchsorted(self.distances, self.distance(tokens), side="left")
        return ((1.0 + count - nearer) / (count + 1.0)).astype(np.float64)

    def require_rate(self, rate: float) -> None:
        """Raise OptionError if a rate of false alarms is not from 1 / (m + 1) to below 1."""
        least = 1.0 / (len(self.distances) + 1)
        if not least <= rate < 1:
            expected = f"{least:.3g} or more, below 1, because {len(self.distances)} files were held out"
            raise OptionError(
                "reject", got=f"{rate:g}", expected=expected, do="pass a larger rate, or fit more labels"
            )


def fit_rejection(tokens: NDArray[Any], seed: int = 0) -> Rejection | None:
    """Return the rejection for training tokens (n, e); None for fewer than 40 files.

    A fifth of the files, chosen at random, is held out for the limit. Uses at most 20 000 files.

    Example:

        >>> rng = np.random.default_rng(0)
        >>> found = fit_rejection(rng.normal(size=(400, 3)))
        >>> found.typical(np.array([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])).round(2)
        array([1.  , 0.01])
    """
    if len(tokens) < LEAST:
        return None
    order = seeding.permutation(seed, 0, len(tokens), "rejection")[:MOST]
    held = int(SHARE * len(order))
    return rejection_of(tokens[order[held:]], tokens[order[:held]])


def rejection_of(seen: NDArray[Any], held_out: NDArray[Any]) -> Rejection | None:
    """Return the rejection for tokens (n, e) of training files and tokens (m, e) of held-out files.

    None for fewer than 8 held-out files, or fewer than 2 training files.

    Example:

        >>> rng = np.random.default_rng(0)
        >>> found = rejection_of(rng.normal(size=(100, 3)), rng.normal(size=(50, 3)))
        >>> len(found.distances)
        50
    """
    if len(held_out) < LEAST_HELD or len(seen) < 2:
        return None
    seen = seen.astype(np.float64)
    mean, std = seen.mean(axis=0), seen.std(axis=0)
    std = np.where(std <= 1e-6 * np.maximum(np.abs(mean), 1e-30), np.inf, std)
    spread, axes = np.linalg.eigh(shrunk_covariance((seen - mean) / std))
    whitening = (axes / np.sqrt(np.maximum(spread, 1e-9))) / std[:, None]
    found = Rejection(mean.astype(np.float32), whitening.astype(np.float32), np.zeros(0, np.float32))
    return Rejection(found.mean, found.whitening, np.sort(found.distance(held_out)))


def shrunk_covariance(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance (d, d) of centred samples (n, d), shrunk as by Ledoit and Wolf (2004).

    Example:

        >>> from sklearn.covariance import ledoit_wolf
        >>> x = np.random.default_rng(0).normal(size=(30, 5))
        >>> x -= x.mean(axis=0)
        >>> np.allclose(shrunk_covariance(x), ledoit_wolf(x, assume_centered=True)[0])
        True
    """
    count, width = centred.shape
    sample = centred.T @ centred / count
    middle = np.trace(sample) / width
    apart = np.square(sample - middle * np.eye(width)).sum()
    noise = (np.square(np.square(centred).sum(axis=1)).sum() / count - np.square(sample).sum()) / count
    share = 0.0 if apart <= 0 else float(np.clip(noise / apart, 0.0, 1.0))
    return (1 - share) * sample + share * middle * np.eye(width)


def write_rejection(folder: Path, rejection: Rejection, weights: str) -> None:
    """Write the rejection of a run; `weights` is the checksum of its weights. Raises StorageError.

    Example:

        >>> found = fit_rejection(np.random.default_rng(0).normal(size=(50, 3)))
        >>> write_rejection(Path("run"), found, "abc")
        >>> Path("run", FILE).exists()
        True
    """
    write_atomically(folder / FILE, rejection_bytes(rejection, weights))


def rejection_bytes(rejection: Rejection, weights: str) -> bytes:
    """Return the bytes of the file of a rejection; `weights` is the checksum of the model's weights.

    Example:

        >>> found = fit_rejection(np.random.default_rng(0).normal(size=(50, 3)))
        >>> len(rejection_bytes(found, "abc")) > 100
        True
    """
    arrays = {"mean": rejection.mean, "whitening": rejection.whitening, "distances": rejection.distances}
    return sealed_arrays(arrays, {"weights": weights})[0]


def stored_rejection(folder: Path) -> tuple[Rejection | None, tuple[str, ...]]:
    """Return the rejection of a run folder; None if it has none or a damaged one, and notes about it.

    Example:

        >>> stored_rejection(Path("no-run"))
        (None, ())
    """
    if not (folder / FILE).is_file():
        return None, ()
    try:
        return read_rejection(folder), ()
    except RunError as error:
        return None, (f"without --reject: {error}",)


def read_rejection(folder: str | Path, weights: str | None = None) -> Rejection:
    """Return the rejection of a run folder. Raises RunError if it has none, or one of other weights.

    `weights` is the checksum of its weights; by default that of its `model.safetensors`.

    Example:

        >>> try:
        ...     read_rejection("no-run")
        ... except RunError as error:
        ...     print(str(error).partition(";")[0])
        no-run: got no rejection.safetensors, expected a run of kakera fit with 40 or more labels, or of \
kakera finetune with --val-share
    """
    path, do = Path(folder) / FILE, "fit one, or leave out --reject"
    if not path.is_file():
        expected = f"a run of kakera fit with {LEAST} or more labels, or of kakera finetune with --val-share"
        raise RunError(str(folder), got=f"no {FILE}", expected=expected, do=do)
    try:
        arrays, texts = read_arrays(path)
        found = Rejection(arrays["mean"], arrays["whitening"], arrays["distances"])
        if found.whitening.shape[:1] != found.mean.shape or found.distances.ndim != 1:
            raise ValueError("arrays that do not match")
    except (OSError, ValueError, KeyError) as error:
        raise RunError(str(path), got=error, expected="a whole file", do="fit the run again") from error
    if texts.get("weights") != (weights or checksum_of(Path(folder) / "model.safetensors")):
        raise RunError(str(path), got="distances of other weights", expected="those of this run", do=do)
    return found
