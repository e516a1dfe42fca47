"""Which patches agree, by hand."""

import numpy as np
import pytest
import torch

from kakera.commands.searching.agreement import agreement, patch_tokens
from kakera.data.sources.files import open_files
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec


def test_each_patch_of_a_match_has_its_highest_cosine_and_the_patch_it_agrees_with() -> None:
    query = np.array([[1, 0], [0, 2], [3, 3]], np.float32)
    match = np.array([[[5, 0], [0, -1]], [[1, 1], [4, 3]]], np.float32)
    values, partners = agreement(query, match)
    # (4, 3): 4/5 with the first, 3/5 with the second, 7/(5 sqrt 2) with the third
    np.testing.assert_allclose(values, [[1, 0], [1, 7 / (5 * 2**0.5)]])
    assert partners.tolist() == [[0, 0], [2, 2]]


def test_a_picture_agrees_with_itself_patch_by_patch() -> None:
    inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
    saved = Pretrained(ViT("nano", channels=1, image_size=8, seed=0), inputs)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    (found,) = patch_tokens(saved, open_files(pixels, inputs))
    with torch.inference_mode():
        tokens = saved.encoder.norm(saved.encoder.tokens(saved.prepare(pixels)))[0, 1:].numpy()
    np.testing.assert_allclose(found.tokens.reshape(4, -1), tokens, atol=1e-6)
    values, partners = agreement(tokens, found.tokens)
    np.testing.assert_allclose(values, 1)
    assert partners.tolist() == [[0, 1], [2, 3]]


def test_padding_agrees_with_nothing() -> None:
    spec = SoundSpec(rate=8000, bins=32)
    inputs = InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec)
    saved = Pretrained(ViT("nano", channels=1, image_size=(32, 40), patch=8, seed=0), inputs)
    wave = np.random.default_rng(0).standard_normal(8000 * 6 // 10).astype(np.float32)
    found = patch_tokens(saved, open_files((wave[:2000], 8000), inputs))
    assert [each.tokens.shape[:2] for each in found] == [(4, 3)]  # 0.25 s are 23 frames of 10 ms
    longer = patch_tokens(saved, open_files((wave, 8000), inputs))
    assert [each.start for each in longer] == [0.0, pytest.approx(0.6 - spec.samples(40) / 8000)]
