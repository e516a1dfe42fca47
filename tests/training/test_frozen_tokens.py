"""Stored outputs of frozen layers: the same training as without them, in less time."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kakera.commands import finetune as command
from kakera.commands.finetune import finetune, plan_finetune
from kakera.errors import OptionError
from kakera.formats.load import load
from kakera.model.classifier import Classifier
from kakera.model.configs import SIZES
from kakera.training.frozen_tokens import FrozenTokens, tokens_after
from kakera.training.options import FinetuneOptions
from kakera.training.planning.frozen_layers import frozen_layers, random_options
from kakera.training.recipes import options_from
from kakera.training.run_folder import UNFINISHED
from tests.small import QUICK, folder, pictures
from tests.training import commands
from tests.training.interrupted import interrupt, with_changes

STILL: dict[str, Any] = {
    **QUICK,
    **{"baselines": False, "base_lr": 1e-2, "epochs": 4.0},
    **{"shift": 0, "patch_dropout": 0.0, "freeze": 2},
}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(load(run).model.state_dict())


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the stored tokens of the trainings in a test."""
    shapes, fill = list[tuple[int, ...]](), FrozenTokens.fill

    def noted(self: FrozenTokens, *args: Any) -> None:
        fill(self, *args)
        shapes.append(tuple(self.tokens.shape))

    monkeypatch.setattr(FrozenTokens, "fill", noted)
    return shapes


@pytest.fixture
def recomputed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings that compute the frozen layers in each step."""
    prepare = command.prepare_finetuning

    def without(*args: Any, **options: Any) -> Any:
        job, forecast, *rest = args
        return prepare(job, command.replace(forecast, frozen=None), *rest, **options)

    monkeypatch.setattr(command, "prepare_finetuning", without)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("pool", ["mean", "class", "class and mean"])
@torch.no_grad()
def test_the_upper_layers_go_on_from_the_tokens_of_the_lower_ones(pool: Any, layers: int) -> None:
    model = Classifier("nano", 3, pool, channels=1, image_size=28, seed=0).eval()
    torch.nn.init.normal_(model.head.weight)
    pixels = torch.randn(2, 1, 28, 28)
    tokens = tokens_after(model, pixels, layers)
    assert tokens.shape[1:] == FrozenTokens(model, 5, layers).shape[1:]
    torch.testing.assert_close(model(tokens, after=layers), model(pixels), rtol=1e-5, atol=1e-5)


CHANGES: list[dict[str, Any]] = [
    {"freeze": 3, "pool": "mean"},
    {"freeze": 1, "drop_path": 0.3, "ema_decay": 0.5, "class_weight": 1.0},
    {"grad_accum": 2, "labels": 30, "keep": "best", "val_share": 0.2},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_weights_and_losses_are_those_without_stored_tokens(
    changes: dict[str, Any],
    mae: Path,
    tmp_path: Path,
    filled: list[tuple[int, ...]],
    request: pytest.FixtureRequest,
) -> None:
    options: dict[str, Any] = {**STILL, **changes, "init_from": mae}
    finetune(pictures(), out=tmp_path / "stored", **options)
    count = 24 if "labels" in changes else 40
    assert filled == [(count, *filled[0][1:])]
    request.getfixturevalue("recomputed")
    finetune(pictures(), out=tmp_path / "plain", **options)
    assert len(filled) == 1
    stored, plain = weights(tmp_path / "stored"), weights(tmp_path / "plain")
    for name, value in plain.items():
        torch.testing.assert_close(stored[name], value, rtol=1e-3, atol=1e-4, msg=name)
    np.testing.assert_allclose(losses(tmp_path / "stored"), losses(tmp_path / "plain"), rtol=1e-3)
    start = weights(mae)
    moved = [name for name, value in stored.items() if not torch.equal(value, start.get(name, value + 1))]
    assert (
        min((int(name.split(".")[2]) for name in moved if ".layers." in name), default=3) >= options["freeze"]
    )


@pytest.mark.parametrize("place", ["memory", "file"])
def test_an_interrupted_run_ends_with_the_same_bits(
    place: str, mae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: list[tuple[int, ...]]
) -> None:
    if place == "file":
        monkeypatch.setattr("kakera.training.prepared.SHARE", 0.0)
    options: dict[str, Any] = {**STILL, "init_from": mae, "ema_decay": 0.5, "workers": 0}
    data, whole, killed = pictures(100), tmp_path / "whole", tmp_path / "killed"
    finetune(data, out=whole, **options)
    interrupt(data, killed, monkeypatch, **options)
    finetune(data, out=killed, **options)
    assert filled == 3 * [(100, 50, 64)]
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()
    assert not [path.name for path in killed.iterdir() if path.name.startswith(".frozen")]


def test_a_killed_runs_file_has_a_name_that_its_resumption_removes(tmp_path: Path) -> None:
    tokens = FrozenTokens(Classifier("nano", 3, channels=1, image_size=28), 5, layers=2, folder=tmp_path)
    assert tokens.path is not None
    assert UNFINISHED.fullmatch(tokens.path.name)


def test_more_layers_than_there_are_cannot_be_frozen(mae: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="freeze: got 4 layers, expected at most 3"):
        plan_finetune(pictures(), out=tmp_path / "run", init_from=mae, **with_changes(STILL, {"freeze": 4}))


def test_memory_and_file_give_the_same_bits(
    mae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("memory", "file"):
        if place == "file":
            monkeypatch.setattr("kakera.training.prepared.SHARE", 0.0)
        finetune(pictures(), out=tmp_path / place, init_from=mae, **STILL)
        assert (
            f"frozen layers: 2 of 3, computed once (under 0.1 GB in {'a ' * (place == 'file')}{place})"
            in (capsys.readouterr().err)
        )
    first, second = ((tmp_path / place / "model.safetensors").read_bytes() for place in ("memory", "file"))
    assert first == second


def test_unreadable_files_are_listed_and_left_out(
    mae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: list[tuple[int, ...]]
) -> None:
    data = folder(tmp_path / "files", count=20, side=28)
    for path in data.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    broken = data / "bag" / "3.png"
    broken.write_bytes(broken.read_bytes()[:60])
    monkeypatch.setattr("kakera.training.prepared.Prepared.preloaded", lambda self, *_, **__: self)
    finetune(data, out=tmp_path / "run", init_from=mae, **with_changes(STILL, {"workers": 0}))
    assert filled
    assert "3.png" in (tmp_path / "run" / "unreadable.csv").read_text()


@pytest.mark.parametrize(
    "changes",
    [
        {"crop_min_scale": 0.5},
        {"shift": 1},
        {"flip": True},
        {"mixup": 0.5},
        {"cutmix": 0.5},
        {"randaugment": 5.0},
        {"random_erasing": 0.2},
        {"patch_dropout": 0.5},
        {"drop_path": 0.1},
    ],
)
def test_nothing_is_stored_if_a_picture_changes_in_each_epoch(changes: dict[str, Any]) -> None:
    recipe = {name: value for name, value in STILL.items() if name not in ("recipe", "min_steps")}
    options = options_from(FinetuneOptions, "demo", {"data": "x", "init_from": "x", **recipe, **changes})
    found = frozen_layers(options, SIZES["nano"], patches=49, files=100, memory=10**9)
    assert found is not None
    (name,) = changes
    assert found.note == f"2 of 3, computed in each step because of {name}"
    assert not found.stored


def test_a_plan_that_stores_nothing_says_why(mae: Path, tmp_path: Path) -> None:
    changes = with_changes(STILL, {"shift": 1})
    plan = plan_finetune(pictures(), out=tmp_path / "plan", init_from=mae, **changes)
    assert "frozen layers: 2 of 3, computed in each step because of shift" in "\n".join(plan.lines())
    assert plan.plan.frozen is None


def test_the_lowest_layer_is_never_dropped() -> None:
    still: dict[str, Any] = {"crop_min_scale": 1, "flip": False, "mixup": 0, "cutmix": 0, "randaugment": 0}
    options: dict[str, Any] = {**still, "random_erasing": 0, "drop_path": 0.5}
    assert random_options(FinetuneOptions("", freeze=1, **options)) == []
    assert random_options(FinetuneOptions("", freeze=2, **options)) == ["drop_path"]


def test_one_epoch_stores_nothing(mae: Path, tmp_path: Path, filled: list[tuple[int, ...]]) -> None:
    finetune(pictures(), out=tmp_path / "run", init_from=mae, **with_changes(STILL, {"epochs": 1.0}))
    assert filled == []


def test_the_plan_forecasts_the_shorter_time(mae: Path, tmp_path: Path) -> None:
    plans = [
        plan_finetune(pictures(), out=tmp_path / "plan", init_from=mae, **with_changes(STILL, {"freeze": n}))
        for n in (0, 2, 3)
    ]
    whole, two, all_layers = (plan.cost for plan in plans)
    assert two.flops == pytest.approx(whole.flops / 3)
    assert two.once == pytest.approx(whole.flops * 2 / 3 / 3)  # two of three layers, forward only
    assert all_layers.once == pytest.approx(whole.flops / 3)
    assert plans[0].once == 0
    assert 0 < plans[1].once < plans[1].seconds


@pytest.mark.slow
def test_a_training_from_stored_tokens_is_faster(mae: Path, tmp_path: Path) -> None:
    seconds = dict[int, float]()
    for freeze in (0, 3):
        began = time.process_time()
        options: dict[str, Any] = {**STILL, "epochs": 20.0, "freeze": freeze, "init_from": mae}
        finetune(pictures(400), out=tmp_path / str(freeze), **options)
        seconds[freeze] = time.process_time() - began
    assert seconds[3] < seconds[0]


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(mae: Path, tmp_path: Path) -> None:
    words = [
        "--epochs",
        "40",
        "--init-from",
        str(mae),
        "--freeze",
        "2",
        "--shift",
        "0",
        "--patch-dropout",
        "0",
    ]
    commands.require_same_weights_after_a_kill("finetune", commands.some_npz(tmp_path), tmp_path, words)
