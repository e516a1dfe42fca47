"""The benchmark of labelling runs, and its clicks are the labels of the data."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import label as module


def files(count: int = 200) -> module.Known:
    random = np.random.default_rng(0)
    labels = np.arange(count) % 3
    tokens = (random.normal(size=(count, 6)) + 4 * np.eye(6)[labels]).astype(np.float32)
    half = count // 2
    return module.Known(tokens[:half], labels[:half], tokens[half:], labels[half:], ("a", "b", "c"))


def test_every_click_is_the_label_of_the_file(tmp_path: Path) -> None:
    known = files()
    labelling = module.opened(known, tmp_path / "labels.csv", 0)
    module.click(labelling, known, 30, choose=True)
    rows, labels = labelling.labels()
    assert len(rows) == 30
    assert (labels == known.labels[rows]).all()


def test_random_clicks_are_all_random(tmp_path: Path) -> None:
    known = files()
    labelling = module.opened(known, tmp_path / "labels.csv", 0)
    module.click(labelling, known, 30, choose=False)
    assert {entry.drawn for entry in labelling.entries().values()} == {"random"}


def test_the_three_tables_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    monkeypatch.setattr(module, "AT", (20, 40))
    monkeypatch.setattr(module, "FROM", (40,))
    monkeypatch.setattr(module, "MORE", 20)
    module.table(files(), tmp_path, 2, said.append)
    text = "\n".join(said)
    assert [line.partition(" |")[0] for line in text.splitlines() if line.startswith("| ")] == [
        *("| labels", "| 20", "| 40", "| labels", "| 20", "| 40", "| labels", "| 40"),
    ]
    assert "100.0" in text  # far groups
