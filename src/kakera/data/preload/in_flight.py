"""Parallel reading of files by threads, with a limit on the memory for decoding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from kakera.data.pictures import Pictures
from kakera.errors import UnreadableFileError
from kakera.machine import usable_cores

T = TypeVar("T")
BUDGET = 1 << 30  # bytes for all decoders together; a file that needs more is decoded alone
AHEAD = 8  # files per thread that are waiting or being read
PIXEL = 10  # bytes per pixel while decoding: four of Pillow, the array, and the results


def in_order(
    work: Callable[[int], T], count: int, cost: Callable[[int], int], *, budget: int = BUDGET
) -> Iterator[T]:
    """Yield `work(0)`, …, `work(count − 1)` in this order, computed by one thread per usable core.

    `cost(index)` is the memory in bytes of one call. All running calls together need at most `budget` bytes;
    a call that needs more runs alone. Raises the errors of `work`.

    Example:

        >>> list(in_order(lambda index: index**2, 4, cost=lambda index: 0))
        [0, 1, 4, 9]
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
    """Return a function that estimates the bytes for decoding a picture; 0 without a readable header.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.holders import FilePictures
        >>> from PIL import Image
        >>> Image.new("L", (4, 2)).save("a.png")
        >>> decoding_bytes(FilePictures([Path("a.png")], channels=1))(0)
        80
    """

    def cost(index: int) -> int:
        try:
            return pictures.decoded_pixels(index) * PIXEL
        except UnreadableFileError:
            return 0  # the error is reported when the picture is read

    return cost
