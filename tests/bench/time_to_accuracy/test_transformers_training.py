"""The program that trains ViTMAE of transformers, and the network that kakera reads from its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from kakera.bench.time_to_accuracy.transformers_training import (
    Batches,
    TransformersJob,
    loss_of_parts,
    network,
    optimizer,
    patch_weights,
    save,
    square,
    train,
)
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.model.positions import sincos

CONFIG = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "decoder_hidden_size": 16,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 1,
    "decoder_intermediate_size": 32,
    "layer_norm_eps": 1e-6,
    "mask_ratio": 0.75,
    "norm_pix_loss": False,
    "attn_implementation": "sdpa",
}


def a_job(place: Path, size: tuple[int, int], patch: tuple[int, int], **changes: object) -> TransformersJob:
    values = np.random.default_rng(0).integers(0, 256, (20, 1, *size), dtype=np.uint8)
    grid = Grid.cover(size, patch)
    arrays = {
        "values": values.reshape(-1),
        "sizes": np.array([size] * len(values)),
        "positions": sincos(grid, 32).numpy(),
        "decoder_positions": sincos(grid, 16).numpy(),
        "mean": np.array([0.5], np.float32),
        "std": np.array([0.25], np.float32),
    }
    np.savez(place / "arrays.npz", **arrays)
    job = TransformersJob(
        str(place / "arrays.npz"),
        str(place / "run"),
        CONFIG,
        size,
        patch,
        channels=1,
        scale=255.0,
        epochs=2,
        seed=0,
        batch_size=8,
        lr=1e-3,
        bf16=False,
    )
    return replace(job, **changes)


def arrays_of(job: TransformersJob) -> dict[str, np.ndarray]:
    with np.load(job.arrays) as file:
        return dict(file)


@pytest.mark.parametrize(("size", "patch"), [((28, 28), (4, 4)), ((16, 40), (8, 4)), ((12, 24), (4, 8))])
def test_kakera_reads_the_same_tokens_as_transformers(
    tmp_path: Path, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    pytest.importorskip("transformers")
    job = a_job(tmp_path, size, patch)
    model = network(job, arrays_of(job)).eval()
    torch.manual_seed(1)
    for each in model.parameters():
        if each.requires_grad:
            torch.nn.init.normal_(each, std=0.2)
    model.vit.embeddings.config.mask_ratio = 0.0
    save(model, job)
    pictures = torch.randn(2, 1, *size)
    count = Grid.cover(size, patch).count
    in_order = torch.arange(count).float().expand(2, -1)  # noise that shuffles nothing
    with torch.inference_mode():
        theirs = model.vit(square(pictures, patch), noise=in_order).last_hidden_state
        ours = load(job.out).encoder(pictures)
    assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("patch", [(4, 4), (8, 4), (4, 12)])
def test_square_patches_are_the_same_linear_layer(patch: tuple[int, int]) -> None:
    pictures, side = torch.randn(2, 3, 24, 24), min(patch)
    weights = torch.randn(5, 3 * patch[0] * patch[1] // side**2, side, side)
    expected = functional.conv2d(square(pictures, patch), weights, stride=side)
    found = functional.conv2d(pictures, patch_weights(weights, patch), stride=patch)
    assert torch.allclose(found, expected, atol=1e-4)


def test_positions_are_the_table_and_are_not_trained(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    job = a_job(tmp_path, (16, 40), (8, 4))
    train(job)
    saved = load(job.out)
    assert torch.equal(saved.encoder.positions.squeeze(), sincos(Grid(2, 10), 32))


def test_a_training_changes_the_weights_and_lowers_the_loss(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    job = a_job(tmp_path, (8, 8), (4, 4), epochs=60)
    arrays = arrays_of(job)
    torch.manual_seed(job.seed)
    before = network(job, arrays)
    train(job)
    from transformers import ViTMAEForPreTraining

    after = ViTMAEForPreTraining.from_pretrained(job.out)
    pictures = Batches(job, arrays).read(np.arange(20))
    noise = torch.rand(20, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert after(pictures, noise=noise).loss < 0.98 * before(pictures, noise=noise).loss


@pytest.mark.parametrize("normalised", [False, True])
def test_the_parts_of_the_class_have_its_loss(tmp_path: Path, *, normalised: bool) -> None:
    pytest.importorskip("transformers")
    job = a_job(tmp_path, (8, 8), (4, 4), config={**CONFIG, "norm_pix_loss": normalised})
    model, pictures = network(job, arrays_of(job)), torch.randn(3, 1, 8, 8)
    torch.manual_seed(5)
    expected = model(pictures).loss
    torch.manual_seed(5)
    assert torch.allclose(loss_of_parts(model, pictures), expected)


def test_only_matrices_decay(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    job = a_job(tmp_path, (8, 8), (4, 4))
    decayed, kept = optimizer(network(job, arrays_of(job)), 1e-3).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.05, 0.0)
    assert all(each.ndim > 1 for each in decayed["params"])
    assert sum(each.ndim > 1 for each in kept["params"]) == 2  # the class token and the mask token
    assert decayed["betas"] == (0.9, 0.95)


def test_an_epoch_has_each_picture_once_in_full_batches(tmp_path: Path) -> None:
    job = a_job(tmp_path, (8, 8), (4, 4))
    rows = Batches(job, arrays_of(job)).epoch()
    assert [len(each) for each in rows] == [8, 8]
    assert len(set(np.concatenate(rows).tolist())) == 16


def test_a_short_recording_is_filled_up_with_the_mean(tmp_path: Path) -> None:
    job = a_job(tmp_path, (4, 8), (4, 4), scale=1.0)
    sizes = np.array([[4, 5], [4, 30]])
    spectrogram = np.random.default_rng(0).normal(size=4 * 35).astype(np.float32)
    arrays = {**arrays_of(job), "values": spectrogram, "sizes": sizes}
    short, long = Batches(job, arrays).read(np.array([0, 1]))
    expected = (torch.from_numpy(spectrogram[:20]).reshape(4, 5) - 0.5) / 0.25
    assert torch.allclose(short[0, :, :5], expected, atol=1e-6)
    assert not short[0, :, 5:].any()  # the mean is 0 after normalisation
    whole = (torch.from_numpy(spectrogram[20:]).reshape(4, 30) - 0.5) / 0.25
    assert any(torch.allclose(long[0], whole[:, at : at + 8], atol=1e-6) for at in range(23))


def test_crops_of_a_flat_picture_are_flat_and_have_the_size_of_the_input(tmp_path: Path) -> None:
    job = a_job(tmp_path, (8, 8), (4, 4), crop_min_scale=0.2, flip=True)
    values = np.concatenate([np.full(30 * 20, 255, np.uint8), np.zeros(9 * 40, np.uint8)])
    arrays = {**arrays_of(job), "values": values, "sizes": np.array([[30, 20], [9, 40]])}
    white, black = Batches(job, arrays).read(np.array([0, 1]))
    assert torch.equal(white, torch.full((1, 8, 8), 2.0))
    assert torch.equal(black, torch.full((1, 8, 8), -2.0))
