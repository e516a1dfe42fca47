import json
import math
from pathlib import Path

from kakera.commands.pages.history import History, memorised, stalled


def test_time_is_counted_over_interruptions(tmp_path: Path) -> None:
    seconds = [10, 20, 30, 5, 15]  # stopped after 30 seconds; the second process began anew
    lines = [json.dumps({"step": i, "epoch": i, "loss": 1.0, "seconds": s}) for i, s in enumerate(seconds)]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 9, "epo']))
    assert History.of(tmp_path).seconds == 45


def test_skipped_steps_are_no_epochs(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 3, "skipped": ["a"]}\n{"step": 4, "epoch": 1, "loss": 2}\n'
    )
    assert History.of(tmp_path).points("loss") == [(1, 2)]


def test_a_loss_that_does_not_fall_is_named() -> None:
    assert "did not fall: 2.3 in the first epochs, 2.3 in the last" in stalled([2.3] * 10)
    assert stalled([2.3, 2.4, 2.5, 2.9, math.nan])


def test_a_loss_that_falls_or_is_low_or_short_is_not() -> None:
    assert not stalled([2.3, 2.2, 2.1, 2.0, 1.9])
    assert not stalled([0.5] * 10, chance=math.log(10))
    assert not stalled([2.3, 2.3, 2.3])


def test_learning_by_heart_is_named_when_validation_falls() -> None:
    train = [(10.0, 0.8), (20.0, 1.0), (30.0, 1.0)]
    assert "fell from 78.0 % (epoch 10) to 65.0 %" in memorised(
        train, [(10, 0.78), (20, 0.7), (30, 0.65)], 400
    )
    assert not memorised(train, [(10, 0.7), (20, 0.75), (30, 0.78)], 400)
    assert not memorised([(10, 0.8), (20, 0.9), (30, 0.95)], [(10, 0.78), (20, 0.7), (30, 0.65)], 400)


def test_a_fall_that_few_files_can_make_by_chance_is_not() -> None:
    train, val = [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)], [(1.0, 0.8), (2.0, 0.8), (3.0, 0.7)]
    assert not memorised(train, val, 16)
    assert memorised(train, val, 400)
