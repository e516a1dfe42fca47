"""The recommendation: claimed only where it is clear, and otherwise the cheapest."""

import numpy as np
import pytest

from kakera.study.encoders.answer import EncoderComparison, EncoderFacts, Score

FILES = 400


def answer(
    shares: dict[str, float],
    costs: dict[str, float],
    *,
    draws: int = 3,
    all_labels: int = 0,
    license: str = "mit",
    parts: bool = True,
) -> EncoderComparison:
    """Encoders that are right for these shares of the files, each draw for slightly others."""
    random, scores = np.random.default_rng(0), dict[str, dict[int, list[Score]]]()
    hard = random.uniform(size=FILES)
    for name, share in shares.items():
        rows = [(hard + random.normal(0, 0.004, FILES) < share).astype(float) for _ in range(draws)]
        scores[name] = {100: [Score(row.mean(), row if parts else None) for row in rows]}
    facts = {name: EncoderFacts(name.upper(), cost, 1000, license) for name, cost in costs.items()}
    return EncoderComparison(scores, facts, all_labels)


COSTS = {"a": 8.0, "b": 4.0, "c": 2.0}


def test_a_clear_winner_is_recommended_with_its_cost() -> None:
    found = answer({"a": 0.9, "b": 0.7, "c": 0.6}, COSTS)
    assert found.recommended() == ("a", True)
    first, second = found.sentences()
    assert first.startswith("Take A: with 100 labels it has clearly the highest test accuracy, ")
    assert "compared with B, the next" in first
    assert second.startswith("It takes 8 ms for each file on one thread, licence mit; the cheapest, C, ")


def test_of_encoders_that_cannot_be_told_apart_the_cheapest_is_recommended() -> None:
    found = answer({"a": 0.906, "b": 0.9, "c": 0.6}, COSTS)
    assert found.recommended() == ("b", False)
    first, second = found.sentences()
    assert first.startswith("No clear winner: with 100 labels A has the highest test accuracy, ")
    assert first.endswith("but the difference to B is not significant.")
    assert second == "Take B, the cheapest of these: 4 ms for each file on one thread, licence mit."


def test_the_best_itself_can_be_the_cheapest() -> None:
    costs = {"a": 1.0, "b": 4.0, "c": 2.0}
    assert answer({"a": 0.9, "b": 0.9, "c": 0.6}, costs).recommended() == ("a", False)


def test_one_draw_tells_nothing_unless_it_has_all_labels() -> None:
    some = answer({"a": 0.9, "c": 0.5}, COSTS, draws=1)
    assert some.recommended() == ("c", False)
    assert "one draw of the labels shows no variation" in some.sentences()[0]
    assert answer({"a": 0.9, "c": 0.5}, COSTS, draws=1, all_labels=100).recommended() == ("a", True)
    without = answer({"a": 0.9, "c": 0.5}, COSTS, draws=1, all_labels=100, parts=False)
    assert "one draw of the labels shows no variation" in without.sentences()[0]


def test_draws_alone_decide_where_the_score_is_no_mean_over_files() -> None:
    found = answer({"a": 0.9, "c": 0.5}, COSTS, parts=False)
    assert found.recommended() == ("a", True)
    assert found.value("a", 100).half < 0.02


def test_a_file_that_one_encoder_cannot_read_is_left_out_for_both() -> None:
    row, other = np.array([1.0, 0.0, 1.0, 1.0]), np.array([1.0, 0.0, np.nan, 0.0])
    scores = {"a": {10: [Score(0.75, row)] * 2}, "b": {10: [Score(0.33, other)] * 2}}
    found = EncoderComparison(scores, {name: EncoderFacts(name, 1.0) for name in scores})
    assert found.difference("a", "b", 10).mean == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("license", "said"),
    [("cc-by-nc-4.0", "licence cc-by-nc-4.0: no commercial use"), ("", "licence of the weights unknown")],
)
def test_the_recommendation_has_the_terms_of_the_licence(license: str, said: str) -> None:
    assert said in answer({"a": 0.9, "b": 0.6}, COSTS, license=license).sentences()[1]
