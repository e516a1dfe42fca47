"""Asked to stop by SIGTERM or Ctrl-C, a training finishes the step in hand and saves it first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from kakera.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """`with stop: …`: a signal raises StoppedError in the main thread, or waits within `waiting`."""

    def __init__(self) -> None:
        self.received = 0
        """The number of the signal that asked; 0 before."""
        self.deferring = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextmanager
    def defer(self) -> Generator[None, None, None]:
        """Within, a first signal waits until `asked` is looked at."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.deferring and not self.received:
            self.received = number
            return
        raise StoppedError("stopped; the same command goes on from the last checkpoint", number)
