"""A study of encoders: what it writes, and its numbers beside scikit-learn."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid

import kakera
from kakera.cli.main import main
from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.study.encoders.study import plan_encoders, study_encoders
from tests.study.encoders.cells import TEST, TRAIN, cell, options, rows, some
from tests.study.studies import written


def predictions(head: dict[str, Any], train: NDArray[Any], labels: NDArray[Any], test: NDArray[Any]) -> Any:
    """What scikit-learn predicts with this head."""
    mean, std = train.mean(axis=0), train.std(axis=0)
    seen, unseen = ((each - mean) / std for each in (train.astype(float), test.astype(float)))
    if head["head"] == "ridge":
        targets = 2.0 * np.eye(10)[labels] - 1
        return Ridge(alpha=head["strength"]).fit(seen, targets).predict(unseen).argmax(axis=1)
    if head["head"] == "prototype":
        return NearestCentroid().fit(seen, labels).predict(unseen)
    return LogisticRegression(C=head["strength"], max_iter=5000, tol=1e-8).fit(seen, labels).predict(unseen)


@pytest.mark.parametrize("name", ["1-first-20-s0", "2-second-one-40-s2"])
def test_the_accuracy_of_a_cell_is_that_of_scikit_learn(name: str, done: Path, starts: list[str]) -> None:
    found, data = cell(done, name), some()
    number, *_, count, seed = name.split("-")
    train, test = data.part("train"), data.part("test")
    assert train.labels is not None
    assert test.labels is not None
    drawn = train.take(few(train.labels, int(count), int(seed[1:])))
    saved = kakera.load(starts[int(number) - 1])

    def tokens(part: Dataset) -> NDArray[Any]:
        files = [part.pictures.read(row) for row in range(len(part))]
        pools = ["class", "mean"] if found["pool"] == "class and mean" else [found["pool"]]
        return np.concatenate([saved.embed(files, pool=pool) for pool in pools], axis=1)

    guesses = predictions(found, tokens(drawn), drawn.labels, tokens(test))
    assert found["labels"] == int(count)
    assert found["score"] == pytest.approx((guesses == test.labels).mean(), abs=1.01 / TEST)  # a near tie
    hits = np.array(list(found["files"])) == "1"
    assert hits.mean() == pytest.approx(found["score"])
    assert (hits == (guesses == test.labels)).mean() > 0.95


def test_the_difference_and_its_interval_are_those_of_a_table_of_hits(done: Path) -> None:
    found = json.loads((done / "results.json").read_text())
    best, second = found["encoders"][:2]
    units = {"first": "1-first", "second one": "2-second-one", "pixels": "3-pixels"}
    names = [units[Path(row["name"]).name] for row in (best, second)]
    hits = [
        np.array([list(cell(done, f"{name}-40-s{seed}")["files"]) for seed in range(3)]) == "1"
        for name in names
    ]
    gaps = hits[1].astype(float) - hits[0]
    mean, size = gaps.mean(), gaps.size
    of_draws = TEST * gaps.mean(axis=1).var(ddof=1)
    of_files = 3 * gaps.mean(axis=0).var(ddof=1)
    rest = (((gaps - mean) ** 2).sum() - 2 * of_draws - (TEST - 1) * of_files) / (2 * (TEST - 1))
    draws, files = max(of_draws - rest, 0) / size, max(of_files, rest) / size
    half = math.sqrt(draws * stats.t.ppf(0.975, 2) ** 2 + files * stats.t.ppf(0.975, TEST - 1) ** 2)
    score = second["scores"][-1]
    assert (score["labels"], score["draws"]) == (40, 3)
    assert (score["to_best"], score["to_best_half"]) == pytest.approx((mean, half))


def test_every_encoder_has_a_cell_for_every_number_and_draw(done: Path) -> None:
    found = rows(done / "results.csv")
    names = {row["encoder"] for row in found}
    assert len(names) == 3
    assert "pixels" in names
    assert len(found) == 3 * 2 * 3
    assert {row["labels"] for row in found} == {"20", "40"}
    costs = rows(done / "costs.csv")
    assert sorted(row["unit"] for row in costs) == sorted(path.name for path in (done / "units").iterdir())


def test_the_page_has_time_size_licence_and_one_recommendation(done: Path) -> None:
    page, found = (done / "report.html").read_text(), json.loads((done / "results.json").read_text())
    first = next(row for row in found["encoders"] if row["name"].endswith("/first"))
    assert first["license"] == "mit"
    parameters = sum(each.numel() for each in kakera.load(first["name"]).model.parameters())
    assert first["parameters"] == pytest.approx(parameters, rel=0.01)  # fixed positions are no parameters
    assert 0 < first["milliseconds"] < 1000
    assert found["threads"] == 1
    assert len(found["recommendation"]) == 2
    for text in ("mit", "one thread", "kakera study encoders demo", *found["recommendation"]):
        assert text in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_all_labels_are_drawn_once_and_can_still_be_compared(starts: list[str], tmp_path: Path) -> None:
    done = study_encoders(some(), out=tmp_path / "s", **options(starts, labels=0))
    (score,) = json.loads((tmp_path / "s" / "results.json").read_text())["encoders"][1]["scores"]
    assert (score["labels"], score["draws"]) == (TRAIN, 1)
    assert math.isfinite(score["to_best_half"])
    assert f"all {TRAIN} labels" in done.answer.sentences()[0]


def test_uneven_test_classes_have_the_mean_of_their_recalls(starts: list[str], tmp_path: Path) -> None:
    data = some(TRAIN, 100)
    assert data.labels is not None
    rare = (data.split == "test") & (data.labels > 4)
    rare[np.flatnonzero(rare)[::5]] = False  # a fifth of the last five classes is left
    data = data.take(np.flatnonzero(~rare))
    found = study_encoders(data, out=tmp_path / "s", **options(starts[:1], labels=40))
    head, test = cell(tmp_path / "s", "1-first-40-s1"), data.part("test")
    assert test.labels is not None
    hits = np.array(list(head["files"])) == "1"
    recalls = [hits[test.labels == label].mean() for label in range(10)]
    assert found.answer.measure == "balanced accuracy"
    assert head["score"] == pytest.approx(np.mean(recalls))
    assert head["accuracy"] == pytest.approx(hits.mean())
    scores = [cell(tmp_path / "s", f"1-first-40-s{seed}")["score"] for seed in range(3)]
    assert found.answer.value(starts[0], 40).mean == pytest.approx(np.mean(scores))


def test_files_with_several_labels_and_numbers(starts: list[str], tmp_path: Path) -> None:
    one = some()
    assert one.labels is not None
    marks = np.stack([one.labels < 5, one.labels % 2 == 0, one.labels == 3], axis=1)
    tagged = Dataset("tagged", one.pictures, 1, one.split, ("low", "even", "three"), marks)
    found = study_encoders(tagged, out=tmp_path / "tagged", **options(starts[:1], labels=40))
    assert found.answer.measure == "mean average precision"
    bright = Dataset(
        "bright",
        one.pictures,
        1,
        one.split,
        labels=np.array([one.pictures.read(n).mean() for n in range(120)]),
    )
    found = study_encoders(bright, out=tmp_path / "bright", **options(starts[:1], labels=40))
    assert found.answer.measure == "R²"
    assert found.answer.value("pixels", 40).mean > 0.95  # the mean of the pixels is what must be predicted
    assert found.encoder == ""


def test_mae_is_pretrained_on_the_data_first(tmp_path: Path) -> None:
    words = {"encoders": "mae", "labels": 20, "recipe": "demo", "pretrain_epochs": 0.02, "seeds": 2}
    found = study_encoders(some(), out=tmp_path / "s", **words)
    run = tmp_path / "s" / "units" / "pretrain-mae"
    assert kakera.load(run).model.reconstructs
    assert {*found.answer.scores} == {"mae", "pixels"}
    assert found.encoder in ("", str(run))


def test_a_budget_leaves_out_seeds_then_large_numbers(starts: list[str], tmp_path: Path) -> None:
    whole = plan_encoders(some(), **options(starts, seeds=200))
    least = plan_encoders(some(), **options(starts, seeds=2, labels=20))
    budget = f"{(least.seconds + whole.seconds) / 2:.2f}s"
    cut = plan_encoders(some(), **options(starts, seeds=200), budget=budget)
    assert 2 <= cut.chosen["seeds"] < 200
    assert "left out to stay within the budget: seed 199" in cut.remarks()
    assert not [*tmp_path.iterdir()]


def test_the_command_prints_table_recommendation_and_next_step(
    starts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path / "some.npz", train=30, test=20)
    out = tmp_path / "s"
    words = ["study", "encoders", str(data), "--encoders", *starts, "--labels", "20", "--seeds", "2"]
    assert main([*words, "--plan"]) == 0
    assert not out.exists()
    assert main([*words, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "ms a file" in said
    assert all(
        sentence in said for sentence in json.loads((out / "results.json").read_text())["recommendation"]
    )
    assert said.splitlines()[-1] == f"{out / 'report.html'}: open it in a browser"
