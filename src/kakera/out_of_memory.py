"""One error, OutOfMemoryError, for every lack of memory: the work, the amount, and the option to lower.

Python, NumPy, PyTorch on CPUs and GPUs, oneDNN and worker processes raise different errors. This module
detects them by type name and text, so that it needs no slow imports.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from kakera.errors import KakeraError, OutOfMemoryError

SCARCE = 1 << 30  # bytes: with more free memory than this, a broken file is the likely cause
KINDS = ("MemoryError", "OutOfMemoryError", "_ArrayMemoryError")
UNITS = {"B": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
TEXTS = re.compile(
    r"can't allocate memory|Cannot allocate memory|out of memory|std::bad_alloc|Unable to allocate "
    r"|could not create a memory|Caught \w*MemoryError|can't start new thread"
)
KILLED = re.compile(r"DataLoader worker \(pid.*?\) (?:is killed by signal: (\w+)|exited unexpectedly)")
ASKED = re.compile(r"(?:[Tt]ried to allocate|Unable to allocate) ([\d.]+) (\w+)")
ON_GPU = re.compile(r"total capacity of ([\d.]+) (\w+) of which ([\d.]+) (\w+) is free")


@contextmanager
def memory_for(work: str, do: str | Callable[[], str]) -> Generator[None]:
    """Convert every lack of memory in the `with` block to an OutOfMemoryError.

    `work` is the subject of the message, `do` its advice (or a function that returns the advice).

    Example:

        >>> with memory_for("training", "lower --batch-size"):
        ...     raise MemoryError
        Traceback (most recent call last):
        kakera.errors.OutOfMemoryError: training: got too little memory, expected work that fits into ...
    """
    try:
        yield
    except Exception as error:
        lack = out_of_memory(error, work, do if isinstance(do, str) else do())
        if lack is None or lack is error:
            raise
        raise lack from error


def out_of_memory(error: BaseException, work: str, do: str) -> OutOfMemoryError | None:
    """Return an OutOfMemoryError if `error` or one of its causes is a lack of memory; else None.

    Example:

        >>> print(out_of_memory(MemoryError(), "training", "lower --batch-size"))
        training: got too little memory, expected work that fits into ...; lower --batch-size
        >>> out_of_memory(ValueError("not a number"), "training", "lower --batch-size") is None
        True
    """
    if isinstance(error, KakeraError):
        return error if isinstance(error, OutOfMemoryError) else None
    for cause in _causes(error):
        text = str(cause)
        killed = KILLED.search(text)
        if killed is not None and killed[1] in (None, "Killed", "Bus", "Aborted"):
            got = "a data loading process that the system ended, probably because of too little "
            got += "shared memory" if killed[1] == "Bus" else "memory"
        elif _is_lack(cause, text):
            got = _asked(text)
        else:
            continue
        return OutOfMemoryError(work, got=got, expected=_there(text), do=do)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and the errors that caused it."""
    now: BaseException | None = error
    while now is not None:
        yield now
        now = now.__cause__


def _is_lack(error: BaseException, text: str) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ in KINDS:
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return TEXTS.search(text) is not None


def raise_out_of_memory(error: Exception) -> None:
    """Raise `error` again if it is a lack of memory, so that no caller reports a broken file.

    A broken file can request any amount of memory. So with SCARCE free bytes or more, the file is the cause
    and nothing is raised.

    Example:

        >>> raise_out_of_memory(ValueError("not a picture"))  # returns: the caller reports the file
    """
    if _is_lack(error, str(error)) and memory_here()[1] < SCARCE:
        raise error


def _asked(text: str) -> str:
    found = ASKED.search(text)
    if found is None or found[2] not in UNITS:
        return "too little memory"
    return f"too little memory for {_in_words(float(found[1]) * UNITS[found[2]])} more"


def _there(text: str) -> str:
    """Return the total and the free memory as text, of the GPU if the error text is about a GPU."""
    gpu = ON_GPU.search(text)
    if gpu is not None and gpu[2] in UNITS and gpu[4] in UNITS:
        total, free = float(gpu[1]) * UNITS[gpu[2]], float(gpu[3]) * UNITS[gpu[4]]
        return f"work that fits into the {_in_words(total)} of the GPU, of which {_in_words(free)} are free"
    total, free = memory_here()
    if not total:
        return "work that fits into memory"
    return f"work that fits into {_in_words(total)}, of which {_in_words(free)} are free now"


def memory_here() -> tuple[float, float]:
    """Return the total and the free bytes of memory for this process; (0, 0) if unknown.

    Each is the smallest of three: the memory of the machine, the limit of the control group, and the limit
    on the address space (`ulimit -v`).

    Example:

        >>> total, free = memory_here()
        >>> 0 <= free <= total
        True
    """
    limits = [found for found in (_machine(), _group(), _addresses()) if found is not None]
    if not limits:
        return 0.0, 0.0
    return min(total for total, _ in limits), max(0.0, min(free for _, free in limits))


def _machine() -> tuple[float, float] | None:
    found = _fields(Path("/proc/meminfo"))
    if "MemTotal" not in found:
        return None
    return found["MemTotal"], found.get("MemAvailable", found["MemTotal"])


def _group() -> tuple[float, float] | None:
    for folder, most, used in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            total = float((Path(folder) / most).read_text())
            return total, total - float((Path(folder) / used).read_text())
        except (OSError, ValueError):  # no such group, or "max", which means no limit
            continue
    return None


def _addresses() -> tuple[float, float] | None:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    except (ImportError, OSError, AttributeError):  # not available on every system
        return None
    if limit == resource.RLIM_INFINITY:
        return None
    return limit, limit - _fields(Path("/proc/self/status")).get("VmSize", 0.0)


def _fields(path: Path) -> dict[str, float]:
    """Read lines such as `MemTotal: 24 kB`, and return the numbers in bytes by name."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError):
        return {}
    found: dict[str, float] = {}
    for line in lines:
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB":
            found[name] = float(words[0]) * 1024
    return found


def _in_words(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
