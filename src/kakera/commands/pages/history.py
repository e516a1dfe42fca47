"""The curves and the training time in a run's metrics.jsonl, and warnings about the curves."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from kakera.formats.bundle import Pretrained
from kakera.training.options import FinetuneOptions
from kakera.training.run import METRICS, Run

LEAST = 4  # epochs needed to judge a loss: the first and the last quarter have at least one each
FALL = 0.02  # a loss has fallen if the last one is lower by at least this share of the first
PERFECT = 0.995  # accuracy on training files that counts as 100 %
DROP = 0.02  # smallest fall of the validation accuracy that causes a warning

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class History:
    """The records of finished epochs, in order.

    Example:

        >>> _ = Path("metrics.jsonl").write_text('{"epoch": 1, "loss": 2.3, "step": 40}')
        >>> history = History.of(Path())
        >>> history.points("loss"), history.steps
        ([(1, 2.3)], 40)
    """

    records: tuple[dict[str, float], ...]

    @classmethod
    def of(cls, folder: Path) -> History:
        """Read the history of a run folder; skip incomplete lines, which a killed process may leave."""
        path = folder / METRICS
        records: list[dict[str, float]] = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if isinstance(values, dict) and "epoch" in values:
                records.append(values)
        return cls(tuple(records))

    def points(self, key: str) -> Points:
        """Return pairs (epoch, value) for the epochs that measured `key`."""
        return [(record["epoch"], record[key]) for record in self.records if key in record]

    def values(self, key: str) -> list[float]:
        """Return the values of `key`, without the epochs."""
        return [value for _, value in self.points(key)]

    @property
    def seconds(self) -> float:
        """Seconds of training, summed over all calls that resumed the run: each call counts from 0."""
        total = last = 0.0
        for value in self.values("seconds"):
            total, last = total + (value - last if value >= last else value), value
        return total

    @property
    def steps(self) -> int:
        """Number of steps at the last record."""
        return int(self.records[-1]["step"]) if self.records else 0


def stalled(losses: Sequence[float], chance: float = 0.0) -> str:
    """Return a warning if the loss has not fallen, else an empty string.

    `losses` has one value per epoch. The mean of the last quarter must be below the mean of the first
    quarter by 2 % of it. A loss below half of `chance`, the loss of random guessing, never causes a warning.

    Example:

        >>> stalled([2.3, 1.2, 0.6, 0.3])
        ''
        >>> stalled([2.3, 2.3, 2.3, 2.3])[:21]
        'the loss did not fall'
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < LEAST:
        return ""
    quarter = max(1, len(finite) // 4)
    first, last = fmean(finite[:quarter]), fmean(finite[-quarter:])
    if last <= first - FALL * abs(first) or last < chance / 2:
        return ""
    return (
        f"the loss did not fall: {first:.4g} in the first epochs, {last:.4g} in the last epochs; first try "
        "another --base-lr (a third, or three times the value), with another --out"
    )


def chance_loss(saved: Pretrained, options: FinetuneOptions) -> float:
    """Return the training loss of random guessing, in nats; 0 for a multi-label model.

    For regression it is the loss of predicting the mean, 1.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> f"{chance_loss(saved, FinetuneOptions('pictures')):.3f}"
        '0.693'
    """
    if saved.regression:
        return 1.0
    classes = max(len(saved.classes), 2)
    easier = (1 - 1 / classes) ** options.gamma if options.loss == "focal" else 1.0
    return 0.0 if saved.multi_label else easier * math.log(classes)


def warn_if_stalled(run: Run, epoch: int, epochs: float, chance: float = 0.0) -> None:
    """Print a warning if the loss has not fallen after half of the epochs; `chance` is as in `stalled`."""
    if run.dist.is_main and epoch - 1 < epochs / 2 <= epoch:
        text = stalled(History.of(run.folder).values("loss"), chance)
        if text:
            print(f"warning: {text}", file=sys.stderr)


def memorised(train: Points, val: Points, files: int) -> str:
    """Return a warning if the network overfits, else an empty string.

    The warning needs a training accuracy of 100 % (at least 99.5 %) and a validation accuracy that fell from
    its best value. `files` is the number of validation files; with few files, a small fall may be chance.

    Example:

        >>> memorised([(3, 0.9)], [(1, 0.7), (2, 0.8), (3, 0.9)], files=1000)
        ''
        >>> memorised([(3, 1.0)], [(1, 0.7), (2, 0.9), (3, 0.8)], files=1000)[:20]
        'the network overfits'
    """
    if len(val) < 3 or not train or train[-1][1] < PERFECT:
        return ""
    epoch, best = max(val, key=lambda point: point[1])
    last = val[-1][1]
    if best - last <= max(
        DROP, 1 / math.sqrt(max(files, 1)) / 2
    ):  # the largest standard error of an accuracy
        return ""
    return (
        f"the network overfits: the accuracy on training files is {100 * train[-1][1]:.0f} %, but that "
        f"on validation files fell from {100 * best:.1f} % (epoch {epoch:g}) to {100 * last:.1f} %; "
        "train for fewer epochs, raise --mixup, --cutmix or --drop-path, or add files"
    )
