"""Processes or threads that read batches ahead, and how they end."""

from __future__ import annotations

import atexit
import signal
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from kakera.data.batch import Batch
from kakera.data.order import Place, SequentialSampler, TrainingSampler
from kakera.errors import DataError, StorageError
from kakera.machine import usable_cores

THREADS = 4  # at most, where there are no processes


def read_batches(
    reader: TorchDataset[Any],
    order: TrainingSampler | SequentialSampler,
    workers: int,
    *,
    pinned: bool = False,
) -> Iterator[Batch]:
    """What `reader` makes of each step of `order`, in that order. Raises what it raises, in one line.

    By `workers` processes; with none, by threads of this one, a few batches ahead. `pinned` for a GPU to
    fetch.
    """
    if not workers:
        return _by_threads(reader, order, pinned)
    loader: DataLoader[Any] = DataLoader(
        reader,
        batch_sampler=order,  # type: ignore[arg-type]  # places carry epoch and step beside the number
        num_workers=workers,
        pin_memory=pinned,
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # the reader already returns whole batches
        prefetch_factor=4,
        worker_init_fn=_heedless,
    )
    batches: Any = iter(loader)
    _LIVE.add(batches)
    return _in_one_line(batches, [*batches._workers])


def _by_threads(reader: Any, order: TrainingSampler | SequentialSampler, pinned: bool) -> Iterator[Batch]:
    """Batches made by threads, for half of the processors, while the network computes."""

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
    """What stops a worker, in its own words: without the traceback that PyTorch puts around them."""
    try:
        yield from batches
    except (DataError, StorageError) as error:
        words = str(error).rstrip().rpartition(f"\n{type(error).__module__}.{type(error).__name__}: ")[2]
        raise type(error)(words) from None
    finally:
        _end(batches, workers)


_LIVE: weakref.WeakSet[Any] = weakref.WeakSet()  # iterators that have processes


def _end(batches: Any, workers: list[BaseProcess]) -> None:
    """As PyTorch ends them, while its queues are whole; those still busy are heedless of its SIGTERM."""
    batches._shutdown_workers()  # first, since it also stops watching over them
    for worker in workers:
        worker.kill()


@atexit.register
def _end_all() -> None:
    """Python waits for its processes when it ends, also where somebody still holds their batches."""
    for batches in list(_LIVE):
        _end(batches, batches._workers)


def _heedless(worker: int) -> None:
    """Ctrl-C and SIGTERM, which may reach all processes, are for the one that trains: it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _as_it_is(batch: Batch) -> Batch:
    return batch
