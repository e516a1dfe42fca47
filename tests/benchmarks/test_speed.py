"""The page and the README say what the JSON says, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import speed
from kakera.bench.bench import bench


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    names = ("mae-step", "vit-step", "log-mel", "loader")
    return bench(names, rounds=2, quick=True, say=lambda _: None).to_json()


QUALITY = {
    "data": "fashion-mnist",
    "recipe": "micro",
    "seconds": 600.0,
    "seeds": 3,
    "labels": {
        "100": {
            "plain": {"mean": 70.04},
            "cross": {"mean": 70.57},
            "difference": 0.53,
            "interval": [-0.5, 1.55],
        }
    },
}


def numbers(content: Any) -> list[float]:
    if isinstance(content, dict):
        return [number for value in content.values() for number in numbers(value)]
    if isinstance(content, list):
        return [number for value in content for number in numbers(value)]
    return [content] if isinstance(content, int | float) else []


def test_every_number_of_a_table_is_in_the_json(found: dict[str, Any]) -> None:
    known = numbers(found["cases"])
    rows = [line for line in speed.page(found).splitlines() if re.match(r"\| (?!\|)", line)]
    told = [float(number) for row in rows for number in re.findall(r"\d+\.\d\d", row)]
    assert len(told) > 30
    for number in told:
        assert any(abs(number - other) <= 0.0051 for other in known), number


def test_every_contender_and_ratio_is_told(found: dict[str, Any]) -> None:
    text = speed.page(found)
    for name, case in found["cases"].items():
        assert f"## {name}\n" in text
        for who in case["results"]:
            assert f"| {who} | " in text
        for middle, low, high in case["ratios"]["kakera"].values():
            assert f"{middle:.2f} × ({low:.2f}–{high:.2f})" in text


def test_any_subset_makes_a_page(found: dict[str, Any]) -> None:
    few = {**found, "cases": {"vit-step": found["cases"]["vit-step"]}}
    assert "## mae-step" not in speed.page(few)
    assert speed.summary(few).count("\n- ") == 0


def test_the_readme_tells_the_ratios_that_matter(found: dict[str, Any]) -> None:
    ratio = found["cases"]["log-mel"]["ratios"]["kakera"]["transformers"][0]
    assert f"- log-mel spectrograms, **{ratio:.1f} ×** as fast" in speed.summary(found)


def reached(ours: float) -> dict[str, Any]:
    """Two points of kakera and one of transformers, with 10 labels."""
    setting = {"data": "pets.npz", "recipe": "few", "shared": {}, "draws": 1}
    point = {**setting, "words": [], "versions": {}, "seed": 0}
    points = [
        {**point, "contender": name, "budget": seconds, "seconds": seconds, "accuracies": {"10": [accuracy]}}
        for name, seconds, accuracy in (
            ("kakera", 10.0, ours),
            ("kakera", 40.0, 80.0),
            ("transformers", 100.0, 70.0),
        )
    ]
    return {"settings": [setting], "points": points, "machine": {"day": "2026-11-30"}}


def test_the_readme_tells_the_time_to_the_accuracy_of_transformers() -> None:
    (line,) = speed.times(reached(60.0))
    assert line.endswith("100 s of one core, pets (2026-11-30), **5.0 ×** less processor time")


def test_a_time_that_was_not_measured_is_not_told() -> None:
    assert speed.times(reached(75.0)) == []


def test_the_fastest_other_is_not_ours() -> None:
    assert speed.fastest({"results": {"kakera, int8": 9.0, "timm": 2.0, "openvino": 3.0}}) == "openvino"


def test_accuracy_at_equal_time_is_told(found: dict[str, Any]) -> None:
    assert "| 100 | 70.0 | 70.6 | +0.5 (-0.5 to +1.6) |" in speed.page(found, QUALITY)


def test_the_page_and_the_readme_are_those_of_the_json() -> None:
    readme = speed.README.read_text()
    between = readme.partition(speed.BEGIN)[2].partition(speed.END)[0].strip()
    if not speed.BENCH.exists():
        assert not speed.PAGE.exists(), "a page of numbers that nobody measured"
        assert not between
        return
    found = json.loads(speed.BENCH.read_text())
    assert not found["quick"]
    quality, avx2, gpu, known = (
        json.loads(path.read_text())
        for path in (speed.EQUAL_TIME, speed.WITHOUT_AVX512, speed.ON_GPU, speed.REACHED)
    )
    assert not avx2["quick"]
    assert not gpu["quick"]
    assert avx2["machine"]["instructions"] == "AVX2"
    assert gpu["machine"]["gpu"] in speed.PAGE.read_text()
    assert speed.PAGE.read_text() == speed.page(found, quality, avx2, gpu)
    assert between == speed.summary(found, known, gpu).strip()


def test_quick_numbers_are_not_published(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BENCH", "PAGE", "README", "EQUAL_TIME", "WITHOUT_AVX512", "ON_GPU", "REACHED"):
        monkeypatch.setattr(speed, name, tmp_path / name)
    (tmp_path / "README").write_text(f"before\n{speed.BEGIN}\nold\n{speed.END}\nafter\n")
    (tmp_path / "BENCH").write_text(json.dumps(found))
    assert speed.main() == 2
    (tmp_path / "BENCH").write_text(json.dumps({**found, "quick": False}))
    assert speed.main() == 0
    readme = (tmp_path / "README").read_text()
    assert readme.startswith(f"before\n{speed.BEGIN}\n## Speed\n")
    assert readme.endswith(f"{speed.END}\nafter\n")
    assert "old" not in readme
    assert (tmp_path / "PAGE").read_text() == speed.page(found)


def test_the_speed_of_the_loader_is_that_of_its_json() -> None:
    found = json.loads((speed.ROOT / "docs" / "loader-speed.json").read_text())["cases"]["loader"]
    page = (speed.ROOT / "docs" / "shards.md").read_text()
    for name, words in (("kakera", "from the files"), ("kakera, shards of pixels", "from\n  shards")):
        assert f"{found['ratios'][name]['MAE recipe in Pillow'][0]:.1f} × {words}" in page
    apart = found["difference to the peer, of 255"]
    assert f"{apart['mean']:.2f} of 255 on" in page
    assert f"by {apart['most']} at most" in page
