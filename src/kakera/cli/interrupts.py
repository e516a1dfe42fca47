"""Handling of Ctrl-C and SIGTERM: the command prints one line and ends, at whatever moment they arrive."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType

ENDED = {
    "demo": "the same command resumes from the last checkpoint",
    "pretrain": "the same command resumes from the last checkpoint, or starts again without one",
    "finetune": "the same command resumes from the last checkpoint, or starts again without one",
    "fit": "tokens of finished files are kept in the cache; the same command uses them",
    "study": "the same command uses the finished parts again and resumes from the last checkpoint",
    "probe": "only finished fine-tunings were saved, in --out; the same command starts again",
    "inspect": "nothing was written",
    "predict": "nothing was written",
    "embed": "vectors of finished files are kept; the same command computes the others",
    "search": "nothing was written",
    "curate": "tokens of finished files are kept in the cache; the same command uses them",
    "label": "all acknowledged labels are in the table; the same command continues",
    "explain": "the page was not written; the same command starts again",
    "convert": "nothing was written",
    "pack": "finished shards were saved; the same command writes the others",
    "bench": "the measurement is incomplete; the same command starts again",
    "serve": "no data are lost",
}


class Interrupted(KeyboardInterrupt):
    """The exception for Ctrl-C and SIGTERM.

    A subclass is needed for the exit code. If KeyboardInterrupt itself passes through `exec` of a text (as
    when Python makes a dataclass), CPython 3.11 started with -m ends by SIGINT and ignores the exit code
    (run_eval_code_obj in pythonrun.c, Py_RunMain in main.c). CPython checks for KeyboardInterrupt only,
    not for its subclasses.
    """


class Interrupts:
    """A context manager: the first SIGINT or SIGTERM raises Interrupted, the second ends the process.

    `number` is the number of the received signal, or 0. It is needed because an interrupted import may turn
    the exception into another one. Training has its own handlers while it runs (`training/stop.py`).
    `take` must be True only in a process that the command owns; False leaves all handlers as they are.
    """

    def __init__(self, verb: str, *, take: bool) -> None:
        self.verb, self.number = verb, 0
        self.take = take and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interrupts:
        if self.take:
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and shells set SIG_IGN on purpose
                    signal.signal(number, self._receive)
            os.register_at_fork(after_in_child=_as_usual)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ignore SIGINT from now on: the work is done, so there is nothing to interrupt."""
        if self.take:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end(self) -> int:
        """Print what the verb saved; return the exit code, 128 plus the signal number."""
        message = f"kakera: stopped; {ENDED.get(self.verb, 'nothing was written')}"
        print(message, file=sys.stderr, flush=True)
        return 128 + (self.number or signal.SIGINT)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            os._exit(self.end())  # the user asked twice, so do not wait for any clean-up
        self.number = number
        raise Interrupted


def _as_usual() -> None:
    """Restore the default signal handlers, for forked processes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
