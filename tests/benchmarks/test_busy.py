"""The benchmark of verbs beside a busy process runs: one turn of one verb, and a verb that fails is told."""

from pathlib import Path

import pytest
from benchmarks.busy import row_of, run, turn

ROOT = Path(__file__).parents[2]


def test_a_turn_gives_wall_and_processor_seconds(tmp_path: Path) -> None:
    wall, used = turn(ROOT, "inspect", tmp_path, 1)
    assert wall > 0
    assert used > 0


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="(?s)kakera inspect nowhere: .*no such file or folder"):
        run(ROOT, ["inspect", "nowhere"], tmp_path)


def test_the_ratio_is_the_first_build_to_the_last() -> None:
    assert row_of("pack", "alone", [[3.0, 1.0], [2.0, 1.0]]).endswith("1.50 x")
    assert "x" not in row_of("pack", "alone", [[3.0, 1.0]])
