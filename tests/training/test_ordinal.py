"""Ordered classes: soft targets, ranks, measures, and a fine-tuning."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

import kakera
from kakera.errors import OptionError, RunError
from kakera.training.metrics import evaluate
from kakera.training.ordinal import class_ranks, ordinal_targets, with_rank_measures
from tests.small import QUICK, pictures

GRADES = ("bad", "fair", "good", "very good")
SCRAMBLED = ("good", "bad", "very good", "fair")


def test_the_targets_are_the_softmax_of_minus_the_distance() -> None:
    ranks = class_ranks(SCRAMBLED, GRADES)
    found = ordinal_targets(torch.tensor([1, 2]), ranks).numpy()
    for row, label in zip(found, (1, 2), strict=True):
        powers = [np.exp(-abs(GRADES.index(name) - GRADES.index(SCRAMBLED[label]))) for name in SCRAMBLED]
        np.testing.assert_allclose(row, np.array(powers) / sum(powers), rtol=1e-6)


def test_classes_with_numbers_as_names_need_no_order() -> None:
    assert class_ranks(("-1", "10", "2.5"), ()) == (0, 2, 1)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((), "class_order: got none for classes whose names are not numbers, expected all classes"),
        (("bad", "fair", "good"), "class_order: got no very good, expected each of"),
        ((*GRADES[:3], "best"), "class_order: got no very good; unknown best"),
        ((*GRADES, "bad"), "class_order: got a class twice"),
    ],
)
def test_an_order_that_is_not_all_classes_once_is_refused(order: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        class_ranks(SCRAMBLED, order)


def test_kappa_and_rank_error_are_those_of_other_libraries() -> None:
    draw = np.random.default_rng(0)
    labels, scores = draw.integers(0, 4, 200), draw.random((200, 4))
    scores[np.arange(200), labels] += 0.3
    evaluation = evaluate(scores / scores.sum(axis=1, keepdims=True), labels, SCRAMBLED)
    config = {"loss": "ordinal", "class_order": list(GRADES)}
    found = with_rank_measures(evaluation, config, SCRAMBLED)
    ranks = np.array([GRADES.index(name) for name in SCRAMBLED])
    true, guessed = ranks[labels], ranks[scores.argmax(axis=1)]
    expected = cohen_kappa_score(true, guessed, weights="quadratic")
    assert found.quadratic_kappa == pytest.approx(expected, abs=1e-12)
    assert found.rank_error == pytest.approx(np.abs(true - guessed).mean(), abs=1e-12)
    assert f"kappa {expected:.3f}" in found.summary()
    assert with_rank_measures(evaluation, {"loss": "focal"}, SCRAMBLED) == evaluation


def test_a_fine_tuning_stores_the_measures_in_ranks_and_resumes_with_the_same_order(tmp_path: Path) -> None:
    data = pictures()
    order = tuple(reversed(data.classes))
    options = {**QUICK, "model": "nano", "loss": "ordinal", "class_order": order, "baselines": False}
    trained = kakera.finetune(data, out=tmp_path / "run", **options)
    stored = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert trained.evaluation is not None
    assert stored["rank_error"] == trained.evaluation.rank_error is not None
    again = kakera.finetune(data, out=tmp_path / "run", **options)
    assert again.evaluation == trained.evaluation
    with pytest.raises(RunError, match="class_order"):
        kakera.finetune(data, out=tmp_path / "run", **{**options, "class_order": data.classes})


def test_a_wrong_order_is_refused_before_training(tmp_path: Path) -> None:
    data = pictures()
    options = {**QUICK, "model": "nano", "loss": "ordinal"}
    with pytest.raises(OptionError, match="class_order: got none for classes whose names are not numbers"):
        kakera.finetune(data, out=tmp_path / "run", **options)
    with pytest.raises(OptionError, match="class_order: got a b with the loss cross-entropy"):
        kakera.finetune(data, out=tmp_path / "other", **{**QUICK, "model": "nano", "class_order": ("a", "b")})
