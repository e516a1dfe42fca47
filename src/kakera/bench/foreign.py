"""Imports of other libraries, installed or in a separate folder.

timm and vit-pytorch import torchvision. A Vision Transformer needs nothing of it, and its compiled part does
not load with every build of torch. In that case, torchvision is imported without its `__init__.py`, which
loads the compiled part. The rest is torchvision's own code.
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
    """Add a folder with libraries, installed by `pip install --no-deps --target FOLDER …`.

    Raises OptionError if the folder does not exist.

    Example:

        >>> add_peers_folder(".")
        >>> peers_folder() == str(Path.cwd())
        True
        >>> _apart.clear()
    """
    if not Path(folder).is_dir():
        raise OptionError(
            "--peers", got=folder, expected="a folder", do="run pip install --no-deps --target FOLDER first"
        )
    _apart[:] = [str(Path(folder).resolve())]


def peers_folder() -> str:
    """Return the folder with libraries, or an empty string."""
    return "".join(_apart)


def library(name: str) -> Any:
    """Import a library or one of its modules.

    Raises ImportError if it is missing or does not work with this version of torch.

    Example:

        >>> library("json.decoder").__name__
        'json.decoder'
    """
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
    """Search the folder after all others within the block, and use torchvision without its kernels."""
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
