"""The baselines of a fit, measured once for the same files and labels, and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import kakera
from kakera.commands.fitting.setup import FitSetup
from kakera.data.download import cache_folder
from kakera.errors import StorageError
from kakera.storage import write_atomically
from kakera.training.baselines.baselines import Baselines, measure_baselines

if TYPE_CHECKING:
    from kakera.formats.target_scale import TargetScale
    from kakera.training.baselines.number_baselines import NumberBaselines

Found = TypeVar("Found", "Baselines", "NumberBaselines")
MOST = 1000  # stored results; the oldest ones are deleted first
VERSION = 1  # of the baselines; raise it when they change


def class_baselines(setup: FitSetup) -> Baselines | None:
    """Return the baselines for the files of a fit, from the cache or measured; None if they fail."""
    return _once(setup, Baselines.from_json, lambda: measure_baselines(setup.train, setup.test))


def number_baselines(setup: FitSetup, scale: TargetScale) -> NumberBaselines | None:
    """Return the baselines for numbers to predict, from the cache or measured; None if they fail."""
    from kakera.training.baselines.number_baselines import NumberBaselines, measure_number_baselines

    return _once(
        setup,
        NumberBaselines.from_json,
        lambda: measure_number_baselines(setup.train, setup.test, scale),
    )


def _once(
    setup: FitSetup, read: Callable[[dict[str, Any]], Found], measure: Callable[[], Found]
) -> Found | None:
    folder = cache_folder() / "baselines"
    path = folder / f"{_key(setup)}.json"
    try:
        return read(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        pass  # not measured yet, or damaged
    try:
        found = measure()
    except Exception as error:  # a failed baseline must not cost the user the page
        print(f"warning: the page has no baselines: {type(error).__name__}, {error}", file=sys.stderr)
        return None
    with suppress(StorageError, OSError):  # the cache only saves time
        _make_room(folder)
        write_atomically(path, json.dumps(found.to_json()).encode())
    return found


def _make_room(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in files[: max(0, len(files) - MOST + 1)]:
        path.unlink(missing_ok=True)


def _key(setup: FitSetup) -> str:
    digest = hashlib.blake2b(f"{VERSION} {kakera.__version__}".encode(), digest_size=16)
    for part, keys in ((setup.train, setup.train_keys), (setup.test, setup.test_keys)):
        digest.update(b"".join(key or bytes(16) for key in keys))
        digest.update(repr((len(part), part.classes, part.channels, part.multi_label)).encode())
        if part.labels is not None:
            digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()
