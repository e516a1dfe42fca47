"""A cache of answers: each answer is computed once, also if several requests ask for it at the same time."""

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
    """A cache of values by key, up to `limit_bytes`; the least recently used values are removed first.

    Example:

        >>> cache = Cache(limit_bytes=1000)
        >>> cache.get("a", lambda: "computed", size=len)
        'computed'
        >>> cache.get("a", lambda: "not called again", size=len)
        'computed'
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit = limit_bytes
        self._lock = threading.Lock()
        self._entries: dict[Hashable, Future[Any]] = {}
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()  # bytes of the finished values
        self._total = 0

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """Return the value of `key`; if it is missing, compute it with `make`.

        Only the first caller computes it; other callers wait for the same value. An error is not cached.
        `size` returns the number of bytes of a value.
        """
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
        """Count a new value, and remove the least recently used ones above the limit."""
        with self._lock:
            self._sizes[key] = size
            self._total += size
            while self._total > self.limit and len(self._sizes) > 1:
                old, freed = self._sizes.popitem(last=False)
                self._total -= freed
                del self._entries[old]


class Limiter:
    """A limit of concurrent computations: by default one for each core.

    A request that waits longer than `patience_seconds` is refused.

    Example:

        >>> limiter = Limiter(patience_seconds=1.0, at_a_time=2)
        >>> with limiter.slot():
        ...     print("computing")
        computing
    """

    def __init__(self, patience_seconds: float = 30.0, at_a_time: int | None = None) -> None:
        self.patience = patience_seconds
        self._free = threading.BoundedSemaphore(at_a_time or usable_cores())

    @contextmanager
    def slot(self) -> Generator[None]:
        """Hold a free slot as a context manager. Raises BusyError after `patience_seconds`."""
        if not self._free.acquire(timeout=self.patience):
            raise BusyError
        try:
            yield
        finally:
            self._free.release()
