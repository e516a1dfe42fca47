import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kakera.data.loader import Augmentation, Batch
from kakera.errors import RunError
from kakera.training.engine import engine
from kakera.training.loop import BAD_STEPS, train
from kakera.training.options import FinetuneOptions
from kakera.training.plan import TrainingPlan
from kakera.training.recipes import options_from
from kakera.training.run import Run
from tests.small import pictures

OPTIONS = options_from(
    FinetuneOptions,
    "paper",
    {
        "data": "x",
        "init_from": "x",
        "batch_size": 10,
        "epochs": 3.0,
        "base_lr": 1.0,
        "warmup_epochs": 1.0,
        "device": "cpu",
    },
)


def plan(**given: object) -> TrainingPlan:
    options = replace(OPTIONS, **given)
    return TrainingPlan(pictures(40, 0).part("train"), (28, 28), Augmentation(), options, seed=1, workers=0)


class Brightness:
    """A task with a known answer: predict each picture's mean from its pixels."""

    def __init__(self, *, broken: range = range(0)) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = nn.Linear(784, 1)
        self.broken, self.seen = broken, []

    def weight(self, batch: Batch) -> float:
        return len(batch.samples)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        self.seen.append((batch.step, batch.samples.tolist()))
        pixels = batch.pictures.flatten(1) / 255
        wrong = model(pixels).squeeze(1) - pixels.mean(dim=1)
        return wrong.square().mean() * (math.nan if batch.step in self.broken else 1.0)


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_loss_falls_and_each_epoch_is_logged(tmp_path: Path) -> None:
    train(Brightness(), plan(epochs=30.0, base_lr=0.2), Run(tmp_path, {}), verb="test")
    found = lines(tmp_path)
    assert [line["epoch"] for line in found] == list(range(1, 31))
    assert found[-1]["loss"] < found[0]["loss"] / 10


def test_no_thread_stays_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    train(Brightness(), plan(), Run(tmp_path, {}), verb="test")
    assert set(threading.enumerate()) == before


def test_the_rate_warms_up_and_falls(tmp_path: Path) -> None:
    train(Brightness(), plan(epochs=12.0), Run(tmp_path, {}), verb="test")
    # 48 steps, 4 of warm-up, peak 1.0 · 10 / 256; the rates of the last step of each epoch
    peak = 10 / 256
    cosine = [peak * 0.5 * (1 + math.cos(math.pi * (step - 4) / 44)) for step in range(7, 48, 4)]
    assert [line["rate"] for line in lines(tmp_path)] == pytest.approx([peak * 3 / 4, *cosine])


def test_a_run_shorter_than_its_recipe_spends_at_most_an_eighth_on_warm_up() -> None:
    shortened = plan(epochs=4.0, warmup_epochs=3.0)
    assert (shortened.steps, shortened.warmup_steps) == (16, 2)
    assert plan(epochs=4.0, warmup_epochs=0.25).warmup_steps == 1


def test_a_run_cut_at_any_checkpoint_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train(Brightness(), plan(), Run(tmp_path / "whole", {}), verb="test")

    class KilledError(Exception):
        pass

    class Cut(Brightness):
        def loss(self, model: nn.Module, batch: Batch) -> Tensor:
            if batch.step == 7:
                raise KilledError
            return super().loss(model, batch)

    often = plan(checkpoint_seconds=0.0)
    with pytest.raises(KilledError):
        train(Cut(), often, Run(tmp_path / "cut", {}), verb="test")
    again = Brightness()
    found = train(again, often, Run(tmp_path / "cut", {}), verb="test")
    assert [step for step, _ in again.seen] == list(range(7, 12))
    for ours, theirs in zip(whole.parameters(), found.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_step_that_is_not_finite_is_skipped_and_its_pictures_written_down(tmp_path: Path) -> None:
    task = Brightness(broken=range(2, 4))
    model = train(task, plan(), Run(tmp_path, {}), verb="test")
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    skipped = [line for line in lines(tmp_path) if "skipped" in line]
    assert [line["step"] for line in skipped] == [3, 4]
    assert len(skipped[0]["skipped"]) == 10


def test_a_gradient_that_is_not_finite_is_skipped_though_the_loss_is(tmp_path: Path) -> None:
    class Steep(Brightness):
        def loss(self, model: nn.Module, batch: Batch) -> Tensor:
            steep = (model.get_parameter("weight") * 0).sum().sqrt()  # 0, with an infinite slope
            return super().loss(model, batch) + (steep if batch.step == 4 else 0)

    model = train(Steep(), plan(), Run(tmp_path, {}), verb="test")
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    assert [line["step"] for line in lines(tmp_path) if "skipped" in line] == [5]


def test_skipped_steps_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(Brightness(broken=range(2, 4)), plan(), Run(tmp_path, {}), verb="test")
    assert "2 steps were skipped" in capsys.readouterr().err


def test_too_many_such_steps_end_the_run_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"{BAD_STEPS} consecutive steps") as caught:
        train(Brightness(broken=range(100)), plan(epochs=10.0), Run(tmp_path, {}), verb="test")
    assert "\n" not in str(caught.value)


def test_an_average_of_the_weights_is_what_is_kept(tmp_path: Path) -> None:
    task = Brightness()
    model = train(task, replace(plan(), ema=0.5), Run(tmp_path, {}), verb="test")
    assert not torch.equal(model.get_parameter("weight"), task.model.get_parameter("weight"))


def test_each_epoch_ends_with_a_call(tmp_path: Path) -> None:
    calls: list[int] = []
    train(
        Brightness(), plan(), Run(tmp_path, {}), verb="test", each_epoch=lambda epoch, _: calls.append(epoch)
    )
    assert calls == [1, 2, 3]


def test_few_pictures_are_trained_on_for_a_least_number_of_steps() -> None:
    assert plan().steps == 12
    assert plan(min_steps=20).steps == 20
    assert plan(batch_size=1000).batch == 40
    assert plan(epochs=0.001).steps == 1


def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(Brightness(), plan(), Run(tmp_path, {}), verb="test")
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss")] == [4, 8, 12]


def test_a_device_that_is_not_there_gets_one_line() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(
        RunError, match="device: got cuda, expected an available device; try --device cpu"
    ) as caught:
        engine(replace(OPTIONS, device="cuda"))
    assert "\n" not in str(caught.value)
