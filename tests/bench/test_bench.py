"""The benchmarks run, on their smallest sizes, through the code that measures the large ones."""

import json
from pathlib import Path

import pytest

from kakera.bench.bench import bench
from kakera.bench.cases import CASES
from kakera.bench.contest import OURS
from kakera.cli.main import main
from tests.refusals import refused


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict:
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    assert main(["bench", "--quick", "--rounds", "1", "--out", str(out)]) == 0
    return json.loads(out.read_text())


@pytest.mark.slow
def test_every_case_is_measured_beside_what_is_installed(written: dict) -> None:
    assert set(written["cases"]) == set(CASES)
    for name, case in written["cases"].items():
        assert all(result > 0 for result in case["results"].values()), name
        for peers in case["ratios"].values():
            for middle, low, high in peers.values():
                assert 0 < low <= middle <= high
        (rounds,) = {len(values) for values in case["measured"].values()}
        assert rounds == case["rounds"] == 1


@pytest.mark.slow
def test_transformers_takes_part_wherever_it_can(written: dict) -> None:
    for name in ("mae-step", "mae-step-tiny", "vit-step", "inference-1", "inference-16", "mae-memory"):
        assert "transformers" in written["cases"][name]["ratios"][OURS]
    assert "transformers" in written["cases"]["log-mel"]["results"]
    for name in ("inference-1", "inference-16"):
        assert {"onnxruntime", "kakera, int8"} <= set(written["cases"][name]["results"])


@pytest.mark.slow
def test_who_is_not_installed_is_named(written: dict) -> None:
    for name in ("mae-step", "vit-step", "inference-1"):
        case = written["cases"][name]
        assert "vit-pytorch" in [*case["results"], *case["absent"]]
        assert not set(case["results"]) & set(case["absent"])


@pytest.mark.slow
def test_the_share_of_the_limit_is_told_where_products_are_the_limit(written: dict) -> None:
    cases = written["cases"]
    assert {name for name, case in cases.items() if "share_of_limit" in case} == {
        "mae-step",
        "mae-step-tiny",
        "vit-step",
        "inference-1",
        "inference-16",
        "search",
    }
    case = cases["mae-step"]
    reached = case["results"][OURS] * case["flops_of_one"] / written["flops_per_second"]
    assert case["share_of_limit"] == pytest.approx(reached, rel=0.01, abs=1e-4)  # four digits
    assert 0 < case["share_of_limit"] < 1


def test_a_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "mae-step", "--quick", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert "kakera, fast decoder" in said
    assert "of the limit" in said
    assert "smallest sizes" in said


def test_an_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "flying"]) == 2
    assert "case: got flying, expected one of mae-step" in capsys.readouterr().err


def test_no_rounds_are_refused() -> None:
    with refused("rounds", got="0"):
        bench(rounds=0)
