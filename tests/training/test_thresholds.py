"""The thresholds of a multi-label model: how they are chosen, and that everything uses them."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from kakera.cli.main import main
from kakera.commands.convert_int8 import _agreement
from kakera.commands.finetune import finetune
from kakera.commands.pages.samples import mistakes, successes
from kakera.commands.predict import predict
from kakera.commands.validation import with_validation
from kakera.data.dataset import Dataset
from kakera.errors import OptionError, RunError
from kakera.formats.adapt import adapt
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import Format, convert
from kakera.formats.engines.choice import compare
from kakera.formats.load import load
from kakera.formats.onnx.export import configuration
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.training.metrics import evaluate
from kakera.training.options import FinetuneOptions
from kakera.training.predictions import Predictions
from kakera.training.thresholds import best_threshold, best_thresholds
from tests.small import QUICK, folder, pictures

SHARE = 0.25
OPTIONS: dict[str, Any] = {**QUICK, "model": "nano", "val_share": SHARE, "baselines": False}


def several(train: int = 200, test: int = 60) -> Dataset:
    """Pictures of ten classes; half of them have class 0 too."""
    data = pictures(train, test)
    assert data.labels is not None
    hot = np.eye(10, dtype=bool)[data.labels]
    hot[:, 0] |= np.arange(len(hot)) % 2 == 0
    return replace(data, labels=hot)


def classifier(*thresholds: float) -> Pretrained[Classifier]:
    network = Classifier("nano", 2, channels=1, image_size=28, seed=0).eval()
    inputs = InputSpec(1, 28, 28, (0.5,), (0.5,))
    return Pretrained(network, inputs, ("ant", "bee"), multi_label=True, thresholds=thresholds)


def values(dataset: Dataset) -> list[NDArray[np.uint8]]:
    return [dataset.pictures.read(i)[..., 0] for i in range(len(dataset))]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=25).filter(
        lambda rows: any(label for _, label in rows)
    )
)
def test_no_other_cut_has_a_higher_f1(rows: list[tuple[int, bool]]) -> None:
    probabilities = np.array([number / 10 for number, _ in rows], np.float32)  # with ties
    labels = np.array([label for _, label in rows])
    cut = best_threshold(probabilities, labels)
    every = [f1_score(labels, probabilities >= each) for each in np.unique(probabilities)]
    assert f1_score(labels, probabilities >= cut) == pytest.approx(max(every))
    if f1_score(labels, probabilities >= 0.5) == pytest.approx(max(every)):
        assert cut == 0.5


def test_classes_with_few_files_share_the_threshold_of_their_labels_together() -> None:
    random = np.random.default_rng(0)
    labels = np.zeros((100, 4), dtype=bool)
    for column, count in enumerate([40, 6, 7, 2]):
        labels[random.permutation(100)[:count], column] = True
    probabilities = np.clip(0.2 * labels + 0.1 + 0.2 * random.random((100, 4)), 0, 1)
    found = best_thresholds(probabilities, labels)
    own, shared = best_threshold(probabilities[:, 0], labels[:, 0]), found[1]
    assert found == (own, shared, shared, shared)
    rare, truth = probabilities[:, 1:].ravel(), labels[:, 1:].ravel()
    every = [f1_score(truth, rare >= each) for each in np.unique(rare)]
    assert f1_score(truth, rare >= shared) == pytest.approx(max(every))
    few = best_thresholds(probabilities[:, [0, 3]], labels[:, [0, 3]])
    assert few == (own, 0.5)  # two files decide nothing


def test_thresholds_come_from_the_validation_part_alone_and_everything_uses_them(tmp_path: Path) -> None:
    data = several()
    trained = finetune(data, out=tmp_path / "run", **OPTIONS)
    parts = with_validation(data, FinetuneOptions("", val_share=SHARE))
    val, test = parts.part("val"), parts.part("test")
    assert val.labels is not None
    assert test.labels is not None
    saved = load(trained.folder)
    expected = best_thresholds(saved.predict_proba(values(val)), val.labels)
    assert len(set(expected)) == 2  # of class 0, and of the nine others together
    assert saved.thresholds == pytest.approx(expected)

    found = saved.predict_proba(values(test))
    guesses = found >= np.array(saved.thresholds)
    assert trained.evaluation is not None
    assert trained.evaluation.macro_f1 == pytest.approx(f1_score(test.labels, guesses, average="macro"))
    assert trained.evaluation.micro_f1 == pytest.approx(f1_score(test.labels, guesses, average="micro"))
    labels = [set(one.labels) for one in predict(saved, values(test))]
    assert labels == [{data.classes[i] for i in np.flatnonzero(row)} for row in guesses]
    report = (trained.folder / "report.html").read_text()
    before = evaluate(found, test.labels, data.classes)
    assert before.macro_f1 is not None
    assert f"{100 * before.macro_f1:.1f} % macro" in report
    assert f"{saved.thresholds[0]:.3f}" in report
    again = finetune(data, out=tmp_path / "run", **OPTIONS)
    assert (again.saved.thresholds, again.evaluation) == (saved.thresholds, trained.evaluation)


def test_the_labels_of_the_test_files_change_no_threshold(tmp_path: Path) -> None:
    data = several()
    assert data.labels is not None
    other = data.labels.copy()
    other[data.split == "test"] = ~other[data.split == "test"]
    first, second = (
        finetune(each, out=tmp_path / name, **OPTIONS).saved.thresholds
        for name, each in (("first", data), ("second", replace(data, labels=other)))
    )
    assert first == second


def test_weights_are_the_same_with_and_without_thresholds(tmp_path: Path) -> None:
    for name in ("f1", "0.5"):
        finetune(several(), out=tmp_path / name, thresholds=name, **OPTIONS)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("f1", "0.5"))
    assert one == other
    assert "thresholds" not in json.loads((tmp_path / "0.5" / "kakera.json").read_text())


def test_without_files_to_choose_on_each_threshold_stays_a_half(tmp_path: Path) -> None:
    data = several()
    alone = data.take(np.flatnonzero(data.split == "train"))  # the validation part is evaluated
    assert finetune(alone, out=tmp_path / "alone", **OPTIONS).saved.thresholds == ()
    plain: dict[str, Any] = {**OPTIONS, "val_share": 0.0}
    assert finetune(data, out=tmp_path / "plain", **plain).saved.thresholds == ()
    for wrong, options, said in (
        (alone, OPTIONS, "also those of the evaluation"),
        (data, plain, "f1 for no validation files"),
        (pictures(), OPTIONS, "f1 for files with one label"),
    ):
        with pytest.raises(OptionError, match=said):
            finetune(wrong, out=tmp_path / "wrong", thresholds="f1", **options)


def test_the_command_prints_the_labels_above_their_thresholds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    probabilities = classifier().predict_proba(np.zeros((28, 28), np.uint8))[0]
    just_above, just_below = float(probabilities[0]) + 1e-4, float(probabilities[1]) - 1e-4
    classifier(just_above, just_below).save(tmp_path / "run")
    root = folder(tmp_path / "d", count=1)
    expected = ["|".join(one.labels) for one in predict(classifier(just_above, just_below), str(root))]
    assert main(["predict", str(tmp_path / "run"), str(root), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == expected
    assert main(["predict", str(tmp_path / "run"), str(root), "--json"]) == 0
    assert ["|".join(row["labels"]) for row in json.loads(capsys.readouterr().out)] == expected
    black = predict(classifier(just_above, just_below), np.zeros((28, 28), np.uint8))
    assert black[0].labels == ("bee",)


def test_every_format_of_a_classifier_keeps_the_thresholds(tmp_path: Path) -> None:
    saved = classifier(0.25, 0.75)
    saved.save(tmp_path / "own")
    assert load(tmp_path / "own").thresholds == (0.25, 0.75)
    targets: dict[Format, Path] = {
        "mae": tmp_path / "model.pth",
        "timm": tmp_path / "timm",
        "transformers": tmp_path / "hf",
    }
    for kind, target in targets.items():
        convert(tmp_path / "own", target, to=kind)
        assert load(target).thresholds == (0.25, 0.75), kind
    assert configuration(saved)["thresholds"] == [0.25, 0.75]
    assert adapt(saved, classes=["cat", "dog", "emu"]).thresholds == ()
    assert load(tmp_path / "own", image_size=56).thresholds == (0.25, 0.75)


def test_a_graph_predicts_with_the_thresholds_of_its_model(tmp_path: Path) -> None:
    probabilities = classifier().predict_proba(np.zeros((28, 28), np.uint8))[0]
    classifier(float(probabilities[0]) + 1e-3, float(probabilities[1]) - 1e-3).save(tmp_path / "own")
    convert(tmp_path / "own", tmp_path / "graph", to="onnx")
    assert predict(tmp_path / "graph", np.zeros((28, 28), np.uint8))[0].labels == ("bee",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([0.5], "thresholds: got 1 for 2 classes"),
        ([0.5, 1.5], "thresholds: got 1.5"),
        ("0.5", "thresholds: got '0.5'"),
        ([0.5, "x"], "thresholds: got 'x'"),
        ([0.5, float("nan")], "thresholds: got nan"),
    ],
)
def test_wrong_thresholds_in_a_file_are_refused(wrong: object, said: str, tmp_path: Path) -> None:
    classifier().save(tmp_path)
    content = json.loads((tmp_path / "kakera.json").read_text())
    (tmp_path / "kakera.json").write_text(json.dumps({**content, "thresholds": wrong}))
    with pytest.raises(RunError, match=said):
        load(tmp_path)


def test_the_page_shows_mistakes_at_the_thresholds() -> None:
    data = pictures(4, 0)
    labels = np.array([[True, False], [True, False], [False, True], [False, True]])
    data = replace(data, classes=("ant", "bee"), labels=labels)
    found = np.array([[0.4, 0.1], [0.2, 0.1], [0.1, 0.7], [0.1, 0.9]], np.float32)
    predictions, inputs = Predictions.of(found, labels, np.arange(4)), classifier().inputs
    cut = (0.3, 0.8)  # the second file misses "ant", the third one "bee"
    assert [card.title for card in mistakes(data, predictions, inputs, cut)] == [
        "ant; missed: ant (20 %)",
        "bee; missed: bee (70 %)",
    ]
    assert [card.title for card in successes(data, predictions, inputs, cut)] == ["bee", "ant"]
    assert len(mistakes(data, predictions, inputs)) == 2  # at 0.5 the first two


def test_engines_are_compared_at_the_thresholds() -> None:
    exact, other = torch.tensor([[0.9, 0.6], [0.9, 0.1]]), torch.tensor([[0.8, 0.4], [0.7, 0.2]])
    assert compare(exact, other, True, (0.5, 0.5))[0] == 0.5
    assert compare(exact, other, True, (0.75, 0.3))[0] == 0.5
    assert compare(exact, other, True, (0.5, 0.3))[0] == 1.0
    assert _agreement(exact.numpy(), other.numpy(), (0.75, 0.3), multi_label=True) == pytest.approx(2 / 3)
