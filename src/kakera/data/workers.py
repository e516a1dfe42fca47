"""Worker processes or threads that read batches in advance, and their clean end."""

from __future__ import annotations

import atexit
import signal
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any, TypeAlias

from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from kakera.data.batch import Batch
from kakera.data.order import Place
from kakera.errors import DataError, StorageError
from kakera.machine import usable_cores

Sampler: TypeAlias = Iterable[list[Place]]
"""The places of each batch, in order."""
THREADS = 4  # the most threads if there are no worker processes


def read_batches(
    reader: TorchDataset[Any],
    order: Sampler,
    workers: int,
    *,
    pinned: bool = False,
) -> Iterator[Batch]:
    """Return an iterator over the batches that `reader` reads for each entry of `order`, in that order.

    `workers` is the number of worker processes; with 0, threads of this process read a few batches in
    advance. With `pinned`, batches are in pinned memory for a GPU. Raises the errors of `reader`, in one
    line.

    Example:

        >>> from kakera.data.images.crop import CenterCrop
        >>> from kakera.data.loader import Reader
        >>> from kakera.data.order import SequentialSampler
        >>> from kakera.data.sources.open import open_dataset
        >>> reader = Reader(open_dataset("demo"), CenterCrop((8, 8)), None, seed=0, whole=5)
        >>> [len(batch.samples) for batch in read_batches(reader, SequentialSampler(5, 2), workers=0)]
        [2, 2, 1]
    """
    if not workers:
        return _by_threads(reader, order, pinned)
    loader: DataLoader[Any] = DataLoader(
        reader,
        batch_sampler=order,  # type: ignore[arg-type]  # places also contain epoch and step
        num_workers=workers,
        pin_memory=pinned,
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # the reader already returns whole batches
        prefetch_factor=4,
        worker_init_fn=_heedless,
    )
    batches: Any = iter(loader)
    _LIVE.add(batches)
    return _in_one_line(batches, [*batches._workers])


def _by_threads(reader: Any, order: Sampler, pinned: bool) -> Iterator[Batch]:
    """Yield batches that threads read on half of the cores, while the network computes."""

    def read(places: list[Place]) -> Batch:
        batch: Batch = reader.__getitems__(places)
        return batch.pin_memory() if pinned else batch

    threads = max(1, min(THREADS, usable_cores() // 2))
    pending: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(threads, "batches")
    try:
        for places in order:
            pending.append(pool.submit(read, places))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_one_line(batches: Any, workers: list[BaseProcess]) -> Iterator[Batch]:
    """Yield batches; raise a worker's error with its own text, without PyTorch's traceback around it."""
    try:
        yield from batches
    except (DataError, StorageError) as error:
        text = str(error).rstrip().rpartition(f"\n{type(error).__module__}.{type(error).__name__}: ")[2]
        raise type(error)(text) from None
    finally:
        _end(batches, workers)


_LIVE: weakref.WeakSet[Any] = weakref.WeakSet()  # iterators with running worker processes


def _end(batches: Any, workers: list[BaseProcess]) -> None:
    """End the workers as PyTorch does; then kill those that are still busy, since they ignore SIGTERM."""
    batches._shutdown_workers()  # first, because it also stops PyTorch's watch over the workers
    for worker in workers:
        worker.kill()


@atexit.register
def _end_all() -> None:
    """End all workers at exit; otherwise Python waits for them while a batch iterator still exists."""
    for batches in list(_LIVE):
        _end(batches, batches._workers)


def _heedless(worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM in a worker: they reach all processes, and the main one ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _as_it_is(batch: Batch) -> Batch:
    return batch
