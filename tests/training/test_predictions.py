import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kakera.training import predictions
from kakera.training.predictions import judged


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 9))
def test_the_place_of_the_label_is_that_of_a_stable_sort(seed: int, count: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (count, classes)) / 4  # with many equals
    labels = random.integers(-1, classes, count)
    order = np.argsort(-scores, axis=1, kind="stable")
    rows = judged(scores, labels)
    for row, label, places, own in zip(rows, labels, order, scores, strict=True):
        assert row["guess"] == places[0]
        assert row["confidence"] == own[places[0]]
        assert row["above"] == (-1 if label < 0 else places.tolist().index(label))
        assert np.isnan(row["of_truth"]) if label < 0 else row["of_truth"] == own[label]


def test_blocks_make_no_difference(monkeypatch) -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(7), 50).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 7, 50)
    whole = judged(scores, labels)
    monkeypatch.setattr(predictions, "BLOCK", 7 * 4)
    assert judged(scores, labels).tolist() == whole.tolist()


def test_scores_that_are_not_finite_have_no_confidence() -> None:
    scores = np.array([[0.5, np.nan], [0.5, -np.inf], [np.inf, 0.5], [0.5, 0.5]])
    assert np.isnan(judged(scores, np.zeros(4, np.int64))["confidence"]).tolist() == [True] * 3 + [False]
