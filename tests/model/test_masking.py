import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kakera.grid import Grid
from kakera.masking import (
    MASKINGS,
    PatchIds,
    block,
    choose_subset,
    choose_subset_ids,
    grid,
    num_visible,
    random,
)
from tests.refusals import refused

Mask = NDArray[np.bool_]
every_masking = pytest.mark.parametrize("name", list(MASKINGS))
grids = st.builds(Grid, st.integers(1, 12), st.integers(1, 12))


def noise(count: int, places: Grid, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random((count, places.count))


def borders(hidden: Mask) -> int:
    """Neighbouring patches of which one is hidden and the other not; hidden (b, rows, cols)."""
    return int((hidden[:, 1:] != hidden[:, :-1]).sum() + (hidden[:, :, 1:] != hidden[:, :, :-1]).sum())


@pytest.mark.parametrize(
    ("count", "ratio", "keep"),
    [(196, 0.75, 49), (49, 0.75, 12), (100, 0.9, 9), (16, 0.5, 8), (4, 0.1, 3), (2, 0.5, 1)],
)
def test_as_many_stay_as_in_the_papers_released_models(count: int, ratio: float, keep: int) -> None:
    assert num_visible(count, ratio) == keep


@given(places=grids, ratio=st.floats(0, 1), name=st.sampled_from(list(MASKINGS)), seed=st.integers(0, 99))
def test_every_mask_hides_exactly_the_share(places: Grid, ratio: float, name: str, seed: int) -> None:
    stays = int(places.count * (1 - ratio))
    assume(0 < stays < places.count)
    hidden = MASKINGS[name](noise(3, places, seed), places, ratio)
    assert hidden.shape == (3, places.count)
    assert (~hidden).sum(1).tolist() == [stays] * 3


@every_masking
@pytest.mark.parametrize("places", [Grid(1, 2), Grid(2, 1), Grid(3, 1)])
@pytest.mark.parametrize("extreme", [0.0, 1 - 2**-53])
def test_the_smallest_grids_and_the_ends_of_the_noise_are_no_exception(
    name: str, places: Grid, extreme: float
) -> None:
    hidden = MASKINGS[name](np.full((2, places.count), extreme), places, 0.5)
    assert (~hidden).sum(1).tolist() == [places.count // 2] * 2


@every_masking
def test_no_pictures_need_no_masks(name: str) -> None:
    assert MASKINGS[name](np.zeros((0, 16)), Grid(4, 4), 0.75).shape == (0, 16)


@every_masking
@given(seed=st.integers(0, 1000), ratio=st.floats(0.1, 0.9))
def test_a_pictures_mask_is_the_same_in_whatever_batch_it_comes(name: str, seed: int, ratio: float) -> None:
    places = Grid(4, 5)
    drawn = noise(4, places, seed)
    together = MASKINGS[name](drawn, places, ratio)
    alone = [MASKINGS[name](row[None], places, ratio)[0] for row in drawn]
    np.testing.assert_array_equal(together, alone)


@every_masking
def test_pictures_have_their_own_masks(name: str) -> None:
    hidden = MASKINGS[name](noise(50, Grid(8, 8)), Grid(8, 8), 0.6)
    assert len({row.tobytes() for row in hidden}) > 30  # the grid has 64 places to begin at


@every_masking
def test_no_place_is_spared(name: str) -> None:
    places = Grid(6, 8)
    share = MASKINGS[name](noise(2000, places), places, 0.75).mean(0)
    assert share.min() > 0.75 / 2  # blocks reach the corners least
    assert share.max() < 1


@pytest.mark.parametrize("ratio", [0.0, 1.0, 1.5, -0.25, 0.95, float("nan")])
def test_a_share_that_hides_all_or_nothing_is_refused(ratio: float) -> None:
    with refused("mask ratio", got=f"{ratio}, which leaves", expected="leaves at least one visible"):
        num_visible(16, ratio)


@every_masking
def test_a_single_patch_cannot_be_hidden_and_seen(name: str) -> None:
    with refused("mask ratio", got="leaves 0 of 1 patches", do="smaller patches"):
        MASKINGS[name](np.zeros((1, 1)), Grid(1, 1), 0.75)


def test_random_keeps_the_patches_with_the_lowest_noise() -> None:
    drawn = np.array([[0.9, 0.1, 0.5, 0.3], [0.0, 0.8, 0.2, 0.7]])
    assert random(drawn, Grid(2, 2), 0.5).tolist() == [[True, False, True, False], [False, True, False, True]]


def test_random_hides_every_place_equally_often() -> None:
    places = Grid(4, 5)
    share = random(noise(10_000, places), places, 0.6).mean(0)
    assert np.abs(share - 0.6).max() < 4.5 * (0.6 * 0.4 / 10_000) ** 0.5


def test_blocks_hang_together() -> None:
    places = Grid(14, 14)
    drawn = noise(200, places)
    blocks, scattered = (make(drawn, places, 0.5).reshape(-1, 14, 14) for make in (block, random))
    assert borders(blocks) < borders(scattered) / 3


def test_a_first_block_has_the_drawn_area_aspect_and_place() -> None:
    # Area, aspect, top and left: all 16 that are missing, square, a quarter down and three quarters across.
    places = Grid(8, 8)
    drawn = np.zeros((1, 64))
    drawn[0, :4] = [1 - 1e-9, 0.5, 0.25, 0.75]
    hidden = block(drawn, places, 0.25).reshape(8, 8)
    wanted = np.zeros((8, 8), dtype=bool)
    wanted[1:5, 3:7] = True
    np.testing.assert_array_equal(hidden, wanted)


def test_a_block_of_the_largest_aspect_is_three_and_a_third_times_as_high_as_wide() -> None:
    drawn = np.zeros((1, 144))
    drawn[0, :4] = [1 - 1e-9, 1 - 1e-9, 0, 0]  # 30 patches: 10 high, 3 wide
    hidden = block(drawn, Grid(12, 12), 30 / 144 - 1e-9).reshape(12, 12)
    assert hidden[:10, :3].all()


def test_a_block_larger_than_what_is_missing_is_trimmed_at_its_end() -> None:
    drawn = np.zeros((1, 16))
    drawn[0, :8] = [1 - 1e-9, 0.5, 0, 0, 0, 0.9, 0.9, 0.9]  # three are missing, two by two are drawn
    hidden = block(drawn, Grid(4, 4), 3 / 16)
    assert np.flatnonzero(hidden).tolist() == [0, 1, 4]


@pytest.mark.parametrize("places", [Grid(4, 4), Grid(14, 14), Grid(6, 10)])
def test_at_three_quarters_the_grid_keeps_one_patch_of_every_two_by_two(places: Grid) -> None:
    hidden = grid(noise(30, places), places, 0.75).reshape(30, places.rows // 2, 2, places.cols // 2, 2)
    assert ((~hidden).sum((2, 4)) == 1).all()


def test_the_place_that_the_grid_keeps_is_the_same_in_every_two_by_two_and_drawn_per_picture() -> None:
    places = Grid(8, 8)
    seen = ~grid(noise(60, places), places, 0.75).reshape(60, 4, 2, 4, 2)
    corners = {tuple(np.argwhere(picture)[0][[1, 3]].tolist()) for picture in seen}
    assert (seen == seen[:, :1, :, :1]).all()
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_at_one_half_the_grid_is_a_chequerboard() -> None:
    places = Grid(8, 8)
    hidden = grid(noise(30, places), places, 0.5).reshape(30, 8, 8)
    assert borders(hidden) == 30 * 2 * 8 * 7


@given(seed=st.integers(0, 1000), ratio=st.floats(0.05, 0.95))
def test_the_grid_hides_alike_in_all_quarters(seed: int, ratio: float) -> None:
    places = Grid(16, 16)
    hidden = grid(noise(1, places, seed), places, ratio).reshape(2, 8, 2, 8)
    quarters = hidden.sum((1, 3))
    # Each quarter holds all 64 ranks; only the rank in which the count ends is shared unevenly.
    assert quarters.max() - quarters.min() <= 1


def test_where_the_count_ends_between_equal_ranks_chance_decides_what_the_grid_keeps() -> None:
    # 16 × 16 patches hold every rank four times, once a quarter; two of the four lowest stay.
    seen = ~grid(noise(100, Grid(16, 16)), Grid(16, 16), 1 - 2.5 / 256).reshape(100, 2, 8, 2, 8)
    pairs = {tuple(np.flatnonzero(quarters)) for quarters in seen.any((2, 4)).reshape(100, 4)}
    assert len(pairs) == 6


@every_masking
@given(seed=st.integers(0, 99), ratio=st.floats(0.1, 0.9))
def test_counts_are_those_of_the_patches_that_are_present(name: str, seed: int, ratio: float) -> None:
    places, widths = Grid(4, 6), np.array([6, 4, 2, 1])
    padding_mask = np.tile(np.arange(6) >= widths[:, None], (1, 4))
    hidden = MASKINGS[name](noise(4, places, seed), places, ratio, padding_mask)
    assert not (hidden & padding_mask).any()
    expected = [max(1, int(4 * width * (1 - ratio))) for width in widths]
    assert (~hidden & ~padding_mask).sum(1).tolist() == expected


@every_masking
def test_a_mask_without_absent_patches_is_that_of_the_whole_picture(name: str) -> None:
    places = Grid(4, 6)
    drawn, none = noise(5, places), np.zeros((5, 24), dtype=bool)
    np.testing.assert_array_equal(
        MASKINGS[name](drawn, places, 0.75), MASKINGS[name](drawn, places, 0.75, none)
    )


@given(seed=st.integers(0, 99))
def test_strips_are_whole_but_for_the_last(seed: int) -> None:
    places = Grid(5, 8)
    for name, axis in (("rows", 2), ("cols", 1)):
        hidden = MASKINGS[name](noise(3, places, seed), places, 0.7).reshape(3, 5, 8)
        shares = hidden.mean(axis=axis)
        assert ((shares > 0) & (shares < 1)).sum(axis=1).max() <= 1


@given(seed=st.integers(0, 99))
def test_what_a_cross_leaves_is_a_grid_of_rows_and_columns_but_for_one_strip(seed: int) -> None:
    seen = ~MASKINGS["cross"](noise(1, Grid(8, 9), seed), Grid(8, 9), 0.7).reshape(8, 9)
    tall, wide = seen.any(axis=1), seen.any(axis=0)
    missing = ~seen[tall][:, wide]  # patches in rows and columns that are still seen
    assert not missing.any() or min((missing.any(axis=1)).sum(), missing.any(axis=0).sum()) == 1


def places_of(hidden: Mask, ids: PatchIds) -> list[list[int]]:
    """The numbers of each row, without what fills it up."""
    padding = np.zeros_like(ids.ids, dtype=np.bool_) if ids.padding is None else ids.padding
    return [row[~key_padding_mask].tolist() for row, key_padding_mask in zip(ids.ids, padding, strict=True)]


@every_masking
@given(seed=st.integers(0, 99), ratio=st.floats(0.1, 0.9), ends=st.booleans())
def test_numbers_and_booleans_are_the_same_masks(name: str, seed: int, ratio: float, ends: bool) -> None:
    places, drawn = Grid(4, 6), noise(4, Grid(4, 6), seed)
    gone = np.tile(np.arange(6) >= np.array([[6], [4], [2], [1]]), (1, 4))
    padding_mask = gone if ends else None
    hidden, split = (
        make(drawn, places, ratio, padding_mask) for make in (MASKINGS[name], MASKINGS[name].split_ids)
    )
    assert places_of(hidden, split.hidden) == [np.flatnonzero(row).tolist() for row in hidden]
    visible = ~hidden & ~gone if ends else ~hidden
    assert places_of(hidden, split.visible) == [np.flatnonzero(row).tolist() for row in visible]


@given(seed=st.integers(0, 99), share=st.floats(0.05, 1), ends=st.booleans())
def test_some_of_the_hidden_are_the_same_by_number(seed: int, share: float, ends: bool) -> None:
    places, padding_mask = Grid(4, 6), np.tile(np.arange(6) >= np.array([[6], [4], [2], [1]]), (1, 4))
    drawn, other = noise(4, places, seed), noise(4, places, seed + 100)
    hidden = random(drawn, places, 0.6, padding_mask if ends else None)
    found = choose_subset_ids(
        other, random.split_ids(drawn, places, 0.6, padding_mask if ends else None).hidden, share
    )
    predict_mask = choose_subset(other, hidden, share)
    assert places_of(hidden, found) == [np.flatnonzero(row).tolist() for row in predict_mask]
