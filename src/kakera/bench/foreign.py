"""Other libraries: those that are installed, and those in a folder apart that must not disturb them.

timm and vit-pytorch import torchvision, of which a Vision Transformer needs nothing, and whose compiled part
does not load beside every build of torch. Where it does not, torchvision is imported without its first
file, which is what loads that part: all else is torchvision's own code.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kakera.errors import OptionError

_apart: list[str] = []
PICKY = "torchvision"


def add_peers_folder(folder: str) -> None:
    """Libraries may lie in this folder too: `pip install --no-deps --target FOLDER …`. Raises OptionError."""
    if not Path(folder).is_dir():
        raise OptionError(
            "--peers", got=folder, expected="a folder", do="pip install --no-deps --target it first"
        )
    _apart[:] = [str(Path(folder).resolve())]


def peers_folder() -> str:
    """The folder, or nothing."""
    return "".join(_apart)


def library(name: str) -> Any:
    """A library, or a module of one. Raises ImportError where it is missing or does not fit this torch."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError):
        _forget(name.split(".")[0])
    with _from_apart():
        try:
            return importlib.import_module(name)
        except (ImportError, RuntimeError) as error:
            _forget(name.split(".")[0])
            raise ImportError(f"{name}: {error}") from error


@contextmanager
def _from_apart() -> Generator[None]:
    """Within the block the folder is searched, after all others, and torchvision does without its kernels."""
    sys.path.extend(_apart)
    _forget(PICKY)
    try:
        spec = importlib.util.find_spec(PICKY)
        if spec is not None:
            sys.modules[PICKY] = importlib.util.module_from_spec(spec)
        yield
    finally:
        _forget(PICKY)
        for folder in _apart:
            sys.path.remove(folder)


def _forget(name: str) -> None:
    for known in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[known]
