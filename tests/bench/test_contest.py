import time

import pytest
import torch

from kakera.bench.contest import Contender, Outcome, ResultUnit, contest, one_core, returned_value, wall_clock


def test_contenders_take_turns_and_every_other_round_runs_backwards() -> None:
    ran: list[str] = []
    outcome = contest(
        [Contender("a", lambda: ran.append("a")), Contender("b", lambda: ran.append("b"))], items=1, rounds=3
    )
    assert "".join(ran) == "ab" + "abbaab"
    assert {len(values) for values in outcome.measured.values()} == {3}


def test_a_first_turn_may_be_left_out() -> None:
    ran: list[str] = []
    contest([Contender("a", lambda: ran.append("a"))], items=1, rounds=2, warm=False)
    assert ran == ["a", "a"]


def test_ratios_are_those_of_each_round() -> None:
    outcome = Outcome({"kakera": (1.0, 2.0, 1.0), "other": (2.0, 2.0, 3.0)}, items=10)
    found = outcome.to_json()
    assert found["ratios"] == {"kakera": {"other": [2.0, 1.0, 3.0]}}
    assert found["results"] == {"kakera": 10.0, "other": 5.0}


def test_each_of_ours_is_compared_with_everyone() -> None:
    measured = {"kakera": (4.0,), "kakera, int8": (1.0,), "other": (2.0,)}
    found = Outcome(measured, items=1).to_json()["ratios"]
    assert found["kakera, int8"] == {"kakera": [4.0, 4.0, 4.0], "other": [2.0, 2.0, 2.0]}
    assert set(found) == {"kakera", "kakera, int8"}


def test_a_unit_may_be_what_was_measured() -> None:
    outcome = Outcome(
        {"kakera": (2.0**20, 2.0**20)}, items=3, unit=ResultUnit("MiB", rate=False, scale=2**-20)
    )
    assert outcome.result("kakera") == 1.0
    outcome = contest(
        [Contender("kakera", lambda: 7)],
        items=1,
        rounds=1,
        unit=ResultUnit("MiB", rate=False),
        measure=returned_value,
    )
    assert outcome.result("kakera") == 7


def test_a_core_is_busy_or_not_counted() -> None:
    asleep = one_core(lambda: time.sleep(0.05))
    assert asleep < 0.04 < 0.05 <= wall_clock(lambda: time.sleep(0.05))


def test_one_core_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        one_core(lambda: seen.append(torch.get_num_threads()))
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)
