"""Masks as index tensors: from hand-made ones, and as a model in anybody's hands takes them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kakera.grid import Grid
from kakera.model.token_index import MaskIndex
from tests.model.models import seeded
from tests.refusals import refused


def mask(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.bool)


def test_a_mask_numbers_its_patches_in_order() -> None:
    index = MaskIndex.of(mask([1, 0, 0, 1, 0], [0, 0, 1, 0, 1]))
    assert index.visible.ids.tolist() == [[1, 2, 4], [0, 1, 3]]
    assert index.predicted.ids.tolist() == [[0, 3], [2, 4]]
    assert index.visible.padding is index.predicted.padding is index.present is index.query is None


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_visible_and_predicted_are_every_patch_once(shown: int, unseen: int, seed: int) -> None:
    row = torch.arange(shown + unseen) >= shown
    index = MaskIndex.of(row[torch.randperm(shown + unseen, generator=seeded(seed))][None])
    both = torch.cat([index.visible.ids, index.predicted.ids], dim=1)
    assert sorted(both[0].tolist()) == list(range(shown + unseen))


@pytest.mark.parametrize(("row", "other"), [([0, 1, 0], [0, 1, 1]), ([1, 1, 1], [1, 1, 1])])
def test_masks_without_the_same_number_of_visible_patches_are_refused(
    row: list[int], other: list[int]
) -> None:
    with refused("mask", got="visible patches", expected="the same number, at least one"):
        MaskIndex.of(mask(row, other))


@pytest.mark.parametrize(("row", "other"), [([0, 1, 0], [0, 1, 1]), ([0, 0, 0], [0, 0, 0])])
def test_masks_without_the_same_number_of_predicted_patches_are_refused(
    row: list[int], other: list[int]
) -> None:
    with refused("mask", got="hidden patches", expected="the same number, at least one"):
        MaskIndex.of(mask([0, 1, 1], [0, 1, 1]), predict_mask=mask(row, other))


def test_only_what_is_hidden_asked_for_and_there_is_predicted() -> None:
    index = MaskIndex.of(
        mask([1, 1, 0, 0], [1, 1, 0, 1]), mask([0, 0, 0, 0], [0, 0, 0, 1]), mask([1, 0, 1, 1], [1, 1, 1, 1])
    )
    assert index.predicted.ids.tolist()[1] == [0, 1]
    assert index.predicted.ids.tolist()[0][0] == 0
    assert index.predicted.padding is not None
    assert index.predicted.padding.tolist() == [[False, True], [False, False]]
    assert index.predicted.total == 3


def test_what_is_predicted_is_found_among_the_patches_that_are_there() -> None:
    padding_mask = mask([1, 0, 0, 0, 0], [0, 0, 1, 0, 0])
    index = MaskIndex.of(mask([0, 1, 0, 0, 1], [0, 1, 0, 1, 0]), padding_mask)
    assert index.present is not None
    assert index.query is not None
    assert index.present.ids.gather(1, index.query.ids).tolist() == index.predicted.ids.tolist()


@given(ratio=st.floats(0.1, 0.9), seed=st.integers(0, 99))
def test_a_drawn_mask_hides_the_share_and_shows_the_rest(ratio: float, seed: int) -> None:
    index = MaskIndex.random(3, Grid(4, 5), ratio, seeded(seed), torch.device("cpu"))
    assert index.visible.ids.shape == (3, int(20 * (1 - ratio)))
    both = torch.cat([index.visible.ids, index.predicted.ids], dim=1)
    assert both.sort(dim=1).values.tolist() == [list(range(20))] * 3
    assert all((part.ids.diff(dim=1) > 0).all() for part in index[:2] if part is not None)
