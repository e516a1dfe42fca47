import json
from pathlib import Path

import pytest

from kakera.formats.inference import predict_proba
from kakera.formats.load import load
from tests.benchmarks.programs import benchmark
from tests.small import pictures
from tests.test_documents import ROOT


def test_the_benchmark_of_int8_runs_and_reports_the_ratio() -> None:
    module = benchmark("int8")
    found = module.main(size="nano", pixels=8, batch=2, rounds=1)
    assert list(found) == ["PyTorch, float32", "ONNX Runtime, float32", "ONNX Runtime, int8"]
    assert all(milliseconds > 0 for milliseconds in found.values())
    said = module.report(dict(zip(found, (50.0, 45.0, 20.0), strict=True)))
    assert said.splitlines()[-1] == "int8: 2.5 x PyTorch"


def test_it_trains_converts_and_counts_what_int8_loses(tmp_path: Path) -> None:
    module = benchmark("int8")
    data = pictures(200, 100)
    found = module.cost(data, tmp_path, rounds=1, size="nano", patch=7, labels=200, steps=12)
    assert (found["tested on"], found["calibrated on"]) == (100, 128)
    lost = found["right in float32 alone"] - found["right in int8 alone"]
    accuracy = found["accuracy, %"]
    assert (
        found["points lost"] == pytest.approx(lost) == pytest.approx(accuracy["float32"] - accuracy["int8"])
    )
    least, most = found["points lost, 95 %"]
    assert least <= found["points lost"] <= most
    times = found["milliseconds a picture"]["28 pixels, patches of 7, batch 8"]
    said = found["int8, times PyTorch's speed"]["28 pixels, patches of 7, batch 8"]
    assert said == pytest.approx(times["PyTorch, float32"] / times["ONNX Runtime, int8"], rel=0.1)
    saved, graphs = load(tmp_path / "run"), (tmp_path / "float32", tmp_path / "int8")
    before, _, _ = predict_proba(saved, data.part("test"))
    single, eight = (module.probabilities(graph, data.part("test"), saved.inputs.size) for graph in graphs)
    assert abs(before - single).max() < 1e-5
    assert 0 < abs(before - eight).max() < 0.2


def test_the_kept_measurement_holds_what_the_page_says() -> None:
    found = json.loads((ROOT / "docs" / "int8.json").read_text())
    assert found["tested on"] == 10_000
    assert found["trained"]["size"] == "small"
    assert found["points lost, 95 %"][1] < 0.5
    assert min(ratio for case, ratio in found["int8, times PyTorch's speed"].items() if "224" in case) > 2
    page = (ROOT / "docs" / "convert.md").read_text()
    before, after = (f"{found['accuracy, %'][name]:.2f} %" for name in ("float32", "int8"))
    assert before in page
    assert after in page
