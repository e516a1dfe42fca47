"""The benchmark of engines runs on a small model and prints a line for each engine."""

from pathlib import Path

from benchmarks import engines
from kakera.formats.engines.builders import available
from kakera.formats.native import save_model
from tests.formats.test_inference import classifier


def test_each_engine_gets_an_accuracy_and_a_rate(tmp_path: Path) -> None:
    saved = classifier()
    save_model(tmp_path / "run", saved)
    found = engines.main(str(tmp_path / "run"), "demo", files=20, batch=8, rounds=2)
    assert tuple(found) == available(saved)
    assert found["torch"]["points lost"] == 0
    assert all(values["pictures per second"] > 0 for values in found.values())
    assert all(0 <= values["accuracy, %"] <= 100 for values in found.values())
    assert len(engines.report(found).splitlines()) == 1 + len(found)
