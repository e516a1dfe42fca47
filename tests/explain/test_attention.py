import math
from dataclasses import replace

import numpy as np

from kakera.explain.attention import (
    attention_distances,
    attention_map,
    even_distance,
    head_maps,
    patch_distances,
    rollout,
    rollout_map,
)
from tests.explain.views import view


def test_a_map_is_a_row_of_attention_laid_on_the_grid() -> None:
    seen = view()
    maps = head_maps(seen, 1, token=7)
    assert maps.shape == (3, 4, 5)
    for patch in range(20):
        assert np.array_equal(maps[:, patch // 5, patch % 5], seen.attention[0, :, 7, 1 + patch])
    assert np.array_equal(attention_map(seen, 1, 2, 7), maps[1])
    assert np.allclose(attention_map(seen, 1, None, 7), (maps[0] + maps[1] + maps[2]) / 3)


def test_the_class_token_of_the_last_layer_is_shown_unless_another_is_named() -> None:
    seen = view()
    assert np.array_equal(head_maps(seen).reshape(3, 20), seen.attention[1, :, 0, 1:])


def test_rollout_is_the_papers_product_and_its_rows_sum_to_one() -> None:
    seen = view()
    wanted = np.eye(21)
    for layer in range(2):
        mean = sum(seen.attention[layer, head] for head in range(3)) / 3
        wanted = (0.5 * mean + 0.5 * np.eye(21)) @ wanted
    found = rollout(seen)
    assert np.abs(found - wanted).max() < 1e-12
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-12
    assert (found >= 0).all()
    assert np.array_equal(rollout_map(seen, 3).ravel(), found[3, 1:])


def test_rollout_of_tokens_that_look_only_at_themselves_is_the_identity() -> None:
    seen = view()
    seen = replace(seen, attention=np.broadcast_to(np.eye(21), seen.attention.shape))
    assert np.array_equal(rollout(seen), np.eye(21))


def test_distances_are_between_patch_centres_in_pixels() -> None:
    found = patch_distances(view())  # 4 × 5 patches of 2 × 3 pixels
    assert found[0, 0] == 0
    assert found[0, 1] == 3
    assert found[0, 5] == 2
    assert math.isclose(found[0, 19], math.hypot(3 * 2, 4 * 3))


def test_attention_distance_is_the_weighted_mean_written_out() -> None:
    seen = view()
    found = attention_distances(seen)
    for layer in range(2):
        for head in range(3):
            rows = []
            for i in range(20):
                a = seen.attention[layer, head, 1 + i, 1:]
                away = [math.hypot(2 * (i // 5 - j // 5), 3 * (i % 5 - j % 5)) for j in range(20)]
                rows.append(sum(w * d for w, d in zip(a, away, strict=True)) / sum(a))
            assert math.isclose(found[layer, head], sum(rows) / 20, rel_tol=1e-12)


def test_a_head_that_looks_at_its_own_patch_reaches_nowhere_and_an_even_one_everywhere() -> None:
    seen = view()
    own = replace(seen, attention=np.broadcast_to(np.eye(21), seen.attention.shape))
    even = replace(seen, attention=np.full(seen.attention.shape, 1 / 21))
    assert (attention_distances(own) == 0).all()
    assert np.allclose(attention_distances(even), even_distance(seen))
