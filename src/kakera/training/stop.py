"""Handling of SIGTERM and Ctrl-C: a training finishes the current step and saves it before it stops."""

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
    """A handler of SIGTERM and SIGINT, used as `with stop: …`.

    A signal raises StoppedError in the main thread. Inside `defer` the first signal only sets `received`.

    Example:

        >>> with StopSignal() as stop:
        ...     steps = sum(1 for _ in range(10) if not stop.received)
        >>> steps, stop.received
        (10, 0)
    """

    def __init__(self) -> None:
        self.received = 0
        """Number of the received signal; 0 if none."""
        self.deferring = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextmanager
    def defer(self) -> Generator[None, None, None]:
        """Defer the first signal inside the `with` block: it only sets `received`. A second one raises."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.deferring and not self.received:
            self.received = number
            return
        raise StoppedError("stopped; run the same command to resume from the last checkpoint", number)
