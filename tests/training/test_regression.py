"""Numbers to predict: the loss, the measures, the start of the head, and what a training learns."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from kakera.commands import watch
from kakera.commands.finetune import finetune
from kakera.commands.ridge_head import start_from_ridge
from kakera.commands.validation import with_validation
from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.split import few, stratified
from kakera.errors import DataError, OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.target_scale import TargetScale
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.training.baselines.number_baselines import NumberBaseline, NumberBaselines
from kakera.training.baselines.number_verdict import judge_numbers, mean_interval
from kakera.training.options import FinetuneOptions
from kakera.training.predictions import ROW, Predictions
from kakera.training.regression import ONLY_CLASSES, UNCHANGING, Regression, regression_options
from kakera.training.regression_metrics import evaluate_numbers
from tests.small import QUICK
from tests.training.test_best_epoch import records
from tests.turned import turned, turned_npz

INPUTS = InputSpec(1, 28, 28, (0.5,), (0.5,))
SCALE = TargetScale((30.0, -1.0), (10.0, 4.0))
STILL: dict[str, Any] = {**UNCHANGING, **ONLY_CLASSES, "random_erasing": 0.0, "drop_path": 0.0}
SHORT: dict[str, Any] = {**QUICK, "model": "nano", "baselines": False}


def task(**options: Any) -> tuple[Regression, Batch]:
    model = Classifier("nano", 2, channels=1, image_size=28, seed=0)
    torch.nn.init.normal_(model.head.weight, std=0.5, generator=torch.Generator().manual_seed(0))
    made = Regression(model, INPUTS, FinetuneOptions("", **{**STILL, **options}), SCALE)
    pictures = torch.randint(0, 256, (4, 1, 28, 28), generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([[20.0, 3.0], [45.0, -9.0], [30.0, -1.0], [31.0, 0.5]])
    return made, Batch(pictures.to(torch.uint8), targets, torch.arange(4), epoch=0, step=3)


def test_the_loss_is_the_mean_squared_error_in_standard_deviations() -> None:
    made, batch = task()
    with torch.no_grad():
        outputs = made.model(INPUTS.normalize(batch.pictures)).numpy()
        found = made.loss(made.model, batch).item()
    assert batch.labels is not None
    wanted = (batch.labels.numpy() - [30.0, -1.0]) / [10.0, 4.0]
    assert found == pytest.approx(((outputs - wanted) ** 2).mean(), rel=1e-5)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_pictures_have_targets_on_the_line_between_those_of_both(name: str) -> None:
    made, batch = task(**{name: 1.0})
    assert batch.labels is not None
    *_, mixed = made.inputs_of(batch)
    plain = (batch.labels - torch.tensor(SCALE.mean)) / torch.tensor(SCALE.std)
    others = plain.flip(0)
    shares = (mixed - others) / (plain - others)
    assert 0 < shares.min() < 1
    torch.testing.assert_close(shares, shares.mean().expand_as(shares), rtol=1e-3, atol=1e-3)


def test_the_measures_are_those_of_scikit_learn_and_r2_is_against_the_training_mean() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(50, 10, (40, 2))
    values = truth + random.normal(0, 3, (40, 2))
    truth[5, 1] = np.nan
    means = (48.0, 51.0)
    found = evaluate_numbers(values, truth, ("age", "weight"), means)
    known = np.arange(40) != 5
    assert (found.count, found.unlabelled, found.accuracy) == (39, 1, None)
    assert found.per_target is not None
    for column, row in enumerate(found.per_target):
        t, v = truth[known, column], values[known, column]
        assert row.mean_absolute_error == pytest.approx(mean_absolute_error(t, v))
        assert row.root_mean_squared_error == pytest.approx(root_mean_squared_error(t, v))
        assert row.r2 == pytest.approx(1 - ((t - v) ** 2).sum() / ((t - means[column]) ** 2).sum())
    assert "age: mean absolute error" in found.summary()


def test_predictions_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        evaluate_numbers(np.array([[np.nan]]), np.array([[1.0]]), ("age",), (0.0,))


def test_the_head_starts_as_the_least_squares_fit_to_the_tokens() -> None:
    """Targets that are linear in the tokens are predicted exactly, in their units."""
    data = turned(200, 0)
    model = Classifier("nano", 1, channels=1, image_size=28, seed=0).eval()
    tokens = Pretrained(model, INPUTS).embed([data.pictures.read(i)[..., 0] for i in range(200)], pool="mean")
    targets = 500 + 40 * tokens @ np.random.default_rng(0).normal(size=(64, 1))
    linear = Dataset("linear", data.pictures, 1, data.split, labels=targets)
    saved = Pretrained(model, INPUTS, ("target",), targets=TargetScale.of(targets, ("target",)))
    start_from_ridge(saved, linear, device="cpu")
    found = saved.predict_values([data.pictures.read(i)[..., 0] for i in range(200)])
    assert np.abs(found - targets).max() < 0.02 * targets.std()


def test_turned_pictures_have_angles_better_than_ridge_on_frozen_tokens(mae: Path, tmp_path: Path) -> None:
    """The picture's mean brightness tells nothing; predicting the mean is wrong by 30° on average."""
    options: dict[str, Any] = {"recipe": "micro", "epochs": 16.0, "min_steps": 1, "batch_size": 30}
    trained = finetune(turned(300, 80), out=tmp_path / "run", init_from=mae, base_lr=6e-3, **options)
    assert trained.evaluation is not None
    assert trained.evaluation.per_target is not None
    error = trained.evaluation.per_target[0].mean_absolute_error
    found = json.loads((trained.folder / "baselines.json").read_text())["found"]
    baselines = {one["name"]: one["per_target"][0]["mean_absolute_error"] for one in found}
    assert 25 < baselines["mean of the training files"] < 35
    assert error < baselines["frozen encoder, ridge"]
    page = (trained.folder / "report.html").read_text()
    for text in (
        "Predicted angle over true angle",
        "The worst mistakes",
        "frozen encoder, ridge",
        "0 is no better",
    ):
        assert text in page


def test_the_same_run_from_python_arrays_and_from_a_file(tmp_path: Path) -> None:
    path = turned_npz(tmp_path)
    trained = [
        finetune(data, out=tmp_path / name, **SHORT)
        for name, data in (("arrays", turned(60, 20)), ("file", path))
    ]
    one, two = (each.saved.model.state_dict() for each in trained)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert trained[0].saved.classes == ("angle",)
    targets = turned(60, 20).part("train").labels
    assert targets is not None
    assert trained[0].saved.targets == TargetScale((float(targets.mean()),), (float(targets.std()),))
    assert load(tmp_path / "file").targets == trained[1].saved.targets


def test_the_kept_weights_have_the_lowest_validation_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = turned(120, 20)
    options: dict[str, Any] = {**SHORT, "epochs": 8.0, "base_lr": 2e-2}
    trained = finetune(data, out=tmp_path / "run", keep="best", val_share=0.25, **options)
    best = min(records(trained.folder), key=lambda row: (row["val_error"], row["val_loss"]))
    val = with_validation(data, FinetuneOptions("", val_share=0.25)).part("val")
    assert val.labels is not None
    found = load(trained.folder).predict_values([val.pictures.read(i)[..., 0] for i in range(len(val))])
    assert trained.saved.targets is not None
    error = np.sqrt(np.mean((found - val.labels) ** 2)) / trained.saved.targets.std[0]
    assert error == pytest.approx(best["val_error"], abs=1e-3)
    assert f"kept the weights of epoch {best['epoch']:g} of 8: validation error" in capsys.readouterr().err
    assert (
        f"epoch {best['epoch']:g}, which had the lowest error" in (trained.folder / "report.html").read_text()
    )


def test_validation_and_test_parts_have_the_same_range_of_numbers() -> None:
    targets = np.random.default_rng(0).exponential(10, (1000, 1))
    parts = stratified(targets, {"val": 0.2}, seed=0)
    tenths = np.searchsorted(np.quantile(targets, np.arange(1, 10) / 10), targets[:, 0])
    assert np.bincount(tenths[parts == "val"], minlength=10).tolist() == [20] * 10
    assert np.bincount(tenths[few(targets, 50, 0)], minlength=10).tolist() == [5] * 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label_smoothing": 0.1}, "label_smoothing: got 0.1 for numbers to predict"),
        ({"class_weight": 1.0}, "class_weight: got 1.0 for numbers"),
        ({"class_balance": 0.5}, "class_balance: got 0.5 for numbers"),
        ({"unlabelled": True}, "unlabelled: got True for numbers"),
        ({"target_column": "age"}, "target_column: got age, expected nothing for opened data"),
    ],
)
def test_options_that_are_for_classes_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {**SHORT, **changes}
    with pytest.raises(OptionError, match=said):
        finetune(turned(20, 4), out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_recipe_for_unlabelled_files_is_refused() -> None:
    with pytest.raises(OptionError, match="name no recipe for classes"):
        regression_options(FinetuneOptions("", unlabelled=True), given=())


def test_equal_numbers_cannot_be_learned(tmp_path: Path) -> None:
    data = turned(20, 4)
    same = Dataset("same", data.pictures, 1, data.split, labels=np.full(24, 7.5))
    with pytest.raises(
        DataError, match="got target 7.5 for all 20 training files, expected different numbers"
    ):
        finetune(same, out=tmp_path / "run", **SHORT)


def test_several_targets_with_missing_ones_are_learned_together(tmp_path: Path) -> None:
    data = turned(40, 10)
    assert data.labels is not None
    both = np.concatenate([data.labels, data.labels * 1000 + 5], axis=1)
    both[3] = np.nan
    two = Dataset("two", data.pictures, 1, data.split, ("angle", "large"), both)
    options: dict[str, Any] = {**SHORT, "baselines": True}
    trained = finetune(two, out=tmp_path / "run", **options)
    assert trained.evaluation is not None
    assert [row[0] for row in trained.evaluation.table()] == ["target", "angle", "large"]
    assert trained.saved.predict_values(data.pictures.read(0)[..., 0]).shape == (1, 2)
    assert "Predicted large over true large" in (trained.folder / "report.html").read_text()


def test_the_verdict_compares_paired_errors() -> None:
    random = np.random.default_rng(0)
    truth, ours = random.normal(0, 10, (50, 1)), random.normal(0, 1, (50, 1))
    pictures = ArrayPictures(np.zeros((50, 8, 8, 1), np.uint8))
    test = Dataset("ages", pictures, 1, np.full(50, "test"), labels=truth)
    predictions = Predictions(np.arange(50), np.empty(0, ROW), values=truth + ours)
    found = judge_numbers(test, "test", predictions, None, TargetScale((0.0,), (10.0,)))
    errors = np.abs(ours[:, 0])
    half = 1.959964 * errors.std(ddof=1) / np.sqrt(50)
    assert (found.value.low, found.value.high) == pytest.approx((errors.mean() - half, errors.mean() + half))
    assert mean_interval(np.array([2.0])).high == np.inf


@pytest.mark.parametrize(("theirs", "said"), [(0.5, "more (95 % interval of the difference +"), (2.0, "−")])
def test_the_interval_of_the_difference_has_the_sign_of_more_and_less(theirs: float, said: str) -> None:
    random = np.random.default_rng(0)
    truth, ours = random.normal(0, 10, (50, 1)), random.normal(1, 0.1, (50, 1))
    pictures = ArrayPictures(np.zeros((50, 8, 8, 1), np.uint8))
    test = Dataset("ages", pictures, 1, np.full(50, "test"), labels=truth)
    predictions = Predictions(np.arange(50), np.empty(0, ROW), values=truth + ours)
    baseline = NumberBaselines(50, 50, 50, tuple(range(50)), (NumberBaseline("mean", (), (theirs,) * 50),))
    found = judge_numbers(test, "test", predictions, baseline, TargetScale((0.0,), (10.0,)))
    mean, half = np.abs(ours).mean() - theirs, 1.959964 * ours.std(ddof=1) / np.sqrt(50)
    assert said in found.text
    ends = re.findall(r"difference ([+−][\d.]+) to ([+−][\d.]+)\)", found.text)[0]
    assert [float(end.replace("−", "-")) for end in ends] == pytest.approx(
        [mean - half, mean + half], rel=1e-3
    )


def test_an_interrupted_run_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"epochs": 6.0, "mixup": 0.8, "ema_decay": 0.9, "drop_path": 0.2, "checkpoint_seconds": 0.0}
    options: dict[str, Any] = {**SHORT, **changes, "val_share": 0.25, "keep": "best"}
    finetune(turned(80, 10), out=tmp_path / "whole", **options)
    calls, right = iter(range(100)), watch.measured

    def interrupted(saved: Pretrained, sample: watch.Sample) -> tuple[float, float]:
        if next(calls) == 3:  # of the second measurement, after some steps and checkpoints
            raise RuntimeError("interrupted")
        return right(saved, sample)

    monkeypatch.setattr(watch, "measured", interrupted)
    with pytest.raises(RuntimeError, match="interrupted"):
        finetune(turned(80, 10), out=tmp_path / "part", **options)
    assert not (tmp_path / "part" / "model.safetensors").exists()
    monkeypatch.setattr(watch, "measured", right)
    finetune(turned(80, 10), out=tmp_path / "part", **options)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "part"))
    assert one == two
