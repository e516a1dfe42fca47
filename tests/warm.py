"""`kakera …` in a process of its own that need not import anything: forked from one that has.

Where a new interpreter is not itself the fact, this stands for `python -m kakera`: a signal, a kill, an exit
code and what is printed are those of a real process. One server a run of the tests imports all, on first use.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from multiprocessing import forkserver
from pathlib import Path

# Nothing is computed before a fork: a thread would be missing after it.
MODULES = (
    *(
        "kakera.cli.pretrain",
        "kakera.cli.finetune",
        "kakera.cli.study",
        "kakera.cli.serve",
        "kakera.cli.pack",
    ),
    *("kakera.commands.pretrain", "kakera.commands.finetune", "kakera.web.app", "uvicorn", "pytest"),
    *("kornia.augmentation.auto", "torch.utils.tensorboard", "sklearn.metrics", "lightning_fabric"),
)
What = Callable[[Iterable[object]], None]
CONTEXT = multiprocessing.get_context("forkserver")


def kakera(words: Iterable[object]) -> None:
    """The command."""
    from kakera.cli.main import main

    sys.argv = ["kakera", *map(str, words)]
    sys.exit(main())  # as one that owns its process, and takes its signals


def script(words: Iterable[object]) -> None:
    """A program: its file, then its arguments."""
    sys.argv = list(map(str, words))
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


def module(words: Iterable[object]) -> None:
    """`python -m`: a module, then its arguments."""
    sys.argv = list(map(str, words))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _run(
    what: Callable[[Iterable[object]], None], words: list[str], said: str, where: dict[str, str]
) -> None:
    os.setpgid(0, 0)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(Path(said, name), os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(where)
    os.chdir(where["PWD"])
    if "TEST_FILES" in where:
        limit = int(os.environ.pop("TEST_FILES"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method("fork", force=True)  # as in a new interpreter
    what(words)


class Process:
    """Like `subprocess.Popen` of text, in a process group of its own."""

    def __init__(
        self,
        *words: object,
        what: What = kakera,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        files: int | None = None,  # that it may have open
    ) -> None:
        folder = tempfile.mkdtemp(prefix="warm-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._said = {name: Path(folder, name) for name in ("out", "err")}
        for path in self._said.values():
            path.touch()
        where = {**(os.environ if env is None else env), "PWD": str(cwd or Path.cwd())}
        if files is not None:
            where["TEST_FILES"] = str(files)
        CONTEXT.set_forkserver_preload(list(MODULES))
        arguments = (what, list(map(str, words)), folder, where)
        self._process = CONTEXT.Process(target=_run, args=arguments)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        self._read = 0

    @property
    def returncode(self) -> int | None:
        """As Popen's: the signal's number, negative, of one that was killed."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("kakera", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has printed, and complained of, when it is over."""
        self.wait(timeout)
        return self.out, self.err

    @property
    def out(self) -> str:
        return self._said["out"].read_text()

    @property
    def err(self) -> str:
        return self._said["err"].read_text()

    def readline(self) -> str:
        """The next line that it prints; what is left where it ends before."""
        while True:
            over, rest = self.poll() is not None, self.out[self._read :]
            line, end, _ = rest.partition("\n")
            if end or over:
                self._read += len(line + end)
                return line + end
            time.sleep(0.005)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def run(*words: object, check: bool = False, **more: object) -> subprocess.CompletedProcess[str]:
    """Like `subprocess.run`."""
    process = Process(*words, **more)  # type: ignore[arg-type]
    out, err = process.communicate()
    assert process.returncode is not None
    if check:
        assert process.returncode == 0, err
    return subprocess.CompletedProcess(list(words), process.returncode, out, err)


def server() -> str | None:
    """The number of the process that forks, once there is one."""
    number = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    return None if number is None else str(number)
