"""Agreement of the patches of a query and a match: cosines of their tokens after the final norm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.explain.similarity import cosine
from kakera.formats.bundle import Pretrained
from kakera.formats.window_tokens import window_tokens


@dataclass(frozen=True, eq=False)
class PatchTokens:
    """The patch tokens of one picture or window, (rows, columns, d), without padding.

    Example:

        >>> PatchTokens(np.ones((2, 3, 8), np.float32), 0.0).tokens.shape
        (2, 3, 8)
    """

    tokens: NDArray[np.float32]
    start: float
    """The start of the window in its recording, in seconds; 0 for a picture."""


def patch_tokens(saved: Pretrained, dataset: Dataset, most: int = 32) -> list[PatchTokens]:
    """Return the patch tokens of a picture, or of each of the first windows of a recording.

    There are at most about `most` windows. Raises UnreadableFileError.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8, seed=0), inputs)
        >>> files = open_files(np.zeros((8, 8), np.uint8), inputs)
        >>> [found.tokens.shape for found in patch_tokens(saved, files)]
        [(2, 2, 64)]
    """
    found = list[PatchTokens]()
    for part in window_tokens(saved, dataset, "patches"):
        for error in part.unreadable:
            raise error
        for vectors, span, columns in zip(part.vectors, part.spans, part.columns.tolist(), strict=True):
            whole = vectors.reshape(part.grid.rows, part.grid.cols, -1)
            found.append(PatchTokens(whole[:, :columns], 0.0 if np.isnan(span[0]) else float(span[0])))
        if len(found) >= most:
            break
    return found


def agreement(
    query: NDArray[np.float32], match: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return for each patch of the match its highest cosine with a patch of the query, and that patch.

    `query` is (m, d), `match` (…, d); the results are (…). Patches of the query count from 0.

    Example:

        >>> query, match = np.eye(2, dtype=np.float32), np.array([[0.0, 2.0], [-1.0, 0.0]], np.float32)
        >>> values, partners = agreement(query, match)
        >>> values.tolist(), partners.tolist()
        ([1.0, 0.0], [1, 1])
    """
    cosines = cosine(match.reshape(-1, match.shape[-1]), query)
    shape = match.shape[:-1]
    return cosines.max(axis=1).reshape(shape), cosines.argmax(axis=1).reshape(shape)
