"""A setting of an encoder: how its file is written, and whose opinion of it counts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PICTURE, RECORDING = "picture", "recording"
SECONDS = 60  # one encoder or decoder may take


@dataclass(frozen=True)
class Tolerance:
    """Greatest and mean difference: of pictures in grey levels of 255, of recordings in full scales."""

    most: float = 0.0
    mean: float = 0.0


EXACT = Tolerance()


@dataclass(frozen=True)
class Setting:
    """One way to write a file. `write` returns the values that it holds, None where `opinion` says them.

    A `Length` goes with an opinion. Values: of pictures (H, W) or (H, W, 3) in 0 … 255, of recordings
    (rate, (samples, channels)).
    """

    kind: str
    encoder: str
    name: str
    suffix: str
    write: Callable[[Path, np.random.Generator], Any]
    opinion: Callable[[Path], Any] | None = None
    tolerance: Tolerance = EXACT

    def __str__(self) -> str:
        return f"{self.encoder} {self.name} ({self.suffix})"


@dataclass(frozen=True)
class Length:
    """What `write` returns where the file says its length: the second decoder's samples are cut to it."""

    samples: int
    rate: int = 0
    """At which; where the encoder has chosen another rate, the length is not compared. 0: any."""


class UnwrittenError(Exception):
    """The encoder refuses this setting: not a valid file, so nothing to compare."""


def program(*names: str) -> str:
    """The path of the first of these programs that is installed, "" without one."""
    return next((found for name in names if (found := shutil.which(name))), "")


def run(command: list[str], stdin: bytes = b"") -> bytes:
    """What a command writes. Raises UnwrittenError with its last line where it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnwrittenError(f"{Path(command[0]).name}: {words[-1] if words else done.returncode}")
    return done.stdout
