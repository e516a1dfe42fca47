import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kakera.commands import watch
from kakera.commands.evaluation import measure
from kakera.commands.finetune import finetune
from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from tests.small import QUICK, pictures
from tests.training.songs import SCRATCH, songs

LONG: dict[str, Any] = {**QUICK, "epochs": 40.0, "base_lr": 4e-3, "model": "nano", "baselines": False}


def with_val() -> Dataset:
    data = pictures(60, 40)
    return replace(data, split=np.where(np.arange(len(data)) >= 80, "val", data.split))


def looks(folder: Path) -> list[dict[str, float]]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if "train_accuracy" in record]


def test_the_last_look_is_what_the_finished_model_does(tmp_path: Path) -> None:
    data = with_val()
    trained = finetune(data, out=tmp_path / "run", **LONG)
    last = looks(trained.folder)[-1]
    for part in ("train", "val"):
        expected = measure(trained.saved, data.part(part))
        assert last[f"{part}_accuracy"] == pytest.approx(expected.accuracy, abs=1e-4)
        assert last[f"{part}_loss"] == pytest.approx(expected.log_loss, abs=1e-3)
    board = EventAccumulator(str(trained.folder)).Reload()
    assert [event.step for event in board.Scalars("val_accuracy")][-1] == last["step"]


@pytest.mark.parametrize("model", ["nano", "resnet-nano"])
def test_looking_changes_no_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    options = {**LONG, "epochs": 12.0, "model": model, "drop_path": 0.1, "mixup": 0.5}
    monkeypatch.setattr(watch, "SHARE", 10.0)
    seen = finetune(with_val(), out=tmp_path / "seen", **options)
    assert len(looks(seen.folder)) >= 9
    monkeypatch.setattr(watch, "LOOKS", 0)
    unseen = finetune(with_val(), out=tmp_path / "unseen", **options)
    assert not looks(unseen.folder)
    assert (seen.folder / "model.safetensors").read_bytes() == (
        unseen.folder / "model.safetensors"
    ).read_bytes()


def test_looks_take_no_more_than_their_share_of_the_files(tmp_path: Path) -> None:
    files = 60 + 20  # in training, in validation
    trained = finetune(with_val(), out=tmp_path / "run", **LONG)
    count = len(looks(trained.folder))
    steps = json.loads((trained.folder / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert count >= 1
    assert count * files / 3 <= 0.03 * steps * 16


def test_a_training_that_is_too_short_is_not_watched(tmp_path: Path) -> None:
    assert not looks(finetune(with_val(), out=tmp_path / "run", **{**LONG, "epochs": 2.0}).folder)


def test_recordings_are_watched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SHARE", 10.0)
    data = open_dataset(songs(tmp_path / "songs"))
    trained = finetune(data, out=tmp_path / "run", **{**SCRATCH, "baselines": False})
    assert 0 <= looks(trained.folder)[-1]["train_accuracy"] <= 1


def test_learning_by_heart_is_warned_of_once_while_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    falling = iter(np.linspace(0.95, 0.05, 40).tolist())

    def scripted(saved: object, sample: watch.Sample) -> tuple[float, float]:
        return (1.0, 0.01) if len(sample.labels) == 60 else (next(falling), 2.0)

    monkeypatch.setattr(watch, "SHARE", 10.0)
    monkeypatch.setattr(watch, "measured", scripted)
    finetune(with_val(), out=tmp_path / "run", **LONG)
    said = [line for line in capsys.readouterr().err.splitlines() if "overfits" in line]
    assert len(said) == 1
    assert said[0].startswith(
        "warning: the network overfits: the accuracy on training files is 100 %, but that on"
    )


def test_a_fine_tuning_whose_loss_does_not_fall_is_warned_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finetune(with_val(), out=tmp_path / "run", **{**LONG, "epochs": 12.0, "base_lr": 0.0})
    said = [line for line in capsys.readouterr().err.splitlines() if "did not fall" in line]
    assert len(said) == 1
