"""An attentive head: an attention pooling and a linear map, learned together on frozen patch tokens.

The start is ridge regression on the pooled vectors of the start, which are the mean of the tokens for an
encoder without an attention pooling. From there, Adam changes the queries of the pooling and the linear map.
The number of steps is chosen on labelled files that the fits leave out; then all files are used. It is 0
unless another number is clearly better, so a head that learns nothing useful stays ridge regression.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kakera import seeding
from kakera.model.attention_pool import AttentionPool
from kakera.progress import Progress
from kakera.training.heads.attention_pooling import PIECE, pooled_by, pooled_vectors, queries_of, set_queries
from kakera.training.heads.linear_head import Array, LinearHead, scale_of
from kakera.training.heads.selection import CLEARLY

STEPS = (0, 10, 20, 40, 80, 160, 320, 640, 1280)  # numbers of steps to choose from
PATIENCE = 2  # numbers of steps in a row that are worse than the best one, after which no more are tried
BATCH = 64
RATE, WIDTH = 1e-3, 128  # learning rate at this width of a token; it falls with the root of the width
ENOUGH = 400  # left-out files after which no more parts are left out
Rows = NDArray[np.int64]
Linear = Callable[[Array, NDArray[Any]], LinearHead]
"""Function that fits the start of the linear map to vectors (m, d) and targets (m, …)."""
Losses = Callable[[Array, Rows], Array]
"""Function of the outputs for some files and their numbers: the loss of each file, which chooses steps."""


@dataclass(frozen=True, eq=False)
class Attentive:
    """A learned attentive head. See `fit_attentive`."""

    pool: AttentionPool
    head: LinearHead
    """The linear map from pooled vectors to outputs."""
    rows: Rows
    """The files (m,) that a fit left out, in ascending order."""
    outputs: Array
    """The outputs (m, classes) for them, by a pooling and a map that did not learn from them."""
    steps: int


def fit_attentive(
    pool: AttentionPool,
    tokens: NDArray[np.float32],
    targets: NDArray[Any],
    folds: Rows,
    *,
    beside: NDArray[np.float32] | None = None,
    linear: Linear,
    losses: Losses,
    seed: int = 0,
) -> Attentive:
    """Train an attentive head for patch tokens (n, patches, d); `pool` is the start and does not change.

    `beside` (n, c) are vectors that the linear map reads before the pooled ones, such as class tokens.
    `targets` are int (n,) for one class each, bool (n, classes) for several labels, or float (n, targets).
    `folds` (n,) are the parts of the files, −1 for files that are never left out; as many parts are left out,
    one after another, as give 400 files. `linear` fits the start of the linear map, and `losses` compares
    numbers of steps. Equal arguments give equal bits.

    Example:

        >>> from kakera.model.configs import vit_config
        >>> from kakera.training.heads.attention_pooling import uniform_pool
        >>> tokens = np.random.default_rng(0).normal(size=(20, 5, 64)).astype(np.float32)
        >>> found = fit_attentive(
        ...     uniform_pool(vit_config("nano")), tokens, np.arange(20) % 2, np.arange(20) % 5,
        ...     linear=lambda vectors, targets: LinearHead(np.zeros((64, 2)), np.zeros(2)),
        ...     losses=lambda outputs, rows: (outputs.argmax(axis=1) != rows % 2).astype(float),
        ... )
        >>> found.outputs.shape
        (20, 2)
    """
    pool = copy.deepcopy(pool).requires_grad_(False)
    beside = np.zeros((len(tokens), 0), np.float32) if beside is None else beside
    files = _Files(tokens, beside, targets, _scale(tokens))
    vectors = np.concatenate([beside.astype(np.float64), pooled_vectors(pool, tokens)], axis=1)

    def training(rows: Rows, part: int) -> _Training:
        return _Training(
            pool, files, vectors[rows], linear(vectors[rows], targets[rows]), _batches(rows, seed, part)
        )

    parts = list[tuple[Rows, _Training]]()
    for part in range(int(folds.max(initial=-1)) + 1):
        if sum(len(held) for held, _ in parts) >= ENOUGH:
            break
        parts.append((np.flatnonzero(folds == part), training(np.flatnonzero(folds != part), part)))
    last = training(np.arange(len(tokens)), -1)
    with Progress("attentive head", total=(len(parts) + 1) * STEPS[-1], kind="steps") as progress:
        rows, outputs, steps = _chosen(parts, losses, progress)
        last.advance(steps, progress)
    learned, head = last.result()
    return Attentive(learned, head, rows, outputs, steps)


def _chosen(
    parts: list[tuple[Rows, _Training]], losses: Losses, progress: Progress
) -> tuple[Rows, Array, int]:
    """Return the left-out files, their outputs after the best number of steps, and this number.

    It is 0 unless the loss of another number is clearly lower.
    """
    rows = np.concatenate([np.zeros(0, np.int64), *(held for held, _ in parts)])
    if not len(rows):
        return rows, np.zeros((0, 0)), 0
    order = np.argsort(rows)
    tried, best = list[tuple[Array, Array]](), 0
    for before, steps in itertools.pairwise((0, *STEPS)):
        for _, training in parts:
            training.advance(steps - before, progress)
        outputs = np.concatenate([training.outputs(held) for held, training in parts])[order]
        tried.append((outputs, losses(outputs, rows[order])))
        best = min(range(len(tried)), key=lambda number: tried[number][1].mean())
        if len(tried) - 1 - best == PATIENCE:
            break
    gain = tried[0][1] - tried[best][1]
    if len(gain) < 2 or gain.mean() <= CLEARLY * gain.std(ddof=1) / np.sqrt(len(gain)):
        best = 0
    return rows[order], tried[best][0], STEPS[best]


def _scale(tokens: NDArray[np.float32]) -> Array:
    """Return one over the standard deviation (d,) of the tokens of evenly spaced files; 0 for constants."""
    few = tokens[:: -(-tokens.size // PIECE)] if tokens.size else tokens
    return 1.0 / scale_of(few.reshape(-1, tokens.shape[2]))[1]


@dataclass(frozen=True, eq=False)
class _Files:
    tokens: NDArray[np.float32]
    beside: NDArray[np.float32]
    targets: NDArray[Any]
    scale: Array


class _Training:
    """The training of queries and linear map on some files, which goes on where it stopped."""

    def __init__(
        self,
        pool: AttentionPool,
        files: _Files,
        vectors: Array,
        start: LinearHead,
        batches: Iterator[Tensor],
    ) -> None:
        targets, self.batches = files.targets, batches
        self.pool, self.tokens = pool, torch.from_numpy(files.tokens)
        self.beside = torch.from_numpy(files.beside)
        self.targets = torch.from_numpy(targets if targets.dtype == np.int64 else targets.astype(np.float32))
        self.criterion = _criterion(targets)
        mean, std = scale_of(vectors)
        self.mean, self.inverse = _tensor(mean), _tensor(1.0 / std)
        self.scale = _tensor(files.scale)
        queries = torch.where(self.scale > 0, queries_of(pool) / self.scale, 0.0)
        weights = start.weights * np.where(np.isfinite(std), std, 0.0)[:, None]
        self.queries = queries.requires_grad_()
        self.weights = _tensor(weights).requires_grad_()
        self.bias = _tensor(start.bias + mean @ start.weights).requires_grad_()
        rate = RATE * (WIDTH / files.tokens.shape[2]) ** 0.5
        self.optimizer = torch.optim.Adam([self.queries, self.weights, self.bias], lr=rate, betas=(0.9, 0.99))

    def _logits(self, rows: Tensor) -> Float[Tensor, "b classes"]:
        pooled = pooled_by(self.pool, self.queries * self.scale, self.tokens[rows])
        vectors = torch.cat([self.beside[rows], pooled], dim=1)
        return (vectors - self.mean) * self.inverse @ self.weights + self.bias

    def advance(self, steps: int, progress: Progress) -> None:
        """Take some steps of Adam (Kingma and Ba 2015)."""
        for _ in range(steps):
            rows = next(self.batches)
            loss = self.criterion(self._logits(rows), self.targets[rows])
            self.optimizer.zero_grad()
            loss.backward(inputs=[self.queries, self.weights, self.bias])
            self.optimizer.step()
            progress.advance()

    @torch.no_grad()
    def outputs(self, rows: Rows) -> Array:
        """Return the outputs (m, classes) for the files with these numbers."""
        step = max(1, PIECE // max(1, self.tokens[:1].numel()))
        pieces = [torch.from_numpy(rows[first : first + step]) for first in range(0, len(rows), step)]
        nothing = np.zeros((0, len(self.bias)))
        return np.concatenate([nothing, *(self._logits(piece).double().numpy() for piece in pieces)])

    def result(self) -> tuple[AttentionPool, LinearHead]:
        """Return the pooling and the linear map for its vectors."""
        pool = copy.deepcopy(self.pool)
        set_queries(pool, (self.queries * self.scale).detach())
        weights = (self.weights * self.inverse[:, None]).detach().double().numpy()
        mean = self.mean.double().numpy()
        return pool, LinearHead(weights, self.bias.detach().double().numpy() - mean @ weights)


def _batches(rows: Rows, seed: int, part: int) -> Iterator[Tensor]:
    """Yield the rows of one batch after another, from a new permutation in each epoch."""
    size = min(BATCH, len(rows))
    orders = (
        rows[seeding.permutation(seed, epoch, len(rows), f"attentive head {part}")]
        for epoch in itertools.count()
    )
    stream = itertools.chain.from_iterable(order.tolist() for order in orders)
    while True:
        yield torch.tensor([*itertools.islice(stream, size)])


def _criterion(targets: NDArray[Any]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the cross entropy of classes, that of each label, or the mean squared error of numbers."""
    if targets.dtype == np.int64:
        return functional.cross_entropy
    return functional.binary_cross_entropy_with_logits if targets.dtype == np.bool_ else functional.mse_loss


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
