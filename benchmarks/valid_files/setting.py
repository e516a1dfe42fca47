"""A setting of an encoder: the function that writes its file, and the second decoder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PICTURE, RECORDING = "picture", "recording"
SECONDS = 60  # time limit of an encoder or decoder


@dataclass(frozen=True)
class Tolerance:
    """Largest and mean difference: in grey levels (0 … 255) for pictures, of full scale for recordings."""

    most: float = 0.0
    mean: float = 0.0


EXACT = Tolerance()


@dataclass(frozen=True)
class Setting:
    """One way to write a file. `write` returns its values, or None or a `Length` if `opinion` returns them.

    Values are (H, W) or (H, W, 3) in 0 … 255 for pictures, and (rate, (samples, channels)) for recordings.
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
    """The result of `write` if the file stores its length: samples of the second decoder are cut to it."""

    samples: int
    rate: int = 0
    """The sample rate of the length; with another rate of the encoder it is not compared. 0: any rate."""


class UnwrittenError(Exception):
    """The encoder refuses a setting, so there is no valid file to compare."""


def program(*names: str) -> str:
    """Return the path of the first installed program of `names`, or an empty string."""
    return next((found for name in names if (found := shutil.which(name))), "")


def run(command: list[str], stdin: bytes = b"") -> bytes:
    """Run a command and return its output. Raises UnwrittenError with the last line of stderr if it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnwrittenError(f"{Path(command[0]).name}: {words[-1] if words else done.returncode}")
    return done.stdout
