import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import kakera
from kakera.sklearn import Embedder, KakeraClassifier
from kakera.training.heads.linear_head import probabilities
from kakera.training.heads.selection import compare_heads
from tests.sklearn.rows import RowClassifier
from tests.small import pictures

Files = tuple[list[str], list[str]]


def demo(train: int = 100, test: int = 40) -> tuple[np.ndarray, np.ndarray, int]:
    """Pictures (n, 28, 28), their class numbers, and the number of training pictures, which come first."""
    data = pictures(train, test)
    stack = np.stack([data.pictures.read(row)[..., 0] for row in range(len(data))])
    return stack, np.asarray(data.labels), train


@pytest.mark.parametrize("head", ["auto", "ridge", "logistic", "prototype"])
def test_the_probabilities_are_those_of_kakera_fit(start: str, tmp_path: Path, head: str) -> None:
    data = pictures(100, 40)
    options: dict[str, Any] = {"announce": False, "baselines": False, "head": head}
    run = kakera.fit(data, init_from=start, out=tmp_path / "run", **options)
    expected = run.saved.predict_proba(data.part("test"))
    stack, labels, train = demo()
    found = KakeraClassifier(start, head=head).fit(stack[:train], labels[:train])
    np.testing.assert_allclose(found.predict_proba(stack[train:]), expected, atol=1e-4)
    assert run.evaluation is not None
    assert found.score(stack[train:], labels[train:]) == pytest.approx(run.evaluation.accuracy)


def test_it_is_a_head_behind_an_embedder(start: str) -> None:
    stack, labels, train = demo()
    embedder = Embedder(start, pool="mean")
    tokens = embedder.fit_transform(stack[:train])
    classes, codes = np.unique(labels[:train], return_inverse=True)
    best = compare_heads({"mean": tokens}, codes, len(classes), ["ridge"])[0]
    logits = best.head.with_temperature(best.temperature).logits(embedder.transform(stack[train:]))
    found = KakeraClassifier(start, head="ridge", pool="mean").fit(stack[:train], labels[:train])
    np.testing.assert_allclose(found.predict_proba(stack[train:]), probabilities(logits), atol=1e-9)
    assert (found.predict(stack[train:]) == classes[logits.argmax(axis=1)]).all()
    assert (found.head_, found.pool_, found.coef_.shape) == ("ridge", "mean", (10, 64))


def test_scikit_learn_finds_its_conventions_kept(start: str) -> None:
    """Its checks pass rows of numbers, so they run on a classifier that draws each row as a picture."""
    checked = check_estimator(RowClassifier(start, head="ridge"), on_skip=None)
    assert {one["status"] for one in checked} == {"passed", "skipped"}
    assert {one["check_name"] for one in checked if one["status"] == "skipped"} == {"check_array_api_input"}


def test_cross_validation_and_grid_search_take_lists_of_paths(start: str, files: Files) -> None:
    paths, labels = files
    pipeline = make_pipeline(Embedder(start), LogisticRegression(max_iter=2000))
    assert cross_val_score(pipeline, paths, labels, cv=3).tolist() == [1, 1, 1]
    assert cross_val_score(KakeraClassifier(start), paths, labels, cv=3).tolist() == [1, 1, 1]
    grid = {"pool": ["class", "mean"], "head": ["ridge", "prototype"]}
    search = GridSearchCV(KakeraClassifier(start), grid, cv=2).fit(paths, labels)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_.predict(paths).tolist() == labels
    nested = GridSearchCV(pipeline, {"embedder__pool": ["class", "class and mean"]}, cv=2).fit(paths, labels)
    assert nested.predict(paths).tolist() == labels


def test_two_processes_give_the_scores_of_one(start: str, files: Files) -> None:
    classifier = KakeraClassifier(start, head="ridge", cache=False)
    one, two = (cross_val_score(classifier, *files, cv=2, n_jobs=jobs) for jobs in (1, 2))
    assert one.tolist() == two.tolist()


def test_an_encoder_is_opened_once_for_all_clones(
    start: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()
    from kakera.sklearn import encoders

    real = encoders.open_encoder
    monkeypatch.setattr(encoders, "open_encoder", lambda *words: opened.append(words[0]) or real(*words))
    cross_val_score(KakeraClassifier(start, head="ridge"), *files, cv=4)
    assert opened == [start]


def test_a_pickle_predicts_the_same(start: str, files: Files) -> None:
    found = KakeraClassifier(start).fit(*files)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(files[0]), found.predict_proba(files[0]))


def test_labels_may_be_numbers_and_stay_numbers(start: str, files: Files) -> None:
    numbers = [7 if name == "boot" else -2 for name in files[1]]
    train, test, train_labels, test_labels = train_test_split(files[0], numbers, random_state=0)
    found = KakeraClassifier(start, head="ridge").fit(train, train_labels)
    assert found.classes_.tolist() == [-2, 7]
    assert found.predict(test).tolist() == test_labels


@pytest.mark.parametrize(
    ("options", "labels", "message"),
    [
        ({}, ["bag"] * 24, r"y: got labels of one class \(bag\), expected two or more classes"),
        ({}, ["bag", "boot"], "inconsistent numbers of samples"),
        ({}, np.linspace(0, 1, 24), "Unknown label type"),
        ({}, None, "y: got None"),
        ({}, [np.nan, *["bag"] * 23], r"y\[0\]: got no label"),
        ({}, [None, *["bag"] * 23], r"y\[0\]: got no label"),
        ({"head": "forest"}, ["bag", "boot"] * 12, "head: got forest, expected auto, ridge, logistic"),
        ({"pool": "max"}, ["bag", "boot"] * 12, "pool: got max"),
        ({"random_state": "x"}, ["bag", "boot"] * 12, "random_state: got 'x'"),
    ],
)
def test_wrong_labels_and_parameters_are_refused(
    start: str, files: Files, options: dict[str, Any], labels: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        KakeraClassifier(start, **options).fit(files[0], labels)


def test_the_seeds_of_a_grid_may_be_numbers_of_numpy(start: str) -> None:
    stack, labels, train = demo()
    grid = {"random_state": np.arange(2), "workers": np.zeros(1, int)}
    search = GridSearchCV(KakeraClassifier(start, head="prototype", pool="mean"), grid, cv=2)
    assert search.fit(stack[:train], labels[:train]).best_score_ > 0.2


@pytest.mark.parametrize("name", ["pool", "head", "random_state", "workers"])
def test_a_parameter_of_none_is_named_with_its_alternatives(name: str, start: str) -> None:
    stack, labels, train = demo()
    estimator = KakeraClassifier(start, cache=False).set_params(**{name: None})
    with pytest.raises(ValueError, match=rf"^{name}: got None, expected .*; \w+"):
        estimator.fit(stack[:train], labels[:train])
