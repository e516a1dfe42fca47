import json
from pathlib import Path

import pytest

from kakera.study.data_size.work import cut_short, late_gain


def metrics(folder: Path, losses: list[float], each: int = 10) -> Path:
    rows = [{"step": each * (i + 1), "epoch": i + 1, "loss": loss} for i, loss in enumerate(losses)]
    text = "".join(json.dumps(row) + "\n" for row in [*rows, {"step": 3, "skipped": ["x"]}])
    (folder / "metrics.jsonl").write_text(text)
    return folder


def test_the_last_quarter_is_compared_with_the_one_before(tmp_path: Path) -> None:
    run = metrics(tmp_path, [9.0, 5.0, 4.0, 4.0, 2.0, 2.0, 1.0, 0.5])
    assert late_gain(run) == pytest.approx(1 - 0.75 / 2.0)


def test_too_few_epochs_say_nothing(tmp_path: Path) -> None:
    assert late_gain(metrics(tmp_path, [1.0])) is None
    assert late_gain(metrics(tmp_path, [])) is None


@pytest.mark.parametrize(
    ("train", "gain", "short"),
    [(1.0, 0.5, False), (0.95, 0.5, True), (0.95, 0.01, False), (0.95, None, True), (0.3, 0.0, True)],
)
def test_who_knows_its_pictures_or_has_stopped_was_given_enough(
    train: float, gain: float | None, short: bool
) -> None:
    assert cut_short(train, gain) is short
