"""Token merging: equal tokens merge without any change, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kakera.errors import OptionError
from kakera.model.classifier import Classifier
from kakera.model.configs import ViTConfig, vit_config
from kakera.model.merging import Match, match, mean_of_patches, merge, merged_tokens
from kakera.model.trace import Trace
from kakera.model.vit import ViT


def _shape(depth: int = 2) -> ViTConfig:
    return replace(vit_config("nano"), width=16, depth=depth, heads=2, patch=(4, 4))


def _twins(depth: int) -> tuple[ViT, torch.Tensor]:
    """An encoder without positions, and pictures in which every patch has an equal neighbour on its right."""
    encoder = ViT(_shape(depth), channels=1, image_size=16, seed=0).eval()
    encoder.positions.data.zero_()
    pairs = torch.rand(3, 1, 16, 2, 4, generator=torch.Generator().manual_seed(1))
    return encoder, pairs.repeat_interleave(2, dim=3).reshape(3, 1, 16, 16)


@torch.inference_mode()
def test_equal_tokens_merge_without_changing_the_class_token() -> None:
    encoder, pictures = _twins(depth=2)
    merged, sizes = merged_tokens(encoder, encoder.embed(pictures), [8, 0], first=1)
    torch.testing.assert_close(merged[:, 0], encoder.tokens(pictures)[:, 0], atol=1e-5, rtol=1e-5)
    assert sizes.tolist() == [[1.0] + [2.0] * 8] * 3


@torch.inference_mode()
def test_equal_tokens_merge_without_changing_the_mean_of_the_patches() -> None:
    encoder, pictures = _twins(depth=1)
    merged, sizes = merged_tokens(encoder, encoder.embed(pictures), [8])
    expected = encoder.tokens(pictures)[:, 1:].mean(dim=1)
    torch.testing.assert_close(mean_of_patches(merged, sizes, 1), expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_merging_nothing_changes_nothing() -> None:
    encoder = ViT(_shape(), channels=1, image_size=16, seed=0).eval()
    pictures = torch.rand(2, 1, 16, 16)
    merged, sizes = merged_tokens(encoder, encoder.embed(pictures), [0, 0])
    torch.testing.assert_close(merged, encoder.tokens(pictures), atol=1e-6, rtol=1e-6)
    assert (sizes == 1).all()


def test_the_pairs_are_the_most_similar_ones_of_the_two_sets() -> None:
    keys = torch.randn(2, 11, 5, generator=torch.Generator().manual_seed(2))
    pairs = match(keys, 3)
    for row, tokens in enumerate(keys.numpy()):
        unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
        edges = []
        for one in range(0, 11, 2):
            cosines = {other: float(unit[one] @ unit[other]) for other in range(1, 11, 2)}
            best = max(cosines, key=lambda other: cosines[other])
            edges.append((cosines[best], one // 2, best // 2))
        edges.sort(reverse=True)
        found = zip(pairs.merged[row].tolist(), pairs.into[row].tolist(), strict=True)
        assert list(found) == [(one, other) for _, one, other in edges[:3]]
        assert sorted(pairs.kept[row].tolist()) == sorted(one for _, one, _ in edges[3:])


def test_merging_keeps_the_sum_of_all_patches_and_their_number() -> None:
    draws = torch.Generator().manual_seed(3)
    tokens, sizes = (
        torch.randn(2, 9, 4, generator=draws),
        torch.randint(1, 5, (2, 9), generator=draws).float(),
    )
    fewer, counts = merge(tokens, sizes, match(torch.randn(2, 9, 3, generator=draws), 4))
    assert fewer.shape == (2, 5, 4)
    before, after = (tokens * sizes[..., None]).sum(dim=1), (fewer * counts[..., None]).sum(dim=1)
    torch.testing.assert_close(after, before)
    torch.testing.assert_close(counts.sum(dim=1), sizes.sum(dim=1))


def test_several_tokens_can_merge_into_one() -> None:
    tokens = torch.tensor([[[3.0], [1.0], [8.0]]])
    pairs = Match(torch.zeros(1, 0, dtype=torch.int64), torch.tensor([[0, 1]]), torch.tensor([[0, 0]]))
    fewer, counts = merge(tokens, torch.ones(1, 3), pairs)
    assert fewer.tolist() == [[[4.0]]]
    assert counts.tolist() == [[3.0]]


@torch.inference_mode()
def test_a_layer_merges_at_most_half_of_the_patches_and_never_the_class_token() -> None:
    encoder = ViT(_shape(), channels=1, image_size=16, seed=0).eval()
    merged, sizes = merged_tokens(encoder, encoder.embed(torch.rand(1, 1, 16, 16)), [1000, 1000])
    assert merged.shape[1] == 1 + 16 // 2 // 2
    assert sizes[0, 0] == 1


@torch.inference_mode()
def test_a_classifier_with_merging_explains_its_exact_attention() -> None:
    model = Classifier(ViT(_shape(), channels=1, image_size=16, seed=0), 2, seed=0).eval()
    pictures, before, after = torch.rand(1, 1, 16, 16), Trace(attention=[2]), Trace(attention=[2])
    model(pictures, trace=before)
    model.merge = (4, 4)
    model(pictures, trace=after)
    assert torch.equal(before.attention[2], after.attention[2])


@torch.inference_mode()
def test_merging_refuses_padding() -> None:
    model = Classifier(ViT(_shape(), channels=1, image_size=16, seed=0), 2, seed=0).eval()
    model.merge = (4, 4)
    padding = torch.zeros(2, 16, dtype=torch.bool)
    padding[0, 12:] = True
    with pytest.raises(OptionError, match="padding"):
        model(torch.rand(2, 1, 16, 16), padding_mask=padding)
