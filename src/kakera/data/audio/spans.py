"""Many spans of recordings, in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.decode import Span


class Spans(Sequence[Span]):
    """Start and end of each in seconds: (n, 2), 16 bytes a span."""

    def __init__(self, seconds: NDArray[np.float64]) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self.seconds)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> Spans: ...
    def __getitem__(self, index: int | slice) -> Span | Spans:
        if isinstance(index, slice):
            return Spans(self.seconds[index])
        start, end = self.seconds[index].tolist()
        return start, end

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> NDArray[np.float64]:
        return np.array(self.seconds, dtype, copy=copy)

    def take(self, rows: NDArray[np.int64]) -> Spans:
        """Return the spans at `rows`."""
        return Spans(self.seconds[rows])
