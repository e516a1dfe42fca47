"""Rotary positions: against rotations written in NumPy with complex numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.model.classifier import Classifier
from kakera.model.configs import DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.rotary import angles, rotate, rotation
from kakera.model.vit import ViT

CONFIG = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4), registers=2, rotary=100.0)


def encoder(config: ViTConfig = CONFIG, size: tuple[int, int] = (8, 12)) -> ViT:
    return ViT(config, channels=1, image_size=size, seed=0).double().eval()


def test_a_pair_of_values_turns_by_the_angle_of_its_place() -> None:
    grid, width = Grid(2, 3), 8
    x = torch.randn(1, 1, 6, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = rotate(x, rotation(angles(grid, width, 100.0), 0, x))[0, 0].numpy()
    values = x[0, 0].numpy()
    for row in range(2):
        for col in range(3):
            places = ((row + 0.5) / 2 * 2 - 1, (col + 0.5) / 3 * 2 - 1)
            turns = [2 * np.pi * place * 100.0 ** (-k / 2) for place in places for k in range(2)]
            before = values[row * 3 + col, :4] + 1j * values[row * 3 + col, 4:]
            after = before * np.exp(1j * np.array(turns))
            np.testing.assert_allclose(turned[row * 3 + col, :4], after.real, atol=1e-12)
            np.testing.assert_allclose(turned[row * 3 + col, 4:], after.imag, atol=1e-12)


def test_tokens_before_the_patches_do_not_turn() -> None:
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, rotation(angles(Grid(2, 3), 8, 100.0), 3, x))
    assert torch.equal(turned[:, :, :3], x[:, :, :3])
    assert not torch.allclose(turned[:, :, 3:], x[:, :, 3:])


def test_chosen_patches_keep_the_angles_of_their_places() -> None:
    table, like = angles(Grid(2, 3), 8, 100.0), torch.zeros(1)
    whole, some = rotation(table, 1, like), rotation(table, 1, like, torch.tensor([[0, 4], [5, 2]]))
    for one, other in zip(whole, some, strict=True):
        assert torch.equal(other[0, 0], one[0, 0, [0, 1, 5]])
        assert torch.equal(other[1, 0], one[0, 0, [0, 6, 3]])


def test_a_span_counts_from_the_first_patch_and_is_of_the_whole_picture() -> None:
    table = angles(Grid(2, 4), 8, 100.0, 16.0)
    assert table[:, 2].tolist() == [0.0, 4.0, 8.0, 12.0] * 2  # the first pair across
    assert table[:, 0].tolist() == [0.0] * 4 + [8.0] * 4
    torch.testing.assert_close(table[:, 3], table[:, 2] / 10)
    wide = angles(Grid(2, 8), 8, 100.0, 16.0)
    assert wide[8:16:2, 2].tolist() == table[:4, 2].tolist()


def test_hidden_patches_are_as_if_they_were_not_there() -> None:
    model, pictures = encoder(), torch.rand(1, 1, 8, 12, dtype=torch.float64)
    hidden = torch.tensor([[True, False, False, True, False, False]])
    whole, some = model.embed(pictures), model(pictures, hidden)
    turned = model.places(whole)["rotation"]
    assert turned is not None
    kept = [0, 1, 2, 4, 5, 7, 8]  # class token, two registers, and the visible patches
    z, by = whole[:, kept], (turned[0][:, :, kept], turned[1][:, :, kept])
    for layer in model.layers:
        z = layer(z, rotation=by)
    torch.testing.assert_close(model.norm(z), some)


def test_a_larger_picture_needs_no_new_weights() -> None:
    model = encoder()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.resize((12, 16))
    assert model(torch.rand(1, 1, 12, 16, dtype=torch.float64)).shape == (1, 3 + 12, 24)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.position_embeddings() == {}


def test_the_last_layer_of_a_class_token_head_gives_the_same_logits() -> None:
    model = Classifier(encoder(), 3, "class", seed=0).double().eval()
    torch.nn.init.normal_(model.head.weight)
    pictures = torch.rand(2, 1, 8, 12, dtype=torch.float64)
    tokens = model.encoder(pictures)
    torch.testing.assert_close(model(pictures), model.head(tokens[:, 0]))


def test_an_autoencoder_learns_from_an_encoder_with_rotary_positions() -> None:
    model = MAE(ViT(CONFIG, channels=1, image_size=8, seed=0), seed=0)
    model(torch.rand(4, 1, 8, 8), generator=torch.Generator().manual_seed(0)).backward()
    grad = model.encoder.layers[0].attention.qkv.weight.grad
    assert grad is not None
    assert bool(grad.any())
    assert "encoder" not in model.position_embeddings()


@pytest.mark.parametrize(
    ("config", "said"), [(replace(CONFIG, width=18, heads=3), "a multiple of 4 for rotary positions")]
)
def test_heads_that_cannot_turn_along_two_axes_are_refused(config: ViTConfig, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        ViT(config, channels=1, image_size=8)


def test_token_merging_and_other_lengths_are_refused() -> None:
    model = Classifier(encoder(), 3, "class", seed=0).double()
    model.merge = (1, 1)
    with pytest.raises(OptionError, match="rotary positions, which merged tokens do not have"):
        model(torch.rand(1, 1, 8, 12, dtype=torch.float64))
    with pytest.raises(OptionError, match="relative to the length"):
        encoder().crop_positions((8, 8))
