from tests.benchmarks.programs import benchmark


def test_the_benchmark_of_int8_runs_and_reports_the_ratio() -> None:
    module = benchmark("int8")
    found = module.main(size="nano", pixels=8, batch=2, rounds=1)
    assert list(found) == ["PyTorch, float32", "ONNX Runtime, float32", "ONNX Runtime, int8"]
    assert all(milliseconds > 0 for milliseconds in found.values())
    said = module.report(dict(zip(found, (50.0, 45.0, 20.0), strict=True)))
    assert said.splitlines()[-1] == "int8: 2.5 x PyTorch"
