import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.commands.finetune import finetune
from kakera.commands.pages import samples, writing
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.sources.open import open_dataset
from kakera.training.baselines import simple_features
from tests.reports.test_html import Tags
from tests.small import QUICK, folder, pictures
from tests.training.songs import SCRATCH, songs

NANO: dict[str, Any] = {**QUICK, "model": "nano"}


def made(data: Dataset | Path, out: Path, **options: Any) -> str:
    """Return the page of a short training, and check that it is complete and self-contained."""
    found = finetune(data, out=out, **{**NANO, **options}).folder / "report.html"
    page = found.read_text()
    tags = Tags(page)
    assert not set(tags.open)
    sources = [values["src"] or "" for _, values in tags.seen if "src" in values]
    assert all(source.startswith("data:") for source in sources)
    assert "http" not in page
    assert found.stat().st_size < 5_000_000
    return page


def verdict(page: str) -> str:
    found = re.search(r'<p class="verdict[^>]*>([^<]*)', page)
    assert found
    return found.group(1)


def test_the_first_sentence_compares_with_the_best_baseline(tmp_path: Path) -> None:
    page = made(pictures(60, 40), tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "baselines.json").read_text())
    best = max(one["balanced_accuracy"] for one in stored["found"])  # some classes have twice others' files
    own = json.loads((tmp_path / "run" / "evaluation.json").read_text())["balanced_accuracy"]
    assert verdict(page).startswith("Not better than the best baseline")
    assert f": {100 * best:.1f} %): balanced accuracy {100 * own:.1f} %" in verdict(page)
    assert f"{100 * (best - own):.1f} points less" in verdict(page)
    assert page.index('class="verdict') < page.index("<h2>")


def test_an_easy_task_says_that_a_simple_classifier_is_enough(tmp_path: Path) -> None:
    values = np.repeat(np.array([30, 220], np.uint8), 30)[:, None, None, None] * np.ones(
        (1, 8, 8, 1), np.uint8
    )
    split = np.array((["train"] * 20 + ["test"] * 10) * 2)
    data = Dataset("easy", ArrayPictures(values), 1, split, ("dark", "<light>"), np.repeat([0, 1], 30))
    page = made(data, tmp_path / "run", epochs=20.0)
    assert "the same value" in verdict(page)
    assert "A simple classifier is enough" in verdict(page)
    assert "&lt;light&gt;" in page


def test_without_baselines_none_is_measured(tmp_path: Path) -> None:
    page = made(pictures(), tmp_path / "run", baselines=False)
    assert "no baseline was measured" in verdict(page)
    assert not (tmp_path / "run" / "baselines.json").exists()


def test_few_labels_are_the_baselines_labels_too(tmp_path: Path) -> None:
    made(pictures(60, 40), tmp_path / "run", labels=20)
    assert json.loads((tmp_path / "run" / "baselines.json").read_text())["train"] == 20


def test_several_labels_are_compared_by_average_precision(tmp_path: Path) -> None:
    data = pictures(60, 40)
    hot = np.eye(10, dtype=bool)[data.labels]
    hot[:, 0] |= np.arange(100) % 2 == 0
    page = made(replace(data, labels=hot), tmp_path / "run")
    assert "mean average precision" in verdict(page)
    assert "missed: " in page


def test_without_a_test_part_the_page_says_so(tmp_path: Path) -> None:
    assert "The accuracy is unknown" in verdict(made(pictures().part("train"), tmp_path / "run"))


def test_a_val_part_stands_in_for_the_test_part_and_is_named(tmp_path: Path) -> None:
    data = pictures()
    page = made(replace(data, split=np.where(data.split == "test", "val", data.split)), tmp_path / "run")
    assert "on 20 validation files" in verdict(page)
    assert "the data have no test files" in page


def test_classes_with_few_or_no_test_files_are_named(tmp_path: Path) -> None:
    data = pictures(60, 40)
    assert data.labels is not None
    bags = np.flatnonzero((data.split == "test") & (data.labels == data.classes.index("Bag")))
    keep = np.setdiff1d(np.arange(len(data)), bags)
    page = made(data.take(keep), tmp_path / "run")
    assert "Bag: no test file, so their accuracy is unknown" in page
    assert "at most 3 test files per class" in page


def test_a_thousand_classes_make_a_small_page_with_the_most_confused(tmp_path: Path) -> None:
    labels = np.tile(np.arange(1000), 2)
    values = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 1), dtype=np.uint8)
    split = np.repeat(["train", "test"], 1000)
    data = Dataset("many", ArrayPictures(values), 1, split, tuple(f"kind {i}" for i in range(1000)), labels)
    page = made(data, tmp_path / "run", epochs=0.01, batch_size=100, image_size=8, patch=4)
    assert "the 16 of 1000 classes with the most mistakes" in page
    assert "All 1000 classes" in page


def test_recordings_can_be_listened_to(tmp_path: Path) -> None:
    page = made(open_dataset(songs(tmp_path / "songs")), tmp_path / "run", **SCRATCH)
    assert "data:audio/wav;base64,UklGR" in page  # RIFF
    assert "mean spectrum, ridge" in page


def test_unreadable_files_are_counted(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=20)
    (root / "bag" / "3.png").write_bytes(b"nonsense")
    assert "1 unreadable file skipped" in made(root, tmp_path / "run")


def test_a_failing_page_is_one_line_and_the_same_command_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(samples, "mistakes", fails)
        finetune(pictures(), out=tmp_path / "run", **NANO)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(said) == 1
    assert said[0].startswith(f"warning: {tmp_path / 'run' / 'report.html'}: got MemoryError (no room)")
    assert (tmp_path / "run" / "model.safetensors").exists()
    weights = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    first = json.loads((tmp_path / "run" / "baselines.json").read_text())
    monkeypatch.setattr(simple_features, "picture_features", fails)  # they are not measured twice
    made(pictures(), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "baselines.json").read_text()) == first
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == weights


def test_a_full_disk_keeps_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = writing.write_atomically

    def full(path: Path, content: bytes, **options: bool) -> None:
        from kakera.errors import StorageError

        if path.name == "report.html":
            raise StorageError(f"{path}: got No space left on device")
        real(path, content)

    monkeypatch.setattr(writing, "write_atomically", full)
    found = finetune(pictures(), out=tmp_path / "run", **NANO)
    assert found.evaluation is not None
    assert "report.html: got No space left on device" in capsys.readouterr().err


def test_baselines_that_fail_leave_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(simple_features, "picture_features", fails)
    assert "no baseline was measured" in verdict(made(pictures(), tmp_path / "run"))
    assert "the page has no baselines: MemoryError, no room" in capsys.readouterr().err


def test_a_test_file_that_is_trained_on_is_warned_of_before_training_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path / "d", count=20)
    data = open_dataset(root)
    train, test = (
        data.pictures.name(int(np.flatnonzero(data.split == part)[0])) for part in ("train", "test")
    )
    shutil.copy(train, test)
    page = made(root, tmp_path / "run")
    said = f"1 test picture has the same content as training pictures ({test} = {train})"
    assert capsys.readouterr().err.count(f"warning: {said}") == 1
    assert page.count(said) == 1
