"""The benchmark of growth runs at small sizes; exponents are those of exact powers."""

import gc
import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from benchmarks.growth import __main__ as growth
from benchmarks.growth import measured
from benchmarks.growth.made import tree
from benchmarks.growth.stages import STAGES, Stage, Work
from benchmarks.growth.table import exponent

SIZES = (1000, 10_000, 100_000)


@pytest.fixture(autouse=True, scope="module")
def _little_to_collect() -> Generator[None]:
    """What other tests have imported is not looked through each time that memory is measured."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_is_that_power(power: float) -> None:
    assert exponent({size: (size / 500) ** power for size in SIZES}) == pytest.approx(power)


def test_the_exponent_is_of_times_above_50_ms() -> None:
    assert exponent({100: 0.04, 1000: 0.1, 10_000: 10.0}) == pytest.approx(2.0)
    assert exponent({100: 0.04, 1000: 0.05, 10_000: 10.0}) is None


def test_a_stage_that_is_quadratic_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def waiting(files: int, _: int, __: Path) -> Work:
        return lambda: time.sleep(0.06 * (files / 100) ** 2)

    monkeypatch.setitem(STAGES, "waits", Stage(waiting))
    found = {size: measured.measured("waits", size, 1, tmp_path) for size in (100, 200, 300)}
    seconds = {size: float(one["seconds"] or 0) for size, one in found.items()}
    assert exponent(seconds) == pytest.approx(2, abs=0.3)


@pytest.mark.skipif(not measured.STATUS.exists(), reason="only Linux tells what a process holds")
def test_memory_is_that_of_the_result_and_of_the_peak(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def holding(files: int, _: int, __: Path) -> Work:
        return lambda: bytes(bytearray(b"x") * (files * 64))  # there twice for a moment

    monkeypatch.setitem(STAGES, "holds", Stage(holding, keeps=True))
    found = measured.measured("holds", 1_000_000, 1, tmp_path)
    assert found["bytes a file"] == pytest.approx(64, rel=0.1)
    assert found["peak"] == pytest.approx(128e6, rel=0.1)


@pytest.mark.parametrize("name", STAGES)
def test_each_stage_works(name: str, tmp_path: Path) -> None:
    found = measured.measured(name, 1000, 10, tmp_path)
    assert found["seconds"]


def test_files_are_as_many_as_asked_for_in_so_many_folders_and_no_two_of_a_size(tmp_path: Path) -> None:
    folder = tree(tmp_path, 100, 10)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len({path.parent for path in files}) == 10
    assert sorted(path.stat().st_size for path in files) == [*range(1, 101)]


def test_the_command_prints_a_row_a_stage_and_writes_all_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--stages", "split", "order", "--files", "100", "1000", "--classes", "10"]
    path = tmp_path / "found.json"
    assert growth.main([*command, "--beside", "5", "100", "--json", str(path)]) == 0
    shown = capsys.readouterr().out
    over_files, over_classes = shown.split("\n\n")
    assert over_files.startswith("over files, 5 classes\n")
    assert over_files.splitlines()[3].split()[:2] == ["10^2", "10^3"]
    assert [line.split()[0] for line in over_files.splitlines()[4:]] == ["split", "order"]
    assert over_classes.splitlines()[3].split()[0] == "10^1"
    found = json.loads(path.read_text())
    assert set(found["over files"]["order"]) == {"100", "1000"}
    assert set(found["over classes"]["split"]["10"]) == {
        "seconds",
        "processor seconds",
        "peak",
        "bytes a file",
    }


def test_a_stage_that_fails_is_said_and_the_others_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "100-5").write_text("no folder")
    command = ["--stages", "open folder", "split", "--files", "100", "--classes", "--beside", "5", "100"]
    assert growth.main([*command, "--scratch", str(tmp_path)]) == 1
    rows = capsys.readouterr().out.splitlines()[4:]
    assert rows[0].split()[:3] == ["open", "folder", "failed"]
    assert float(rows[1].split()[1]) >= 0


def test_slow_stages_are_left_out_unless_they_are_asked_for() -> None:
    assert growth.points("predict, all", (1000, 10_000, 100_000), (10,), slow=False) == ([], [(1000, 10)])
    assert growth.points("predict, all", (1000, 10_000, 100_000), ())[0] == [(1000, 1000), (10_000, 1000)]
    assert growth.points("open folder", (1000, 10_000), (), on_disk=1000)[0] == [(1000, 1000)]
