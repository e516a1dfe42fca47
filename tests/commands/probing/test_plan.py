from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kakera.commands.probe import plan_probe
from kakera.commands.probing.plan import ProbePlan
from kakera.training.probes.costs import fit_seconds
from tests.small import pictures


@pytest.fixture(scope="module")
def plan(mae: Path, tmp_path_factory: pytest.TempPathFactory) -> ProbePlan:
    """Make a plan of fine-tunings with 1 000 steps of one second: 3 with 20 labels, 1 with 40."""
    root = tmp_path_factory.mktemp("runs")
    recipe = root / "long.toml"
    recipe.write_text("epochs = 1.0\nmin_steps = 1000\nbatch_size = 10\n")
    given: dict[str, Any] = {
        "probes": ("ridge", "nearest"),
        "layers": (0, -1),
        "finetune_recipe": str(recipe),
    }
    found = plan_probe(pictures(), init_from=mae, labels=(20, 0), **given)
    tunings = tuple(
        replace(one, forecast=replace(one.forecast, step_seconds=1.0, extra=0.0)) for one in found.tunings
    )
    return replace(found, tunings=tunings, spent=0.0)


def test_every_probe_pool_layer_and_draw_is_a_fit(plan: ProbePlan) -> None:
    assert plan.fits == 2 * 2 * 2 * (3 + 1)


def test_tokens_are_read_once_from_the_files_that_are_needed(plan: ProbePlan) -> None:
    assert plan.files == 40 + 20  # all labels are drawn, and the test part
    drawn = {int(row) for draw in plan.draws[:3] for row in draw.rows}
    assert {len(draw.rows) for draw in plan.draws} == {20, 40}
    assert len(drawn) <= 40


def test_within_the_limit_nothing_is_cut(plan: ProbePlan) -> None:
    assert replace(plan, limit=5000.0).shorter().tunings == plan.tunings
    assert replace(plan, limit=0.0).shorter().tunings == plan.tunings


def test_beyond_the_limit_each_fine_tuning_is_cut_in_proportion(plan: ProbePlan) -> None:
    cut = replace(plan, limit=2000.0).shorter()
    steps = {tuning.steps for tuning in cut.tunings}
    assert len(steps) == 1
    assert steps.pop() == pytest.approx(500, rel=0.02)  # 4 000 seconds of steps, and some to measure
    assert cut.seconds <= 2000.0
    (note,) = cut.notes
    assert "is shortened to 5" in note or "is shortened to 4" in note
    assert "raise --time for longer ones" in note


def test_where_less_than_100_steps_would_be_left_there_is_no_fine_tuning(plan: ProbePlan) -> None:
    cut = replace(plan, limit=300.0).shorter()
    assert cut.tunings == ()
    (note,) = cut.notes
    assert "fine-tuning is left out: with 4 networks of at least 100 steps" in note
    assert "--time 8m for these steps" in note  # 400 steps of a second, measuring, tokens and fits; and 5 %
    assert "  fine-tuning: none" in cut.lines()


def test_a_limit_that_tokens_and_fits_exceed_is_a_warning(plan: ProbePlan) -> None:
    long = replace(plan, limit=60.0, fit_seconds=600.0)
    assert any("warning: tokens and fits alone take 10 min" in line for line in long.lines())
    assert not any("tokens and fits alone" in line for line in plan.lines())


def test_with_a_few_samples_a_class_logistic_regression_chooses_no_penalty() -> None:
    assert fit_seconds("logistic", 40, 10, 64, 10) < fit_seconds("logistic", 50, 10, 64, 10) / 10
