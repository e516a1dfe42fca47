"""Files that cannot be read, met in training: skipped and listed, and too many of them end it."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kakera.data.batch import Augmentation, Batch
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError
from kakera.model.configs import resnet_config
from kakera.model.resnet import ResNet
from kakera.training.loop import train
from kakera.training.plan import TrainingPlan
from kakera.training.run import Run
from tests.training.test_loop import OPTIONS, Brightness

SIDE, COUNT = 28, 40


def files(root: Path, broken: tuple[int, ...]) -> Path:
    root.mkdir()
    values = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
    for number in range(COUNT):
        path = root / f"{number:02d}.png"
        Image.fromarray(values[number]).save(path)
        if number in broken:
            path.write_bytes(path.read_bytes()[:40])
    return root


def plan(root: Path, **given: object) -> TrainingPlan:
    options = replace(OPTIONS, epochs=1.0, **given)
    dataset = open_dataset(root, channels=1)
    everything = replace(dataset, split=np.full(len(dataset), "train"))
    changed = Augmentation(crop=(0.5, 1.0), flip=True, shift=2)
    return TrainingPlan(everything, (SIDE, SIDE), changed, options, seed=1, workers=0)


class Watched(Brightness):
    """Keeps what it is given."""

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        self.given = getattr(self, "given", {})
        self.given |= {int(n): p.clone() for n, p in zip(batch.samples, batch.pictures, strict=True)}
        return super().loss(model, batch)


def test_they_are_listed_and_the_others_are_cut_and_turned_as_without_them(tmp_path: Path) -> None:
    whole, some = Watched(), Watched()
    train(whole, plan(files(tmp_path / "whole", ())), Run(tmp_path / "a", {}), verb="test")
    train(some, plan(files(tmp_path / "some", (3, 7, 11))), Run(tmp_path / "b", {}), verb="test")
    assert whole.given.keys() - some.given.keys() == {3, 7, 11}
    assert all(torch.equal(picture, whole.given[number]) for number, picture in some.given.items())
    assert not (tmp_path / "a" / "unreadable.csv").exists()
    with (tmp_path / "b" / "unreadable.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["file"]).name for row in rows] == ["03.png", "07.png", "11.png"]
    assert all(row["reason"] for row in rows)


def test_more_than_the_set_share_end_the_run_with_one_line(tmp_path: Path) -> None:
    root = files(tmp_path / "some", tuple(range(0, 9)))
    asked = plan(root, unreadable_share=0.2)
    with pytest.raises(
        DataError, match=r"got 9 of 40 files unreadable, expected at most 20 %; see .*unreadable.csv"
    ) as caught:
        train(Brightness(), asked, Run(tmp_path / "run", {}), verb="test")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run" / "unreadable.csv").exists()
    train(Brightness(), plan(root, unreadable_share=0.25), Run(tmp_path / "other", {}), verb="test")


def test_a_run_that_goes_on_keeps_its_list(tmp_path: Path) -> None:
    root = files(tmp_path / "some", (5,))
    train(Brightness(), plan(root), Run(tmp_path / "run", {}), verb="test")
    again = Run(tmp_path / "run", {})
    assert again.list_unreadable([]) == 1


def test_pieces_that_are_too_small_are_refused(tmp_path: Path) -> None:
    asked = plan(files(tmp_path / "some", ()), grad_accum=8)
    with pytest.raises(OptionError, match="batch_size: got 10 for 8 pieces") as caught:
        train(Brightness(), asked, Run(tmp_path / "run", {}), verb="test")
    assert "\n" not in str(caught.value)


def test_a_cnn_in_pieces_is_refused(tmp_path: Path) -> None:
    task = Brightness()
    task.model = ResNet(resnet_config("resnet-micro"), channels=1, classes=2)
    with pytest.raises(OptionError, match="batch normalisation, and batches in 2 pieces"):
        train(task, plan(files(tmp_path / "some", ()), grad_accum=2), Run(tmp_path / "run", {}), verb="test")
