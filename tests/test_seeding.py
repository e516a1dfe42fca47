import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera import seeding

seeds = st.integers(0, 2**63)
epochs = st.integers(0, 10_000)
samples = st.lists(st.integers(0, 2**62), min_size=1, max_size=30)


def test_the_hash_is_the_published_splitmix64() -> None:
    # The first outputs of the reference generator (Vigna, splitmix64.c) for the seed 1234567.
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert seeding._mix(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_draws_are_those_of_every_machine_and_version() -> None:
    # Written down once: a run begun before an update goes on with the same numbers after it.
    assert seeding.key(0, "mask") == 9100715320819484128
    assert seeding.uniform(7, 3, [0, 5], "mask", 2).tolist() == [
        [0.9207555854392836, 0.38316277888065486],
        [0.6218518772913258, 0.9341162019541903],
    ]
    assert seeding.permutation(7, 3, 10).tolist() == [1, 7, 9, 5, 6, 4, 3, 0, 8, 2]
    assert seeding.generator(7, "mix", 3).random(2).tolist() == [0.03442650664088487, 0.39185038636765024]


@given(seed=seeds, epoch=epochs, batch=samples, count=st.integers(1, 8))
def test_a_sample_draws_the_same_in_whatever_batch_it_comes(
    seed: int, epoch: int, batch: list[int], count: int
) -> None:
    together = seeding.uniform(seed, epoch, batch, "crop", count)
    alone = [seeding.uniform(seed, epoch, [sample], "crop", count)[0] for sample in batch]
    np.testing.assert_array_equal(together, np.stack(alone))


@given(seed=seeds, batch=samples, count=st.integers(1, 8), more=st.integers(0, 8))
def test_who_asks_for_more_numbers_gets_the_same_first_ones(
    seed: int, batch: list[int], count: int, more: int
) -> None:
    longer = seeding.uniform(seed, 0, batch, "crop", count + more)
    np.testing.assert_array_equal(longer[:, :count], seeding.uniform(seed, 0, batch, "crop", count))


def test_a_list_and_an_array_of_samples_draw_the_same() -> None:
    listed, array = (seeding.uniform(0, 0, s, "crop", 3) for s in ([4, 2], np.array([4, 2])))
    np.testing.assert_array_equal(listed, array)


def test_no_samples_draw_nothing() -> None:
    assert seeding.uniform(0, 0, [], "crop", 3).shape == (0, 3)


def test_seed_epoch_sample_purpose_and_place_each_change_the_draw() -> None:
    draws = [
        *seeding.uniform(0, 0, range(10), "crop", 10).ravel(),
        *seeding.uniform(1, 0, range(10), "crop", 10).ravel(),
        *seeding.uniform(0, 1, range(10), "crop", 10).ravel(),
        *seeding.uniform(0, 0, range(10), "mask", 10).ravel(),
    ]
    assert len(set(draws)) == 400


def test_a_key_tells_its_parts_apart() -> None:
    keys = [seeding.key(1, "a"), seeding.key(11, "a"), seeding.key(1, "a", 1), seeding.key(1, "a", 1, 1)]
    keys += [seeding.key(1, "a", 11), seeding.key(1, "b")]
    assert len(set(keys)) == len(keys)


@given(seed=seeds, purpose=st.text(max_size=8), numbers=st.lists(st.integers(0, 2**40), max_size=3))
def test_a_key_is_63_bits_wide(seed: int, purpose: str, numbers: list[int]) -> None:
    assert 0 <= seeding.key(seed, purpose, *numbers) < 2**63


@given(seed=seeds, epoch=epochs, batch=samples)
def test_uniform_numbers_lie_in_0_to_1_without_the_1(seed: int, epoch: int, batch: list[int]) -> None:
    drawn = seeding.uniform(seed, epoch, batch, "crop", 16)
    assert drawn.min() >= 0
    assert drawn.max() < 1


def test_the_largest_word_is_below_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "bits", lambda *_: np.array([[2**64 - 1]], dtype=np.uint64))
    assert seeding.uniform(0, 0, [0], "crop").item() == 1 - 2.0**-53


def test_uniform_numbers_fill_256_bins_evenly() -> None:
    drawn = seeding.uniform(0, 0, range(8192), "mask", 32)
    counts = np.bincount((drawn.ravel() * 256).astype(int), minlength=256)
    chi_squared = ((counts - 1024) ** 2 / 1024).sum()
    assert abs(chi_squared - 255) < 4 * (2 * 255) ** 0.5


@pytest.mark.parametrize("apart", [(1, 0), (0, 1), (1, 1)], ids=["samples", "places", "diagonal"])
def test_neighbouring_numbers_are_uncorrelated(apart: tuple[int, int]) -> None:
    drawn = seeding.uniform(0, 0, range(1025), "mask", 65)
    down, right = apart
    pairs = np.corrcoef(drawn[:1024, :64].ravel(), drawn[down : down + 1024, right : right + 64].ravel())
    assert abs(pairs[0, 1]) < 4 / (1024 * 64) ** 0.5


def test_the_same_sample_is_uncorrelated_between_epochs() -> None:
    first, second = (seeding.uniform(0, epoch, range(65536), "mask").ravel() for epoch in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / 65536**0.5


@given(seed=seeds, epoch=epochs, count=st.integers(0, 300))
def test_an_order_names_every_sample_once(seed: int, epoch: int, count: int) -> None:
    assert sorted(seeding.permutation(seed, epoch, count)) == list(range(count))


def test_every_epoch_has_its_own_order() -> None:
    assert len({tuple(seeding.permutation(0, epoch, 20)) for epoch in range(50)}) == 50


def test_every_sample_comes_first_equally_often() -> None:
    firsts = np.bincount([seeding.permutation(seed, 0, 5)[0] for seed in range(5000)], minlength=5)
    assert np.abs(firsts - 1000).max() < 4 * (5000 * 0.2 * 0.8) ** 0.5


def test_a_generator_repeats_itself_for_the_same_step_only() -> None:
    one, again, other = (seeding.generator(0, "mix", step).random(4).tolist() for step in (3, 3, 4))
    assert one == again
    assert one != other
