"""The choice of the fastest engine for a model on this machine, among those that answer like float32.

The engines compute some of the user's own pictures. An engine is refused if too few labels are those of
float32, or if a probability differs too much. The choice is kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.download import cache_folder
from kakera.errors import StorageError
from kakera.formats.bundle import Pretrained
from kakera.formats.checksum import digest
from kakera.formats.classes import exceeds_threshold
from kakera.formats.engines.builders import EXACT, GRAPHS, Engine, Model, available, build
from kakera.formats.preparation import batches
from kakera.matrix_rate import is_bf16_supported
from kakera.storage import write_atomically

CHECKED = 96  # files that an engine must answer like float32
TIMED = 16  # files of a batch that is timed; the same files calibrate int8
ROUNDS = 3
ENOUGH = 3.0  # seconds from which no further round starts
ALIKE = 0.98  # smallest share of files with the same labels
FARTHEST = 0.25  # largest difference of a probability
WORTH = 1.2  # times the rate of float32 from which a change pays


@dataclass(frozen=True)
class Choice:
    """A chosen engine, and how it compares with float32."""

    engine: Engine
    speedup: float = 1.0
    """Times the rate of float32."""
    same: float = 1.0
    """Share of the checked files with the same labels."""
    difference: float = 0.0
    """Largest difference of a probability."""
    checked: int = 0
    """Number of files that were checked."""
    refused: tuple[str, ...] = ()
    """Faster engines that were refused."""
    recalled: bool = False
    """True if the choice comes from the cache folder."""

    def line(self) -> str:
        """Return the choice in one line.

        Example:

            >>> Choice("bf16", 3.2, 1.0, 0.01, 96).line()
            'engine bf16: 3.2 x the rate of float32; of 96 files 100.0 % have the same label, probabilities \
differ by at most 0.010'
        """
        without = f"; refused: {', '.join(self.refused)}" if self.refused else ""
        if self.engine == EXACT:
            return f"engine {EXACT}: float32, no other engine is faster and answers alike{without}"
        kept = " (measured before)" if self.recalled else ""
        return (
            f"engine {self.engine}: {self.speedup:.1f} x the rate of float32{kept}; of {self.checked} files "
            f"{100 * self.same:.1f} % have the same label, probabilities differ by at most "
            f"{self.difference:.3f}{without}"
        )


def choose(
    saved: Pretrained,
    dataset: Dataset,
    engines: Iterable[Engine] | None = None,
    *,
    now: Callable[[], float] = time.perf_counter,
) -> tuple[Model, Choice]:
    """Return the model in the fastest engine that answers like float32, and what was measured.

    `engines` are the candidates; None means those that this machine has. Graphs are left out where PyTorch
    has int8. A choice that was stored for the same model, machine and versions is used again.

    Example:

        >>> from kakera.data.sources.files import open_files
        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=28, seed=0)
        >>> saved = Pretrained(model.eval(), InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files(np.zeros((3, 28, 28, 1), np.uint8), saved.inputs)
        >>> choose(saved, files, ["torch"])[1].engine
        'torch'
    """
    sample = sample_of(saved, dataset)
    if not len(sample.samples):
        return saved, Choice(EXACT)
    place = _place(saved) if engines is None else None
    kept = None if place is None else recalled(place)
    if kept is not None and kept.engine in available(saved):
        return build(saved, kept.engine, head(sample)), kept
    candidates: dict[Engine, Model] = {
        name: build(saved, name, head(sample)) for name in (engines or _tried(saved)) if name != EXACT
    }
    model, choice = fastest(saved, candidates, sample, now)
    if place is not None:
        with suppress(StorageError):  # a failure only costs time later
            write_atomically(place, json.dumps(asdict(choice)).encode())
    return model, choice


def fastest(
    saved: Model, candidates: dict[Engine, Model], sample: Batch, now: Callable[[], float] = time.perf_counter
) -> tuple[Model, Choice]:
    """Return the fastest model that answers like `saved` on a sample, and the choice.

    The engines are timed in turns, up to three rounds, and the rates are medians. Then they are checked, the
    fastest first.
    """
    few = head(sample)
    runs: dict[Engine, Model] = {EXACT: saved, **candidates}
    seconds: dict[Engine, list[float]] = {name: [] for name in runs}
    began = now()
    for number in range(1 + ROUNDS):
        if number > 1 and now() - began > ENOUGH:
            break
        for name, model in runs.items():
            start = now()
            model.probabilities(few.pictures, few.lengths)
            if number:  # the first round warms up
                seconds[name].append(now() - start)
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    refused: list[str] = []
    exact: Tensor | None = None
    for name in sorted(candidates, key=lambda name: median[name]):
        speedup = median[EXACT] / median[name]
        if speedup < WORTH:
            break
        if exact is None:
            exact = _computed(saved, sample)
        other = _computed(runs[name], sample)
        same, difference = compare(exact, other, saved.multi_label, saved.thresholds)
        if same >= ALIKE and difference <= FARTHEST:
            return runs[name], Choice(name, speedup, same, difference, len(exact), tuple(refused))
        refused.append(f"{name} ({100 * same:.1f} % the same, differences up to {difference:.3f})")
    return saved, Choice(EXACT, refused=tuple(refused))


def compare(
    exact: Tensor, other: Tensor, multi_label: bool = False, thresholds: tuple[float, ...] = ()
) -> tuple[float, float]:
    """Return the share of files with the same labels, and the largest difference of a probability.

    `thresholds` are those of the classes of a multi-label model.

    Example:

        >>> compare(torch.tensor([[0.75, 0.25], [0.5, 0.5]]), torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
        (0.5, 0.25)
    """
    if multi_label:
        one, two = (exceeds_threshold(values.numpy(), thresholds) for values in (exact, other))
        same = (one == two).all(axis=1)
    else:
        same = exact.argmax(dim=1).numpy() == other.argmax(dim=1).numpy()
    return float(same.mean()), float((exact - other).abs().max())


def sample_of(saved: Pretrained, dataset: Dataset, count: int = CHECKED) -> Batch:
    """Return up to `count` files of a data set, evenly spaced, as one batch."""
    chosen = np.unique(np.linspace(0, max(0, len(dataset) - 1), min(count, len(dataset))).astype(np.int64))
    parts = [part for part in batches(dataset.take(chosen), saved.inputs) if len(part.samples)]
    if not parts:
        empty = torch.zeros(0, dtype=torch.int64)
        return Batch(torch.zeros(0), None, empty, 0, 0)
    lengths = [part.lengths for part in parts if part.lengths is not None]
    return replace(
        parts[0],
        pictures=torch.cat([part.pictures for part in parts])[:count],
        samples=torch.cat([part.samples for part in parts])[:count],
        lengths=torch.cat(lengths)[:count] if lengths else None,
    )


def head(batch: Batch) -> Batch:
    """Return up to 16 files of a batch, evenly spaced, for timing and calibration."""
    count = len(batch.samples)
    rows = torch.linspace(0, max(0, count - 1), min(TIMED, count)).long()
    lengths = None if batch.lengths is None else batch.lengths[rows]
    return replace(batch, pictures=batch.pictures[rows], samples=batch.samples[rows], lengths=lengths)


def recalled(place: Path) -> Choice | None:
    """Return the stored choice of a file; None if there is none or the file is damaged.

    Example:

        >>> recalled(Path("no-such-file.json")) is None
        True
    """
    try:
        fields: dict[str, Any] = json.loads(place.read_bytes())
        fields |= {"refused": tuple(fields["refused"]), "recalled": True}
        return Choice(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _tried(saved: Pretrained) -> tuple[Engine, ...]:
    """Return the engines to measure.

    A graph takes seconds to export: only without int8 in torch. A large network takes minutes in bf16 on a
    CPU without instructions for it.
    """
    here = available(saved)
    slow = GRAPHS if "int8" in here else ()
    if saved.device.type == "cpu" and not is_bf16_supported():
        slow = (*slow, "bf16", "bf16 merging")
    return tuple(name for name in here if name not in slow)


def _computed(model: Model, sample: Batch) -> Tensor:
    rows: list[Tensor] = []
    for start in range(0, len(sample.samples), TIMED):
        lengths = None if sample.lengths is None else sample.lengths[start : start + TIMED]
        rows.append(model.probabilities(sample.pictures[start : start + TIMED], lengths))
    return torch.cat(rows)


def _place(saved: Pretrained) -> Path:
    """Return the file of the choice for this model, processor, and versions."""
    import kakera

    weights = digest({name: each.detach().cpu() for name, each in saved.model.state_dict().items()}, {})
    parts = [
        weights,
        repr(saved.inputs),
        saved.device.type,
        _processor(),
        torch.__version__,
        kakera.__version__,
        str(torch.get_num_threads()),
        *available(saved),
        *map(repr, saved.thresholds),
    ]
    key = hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    return cache_folder() / "engines" / f"{key}.json"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return "".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
    except OSError:
        return platform.processor() or platform.machine()
