"""What stands before the patches, in others' layout and in ours: no sum of token and position changes."""

import pytest
import torch
from torch import Tensor

from kakera.formats import prefix_tokens

PATCHES = 4


def drawn(count: int, seed: int) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("owned", [True, False], ids=["class token", "none"])
@pytest.mark.parametrize("registers", [1, 2])
@pytest.mark.parametrize("rows", ["none", "each"])
def test_tokens_with_their_positions_stay_what_they_are(owned: bool, registers: int, rows: str) -> None:
    tokens = torch.cat([drawn(1, 0)] * owned + [drawn(registers, 1)])
    where = drawn(PATCHES + (len(tokens) if rows == "each" else 0), 2)
    found = {"registers": tokens[owned:], "positions": where} | ({"class_token": tokens[0]} if owned else {})
    prefix_tokens.convert_tokens(found, "", PATCHES)
    first = [(found["class_token"] + found["positions"][0])[None]] if owned else []
    expected = tokens + where[: len(tokens)] if rows == "each" else tokens
    torch.testing.assert_close(torch.cat([*first, found["registers"]]), expected)
    assert torch.equal(found["positions"][int(owned) :], where[-PATCHES:])


def test_a_row_for_the_class_token_alone_stays_its_row() -> None:
    where = drawn(1 + PATCHES, 2)
    found = {"class_token": drawn(1, 0)[0], "registers": drawn(2, 1), "positions": where}
    prefix_tokens.convert_tokens(found, "", PATCHES)
    assert torch.equal(found["positions"], where)
    assert torch.equal(found["registers"], drawn(2, 1))


def test_rows_that_are_put_in_are_taken_out_again() -> None:
    ours = {"class_token": drawn(1, 0)[0], "registers": drawn(2, 1), "positions": drawn(1 + PATCHES, 2)}
    back = prefix_tokens.with_rows(ours, "")
    assert len(back["positions"]) == 1 + 2 + PATCHES
    prefix_tokens.convert_tokens(back, "", PATCHES)
    assert all(torch.equal(back[name], ours[name]) for name in ours)


def test_two_heads_and_the_one_on_both_tokens_halved_are_inverse_and_give_their_mean() -> None:
    one = {"head.weight": drawn(2, 0).repeat(1, 2), "head.bias": torch.tensor([1.0, 2.0])}
    parted = prefix_tokens.split_heads(one)
    tokens = drawn(2, 5)
    scores = [tokens[n] @ parted[f"heads.{w}.weight"].T + parted[f"heads.{w}.bias"]
              for n, w in enumerate(("class", "distilled"))]  # fmt: skip
    whole = (tokens / 2).flatten() @ one["head.weight"].T + one["head.bias"]
    torch.testing.assert_close((scores[0] + scores[1]) / 2, whole)
    prefix_tokens.join_heads(parted)
    assert parted.keys() == one.keys()
    assert all(torch.equal(parted[name], one[name]) for name in one)
