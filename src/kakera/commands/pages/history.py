"""What a run's metrics.jsonl says: the curves, the time, and whether something looks wrong."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from kakera.formats.bundle import Pretrained
from kakera.training.run import METRICS, Run

LEAST = 4  # epochs, before anything is said of a loss
FALL = 0.02  # share of the first loss that the last must lie below it
PERFECT = 0.995  # accuracy on training files that counts as all of them
DROP = 0.02  # of the accuracy on validation files, at least

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class History:
    """Records of finished epochs, in order."""

    records: tuple[dict[str, float], ...]

    @classmethod
    def of(cls, folder: Path) -> History:
        """Of a run; lines that a kill cut short are passed over."""
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
        """(epoch, value) where the value was measured."""
        return [(record["epoch"], record[key]) for record in self.records if key in record]

    def values(self, key: str) -> list[float]:
        """The values alone."""
        return [value for _, value in self.points(key)]

    @property
    def seconds(self) -> float:
        """Of training, all processes that took turns together: each begins to count at 0."""
        total = last = 0.0
        for value in self.values("seconds"):
            total, last = total + (value - last if value >= last else value), value
        return total

    @property
    def steps(self) -> int:
        """Of the last record."""
        return int(self.records[-1]["step"]) if self.records else 0


def stalled(losses: Sequence[float], chance: float = 0.0) -> str:
    """A sentence where the loss has not fallen, else nothing.

    The mean of the last quarter of the epochs is compared with that of the first. A loss below half of
    `chance`, that of guessing, is low enough not to fall.
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < LEAST:
        return ""
    quarter = max(1, len(finite) // 4)
    first, last = fmean(finite[:quarter]), fmean(finite[-quarter:])
    if last <= first - FALL * abs(first) or last < chance / 2:
        return ""
    return (
        f"the loss did not fall: {first:.4g} in the first epochs, {last:.4g} in the last; "
        "another --base-lr (a third, or three times as much) is the first thing to try, in another --out"
    )


def chance_loss(saved: Pretrained) -> float:
    """The loss of a guess that knows nothing, in nats; 0 where files may have several labels."""
    return 0.0 if saved.multi_label else math.log(max(len(saved.classes), 2))


def warn_if_stalled(run: Run, epoch: int, epochs: float, chance: float = 0.0) -> None:
    """Print, once, after the epoch that ends the first half of a run, that the loss has not fallen."""
    if run.dist.is_main and epoch - 1 < epochs / 2 <= epoch:
        text = stalled(History.of(run.folder).values("loss"), chance)
        if text:
            print(f"warning: {text}", file=sys.stderr)


def memorised(train: Points, val: Points, files: int) -> str:
    """A sentence where the accuracy on training files is 100 % and that on `files` validation files falls."""
    if len(val) < 3 or not train or train[-1][1] < PERFECT:
        return ""
    epoch, best = max(val, key=lambda point: point[1])
    last = val[-1][1]
    if best - last <= max(DROP, 1 / math.sqrt(max(files, 1)) / 2):  # a standard error at most
        return ""
    return (
        f"the accuracy on training files is {100 * train[-1][1]:.0f} %, while that on the val part fell from "
        f"{100 * best:.1f} % (epoch {epoch:g}) to {100 * last:.1f} %: the network learns files by heart; "
        "train for fewer epochs, or with more --mixup, --cutmix or --drop-path, or with more files"
    )
