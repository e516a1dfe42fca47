"""The measures of `benchmarks/curate.py`, on names that are counted by hand."""

from pathlib import Path

import pytest

from tests.benchmarks.programs import benchmark

PLANTED = {
    "exact": {"a2": "a"},
    "re-encoded": {"a3": "a"},
    "cropped": {"b2": "b", "c2": "c"},
    "mirrored": {},
    "label": {"d": "Bag"},
    "foreign": {"e": ""},
}


def test_copies_of_the_same_picture_are_right_pairs() -> None:
    module = benchmark("curate")
    found = module.pairs([["a", "a2", "a3"], ["b", "b2"], ["c", "d"]])
    assert module.copy_rows(found, PLANTED) == {
        "exact": 1,
        "re-encoded": 1,
        "cropped": 0.5,
        "mirrored": 0,
        "precision": 4 / 5,
    }


def test_recall_and_precision() -> None:
    module = benchmark("curate")
    assert (module.recall({1, 2}, {2, 3, 4}), module.precision({1, 2}, {2, 3, 4})) == (
        0.5,
        pytest.approx(1 / 3),
    )


def test_the_planted_files_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = benchmark("curate")
    monkeypatch.setattr(module, "COUNT", 40)
    monkeypatch.setattr(module, "FAULTS", 3)
    monkeypatch.setattr(module, "WRONG", 5)
    planted = module.plant(tmp_path)
    assert {kind: len(files) for kind, files in planted.items()} == {
        **dict.fromkeys(("exact", "re-encoded", "cropped", "mirrored", "foreign"), 3),
        "label": 5,
    }
    files = {str(path) for path in tmp_path.rglob("*.*")}
    assert len(files) == 40 + 4 * 3 + 3
    for kind, names in planted.items():
        assert names.keys() <= files
        if kind in module.COPIES:
            assert {*names.values()} <= files
