"""A lack of memory, made for real by limits on a child process, and in the words of PyTorch on GPUs."""

import errno
import subprocess
import sys

import pytest

from kakera.errors import OutOfMemoryError, RunError
from kakera.out_of_memory import memory_for, out_of_memory, raise_out_of_memory

CPU = (
    "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 3221225472 bytes. Error code 12 (Cannot allocate memory)"
)
GPU = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.72 GiB of which "
    "1.50 GiB is free. Process 1 has 138 GiB memory in use."
)
WAYS = {
    "torch": "torch.zeros(1 << 33)",
    "numpy": "numpy.ones(1 << 33)",
    "python": "bytearray(1 << 33)",
}
READER = """
class Reader(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return torch.ones(1 << 32)
"""
SCRIPT = """
import resource, numpy, torch
from kakera.errors import OutOfMemoryError
from kakera.out_of_memory import memory_for
{more}
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
try:
    with memory_for("the work", "lower --batch-size"):
        {code}
except OutOfMemoryError as error:
    print(error)
"""


def said(code: str, more: str = "") -> str:
    script = SCRIPT.format(code=code, more=more)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_running_out_is_one_line(way: str) -> None:
    line = said(WAYS[way])
    assert line.startswith("the work: got too little memory")
    assert "expected work that fits into 6.0 GiB, of which " in line
    assert line.endswith("free now; lower --batch-size\n")


def test_one_that_happens_in_a_worker_process_is_the_same_line() -> None:
    line = said("list(torch.utils.data.DataLoader(Reader(), num_workers=1))", READER)
    assert line.startswith("the work: got too little memory for 16.0 GiB more")


def test_one_that_happens_in_a_thread_is_the_same_line() -> None:
    pool = "from concurrent.futures import ThreadPoolExecutor"
    line = said("list(ThreadPoolExecutor(1).map(lambda _: torch.zeros(1 << 33), [0]))", pool)
    assert line.startswith("the work: got too little memory for 32.0 GiB more")


def test_how_much_was_asked_for_is_taken_from_the_words_of_torch() -> None:
    error = out_of_memory(RuntimeError(CPU), "a step", "lower it")
    assert "got too little memory for 3.0 GiB more, expected work that fits into" in str(error)


def test_of_a_gpu_its_own_memory_is_told() -> None:
    error = out_of_memory(type("OutOfMemoryError", (RuntimeError,), {})(GPU), "a step", "lower it")
    assert (
        "2.0 GiB more, expected work that fits into the 139.7 GiB of the GPU, of which 1.5 GiB are free"
        in str(error)
    )


@pytest.mark.parametrize(("signal", "what"), [("Killed", "memory"), ("Bus error", "shared memory")])
def test_a_worker_that_the_kernel_killed_is_named(signal: str, what: str) -> None:
    error = RuntimeError(f"DataLoader worker (pid 12) is killed by signal: {signal}. ")
    found = out_of_memory(error, "pretrain", "lower --workers")
    assert f"a data loading process that the system ended, probably because of too little {what}" in str(
        found
    )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("DataLoader worker (pid 12) is killed by signal: Segmentation fault. "),
        OSError(errno.ENOSPC, "No space left on device"),
        RunError("a run: got out of memory, expected no such words; do"),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, memory_for("work", "do"):
        raise error
    assert caught.value is error


def test_what_was_named_once_is_not_named_again() -> None:
    with (
        pytest.raises(OutOfMemoryError, match="^inner: "),
        memory_for("outer", "a"),
        memory_for("inner", "b"),
    ):
        raise MemoryError


def test_a_broken_file_is_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakera.out_of_memory.memory_here", lambda: (8e9, 4e9))
    raise_out_of_memory(MemoryError())
    monkeypatch.setattr("kakera.out_of_memory.memory_here", lambda: (8e9, 4e7))
    with pytest.raises(MemoryError):
        raise_out_of_memory(MemoryError())
    raise_out_of_memory(ValueError("broken"))
