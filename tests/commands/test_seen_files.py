"""Tests of predicting the training files of a run."""

from pathlib import Path

import numpy as np
import pytest

from kakera.commands.finetune import finetune
from kakera.commands.seen_files import seen_files
from kakera.data.dataset import Dataset
from kakera.data.sources.files import open_pictures
from kakera.data.sources.open import open_dataset
from tests.small import QUICK, folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of 24 pictures and a run that was trained with it."""
    here = tmp_path_factory.mktemp("world")
    root, run = folder(here / "things", count=12), here / "run"
    finetune(root, out=run, model="nano", baselines=False, **QUICK)
    return root, run


def said(run: Path, *files: Path) -> str:
    return seen_files(run, open_pictures([*files], 3))


def part(root: Path, name: str) -> Dataset:
    return open_dataset(root).part(name)


def test_the_training_files_among_those_of_a_folder_are_counted(world: tuple[Path, Path]) -> None:
    root, run = world
    assert len(part(root, "train")) == 19
    assert said(run, root).startswith(
        f"19 of these 24 pictures are in the training part of {root}, the training data of {run}"
    )


def test_the_way_a_path_is_written_does_not_matter(
    world: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, run = world
    monkeypatch.chdir(root / "bag")
    assert said(run, Path("../boot"), Path()).startswith("19 of these 24 pictures")


def test_one_training_file_is_called_this_picture(world: tuple[Path, Path]) -> None:
    root, run = world
    assert said(run, Path(part(root, "train").pictures.name(0))).startswith("this picture is in the training")


def test_test_files_and_new_files_are_nothing_to_speak_of(world: tuple[Path, Path], tmp_path: Path) -> None:
    root, run = world
    test = part(root, "test")
    paths = [Path(test.pictures.name(row)) for row in np.arange(len(test))]
    assert said(run, *paths) == ""
    assert said(run, folder(tmp_path / "new", count=2)) == ""


def test_of_data_that_changed_the_sentence_says_so(tmp_path: Path) -> None:
    root, run = folder(tmp_path / "things", count=6), tmp_path / "run"
    finetune(root, out=run, model="nano", baselines=False, **QUICK)
    folder(root, count=3, classes=("shoe",))
    assert said(run, root).startswith(
        f"these 15 pictures are in {root}, the training data of {run}, which have changed"
    )


def test_without_the_data_or_without_a_run_nothing_is_known(world: tuple[Path, Path], tmp_path: Path) -> None:
    root, _ = world
    assert said(tmp_path, root) == ""
    (tmp_path / "config.json").write_text('{"verb": "finetune", "data": "nowhere"}')
    assert said(tmp_path, root) == ""
