"""The kept epoch and the early stop."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kakera.commands.finetune import finetune
from kakera.commands.validation import with_validation
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.vit import ViT
from kakera.training.best_epoch import BestEpoch
from kakera.training.freezing import frozen
from kakera.training.options import FinetuneOptions
from tests.small import QUICK, pictures
from tests.training import commands

WATCHED = {**QUICK, "baselines": False, "val_share": 0.25, "epochs": 12.0, "model": "nano"}


def records(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@given(
    measured=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12),
    patience=st.integers(0, 4),
)
def test_the_kept_epoch_is_the_first_of_the_best_before_the_stop(
    measured: list[tuple[int, int]], patience: int
) -> None:
    best, seen = BestEpoch(nn.Linear(1, 1, bias=False), patience), list[tuple[int, int]]()
    for epoch, (accuracy, loss) in enumerate(measured, start=1):
        if best.exhausted:
            break
        model = nn.Linear(1, 1, bias=False)
        nn.init.constant_(model.weight, float(epoch))
        best.update(epoch, accuracy / 4, loss / 4, model)
        seen.append((accuracy, -loss))
    first = 1 + seen.index(max(seen))
    assert best.kept == first
    assert best.model.weight.item() == first
    assert best.exhausted == (patience > 0 and len(seen) - first >= patience)


def test_the_kept_weights_have_the_best_validation_accuracy_of_the_log(tmp_path: Path) -> None:
    trained = finetune(pictures(120), out=tmp_path / "run", keep="best", base_lr=2e-2, **WATCHED)
    rows = [row for row in records(trained.folder) if "val_accuracy" in row]
    assert len(rows) == 12
    best = max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    options = FinetuneOptions("demo", val_share=0.25)
    val = with_validation(pictures(120), options).part("val")
    assert val.labels is not None
    found = load(trained.folder).predict_proba([val.pictures.read(i)[..., 0] for i in range(len(val))])
    assert (found.argmax(axis=1) == val.labels).mean() == pytest.approx(best["val_accuracy"], abs=1e-4)
    assert f"The weights are those of epoch {best['epoch']:g}" in (trained.folder / "report.html").read_text()


def test_training_stops_after_as_many_worse_epochs_as_the_patience(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # With a learning rate of 0 no epoch is better than the first.
    changes = {**WATCHED, "epochs": 40.0, "base_lr": 0.0}
    trained = finetune(pictures(120), out=tmp_path / "run", patience=3, **changes)
    assert [row["epoch"] for row in records(trained.folder)] == [1, 2, 3, 4]
    assert "kept the weights of epoch 1; stopped early, of 40 epochs" in capsys.readouterr().err


def test_training_and_validation_share_the_requested_labels() -> None:
    data = pictures(300)
    options = FinetuneOptions("demo", labels=100, val_share=0.2)
    parts = {name: with_validation(data, options).part(name) for name in ("train", "val", "test")}
    assert {name: len(part) for name, part in parts.items()} == {"train": 80, "val": 20, "test": 20}
    assert parts["val"].labels is not None
    assert (np.bincount(parts["val"].labels) == 2).all()
    seen = [part.pictures.read(i).tobytes() for part in parts.values() for i in range(len(part))]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patience": 2, "val_share": 0.0}, "patience: got no validation files"),
        ({"keep": "best", "val_share": 0.0}, "keep: got no validation files"),
        (
            {"keep": "best", "strategy": "fsdp"},
            "strategy: got fsdp together with keep",
        ),
        ({"freeze": 1}, "freeze: got 1 without init_from"),
        ({"labels": 10, "val_share": 0.01}, "which is none"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    changes: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=said):
        finetune(pictures(), out=tmp_path / "run", **{**WATCHED, **changes})  # type: ignore[arg-type]


def test_a_val_part_of_the_data_is_used_and_needs_no_share(tmp_path: Path) -> None:
    data = with_validation(pictures(120), FinetuneOptions("demo", val_share=0.25))
    trained = finetune(data, out=tmp_path / "run", keep="best", **{**WATCHED, "val_share": 0.0})
    assert all("val_accuracy" in row for row in records(trained.folder))
    with pytest.raises(OptionError, match="beside a val part of 30 files"):
        finetune(data, out=tmp_path / "other", **WATCHED)


def test_frozen_layers_keep_their_weights_and_the_others_learn(mae: Path, tmp_path: Path) -> None:
    options = {**QUICK, "baselines": False, "base_lr": 1e-2}
    trained = finetune(pictures(), out=tmp_path / "run", init_from=mae, freeze=2, **options).saved.model
    before = load(mae).model.state_dict()
    for name, value in trained.state_dict().items():
        low = name.startswith(
            ("encoder.patches", "encoder.class_token", "encoder.layers.0", "encoder.layers.1")
        )
        if low:
            assert torch.equal(value, before[name]), name
    moved = "encoder.layers.2.mlp.up.weight"
    assert not torch.equal(trained.state_dict()[moved], before[moved])
    assert load(tmp_path / "run").model.describe() == trained.describe()


@pytest.mark.parametrize(
    "changes",
    [{"ema_decay": 0.5}, {"keep": "best", "val_share": 0.25}, {"freeze": 1}, {"freeze": 3, "ema_decay": 0.5}],
)
def test_learned_positions_stay_learned_in_the_stored_model(changes: dict[str, Any], tmp_path: Path) -> None:
    encoder = ViT("nano", channels=1, image_size=28, learned=True, seed=0)
    save_model(tmp_path / "start", Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))))
    options = {**QUICK, "baselines": False, **changes}
    finetune(pictures(120), out=tmp_path / "run", init_from=tmp_path / "start", **options)
    assert load(tmp_path / "run").encoder.positions.requires_grad


def test_more_layers_than_there_are_cannot_be_frozen() -> None:
    model = Classifier("nano", 2, channels=1, image_size=28)
    with pytest.raises(OptionError, match="expected at most 3"), frozen(model, 4):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0])
def test_a_killed_run_stops_at_the_same_epoch_with_the_same_weights(seconds: float, tmp_path: Path) -> None:
    data, whole, killed = commands.some_npz(tmp_path), tmp_path / "whole", tmp_path / "killed"
    words = [*commands.FINETUNE, "--epochs", "20", "--val-share", "0.2", "--patience", "6"]
    commands.finish(commands.start("finetune", data, whole, words))
    process = commands.start("finetune", data, killed, words)
    commands.wait_for_a_checkpoint(process, killed)
    time.sleep(seconds)
    process.kill()
    process.communicate()
    assert not (killed / "model.safetensors").exists(), "killed too late to show anything"
    commands.finish(commands.start("finetune", data, killed, words))
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()
    # The training loss of the resumed epoch is the mean over the steps since the checkpoint, so it differs.
    names = ("step", "epoch", "val_accuracy", "val_loss")
    first, second = ([[row.get(name) for name in names] for row in records(run)] for run in (whole, killed))
    assert first == second
