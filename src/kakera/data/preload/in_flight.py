"""Many files read at once, by threads, with a bound on the memory that decoding them takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from kakera.data.pictures import Pictures
from kakera.errors import UnreadableFileError
from kakera.machine import usable_cores

T = TypeVar("T")
BUDGET = 1 << 30  # bytes that decoders may take together; one that needs more is alone
AHEAD = 8  # files waiting or being read, for each thread
PIXEL = 10  # bytes a pixel takes while it is decoded: Pillow's four, the array, and what is made of it


def in_order(
    work: Callable[[int], T], count: int, cost: Callable[[int], int], *, budget: int = BUDGET
) -> Iterator[T]:
    """`work(0)`, …, `work(count − 1)` in this order, made by as many threads as there are processors.

    Those that are being made cost, in bytes, no more than `budget` together, unless there is only one.
    Raises what `work` raises.
    """
    threads = usable_cores()
    pending: deque[tuple[Future[T], int]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for index in range(count):
                needs = cost(index)
                while pending and (
                    len(pending) >= AHEAD * threads
                    or sum(other for future, other in pending if not future.done()) + needs > budget
                ):
                    yield pending.popleft()[0].result()
                pending.append((pool.submit(work, index), needs))
            while pending:
                yield pending.popleft()[0].result()
        finally:
            for future, _ in pending:
                future.cancel()


def decoding_bytes(pictures: Pictures) -> Callable[[int], int]:
    """About what decoding picture `index` takes; 0 where it has no header to read."""

    def cost(index: int) -> int:
        try:
            return pictures.decoded_pixels(index) * PIXEL
        except UnreadableFileError:
            return 0  # the reason is given when it is read

    return cost
