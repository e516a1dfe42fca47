"""The run folder of a fit: the files of every run, written without torch, the weights last."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import kakera
from kakera.commands.fitting.head import FittedHead
from kakera.commands.fitting.setup import FitSetup
from kakera.data.checks.digest import digest
from kakera.data.checks.inventory import INVENTORY, inventory, packed
from kakera.errors import RunError, UnreadableFileError
from kakera.formats.rejection import FILE, Rejection, write_rejection
from kakera.formats.tokens.arrays import checksum, write_arrays
from kakera.formats.tokens.encoder import FORMAT
from kakera.storage import write_atomically
from kakera.training.configuration import CONFIG, VERSION, require_same
from kakera.training.metrics_report import Evaluation
from kakera.training.run_folder import UNREADABLE, holds_something

DESCRIPTION, WEIGHTS, FIT, EVALUATION = "kakera.json", "model.safetensors", "fit.json", "evaluation.json"


def configuration(setup: FitSetup) -> dict[str, Any]:
    """Return the content of `config.json`: options, data and encoder; it decides if a run is the same."""
    content = {"verb": "fit", **asdict(setup.options), "inputs": setup.inputs.to_json()}
    content |= {"pictures": len(setup.train), "classes": list(setup.dataset.classes)}
    content |= {"digest": digest(setup.dataset), "encoder": setup.encoder.key(setup.dataset)}
    return {VERSION: kakera.__version__} | json.loads(json.dumps(content))


def open_folder(setup: FitSetup, config: Mapping[str, Any]) -> bool:
    """Open or create the run folder; return True if it holds the finished run of the same configuration.

    Raises RunError if it holds another run, or other files.
    """
    folder, content = Path(setup.options.out), dict(config)
    if (folder / CONFIG).exists():
        require_same(folder / CONFIG, content, lambda: inventory(setup.dataset))
        return (folder / WEIGHTS).exists()
    if folder.exists() and (not folder.is_dir() or holds_something(folder)):
        raise RunError(str(folder), got="other files", expected="a new folder", do="choose another --out")
    files = inventory(setup.dataset)
    if files is not None:
        write_atomically(folder / INVENTORY, packed(files))
    write_json(folder / CONFIG, content)
    return False


def write_model(
    setup: FitSetup,
    head: FittedHead,
    rejection: Rejection | None,
    facts: Mapping[str, Any],
    broken: Sequence[UnreadableFileError],
) -> None:
    """Write the description, the facts of the fit (`fit.json`), and the weights last. Raises StorageError."""
    folder, encoder, dataset = Path(setup.options.out), setup.encoder, setup.dataset
    description: dict[str, Any] = {"format": FORMAT, "kind": "classifier", **encoder.config}
    if head.pooling:
        description["config"] = {**encoder.config["config"], "attention_pool": True}
    description |= {"pool": head.pool, "head_epsilon": None, "classes": list(dataset.classes)}
    description |= {"multi_label": dataset.multi_label}
    description |= {"license": encoder.license} if encoder.license else {}
    description |= {"resampling": encoder.resampling} if encoder.resampling != "bicubic" else {}
    if head.mean:
        description |= {"targets": {"mean": list(head.mean), "std": list(head.std)}}
    write_json(folder / DESCRIPTION, {**description, "inputs": setup.inputs.to_json()})
    write_json(folder / FIT, facts)
    if broken:
        text = io.StringIO()
        reasons = {error.path: error.reason for error in broken}
        csv.writer(text).writerows([("file", "reason"), *sorted(reasons.items())])
        write_atomically(folder / UNREADABLE, text.getvalue().encode())
    arrays = {f"encoder.{name}": values for name, values in {**encoder.tensors, **head.pooling}.items()}
    arrays["head.weight"] = np.ascontiguousarray(head.head.weights.T, np.float32)
    arrays["head.bias"] = head.head.bias.astype(np.float32)
    if rejection is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        write_rejection(folder, rejection, checksum(arrays, {}))
    write_arrays(folder / WEIGHTS, arrays)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, atomically. Raises StorageError.

    Example:

        >>> write_json(Path("fit.json"), {"head": "ridge"})
        >>> Path("fit.json").read_text()
        '{\\n  "head": "ridge"\\n}\\n'
    """
    write_atomically(path, json.dumps(content, indent=2).encode() + b"\n")


def read_evaluation(folder: Path) -> Evaluation | None:
    """Return the stored evaluation of a run; None if it is missing or unreadable.

    Example:

        >>> read_evaluation(Path("no-run")) is None
        True
    """
    try:
        return Evaluation.from_json(json.loads((folder / EVALUATION).read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        return None
