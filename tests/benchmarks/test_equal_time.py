import json
from pathlib import Path

import pytest

from benchmarks import equal_time, speed
from kakera.reports.intervals import paired
from tests.small import QUICK, pictures

LABELS = {20: {"epochs": 1.0, "min_steps": 1, "batch_size": 8}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("equal-time")


def run(place: Path, seconds: float = 0.5) -> dict:
    return equal_time.main(
        pictures(train=80),
        place,
        seconds=seconds,
        seeds=2,
        recipe=QUICK["recipe"],
        labels=LABELS,
        turns=2,
        probe=4,
    )


def test_both_decoders_get_the_same_seconds_and_finish(place: Path) -> None:
    found = run(place)
    plan = json.loads((place / "plan.json").read_text())
    for arm, options in equal_time.ARMS.items():
        probes = [equal_time.training_seconds(place / f"probe-{arm}-{turn}") / 4 for turn in range(2)]
        assert plan["epochs"][arm] * sum(probes) / 2 == pytest.approx(0.5, rel=0.01)
        config = json.loads((place / f"{arm}-1" / "config.json").read_text())
        assert config["epochs"] == plan["epochs"][arm]
        assert config["seed"] == 1
        assert config["predicted"] == options.get("predicted", 1.0)
        assert (place / f"{arm}-1" / "model.safetensors").exists()
        assert len(found["seconds_spent"][arm]) == 2


def test_differences_are_paired_by_seed(place: Path) -> None:
    row = run(place)["labels"]["20"]
    wanted = paired(row["cross"]["each"], row["plain"]["each"])
    assert row["difference"] == pytest.approx(wanted.mean, abs=1e-3)
    assert row["interval"] == pytest.approx([wanted.low, wanted.high], abs=1e-3)


def test_a_second_call_measures_nothing_anew(place: Path) -> None:
    before = run(place)
    assert run(place)["labels"] == before["labels"]


def test_a_plan_for_other_seconds_is_refused(place: Path) -> None:
    run(place)
    with pytest.raises(SystemExit, match="got a plan for 0.5 seconds"):
        run(place, seconds=9)


def test_the_page_takes_what_it_writes(place: Path) -> None:
    rows = speed.equal_time(run(place))
    assert rows[-1].startswith("| 20 | ")
