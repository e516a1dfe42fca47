"""Was a training long enough? A network cut short shows the schedule, not itself."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

LEARNED = 0.99  # of its training pictures are right: there is nothing more to learn from them
BARELY = 0.9  # fewer of them right, and a flat loss shows a small rate, not an end
FLAT = 0.02  # of the loss: less than this between the last two quarters is no progress


def late_gain(folder: Path) -> float | None:
    """By which share the last quarter of a run lowered the loss; None where too little was written."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "loss" in row]
    if not rows:
        return None
    last = rows[-1]["step"]
    third = [row["loss"] for row in rows if last / 2 < row["step"] <= 3 * last / 4]
    fourth = [row["loss"] for row in rows if row["step"] > 3 * last / 4]
    if not third or not fourth or not fmean(third):
        return None
    return 1 - fmean(fourth) / fmean(third)


def cut_short(train_score: float, gain: float | None) -> bool:
    """Whether more training would probably have changed the result: not learned, and still getting better."""
    return train_score < BARELY or (train_score < LEARNED and (gain is None or gain > FLAT))
