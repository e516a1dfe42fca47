"""Which file comes next, and the head: oracles are scikit-learn and sums by hand."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from kakera.commands.labelling.choice import random_order, typical_files, uncertain_files
from kakera.commands.labelling.drawing import Draws
from kakera.commands.labelling.gain import choice_gain
from kakera.commands.labelling.head import fit_labels, scaled
from kakera.commands.labelling.measures import measures_of
from kakera.commands.labelling.table import Entry
from kakera.retrieval.clusters import clusters_of, most_typical
from kakera.retrieval.components import components_of
from kakera.retrieval.exact import unit_length
from kakera.training.probes.ridge import fit


def groups(count: int = 4, each: int = 30, width: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around `count` far centres, and the number of the group of each."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    return (random.normal(size=(len(labels), width)) + 12 * np.eye(width)[labels]).astype(np.float32), labels


def test_the_first_files_are_the_nearest_to_the_centres_of_the_clusters() -> None:
    tokens, labels = groups()
    places = unit_length(tokens)
    found = typical_files(places, 4, np.zeros(len(tokens), bool))
    assert sorted(labels[found]) == [0, 1, 2, 3]
    for row in found:  # by cosine to the mean of the group
        own = np.flatnonzero(labels == labels[row])
        cosines = places[own] @ places[own].mean(axis=0)
        assert row == own[cosines.argmax()]


def test_a_cluster_with_a_taken_file_comes_last() -> None:
    tokens, labels = groups()
    taken = np.zeros(len(tokens), bool)
    taken[[0, 30]] = True  # groups 0 and 1
    found = typical_files(unit_length(tokens), 2, taken)
    assert sorted(labels[found]) == [2, 3]


def test_uncertain_files_are_of_the_lowest_margins_and_differ() -> None:
    tokens, labels = groups()
    margins = np.ones(len(tokens), np.float32)
    low = [*range(20), *range(60, 80)]  # of groups 0 and 2
    margins[low] = 0.1
    found = uncertain_files(unit_length(tokens), margins, 2, np.zeros(len(tokens), bool))
    assert sorted(labels[found]) == [0, 2]


def test_every_free_file_is_drawn_once_until_none_is_left() -> None:
    tokens, labels = groups(each=6)
    draws, taken = Draws(tokens, [bytes([row]) for row in range(24)]), np.zeros(24, bool)
    seen: list[int] = []
    while True:
        head = fit_labels(scaled(tokens), np.array(seen, int), labels[seen])
        rows = [query.row for query in draws.draw(head, taken, 5)]
        if not rows:
            break
        taken[rows] = True
        seen += rows
    assert sorted(seen) == list(range(24))


def test_one_of_five_later_files_extends_the_beginning_of_the_random_order() -> None:
    tokens, _ = groups()
    keys = [row.to_bytes(2, "little") for row in range(len(tokens))]
    draws, taken = Draws(tokens, keys), np.zeros(len(tokens), bool)
    drawn: list[str] = []
    for _ in range(6):
        queries = draws.draw(None, taken, 10)
        taken[[query.row for query in queries]] = True
        drawn += [query.drawn for query in queries]
    assert drawn.count("random") == 10
    order = random_order(keys).tolist()
    inside = [draws.in_sample(row) for row in order]
    assert inside == sorted(inside, reverse=True)  # a beginning of the order
    assert all(taken[row] for row in order[: sum(inside)])


def test_the_random_order_is_the_same_for_other_neighbours() -> None:
    keys = [row.to_bytes(2, "little") for row in range(100)]
    order = [keys[row] for row in random_order(keys)]
    few = keys[10:60]
    assert [few[row] for row in random_order(few)] == [key for key in order if key in few]


def test_labelled_files_are_predicted_without_themselves() -> None:
    tokens, labels = groups(count=3, each=10, width=5)
    tokens[4] += 12 * np.eye(5)[1] - 12 * np.eye(5)[0]  # looks like group 1
    rows = np.arange(0, 30, 2)
    seen = scaled(tokens)
    head = fit_labels(seen, rows, labels[rows])
    assert head is not None
    targets = 2.0 * np.eye(3)[labels[rows]] - 1
    penalty = fit(seen[rows].astype(float), targets).penalty
    for place, row in enumerate(rows.tolist()):
        rest = np.delete(rows, place)
        model = Ridge(alpha=penalty).fit(seen[rest], np.delete(targets, place, axis=0))
        scores = model.predict(seen[[row]])[0]
        ranks = head.likely[row].argsort()
        assert (ranks == scores.argsort()).all()
    model = Ridge(alpha=penalty).fit(seen[rows], targets)
    others = np.setdiff1d(np.arange(30), rows)
    assert (head.predicted[others] == model.predict(seen[others]).argmax(axis=1)).all()
    assert head.likely.sum(axis=1) == pytest.approx(np.ones(30), abs=1e-5)
    assert head.error_probabilities(rows, labels[rows])[4] > 0.5
    assert head.margins[0] == pytest.approx(np.diff(np.sort(head.likely[0]))[-1])


def test_there_is_no_head_for_one_class() -> None:
    assert fit_labels(np.eye(3, dtype=np.float32), np.array([0, 1]), np.array([5, 5])) is None


def test_only_the_random_sample_is_measured() -> None:
    tokens, labels = groups(count=2, each=20)
    rows, given = np.arange(40), labels.copy()
    given[:5] = 1  # wrong labels, of files that were chosen
    head = fit_labels(scaled(tokens), rows, given)
    entries = [Entry("a", part="train" if row < 5 else "test") for row in range(40)]
    found = measures_of(head, scaled(tokens), rows, given, entries)
    assert found.accuracy is not None
    assert (found.sample, found.accuracy.value) == (35, 1.0)


def pool(harmful: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Entry]]:
    """120 labels of two groups; the newest 40 chosen ones are wrong if `harmful`."""
    tokens, labels = groups(count=2, each=100)
    order = np.random.default_rng(0).permutation(200)[:120]
    drawn = ["typical"] * 20 + ["random"] * 40 + ["uncertain"] * 60
    given = labels[order].copy()
    if harmful:
        given[60:] = 1 - given[60:]
    return scaled(tokens), order, given, [Entry("a", drawn=each) for each in drawn]


def test_harmful_choices_have_a_negative_gain() -> None:
    found = choice_gain(*pool(harmful=True))
    assert found is not None
    assert (found.replaced, found.tested) == (20, 40)
    assert found.gain.value < 0.01
    assert choice_gain(*pool(harmful=False)) is not None


def test_choosing_has_stopped_paying_if_both_heads_agree_on_all_files() -> None:
    found = choice_gain(*pool(harmful=False))
    assert found is not None
    assert (found.gain.value, found.gain.low, found.gain.high) == (0, 0, 0)  # no file to gain
    assert found.verdict == "stopped"


def test_few_files_are_too_early_for_a_verdict() -> None:
    tokens, rows, labels, entries = pool(harmful=False)
    assert choice_gain(tokens, rows[:29], labels[:29], entries[:29]) is None
    found = measures_of(None, tokens, rows[:29], labels[:29], entries[:29])
    assert found.verdict == "early"


def test_predictions_before_the_label_are_counted_by_the_way_of_the_draw() -> None:
    entries = [Entry("a", predicted="a" if n < 20 else "b", drawn="uncertain") for n in range(50)]
    entries += [Entry("a", predicted="a", drawn="random")] * 50
    found = measures_of(None, np.eye(100, dtype=np.float32), np.arange(100), np.zeros(100, int), entries)
    assert (found.chosen, found.random) == ((20, 50), (50, 50))


def test_principal_components_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    tokens, _ = groups()
    expected = PCA(2, svd_solver="full").fit_transform(tokens.astype(float))
    found = components_of(tokens, 2)
    signs = np.sign((found * expected).sum(axis=0))
    assert found * signs == pytest.approx(expected, abs=1e-3)


def test_the_most_typical_vector_has_the_highest_mean_cosine() -> None:
    tokens, labels = groups(count=2, each=9)
    places = unit_length(tokens)
    for number, row in most_typical(places, labels).items():
        own = np.flatnonzero(labels == number)
        assert row == own[(places[own] @ places[own].T).mean(axis=1).argmax()]


def test_another_seed_draws_other_first_centres() -> None:
    places = unit_length(np.random.default_rng(0).normal(size=(300, 8)))
    first, again, other = (clusters_of(places, 7, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
