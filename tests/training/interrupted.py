"""A training in this process that ends in the middle, as if it were killed, and is started again."""

from pathlib import Path
from typing import Any

import pytest

from kakera.commands.finetune import finetune
from kakera.commands.watch import AccuracyMonitor
from kakera.data.dataset import Dataset


class Killed(BaseException):
    """Nothing in kakera catches it."""


def interrupt(
    data: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch, *, epoch: int = 3, **options: Any
) -> None:
    """Fine-tune until the end of this epoch, with a checkpoint after each step."""
    measure = AccuracyMonitor.__call__

    def last(self: AccuracyMonitor, now: int, model: Any) -> dict[str, float]:
        if now == epoch:
            raise Killed
        return measure(self, now, model)

    with monkeypatch.context() as patch:
        patch.setattr(AccuracyMonitor, "__call__", last)
        with pytest.raises(Killed):
            finetune(data, out=out, checkpoint_seconds=0, **options)
    assert list((out / "checkpoints").glob("step-*"))


def with_changes(options: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Options with other values."""
    return {**options, **changes}
