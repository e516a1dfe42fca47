from dataclasses import replace
from pathlib import Path

import pytest

from kakera.commands import prepare
from kakera.commands.finetune import plan_finetune
from kakera.commands.pretrain import plan_pretrain
from kakera.commands.probe import plan_probe
from kakera.machine import Machine
from kakera.training.planning.plan_parts import busy_notes, data_line
from kakera.training.planning.rules import DataFacts
from tests.small import QUICK, pictures

TWO = Machine(2, 20 << 30, 200.0)
NOTE = "other processes use 1.5 of 2 cores: training takes longer than on an idle machine"


def test_a_busy_machine_is_a_note() -> None:
    assert busy_notes(replace(TWO, busy=1.5)) == [NOTE]


@pytest.mark.parametrize("busy", [0.0, 0.4])
def test_a_quiet_machine_is_none(busy: float) -> None:
    assert busy_notes(replace(TWO, busy=busy)) == []


def test_half_a_core_of_sixteen_does_not_matter() -> None:
    assert busy_notes(replace(TWO, cores=16, busy=0.5)) == []


def test_every_plan_says_so(mae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "this_machine", lambda *_, **__: replace(TWO, busy=1.5))
    plans = [
        plan_pretrain(pictures(), out=tmp_path / "a", **QUICK),
        plan_finetune(pictures(), out=tmp_path / "b", init_from=mae, **QUICK),
        plan_probe(pictures(), init_from=mae, labels=(20,), seeds=1, finetune=False),
    ]
    for plan in plans:
        assert plan.lines().count(f"  note: {NOTE}") == 1


def test_what_is_measured_on_is_named_where_something_is_measured() -> None:
    facts = DataFacts(2000, (60, 80), 3, held_out=500)
    assert data_line(facts, measured=False) == "2,000 pictures, about 80 x 60 pixels, colour, for training"
    assert data_line(facts, measured=True).endswith("for training; 500 for evaluation")
