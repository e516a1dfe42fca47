"""Answers that are kept: each is made once, however many ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from kakera.machine import usable_cores
from kakera.web.errors import BusyError

T = TypeVar("T")


class Cache:
    """Values by key, up to a number of bytes; the longest unused go first."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit = limit_bytes
        self._lock = threading.Lock()
        self._entries: dict[Hashable, Future[Any]] = {}
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()  # of those that are made
        self._total = 0

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of a key; the first to ask makes it, others wait for that one. An error is not kept."""
        with self._lock:
            entry = self._entries.get(key)
            first = entry is None
            entry = Future[Any]() if entry is None else entry
            self._entries[key] = entry
            if key in self._sizes:
                self._sizes.move_to_end(key)
        if first:
            try:
                value = make()
            except BaseException as error:
                with self._lock:
                    del self._entries[key]
                entry.set_exception(error)
                raise
            entry.set_result(value)
            self._keep(key, size(value))
        return cast(T, entry.result())

    def _keep(self, key: Hashable, size: int) -> None:
        """In constant time, but for what has to go."""
        with self._lock:
            self._sizes[key] = size
            self._total += size
            while self._total > self.limit and len(self._sizes) > 1:
                old, freed = self._sizes.popitem(last=False)
                self._total -= freed
                del self._entries[old]


class Limiter:
    """As many computations at a time as there are cores; whoever waits too long is sent away."""

    def __init__(self, patience_seconds: float = 30.0, at_a_time: int | None = None) -> None:
        self.patience = patience_seconds
        self._free = threading.BoundedSemaphore(at_a_time or usable_cores())

    @contextmanager
    def slot(self) -> Generator[None]:
        """Raises BusyError."""
        if not self._free.acquire(timeout=self.patience):
            raise BusyError
        try:
            yield
        finally:
            self._free.release()
