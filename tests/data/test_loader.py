import multiprocessing
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kakera import seeding
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.loader import HOPELESS, Augmentation, Batch, evaluation_batches, training_batches
from kakera.data.preload.preload import preload
from kakera.errors import DataError
from tests.data.files import NOISE, on_disk

SIDE, COUNT = 12, 10
EVERYTHING = Augmentation(crop=(0.2, 0.8), shift=2, flip=True)


def block(count: int = COUNT, side: int = SIDE) -> Dataset:
    """Pictures that no other equals, with their numbers for labels."""
    values = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    labels = np.arange(count)
    classes = tuple(map(str, labels))
    return Dataset("block", ArrayPictures(values), 3, np.full(count, "train"), classes, labels)


def files(root: Path, *, broken: tuple[int, ...] = ()) -> Dataset:
    dataset = block()
    values = {f"{i}.png": b"" if i in broken else dataset.pictures.read(i) for i in range(COUNT)}
    return replace(on_disk(root, values), labels=dataset.labels, classes=dataset.classes)


def batches(dataset: Dataset, kind: Augmentation = EVERYTHING, **options: int) -> list[Batch]:
    given = {"seed": 5, "batch": 4, "steps": 6} | options
    return list(training_batches(dataset, (SIDE, SIDE), kind, **given))


def same(ones: list[Batch], others: list[Batch]) -> bool:
    assert len(ones) == len(others)
    assert ones
    for one, other in zip(ones, others, strict=True):
        assert (one.epoch, one.step) == (other.epoch, other.step)
        assert torch.equal(one.samples, other.samples)
        assert isinstance(one.labels, torch.Tensor)
        assert isinstance(other.labels, torch.Tensor)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.pictures, other.pictures)
    return True


@pytest.mark.parametrize(("batch", "steps"), [(1, 10), (2, 5), (5, 2), (10, 1)])
def test_an_epoch_takes_every_picture_once(batch: int, steps: int) -> None:
    found = batches(block(), batch=batch, steps=3 * steps)
    for epoch in range(3):
        taken = torch.cat([one.samples for one in found if one.epoch == epoch])
        assert sorted(taken.tolist()) == list(range(COUNT))
    assert [one.step for one in found] == list(range(3 * steps))


@pytest.mark.parametrize(("batch", "each"), [(3, 9), (4, 8), (7, 7), (99, 10)])
def test_of_an_epoch_that_does_not_come_out_even_the_rest_is_left_out(batch: int, each: int) -> None:
    found = batches(block(), batch=batch, steps=12)
    first = torch.cat([one.samples for one in found if one.epoch == 0]).tolist()
    assert len(set(first)) == len(first) == each


def test_each_epoch_has_its_own_order_and_each_seed_its_own() -> None:
    orders = {
        tuple(batches(block(), batch=COUNT, steps=3, seed=seed)[epoch].samples.tolist())
        for seed in (0, 1)
        for epoch in range(3)
    }
    assert len(orders) == 6


def test_pictures_and_labels_belong_together() -> None:
    for found in batches(block(), Augmentation()):
        assert found.pictures.dtype == torch.uint8
        assert found.labels is not None
        assert found.labels.dtype == torch.int64
        for picture, label, sample in zip(found.pictures, found.labels, found.samples, strict=True):
            assert label == sample
            assert np.array_equal(picture.permute(1, 2, 0), block().pictures.read(int(sample)))


@pytest.mark.parametrize("held", [True, False])
def test_the_batches_are_the_same_for_any_number_of_workers(held: bool, tmp_path: Path) -> None:
    dataset = block() if held else files(tmp_path)
    alone = batches(dataset)
    assert all(same(alone, batches(dataset, workers=workers)) for workers in (1, 2))


@pytest.mark.parametrize(("start", "workers"), [*((start, 0) for start in range(6)), (1, 2), (5, 2)])
def test_the_batches_are_the_same_from_any_step_on(start: int, workers: int) -> None:
    assert same(batches(block())[start:], batches(block(), start=start, workers=workers))


@pytest.mark.parametrize("kind", [Augmentation(), Augmentation(flip=True, shift=3), EVERYTHING])
def test_files_and_pictures_in_memory_give_the_same_batches(kind: Augmentation, tmp_path: Path) -> None:
    dataset = files(tmp_path)
    held = preload(dataset)
    assert isinstance(held.pictures, ArrayPictures)
    listed = ArrayPictures([held.pictures.read(i) for i in range(COUNT)])
    assert same(batches(dataset, kind), batches(held, kind))
    assert same(batches(dataset, kind), batches(replace(held, pictures=listed), kind))


def test_what_becomes_of_a_picture_does_not_depend_on_the_batch_it_comes_in() -> None:
    def seen(batch: int) -> dict[int, bytes]:
        found = batches(block(), batch=batch, steps=COUNT // batch)
        return {
            int(i): p.numpy().tobytes() for b in found for i, p in zip(b.samples, b.pictures, strict=True)
        }

    assert seen(1) == seen(2) == seen(10)


def test_a_chosen_part_reads_its_own_pictures() -> None:
    chosen = block().take([7, 3, 5])
    (found,) = batches(chosen, Augmentation(), batch=3, steps=1)
    assert found.labels is not None
    assert found.labels.tolist() == [[7, 3, 5][i] for i in found.samples]
    for picture, label in zip(found.pictures, found.labels, strict=True):
        assert np.array_equal(picture.permute(1, 2, 0), block().pictures.read(int(label)))


def test_about_half_are_mirrored_and_the_rest_as_they_are() -> None:
    dataset, mirrored = block(100), 0
    for found in batches(dataset, Augmentation(flip=True), batch=50, steps=8):
        for picture, sample in zip(found.pictures, found.samples, strict=True):
            whole = dataset.pictures.read(int(sample)).transpose(2, 0, 1)
            flipped = np.array_equal(picture, whole[..., ::-1])
            assert flipped or np.array_equal(picture, whole)
            mirrored += flipped
    assert 150 < mirrored < 250


def test_a_crop_differs_from_epoch_to_epoch() -> None:
    first, second = (found.pictures[found.samples.argsort()] for found in batches(block(), batch=10, steps=2))
    assert (first != second).flatten(1).any(dim=1).all()


def test_pictures_of_another_size_are_cut_to_the_middle_and_resized() -> None:
    dataset = Dataset("wide", ArrayPictures(NOISE[None]), 3, np.array(["train"]))
    (found,) = batches(dataset, Augmentation(), steps=1)
    wanted = Image.fromarray(NOISE).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(2, 0, 14, 12))
    assert np.array_equal(found.pictures[0].permute(1, 2, 0), np.asarray(wanted))
    assert found.labels is None


def test_several_labels_are_floats() -> None:
    many = np.random.default_rng(0).random((COUNT, 4)) < 0.5
    for found in batches(replace(block(), labels=many, classes=tuple("abcd"))):
        assert found.labels is not None
        assert found.labels.dtype == torch.float32
        assert torch.equal(found.labels, torch.from_numpy(many)[found.samples].float())


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_pictures_are_dropped_and_named(workers: int, tmp_path: Path) -> None:
    whole, broken = files(tmp_path / "a"), files(tmp_path / "b", broken=(2, 5, 6))
    found = batches(broken, batch=10, steps=2, workers=workers)
    for one, other in zip(found, batches(whole, batch=10, steps=2), strict=True):
        kept = ~torch.isin(other.samples, torch.tensor([2, 5, 6]))
        assert torch.equal(one.samples, other.samples[kept])
        assert torch.equal(one.pictures, other.pictures[kept])
        assert one.labels is not None
        assert torch.equal(one.labels, one.samples)
        named = Counter(Path(error.path).name for error in one.unreadable)
        assert named == {"2.png": 1, "5.png": 1, "6.png": 1}
        assert all(error.reason.startswith("got an empty file") for error in one.unreadable)


def test_a_batch_without_a_readable_picture_is_empty(tmp_path: Path) -> None:
    found = batches(files(tmp_path, broken=(0, 1, 2)), batch=1, steps=20)
    assert [one.step for one in found] == list(range(20))
    taken = Counter(int(number) for one in found for number in one.samples)
    assert taken == dict.fromkeys(range(3, COUNT), 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_hopeless_data_end_the_run_with_one_line(workers: int, tmp_path: Path) -> None:
    dataset = files(tmp_path, broken=tuple(range(COUNT)))
    with pytest.raises(DataError) as caught:
        batches(dataset, batch=2, steps=1000, workers=workers)
    assert f"files: got {HOPELESS} batches in a row without a readable file (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_read_before_the_first_batch_is_asked_for_and_the_rest_may_be_left() -> None:
    endless = training_batches(block(), (SIDE, SIDE), EVERYTHING, seed=0, batch=4, steps=10**9)
    assert [one.step for one in islice(endless, 3)] == [0, 1, 2]


@pytest.mark.parametrize(("batch", "workers"), [(1, 0), (3, 0), (10, 0), (99, 0), (3, 2)])
def test_evaluation_sees_every_picture_once_in_order(batch: int, workers: int, tmp_path: Path) -> None:
    dataset = files(tmp_path)
    found = list(evaluation_batches(dataset, (SIDE, SIDE), batch=batch, workers=workers))
    assert torch.cat([one.samples for one in found]).tolist() == list(range(COUNT))
    assert all(len(one.samples) == min(batch, COUNT) for one in found[:-1])
    values = torch.cat([one.pictures for one in found])
    assert np.array_equal(values.permute(0, 2, 3, 1), [block().pictures.read(i) for i in range(COUNT)])


def test_evaluation_draws_no_random_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bits(*words: object) -> None:
        raise AssertionError

    monkeypatch.setattr(seeding, "bits", bits)
    for dataset in (block(), files(tmp_path)):
        for size in (SIDE, 8):
            assert len(list(evaluation_batches(dataset, (size, size), batch=4))) == 3


def test_a_picture_s_crop_does_not_depend_on_the_other_augmentations() -> None:
    crop = Augmentation(crop=(0.2, 0.8))
    (plain,), (flipped,) = (batches(block(), kind, steps=1) for kind in (crop, replace(crop, flip=True)))
    pairs = zip(plain.pictures, flipped.pictures, strict=True)
    assert all(torch.equal(one, other) or torch.equal(one.flip(-1), other) for one, other in pairs)


def test_evaluation_names_what_it_cannot_read(tmp_path: Path) -> None:
    dataset = files(tmp_path, broken=(0, 1, 4))
    found = list(evaluation_batches(dataset, (SIDE, SIDE), batch=2))
    assert [one.samples.tolist() for one in found] == [[], [2, 3], [5], [6, 7], [8, 9]]
    assert [len(one.unreadable) for one in found] == [2, 0, 1, 0, 0]
    assert found[0].pictures.shape == (0, 3, SIDE, SIDE)


def test_a_process_ends_though_batches_are_left_unread() -> None:
    script = (
        "from tests.small import pictures\n"
        "from kakera.data.loader import evaluation_batches\n"
        "batches = evaluation_batches(pictures(), (28, 28), batch=4, workers=1)\n"
        "next(batches)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_workers_end_with_an_error_though_somebody_keeps_it(tmp_path: Path) -> None:
    dataset = files(tmp_path, broken=tuple(range(COUNT)))
    before = set(multiprocessing.active_children())
    with pytest.raises(DataError):
        batches(dataset, batch=2, steps=1000, workers=1)
    for worker in set(multiprocessing.active_children()) - before:
        worker.join(timeout=60)
        assert not worker.is_alive()


def test_what_is_pinned_is_what_the_model_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    before = batches(block(), steps=1)[0]
    after = before.pin_memory()
    assert before.labels is not None
    assert {id(tensor) for tensor in pinned} == {id(before.labels), id(before.pictures)}
    assert torch.equal(after.pictures, before.pictures)
    assert after.pictures is not before.pictures
    assert after.samples is before.samples
