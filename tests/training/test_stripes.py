import torch

from kakera.data.batch import Batch
from kakera.training.batch_augment import mask_stripes, time_freq_masked


def batch(count: int = 200, epoch: int = 0) -> Batch:
    return Batch(torch.zeros(count, 10), None, torch.arange(count), epoch, 0)


def test_a_stripe_is_one_run_of_up_to_the_most() -> None:
    noise = torch.rand(2, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = mask_stripes(noise[0], noise[1], 4, 12)
    edges = torch.nn.functional.pad(found.int(), (1, 1)).diff(dim=1)
    assert (edges == 1).sum(dim=1).max() == 1
    assert set(found.sum(dim=1).tolist()) == {0, 1, 2, 3, 4}
    assert found.any(dim=0).all()


def test_rows_and_columns_are_blanked_and_nothing_else() -> None:
    found = time_freq_masked(torch.ones(200, 1, 12, 30), batch(), 0, bands=4, frames=10)[:, 0] == 0
    rows, cols = found.all(dim=2), found.all(dim=1)
    assert torch.equal(found, rows[:, :, None] | cols[:, None, :])
    assert rows.sum(dim=1).max() == 4
    assert cols.sum(dim=1).max() == 10


def test_stripes_follow_from_seed_epoch_and_sample() -> None:
    pictures = torch.ones(200, 1, 12, 30)
    whole = time_freq_masked(pictures, batch(), 0, bands=4, frames=10)
    part = Batch(torch.zeros(3, 10), None, torch.tensor([5, 150, 7]), 0, 9)
    assert torch.equal(time_freq_masked(pictures[:3], part, 0, bands=4, frames=10), whole[[5, 150, 7]])
    assert not torch.equal(time_freq_masked(pictures, batch(epoch=1), 0, bands=4, frames=10), whole)
