"""Tests of the advice in a report, from the starting weights, the data and the verdict."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kakera.commands.pages.advice import next_steps
from kakera.commands.pages.history import History
from kakera.training.options import FinetuneOptions
from kakera.training.planning.next_commands import Situation
from tests.small import pictures

FEW = Situation("things", count=637, classes=8, labelled=637, measured=160, side=400, files="things")
HUB = "Start from published weights: --init-from facebook/dinov2-small (88 MB, licence Apache-2.0)."


def advice(situation: Situation, start: str = "") -> list[str]:
    options = FinetuneOptions(data="things", out="run", init_from=start)
    return next_steps(options, pictures(), History(()), None, situation, {})


def test_few_and_large_pictures_from_scratch_are_sent_to_published_weights_first() -> None:
    first, second, *_ = advice(FEW)
    assert first == HUB
    assert second.startswith(
        "Without internet access, pretrain on all files, with or without labels: kakera pretrain things"
    )


def test_so_are_those_that_started_from_a_run_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"verb": "pretrain", "data": "things"}')
    found = advice(FEW, str(tmp_path))
    assert found[0] == HUB
    assert not any("kakera pretrain" in text for text in found)


@pytest.mark.parametrize("change", [{"side": 28}, {"count": 20_000}], ids=["small", "many"])
def test_small_and_many_pictures_are_sent_to_their_own_pretraining(change: dict[str, int]) -> None:
    first, *others = advice(replace(FEW, **change))
    assert first.startswith("Pretrain on all files, with or without labels: kakera pretrain things")
    assert not any("published" in text for text in others)


def test_what_started_from_published_weights_is_not_sent_to_them_again() -> None:
    assert not any("published" in text for text in advice(FEW, "facebook/dinov2-small"))


def test_recordings_are_sent_to_weights_for_recordings() -> None:
    assert "--init-from MIT/ast-finetuned" in advice(replace(FEW, kind="recordings", side=0))[0]


def unlearned(given: dict[str, Any]) -> str:
    """Return the advice after 40 epochs with a training accuracy of 60 %."""
    history = History(({"epoch": 40.0, "step": 400.0, "train_accuracy": 0.6},))
    options = FinetuneOptions(data="things", out="runs/x")
    found = next_steps(options, pictures(), history, None, replace(FEW, side=28), given)
    (text,) = [text for text in found if text.startswith("Train longer")]
    return text


def test_training_longer_is_a_command_with_what_was_given_and_a_folder_of_its_own() -> None:
    given = {
        "recipe": "demo",
        "init_from": "runs/mae",
        "out": "runs/x",
        "time": "2m",
        "epochs": 40.0,
        "flip": False,
    }
    assert unlearned(given).partition(": kakera ")[2] == (
        "finetune things --recipe demo --init-from runs/mae --out runs/x-longer --epochs 120 --no-flip"
    )


def test_other_options_are_sent_to_another_folder() -> None:
    options = FinetuneOptions(data="things", out="runs/x")
    *_, last = next_steps(options, pictures(), History(()), None, FEW, {})
    assert last.endswith("such as --out runs/x-2.")
