"""A child process on one core, and the processor seconds that it uses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kakera.bench.foreign import peers_folder
from kakera.errors import RunError

ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Spent:
    """The processor seconds of a child process and its own children, start-up included, and the wall clock.

    Example:

        >>> run_child([sys.executable, "-c", "pass"]).processor > 0
        True
    """

    processor: float
    wall: float


def run_child(command: Sequence[str], *, path: Sequence[str] = (), env: Mapping[str, str] = {}) -> Spent:
    """Run a command with one thread until it ends, and return the time that it used.

    `path` are folders that Python searches first. Folders of other libraries are searched after them. `env`
    are more environment variables. Raises RunError with the last line of its output if the command fails.

    Example:

        >>> try:
        ...     run_child([sys.executable, "-c", "raise SystemExit('no data')"])
        ... except RunError as error:
        ...     print(error)
        python: got no data, expected exit code 0; see its output
    """
    import time

    given = {**os.environ, **ONE_CORE, **env}
    given["PYTHONPATH"] = os.pathsep.join(filter(None, (*path, peers_folder())))
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=given)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or [str(process.returncode)]
            name = "python" if Path(command[0]) == Path(sys.executable) else command[0]
            raise RunError(name, got=lines[-1], expected="exit code 0", do="see its output")
    return Spent(usage.ru_utime + usage.ru_stime, wall)
