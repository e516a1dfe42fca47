"""What a process of the command does at Ctrl-C and SIGTERM: one line, at whatever moment they come."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType

ENDED = {
    "demo": "the same command goes on from the last checkpoint",
    "pretrain": "the same command goes on from the last checkpoint, or begins again where there is none yet",
    "finetune": "the same command goes on from the last checkpoint, or begins again where there is none yet",
    "study": "the same command goes on with what is finished, and from the last checkpoint",
    "probe": "nothing was written but finished fine-tunings below --out; the same command begins again",
    "inspect": "nothing was written",
    "predict": "nothing was written",
    "explain": "the page was not written; the same command begins again",
    "convert": "nothing was written",
    "pack": "whole shards are kept; the same command goes on with the others",
    "bench": "nothing was measured to the end; the same command begins again",
    "serve": "nothing is lost",
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM.

    Where KeyboardInterrupt itself has passed through `exec` of a text, as where dataclasses are made, CPython
    3.11 started with -m ends by SIGINT, whatever exit code is given (run_eval_code_obj in pythonrun.c and
    Py_RunMain in main.c). It looks for this class alone, not for one made of it.
    """


class Interrupts:
    """`with interrupts: …`: a first SIGINT or SIGTERM raises Interrupted, a second ends the process.

    `number` is the signal that came, 0 before; imports may turn the exception into another one. Training has
    handlers of its own while it runs (`training/stop.py`). Only what owns its process may `take` signals.
    """

    def __init__(self, verb: str, *, take: bool) -> None:
        self.verb, self.number = verb, 0
        self.take = take and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interrupts:
        if self.take:
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shells leave it
                    signal.signal(number, self._receive)
            os.register_at_fork(after_in_child=_as_usual)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After the last line nothing is left that an interrupt could stop."""
        if self.take:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end(self) -> int:
        """Print what is true of the verb; returns the exit code, 128 and the signal."""
        say = f"kakera: stopped; {ENDED.get(self.verb, 'nothing was written')}"
        print(say, file=sys.stderr, flush=True)
        return 128 + (self.number or signal.SIGINT)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            os._exit(self.end())
        self.number = number
        raise Interrupted


def _as_usual() -> None:
    """Processes that are forked end at signals as others do."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
