import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kakera.model.attention import drop_path_factors
from tests.model.models import seeded


def even(count: int, branches: int) -> torch.Tensor:
    """Evenly spaced numbers in [0, 1), the same in every branch."""
    return (torch.arange(count, dtype=torch.float64) / count)[:, None].expand(-1, branches)


def test_factors_come_by_layer_branch_and_sample() -> None:
    assert drop_path_factors(torch.rand(5, 8, generator=seeded(0)), 0.3, 4).shape == (4, 2, 5)


def test_each_branch_of_each_layer_has_its_own_number() -> None:
    noise = torch.ones(1, 6) * 0.9
    noise[0, 3] = 0.1  # layer 1, branch 1 of three layers with two
    drop_path = drop_path_factors(noise, 0.5, 3)
    assert (drop_path == 0).nonzero().tolist() == [[1, 1, 0]]


@pytest.mark.parametrize("depth", [2, 3, 12])
def test_the_rate_grows_evenly_from_nothing_to_its_last(depth: int) -> None:
    drop_path = drop_path_factors(even(1000, depth), 0.5, depth)
    for layer in range(depth):
        dropped = (drop_path[layer] == 0).double().mean().item()
        assert dropped == pytest.approx(0.5 * layer / (depth - 1), abs=1 / 1000)


def test_the_first_layer_is_always_whole() -> None:
    assert torch.equal(drop_path_factors(torch.zeros(3, 4), 0.9, 2)[0], torch.ones(2, 3))


def test_what_survives_is_scaled_so_that_the_mean_stays() -> None:
    drop_path = drop_path_factors(even(1000, 3), 0.8, 3)  # rates 0, 0.4 and 0.8
    torch.testing.assert_close(drop_path.mean(-1), torch.ones(3, 1, dtype=torch.float64))
    assert drop_path[2].unique().tolist() == pytest.approx([0, 5])


@given(depth=st.integers(1, 12), each=st.integers(1, 2), batch=st.integers(1, 4))
def test_a_rate_of_nothing_changes_nothing(depth: int, each: int, batch: int) -> None:
    noise = torch.rand(batch, depth * each, generator=seeded(depth))
    assert torch.equal(drop_path_factors(noise, 0.0, depth), torch.ones(depth, each, batch))


@given(depth=st.integers(1, 6), rate=st.floats(0, 0.99), seed=st.integers(0, 1000))
def test_a_sample_survives_the_same_in_whatever_batch_it_comes(depth: int, rate: float, seed: int) -> None:
    noise = torch.rand(4, 2 * depth, generator=seeded(seed))
    together = drop_path_factors(noise, rate, depth)
    for number in range(4):
        assert torch.equal(
            together[..., number : number + 1], drop_path_factors(noise[number : number + 1], rate, depth)
        )
