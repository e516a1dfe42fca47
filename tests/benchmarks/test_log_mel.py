import importlib.util
from pathlib import Path
from types import ModuleType


def benchmark(name: str) -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_of_the_front_end_runs_and_reports_both_ratios() -> None:
    module = benchmark("log_mel")
    found = module.main(clips=1, seconds=0.5, rounds=1)
    assert [name.split(",")[0] for name in found] == [
        "kakera",
        "ASTFeatureExtractor",
        "kakera",
        "kaldi-native-fbank",
    ]
    assert all(milliseconds > 0 for milliseconds in found.values())
    said = module.report(dict(zip(found, (2.0, 16.0, 1.0, 12.0), strict=True)))
    assert said.splitlines()[-1] == "8.0 x ASTFeatureExtractor, 12.0 x kaldi-native-fbank"
