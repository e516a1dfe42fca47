import dataclasses

import pytest
import torch

from kakera.model.classifier import Classifier, Pool
from kakera.model.configs import SIZES, DecoderConfig, ViTConfig, vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.refusals import refused

every_size = pytest.mark.parametrize("shape", list(SIZES.values()), ids=list(SIZES))


def encoder(name: str, channels: int, side: int) -> ViT:
    return ViT(SIZES[name], channels=channels, image_size=(side, side))


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def of_layers(depth: int, d: int) -> int:
    """W_q W_k W_v W_o (4 D² + 4 D), the MLP (8 D² + 5 D) and two norms (4 D) a layer; a last norm (2 D)."""
    return depth * (12 * d**2 + 13 * d) + 2 * d


@pytest.mark.parametrize("pool", ["class", "mean"])
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("tiny", 5_717_416),
        ("small", 22_050_664),
        ("base", 86_567_656),
        ("large", 304_326_632),
        ("huge", 632_045_800),
    ],
)
def test_the_papers_sizes_have_the_published_number_of_parameters(
    name: str, published: int, pool: Pool
) -> None:
    with torch.device("meta"):
        assert count(Classifier(encoder(name, 3, 224), 1000, pool)) == published


@pytest.mark.parametrize(
    ("name", "width", "depth", "heads", "patch"),
    [
        ("tiny", 192, 12, 3, 16),
        ("small", 384, 12, 6, 16),
        ("base", 768, 12, 12, 16),
        ("large", 1024, 24, 16, 16),
        ("huge", 1280, 32, 16, 14),
    ],
)
def test_the_rows_are_those_of_the_papers_tables(
    name: str, width: int, depth: int, heads: int, patch: int
) -> None:
    shape = SIZES[name]
    assert (shape.width, shape.depth, shape.heads, shape.patch) == (width, depth, heads, (patch, patch))


def test_the_papers_autoencoder_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert count(MAE(encoder("base", 3, 224), SIZES["base"].decoder)) == 111_907_840


@pytest.mark.parametrize(
    ("name", "width", "depth", "number"),
    [("nano", 64, 3, 155_082), ("micro", 128, 4, 803_338), ("mini", 192, 6, 2_684_554)],
)
def test_the_small_sizes_have_the_parameters_of_their_layers_patches_and_head(
    name: str, width: int, depth: int, number: int
) -> None:
    patches = 4 * 4 * 1 * width + width
    positions = (7 * 7 + 1) * width
    formula = patches + positions + width + of_layers(depth, width) + width * 10 + 10
    with torch.device("meta"):
        assert count(Classifier(encoder(name, 1, 28), 10)) == formula == number


@pytest.mark.parametrize(
    ("name", "width", "depth", "encoder_width", "number"),
    [("nano", 32, 1, 64, 17_008), ("micro", 64, 1, 128, 62_672), ("mini", 96, 2, 192, 248_848)],
)
def test_the_small_decoders_have_the_parameters_of_their_layers_and_maps(
    name: str, width: int, depth: int, encoder_width: int, number: int
) -> None:
    maps = encoder_width * width + width + width * 16 + 16
    formula = maps + width + 50 * width + of_layers(depth, width)
    with torch.device("meta"):
        assert count(MAE(encoder(name, 1, 28), SIZES[name].decoder).decoder) == formula == number


@every_size
def test_heads_divide_the_width_and_the_decoder_is_smaller(shape: ViTConfig) -> None:
    assert shape.width % shape.heads == 0
    assert shape.decoder.width % shape.decoder.heads == 0
    assert shape.decoder.width <= shape.width
    assert shape.decoder.depth < shape.depth


@every_size
def test_positions_can_be_made_for_every_width(shape: ViTConfig) -> None:
    assert shape.width % 4 == shape.decoder.width % 4 == 0


def test_the_papers_decoder_has_8_layers_of_width_512() -> None:
    assert SIZES["large"].decoder == DecoderConfig(width=512, depth=8, heads=16)


def test_another_patch_leaves_the_layers_as_they_are() -> None:
    changed = SIZES["micro"].with_patch((2, 7))
    assert changed.patch == (2, 7)
    assert dataclasses.replace(changed, patch=(4, 4)) == SIZES["micro"]


def test_a_size_is_found_by_its_name() -> None:
    assert vit_config("mini") is SIZES["mini"]


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with refused("model", got="giant", expected="nano, micro, mini, tiny, small, base, large, huge"):
        vit_config("giant")
