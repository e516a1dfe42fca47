"""Learning from unlabelled files: whose classes, which files, and what the loss is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from kakera.commands.finetune import finetune, plan_finetune
from kakera.data.batch import Batch
from kakera.errors import OptionError
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.training.options import FinetuneOptions
from kakera.training.semi_supervised import SemiSupervised
from tests.small import QUICK, pictures
from tests.training import commands
from tests.training.test_best_epoch import records

INPUTS = InputSpec(1, 28, 28, (0.5,), (0.5,))
PLAIN = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0.0, "random_erasing": 0.0, "drop_path": 0.0}


def task(**options: Any) -> SemiSupervised:
    torch.manual_seed(0)
    model = Classifier("nano", 10, channels=1, image_size=28, seed=0)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    made = SemiSupervised(
        model, INPUTS, FinetuneOptions("", **{**PLAIN, **options}), labels=np.arange(10), steps=10
    )
    made.teacher = Classifier("nano", 10, channels=1, image_size=28, seed=1).eval()
    torch.nn.init.normal_(made.teacher.head.weight, std=0.5)
    return made


def batch(step: int = 5) -> Batch:
    data = pictures(40).part("train")
    assert data.labels is not None
    values = np.stack([data.pictures.read(i) for i in range(40)]).transpose(0, 3, 1, 2)
    first = torch.from_numpy(values[:8]), torch.from_numpy(data.labels[:8]), torch.arange(8)
    other = Batch(torch.from_numpy(values[8:]), None, torch.arange(32), 0, step)
    return Batch(*first, 0, step, unlabelled=other)


def test_the_class_is_the_most_probable_one_after_alignment_to_the_labels_shares() -> None:
    made, found = task(confidence=0.0), batch().unlabelled
    assert found is not None
    chosen, sure = made.pseudo_labels(found)
    assert made.teacher is not None
    with torch.no_grad():
        p = made.teacher(INPUTS.normalize(found.pictures)).softmax(dim=1)
    p = p / p.mean(dim=0) * 0.1
    assert torch.equal(chosen, (p / p.sum(dim=1, keepdim=True)).argmax(dim=1))
    assert sure.tolist() == [1.0] * 32
    half = (p / p.sum(dim=1, keepdim=True)).max(dim=1).values.median().item()
    assert task(confidence=half - 1e-6).pseudo_labels(found)[1].sum() == 17


def test_without_a_sure_file_the_loss_is_that_of_the_labels_alone() -> None:
    torch.manual_seed(0)
    alone, found = task(confidence=1.0), batch()
    expected = super(SemiSupervised, alone).loss(alone.model, found)
    torch.testing.assert_close(alone.loss(alone.model, found), expected, rtol=1e-5, atol=1e-6)


def test_the_loss_adds_the_cross_entropy_of_the_teachers_classes_on_the_strong_view() -> None:
    made, found = task(confidence=0.0), batch(step=5)
    assert found.unlabelled is not None
    chosen, _ = made.pseudo_labels(found.unlabelled)
    strong, _, _ = made.strong_inputs(found.unlabelled)
    assert not torch.equal(strong, INPUTS.normalize(found.unlabelled.pictures))
    expected = super(SemiSupervised, made).loss(made.model, found)
    expected = expected + functional.cross_entropy(made.model(strong), chosen)  # step 5 of 10: full
    torch.testing.assert_close(made.loss(made.model, found), expected, rtol=1e-5, atol=1e-5)
    first = replace(found, step=0, unlabelled=replace(found.unlabelled, step=0))
    alone = super(SemiSupervised, made).loss(made.model, first)
    torch.testing.assert_close(made.loss(made.model, first), alone, rtol=1e-5, atol=1e-6)


def test_no_gradient_reaches_the_teacher() -> None:
    made, found = task(confidence=0.0), batch()
    made.loss(made.model, found).backward()
    assert made.teacher is not None
    assert all(each.grad is None for each in made.teacher.parameters())


def test_all_training_files_teach_and_the_plan_counts_their_cost(tmp_path: Path) -> None:
    options = {**QUICK, "baselines": False, "labels": 20, "model": "nano"}
    trained = finetune(pictures(), out=tmp_path / "run", unlabelled=True, **options)
    assert len(records(trained.folder)) > 0
    alone, both = (
        plan_finetune(pictures(), out=tmp_path / "plan", unlabelled=unlabelled, **options)
        for unlabelled in (False, True)
    )
    assert both.cost.flops == pytest.approx(5 * alone.cost.flops)  # 1 + 3 and the teacher's 3 / 3
    assert both.plan.unlabelled is None or len(both.plan.unlabelled) == 40


def test_files_with_several_labels_are_refused(tmp_path: Path) -> None:
    data = pictures()
    assert data.labels is not None
    several = replace(data, labels=np.eye(10, dtype=np.bool_)[data.labels])
    with pytest.raises(OptionError, match="unlabelled: got yes for files with several labels"):
        finetune(several, out=tmp_path / "run", unlabelled=True, model="nano", **QUICK)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    words = [*commands.FINETUNE, "--epochs", "20", "--labels", "40", "--unlabelled", "--confidence", "0.2"]
    words += ["--val-share", "0.2", "--keep", "best"]
    commands.require_same_weights_after_a_kill("finetune", commands.some_npz(tmp_path), tmp_path, words)
