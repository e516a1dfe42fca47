"""Masks that are drawn where a batch is read, and travel with it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kakera.data.batch import Augmentation, Batch
from kakera.data.loader import training_batches
from kakera.data.order import BatchSlice
from kakera.data.sources.open import open_dataset
from kakera.inputs import InputSpec
from kakera.model.mae import MAE
from kakera.model.token_index import MaskIndex
from kakera.training.options import PretrainOptions
from kakera.training.tasks import Pretraining
from tests.small import pictures
from tests.training.listeners import INPUTS as HEARD
from tests.training.listeners import autoencoder
from tests.training.songs import songs

INPUTS = InputSpec(1, 28, 28, (0.3,), (0.35,))


def seeing(**options: float) -> Pretraining:
    model = MAE("nano", channels=1, image_size=28, seed=0)
    return Pretraining(model, INPUTS, PretrainOptions("", **options))


def read(task: Pretraining, workers: int = 0, share: BatchSlice | None = None) -> list[Batch]:
    dataset, kind = pictures(40, 0).part("train"), Augmentation()
    given = {"seed": 0, "batch": 8, "steps": 6, "workers": workers, "share": share or BatchSlice()}
    return list(training_batches(dataset, (28, 28), kind, masks=task.masks, **given))


@pytest.mark.parametrize("predicted", [1.0, 0.3])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_mask_from_the_reader_is_the_one_drawn_late(predicted: float, workers: int) -> None:
    task = seeing(predicted=predicted)
    for batch in read(task, workers):
        assert isinstance(batch.mask, MaskIndex)
        late = replace(batch, mask=None)
        assert task.weight(batch) == task.weight(late) == 8
        assert torch.equal(task.loss(task.model, batch), task.loss(task.model, late))


def test_a_sample_has_its_mask_in_whatever_piece_it_comes() -> None:
    task = seeing()
    whole, parts = read(task), read(task, share=BatchSlice(0, 2, 2))
    own = {
        (b.epoch, int(s)): ids for b in whole for s, ids in zip(b.samples, b.mask.visible.ids, strict=True)
    }
    for batch in parts:
        for sample, ids in zip(batch.samples, batch.mask.visible.ids, strict=True):
            assert torch.equal(ids, own[batch.epoch, int(sample)])


def test_masks_move_with_their_batch() -> None:
    (batch, *_) = read(seeing())
    moved = batch.to(torch.device("meta"))
    assert isinstance(moved.mask, MaskIndex)
    assert moved.mask.visible.ids.is_meta
    assert moved.mask.predicted.padding is None


@pytest.mark.parametrize("masking", ["random", "block", "cols"])
@pytest.mark.parametrize("predicted", [1.0, 0.4])
def test_a_batch_of_recordings_weighs_what_it_has_to_guess(
    masking: str, predicted: float, tmp_path: Path
) -> None:
    found = open_dataset(songs(tmp_path))
    assert found.sounds is not None
    assert HEARD.sound is not None
    dataset, model = replace(found, pictures=found.sounds.with_spec(HEARD.sound)), autoencoder().model
    assert isinstance(model, MAE)
    options = PretrainOptions("", masking=masking, predicted=predicted, mask_ratio=0.6)
    task = Pretraining(model, HEARD, options)
    batches = training_batches(
        dataset, HEARD.size, Augmentation(), seed=0, batch=8, steps=2, masks=task.masks
    )
    for batch in batches:
        padding_mask = task.front.padding(task.front.widths(batch.lengths))
        present = (
            torch.full((8,), task.front.grid.count) if padding_mask is None else (~padding_mask).sum(dim=1)
        )
        hidden = [n - max(1, int(n * (1 - 0.6))) for n in present.tolist()]
        expected = sum(min(n, max(1, int(n * predicted))) for n in hidden)
        assert task.weight(batch) == expected
        late = replace(batch, mask=None)
        assert torch.equal(task.loss(task.model, batch), task.loss(task.model, late))


@pytest.mark.parametrize("pieces", [1, 2])
def test_the_decoder_reads_every_fourth_picture_of_a_step_in_whatever_piece_it_comes(pieces: int) -> None:
    task = seeing(decoded=0.25)
    found: dict[int, list[int]] = {}
    for batch in read(task, share=BatchSlice(0, pieces, pieces)):
        places, _ = batch.places
        assert len(batch.mask.visible.ids) == len(batch.samples)
        assert len(batch.mask.predicted.ids) == len(batch.mask.rows)
        found.setdefault(batch.step, []).extend(places[batch.mask.rows].tolist())
    assert [sorted(rows) for rows in found.values()] == [[0, 4]] * len(found)


@pytest.mark.parametrize("pieces", [2, 4])
def test_the_pieces_of_a_step_have_together_its_loss_with_any_share_for_the_decoder(pieces: int) -> None:
    model = MAE("nano", channels=1, image_size=28, global_target=3, seed=0)
    for decoded in (0.25, 0.4, 0.1):  # with 0.1 only one piece has a picture for the decoder
        task = Pretraining(model, INPUTS, PretrainOptions("", decoded=decoded))
        whole = [task.loss(model, batch).item() for batch in read(task)]
        parts: dict[int, float] = {}
        for batch in read(task, share=BatchSlice(0, pieces, pieces)):
            part = task.loss(model, batch).item() * task.weight(batch) / 8
            parts[batch.step] = parts.get(batch.step, 0.0) + part
        assert list(parts.values()) == pytest.approx(whole, rel=1e-5)


def test_a_piece_without_a_picture_for_the_decoder_has_one_that_does_not_count() -> None:
    task = seeing(decoded=0.25)
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    rows = torch.tensor([2, 5])
    batch = Batch(images, None, torch.arange(2), epoch=0, step=0, rows=rows, whole=8)
    assert task.masks(batch).rows.tolist() == [0]
    assert task.masks(batch).scale == 0
    assert task.loss(task.model, batch) == 0
