"""Which samples of a step each process takes, and that what is drawn for them is what it would be alone."""

import pytest
import torch

from kakera.data.batch import Augmentation, Batch
from kakera.data.loader import BatchSlice, training_batches
from kakera.training.batch_augment import distort, mix
from kakera.training.options import FinetuneOptions
from tests.small import pictures

EVERYTHING = Augmentation(crop=(0.2, 0.8), shift=2, flip=True)
PARTS = [1, 2, 3, 4]


def pieces(of: int, count: int = 1, batch: int = 12, steps: int = 3) -> list[list[Batch]]:
    """For each process the batches it reads, `count` pieces a step."""
    train = pictures(40, 0).part("train")
    return [
        list(
            training_batches(
                train,
                (28, 28),
                EVERYTHING,
                seed=3,
                batch=batch,
                steps=steps,
                share=BatchSlice(first, count, of),
            )
        )
        for first in range(0, of, count)
    ]


@pytest.mark.parametrize("size", [8, 9, 12, 17])
@pytest.mark.parametrize("of", PARTS)
def test_each_place_is_in_one_piece_and_with_it_its_mirror_image(of: int, size: int) -> None:
    found = BatchSlice(0, of, of).rows(size)
    assert sorted(row for rows in found for row in rows) == list(range(size))
    for rows in found:
        assert {size - 1 - row for row in rows} == set(rows)
    assert max(map(len, found)) - min(map(len, found)) <= 2


def test_alone_the_order_is_that_of_the_epoch() -> None:
    assert BatchSlice().rows(7) == [list(range(7))]


@pytest.mark.parametrize(("of", "count"), [(2, 1), (4, 1), (4, 2), (3, 3)])
def test_the_pieces_together_are_the_batch(of: int, count: int) -> None:
    (alone,) = pieces(1)
    shared = pieces(of, count)
    for step, whole in enumerate(alone):
        parts = [one for mine in shared for one in mine if one.step == step]
        assert len(parts) == of
        rows = torch.cat([part.places[0] for part in parts])
        assert torch.equal(torch.cat([p.samples for p in parts])[rows.argsort()], whole.samples)
        assert torch.equal(torch.cat([p.pictures for p in parts])[rows.argsort()], whole.pictures)


@pytest.mark.parametrize("of", PARTS)
@pytest.mark.parametrize("step", range(6))
def test_mixing_and_distortion_do_not_depend_on_how_a_step_is_shared(of: int, step: int) -> None:
    options = FinetuneOptions(data="")
    generator = torch.Generator().manual_seed(step)
    whole = torch.rand(12, 3, 16, 16, generator=generator)
    targets = torch.eye(12)

    def changed(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        rows, _ = batch.places
        distorted = distort(whole[rows], options, step, batch.places)
        return mix(distorted, targets[rows], options, step, batch.partners)

    def piece(rows: list[int]) -> Batch:
        numbers = torch.tensor(rows)
        return Batch(whole[numbers], None, numbers, 0, step, rows=numbers, whole=12)

    expected = mix(distort(whole, options, step), targets, options, step)
    for rows in BatchSlice(0, of, of).rows(12):
        found = changed(piece(rows))
        torch.testing.assert_close(found[0], expected[0][rows], rtol=0, atol=1e-6)
        torch.testing.assert_close(found[1], expected[1][rows], rtol=0, atol=1e-6)


def test_an_unreadable_sample_does_not_shift_the_draws_of_the_others() -> None:
    options = FinetuneOptions(data="")
    whole, targets = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.eye(8)
    expected = mix(distort(whole, options, 1), targets, options, 1)
    rows = torch.tensor([0, 1, 3, 4, 5, 6, 7])  # 2 is unreadable, so 5, its partner, stays as it is
    batch = Batch(whole[rows], None, rows, 0, 1, rows=rows, whole=8)
    found = mix(distort(whole[rows], options, 1, batch.places), targets[rows], options, 1, batch.partners)
    others = [0, 1, 2, 3, 5, 6]
    torch.testing.assert_close(found[0][others], expected[0][rows[others]], rtol=0, atol=1e-6)
    torch.testing.assert_close(found[1][4], targets[5])


def test_a_blank_sample_has_the_form_of_the_others() -> None:
    (found,) = pieces(1)[0][:1]
    blank = found.blank()
    assert blank.pictures.shape == (1, *found.pictures.shape[1:])
    assert blank.labels is not None
    assert blank.labels.shape == (1,)
    assert not blank.pictures.any()
