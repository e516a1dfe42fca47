"""What a loaded model does with files: probabilities, vectors, reconstructions, attention, copies on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

import kakera
from kakera.errors import OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE

INPUTS = InputSpec(1, 28, 28, (0.3,), (0.35,))
PICTURES = [np.random.default_rng(n).integers(0, 256, (28, 28), np.uint8) for n in range(3)]
NORMALISED = torch.from_numpy((np.stack(PICTURES)[:, None] / 255 - 0.3) / 0.35).float()


def classifier() -> Pretrained[Classifier]:
    model = Classifier("nano", 3, channels=1, image_size=28, seed=0)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(1))
    return Pretrained(model.eval(), INPUTS, ("a", "b", "c"))


def autoencoder() -> Pretrained[MAE]:
    return Pretrained(MAE("nano", channels=1, image_size=28, norm_pix_loss=False, seed=0).eval(), INPUTS)


def test_predict_proba_is_the_softmax_of_the_logits_of_normalised_pictures() -> None:
    ours = classifier()
    with torch.no_grad():
        expected = ours.model(NORMALISED).softmax(dim=1)
    np.testing.assert_allclose(ours.predict_proba(PICTURES), expected, atol=1e-6)


def test_embed_is_the_token_or_the_mean_after_the_last_norm() -> None:
    ours = autoencoder()
    with torch.no_grad():
        tokens = ours.encoder(NORMALISED)
        raw = ours.encoder.tokens(NORMALISED)
    np.testing.assert_allclose(ours.embed(PICTURES, pool="class"), tokens[:, 0], atol=1e-5)
    mean = ours.encoder.norm(raw[:, 1:].mean(dim=1)).detach()
    np.testing.assert_allclose(ours.embed(PICTURES, pool="mean"), mean, atol=1e-5)


def test_a_reconstruction_hides_three_quarters_and_leaves_the_visible_patches() -> None:
    ours = autoencoder()
    found = ours.reconstruct(PICTURES, mask_ratio=0.75, seed=3)
    assert found.shape == (3, 3, 28, 28, 1)
    np.testing.assert_array_equal(found[:, 0, ..., 0], np.stack(PICTURES))
    patches = [row.reshape(7, 4, 7, 4).swapaxes(1, 2).reshape(49, 16) for row in found[:, 2, ..., 0]]
    true = [row.reshape(7, 4, 7, 4).swapaxes(1, 2).reshape(49, 16) for row in PICTURES]
    visible = [(a == b).all(axis=1).sum() for a, b in zip(patches, true, strict=True)]
    assert visible == [12, 12, 12]  # int(49 · 0.25)
    np.testing.assert_array_equal(found, ours.reconstruct(PICTURES, mask_ratio=0.75, seed=3))
    assert (found != ours.reconstruct(PICTURES, mask_ratio=0.75, seed=4)).any()


def test_attention_has_a_row_of_sum_one_for_each_token_and_head() -> None:
    found = classifier().attention(PICTURES, layer=-1)
    assert [rows.shape for rows in found] == [(2, 50, 50)] * 3
    np.testing.assert_allclose(np.stack(found).sum(axis=-1), 1.0, atol=1e-5)


def test_what_is_saved_is_loaded_as_it_was(tmp_path: Path) -> None:
    ours = classifier()
    ours.save(tmp_path / "model")
    again = kakera.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(PICTURES), ours.predict_proba(PICTURES))
    assert repr(again) == repr(ours)
    assert "\n" not in repr(ours)


def test_what_a_network_cannot_do_is_refused() -> None:
    with pytest.raises(OptionError, match="got an autoencoder, expected a classifier"):
        autoencoder().predict_proba(PICTURES)
    with pytest.raises(RunError, match="expected a masked autoencoder"):
        classifier().reconstruct(PICTURES)
    with pytest.raises(OptionError, match="layer: got 9"):
        classifier().attention(PICTURES, layer=9)
