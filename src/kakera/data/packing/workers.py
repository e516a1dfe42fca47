"""The processes that write shards: each takes the next free shard, and ends when its parent does."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from kakera.data.packing.job import PackingJob
from kakera.data.packing.writer import write_shard
from kakera.errors import DataError, KakeraError
from kakera.progress import Progress


def pack_shards(job: PackingJob, numbers: Sequence[int], workers: int) -> None:
    """Write these shards in `workers` processes. Raises StorageError and DataError.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.sources.open import open_dataset
        >>> five = open_dataset("demo").take(range(5))
        >>> job = PackingJob(five, Path("shards"), divided=True, side=0, files=False, shard_size=3)
        >>> pack_shards(job, range(job.count), workers=1)
        >>> sorted(path.name for path in Path("shards").glob("*.tar"))
        ['000000.tar', '000001.tar']
    """
    total = sum(len(job.rows(number)) for number in numbers)
    progress = Progress("pack", total=total, kind=job.dataset.kind)
    if workers == 1:
        with progress:
            for number in numbers:
                write_shard(job, number, progress.advance)
        return
    context = multiprocessing.get_context()
    taken = context.Value("q", 0)
    readers: list[Connection] = []
    processes: list[Any] = []
    try:
        for _ in range(workers):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(job, numbers, taken, writer, os.getpid()), daemon=True
            )
            process.start()
            writer.close()
            readers.append(reader)
            processes.append(process)
        with progress:
            while readers:
                for reader in wait(readers):
                    assert isinstance(reader, Connection)
                    try:
                        message = reader.recv()
                    except EOFError:
                        readers.remove(reader)
                        continue
                    if isinstance(message, BaseException):
                        raise message
                    progress.advance(message)
        for process in processes:
            process.join()
            if process.exitcode:
                got = f"a worker that ended with exit code {process.exitcode}"
                expected, do = "all shards", "run it again, with fewer --workers if memory is low"
                raise DataError(str(job.folder), got=got, expected=expected, do=do)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(job: PackingJob, numbers: Sequence[int], taken: Any, writer: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C, and ends its workers

    def report(count: int) -> None:
        if os.getppid() != parent:
            os._exit(1)
        if count:
            writer.send(count)

    try:
        while True:
            with taken.get_lock():
                place = taken.value
                taken.value += 1
            if place >= len(numbers):
                break
            write_shard(job, numbers[place], report)
    except KakeraError as error:
        writer.send(error)
    except BrokenPipeError:  # the parent has ended
        os._exit(1)
    writer.close()
