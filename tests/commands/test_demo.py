from pathlib import Path

import pytest

from kakera.commands.demo import BRIEF, PIXELS, PROBE, SCRATCH, TUNED, demo
from tests.small import QUICK, pictures


def test_the_demo_compares_four_ways_and_writes_one_page(tmp_path: Path) -> None:
    found = demo(tmp_path, data=pictures(60, 20), labels=(20, 40), **QUICK)
    assert list(found.accuracy) == [PIXELS, SCRATCH, PROBE, TUNED]
    assert all(
        set(row) == {20, 40} and all(0 <= v <= 1 for v in row.values()) for row in found.accuracy.values()
    )
    header, *rows = found.table()
    assert header == ("", "20 labels", "40 labels")
    page = found.report.read_text()
    for name, *cells in rows:
        assert name in page
        assert all(f"<td>{cell}</td>" in page for cell in cells)
    assert page.count("data:image/png;base64,") == 1
    assert "kakera pretrain FOLDER" in page


def test_a_quick_demo_says_so_first_and_in_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = {name: value for name, value in QUICK.items() if name not in ("epochs", "min_steps")}
    found = demo(tmp_path, data=pictures(60, 20), labels=(20,), quick=True, **short)
    assert capsys.readouterr().err.startswith("demo: quick: each training takes only one epoch")
    assert BRIEF in found.report.read_text()
    assert found.quick


def test_a_demo_in_full_does_not_speak_of_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = demo(tmp_path, data=pictures(60, 20), labels=(20,), **QUICK)
    assert "quick" not in capsys.readouterr().err
    assert BRIEF not in found.report.read_text()


def test_a_second_run_finds_everything_done(tmp_path: Path) -> None:
    first = demo(tmp_path, data=pictures(60, 20), labels=(20,), **QUICK)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
    second = demo(tmp_path, data=pictures(60, 20), labels=(20,), **QUICK)
    assert first.accuracy == second.accuracy
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
