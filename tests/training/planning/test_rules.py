"""What the rules choose: a table of data and machines, and what a batch then takes in memory."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kakera.errors import OptionError
from kakera.machine import Machine
from kakera.model.configs import SIZES
from kakera.training.configuration import stored_choices
from kakera.training.options import PretrainOptions
from kakera.training.planning.costs import PROCESS, classifier_cost, mae_cost
from kakera.training.planning.fit import CPU_PIECE, fit_to_memory
from kakera.training.planning.rules import DataFacts, Recommendation, choose
from kakera.training.recipes import read_recipe

TWO = Machine(2, 20 << 30, 200.0)
SIXTEEN = Machine(16, 100 << 30, 1500.0)
GPU = Machine(16, 100 << 30, 400_000.0, "a GPU", 130 << 30)
SMALL = Machine(2, 3 << 30, 100.0)


def chosen(count: int, side: int, machine: Machine, channels: int = 3, time: float = 0.0) -> Recommendation:
    return choose("pretrain", DataFacts(count, (side, side), channels), machine, time)


def shown(choice: Recommendation) -> tuple[str, str, int, int]:
    values = {**read_recipe("pretrain", choice.recipe), **choice.values}
    return (
        choice.recipe,
        values.get("model", "base"),
        values.get("image_size", 0),
        values.get("patch", (4,))[0],
    )


@pytest.mark.parametrize(
    ("count", "side", "two", "sixteen", "gpu"),
    [
        (100, 32, ("micro", "micro", 0, 4), ("micro", "micro", 0, 4), ("micro", "micro", 0, 4)),
        (1000, 64, ("micro", "micro", 0, 8), ("micro", "micro", 0, 8), ("micro", "micro", 0, 8)),
        (100, 224, ("few", "micro", 64, 8), ("few", "micro", 64, 8), ("few", "micro", 64, 8)),
        (1000, 1000, ("few", "micro", 64, 8), ("few", "micro", 64, 8), ("few", "micro", 64, 8)),
        (10_000, 4000, ("few", "micro", 96, 8), ("few", "micro", 96, 8), ("few", "micro", 96, 8)),
        (60_000, 500, ("few", "mini", 128, 16), ("few", "tiny", 160, 16), ("few", "tiny", 160, 16)),
        (1_300_000, 500, ("few", "micro", 64, 8), ("few", "micro", 64, 8), ("paper", "base", 224, 16)),
    ],
)
def test_the_network_follows_from_data_and_machine(
    count: int,
    side: int,
    two: tuple[str, str, int, int],
    sixteen: tuple[str, str, int, int],
    gpu: tuple[str, str, int, int],
) -> None:
    found = [shown(chosen(count, side, machine)) for machine in (TWO, SIXTEEN, GPU)]
    assert found == [two, sixteen, gpu]


@pytest.mark.parametrize(
    ("count", "side", "machine", "channels"),
    [*itertools.product((100, 1000, 10_000), (32, 64, 224, 1000, 4000), (SMALL, TWO, SIXTEEN, GPU), (1, 3))],
)
def test_no_choice_needs_more_memory_than_there_is(
    count: int, side: int, machine: Machine, channels: int
) -> None:
    choice = chosen(count, side, machine, channels)
    values = {**read_recipe("pretrain", choice.recipe), **choice.values}
    shape = SIZES[values["model"]].with_patch((values.get("patch", (4,))[0],) * 2)
    image = values.get("image_size") or side
    cost = mae_cost(shape, (image, image), channels, 0.75, hog_target=values.get("hog_target", False))
    batch = min(values.get("batch_size", 4096), count)
    found = fit_to_memory(cost, machine, batch)
    assert found.batch == batch
    assert found.memory < machine.training_memory
    assert found.memory < 4 << 30


def test_few_pictures_are_repeated_and_many_are_not() -> None:
    assert chosen(637, 300, TWO).values["epochs"] == 235  # 150 000 / 637
    assert chosen(100, 300, TWO).values["epochs"] == 800
    assert "epochs" not in chosen(60_000, 28, TWO, 1).values


def test_with_more_time_a_larger_network_is_chosen() -> None:
    assert shown(chosen(300_000, 500, TWO))[1] == "micro"
    assert shown(chosen(300_000, 500, TWO, time=14 * 86400))[1] == "small"


def test_a_cpu_that_is_fast_in_bf16_trains_in_it_and_a_gpu_decides_by_itself() -> None:
    fast = replace(TWO, halves=True)
    assert chosen(500, 300, fast).values["precision"] == "bf16-mixed"
    assert "precision" not in chosen(500, 300, TWO).values
    assert "precision" not in chosen(500, 300, replace(GPU, halves=True)).values


def test_what_is_given_narrows_the_choice() -> None:
    found = choose("pretrain", DataFacts(500, (300, 300)), TWO, given={"image_size": 224, "epochs": 3})
    assert found.values["patch"] == (16,)
    assert "epochs" not in found.values


def test_short_recordings_get_a_short_window() -> None:
    assert choose("pretrain", DataFacts(9000, recordings=True, seconds=1.0), TWO).values["seconds"] == 1.1
    assert "seconds" not in choose("pretrain", DataFacts(9000, recordings=True, seconds=7.0), TWO).values


def test_the_papers_batch_is_taken_in_pieces_on_a_cpu() -> None:
    cost = mae_cost(SIZES["base"], (224, 224), 3, 0.75)
    found = fit_to_memory(cost, TWO, 4096)
    assert found.pieces > 100
    assert found.memory < cost.states + PROCESS + 1.1 * CPU_PIECE


def test_a_network_that_cannot_fit_is_refused_in_one_line() -> None:
    cost = classifier_cost(SIZES["huge"], (224, 224), 3, 10)
    with pytest.raises(
        OptionError, match=r"^memory: got 3\.2 GB free .* expected about .*; choose a smaller"
    ):
        fit_to_memory(cost, SMALL, 64)


def test_a_cnn_gets_a_smaller_batch_instead_of_pieces() -> None:
    cost = classifier_cost(SIZES["base"], (224, 224), 3, 10)
    found = fit_to_memory(cost, TWO, 1024, divisible=False)
    assert found.pieces == 1
    assert found.batch < 1024


def test_a_run_that_goes_on_keeps_what_was_chosen_for_it(tmp_path: Path) -> None:
    config = {"chosen": {"epochs": 3.5, "patch": [8], "model": "micro"}, "epochs": 3.5, "seed": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert stored_choices(PretrainOptions, str(tmp_path), "") == {
        "epochs": 3.5,
        "patch": (8,),
        "model": "micro",
    }
    assert stored_choices(PretrainOptions, str(tmp_path / "none"), "") is None


def test_a_run_from_before_there_were_rules_keeps_its_options(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"verb": "pretrain", "epochs": 9, "patch": [4]}))
    assert stored_choices(PretrainOptions, str(tmp_path), "") == {"epochs": 9, "patch": (4,)}
    assert stored_choices(PretrainOptions, str(tmp_path), "paper") == {}
