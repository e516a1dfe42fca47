"""The global head against scikit-learn's principal components, and against the losses written out."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from kakera.grid import Grid
from kakera.model.global_head import MOST_CELLS, WHITENING, GlobalHead
from kakera.model.mae import GLOBAL_WEIGHT, MAE
from kakera.model.token_index import MaskIndex, TokenIndex

PICTURES = torch.rand(60, 1, 12, 8, generator=torch.Generator().manual_seed(0))


def autoencoder(components: int = 5, *, hog_target: bool = True) -> MAE:
    model = MAE(
        "nano", channels=1, image_size=(12, 8), hog_target=hog_target, global_target=components, seed=0
    )
    assert model.global_head is not None
    model.global_head.fit(model.global_head.features(model.gradients(PICTURES)))
    return model


def head_of(model: MAE) -> GlobalHead:
    assert model.global_head is not None
    return model.global_head


@pytest.mark.parametrize("count", [60, 20], ids=["more pictures than values", "fewer"])
def test_components_are_those_of_scikit_learn_partly_whitened(count: int) -> None:
    gradients = torch.rand(count, 6, 9, generator=torch.Generator().manual_seed(1)).double()
    head = GlobalHead(4, 5, Grid(3, 2), values=9, seed=0).double()
    flat = gradients.flatten(1)
    head.fit(flat)
    pca = PCA(5, svd_solver="full").fit(flat.numpy())
    plain = pca.transform(flat.numpy()) / (pca.explained_variance_ * (count - 1) / count) ** WHITENING
    expected = plain / np.sqrt((plain**2).mean())
    found = head.target(gradients).numpy()
    signs = np.sign((expected * found).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-6)


def test_targets_have_a_mean_square_of_one_over_the_fitted_pictures() -> None:
    model = autoencoder()
    target = head_of(model).target(model.gradients(PICTURES))
    assert target.square().mean().item() == pytest.approx(1.0, abs=1e-4)
    assert target.mean(dim=0).abs().max() < 1e-4


def test_fewer_pictures_than_components_leave_the_other_components_zero() -> None:
    head = GlobalHead(4, 8, Grid(2, 2), values=9, seed=0)
    head.fit(torch.rand(3, 36, generator=torch.Generator().manual_seed(2)))
    assert head.projection[:, :2].any(dim=0).all()
    assert not head.projection[:, 2:].any()


def test_equal_pictures_have_no_component_and_no_nan() -> None:
    head = GlobalHead(4, 3, Grid(2, 2), values=9, seed=0)
    head.fit(torch.ones(5, 36))
    assert not head.projection.any()
    assert torch.isfinite(head.target(torch.ones(2, 4, 9))).all()


def test_a_fine_grid_is_averaged_over_equal_blocks() -> None:
    grid = Grid(2 * MOST_CELLS, 3 * MOST_CELLS)
    gradients = torch.rand(2, grid.count, 9, generator=torch.Generator().manual_seed(3))
    found = GlobalHead(4, 3, grid, values=9, seed=0).features(gradients)
    blocks = gradients.view(2, MOST_CELLS, 2, MOST_CELLS, 3, 9).mean(dim=(2, 4))
    torch.testing.assert_close(found, blocks.flatten(1))


@pytest.mark.parametrize("hog_target", [False, True])
def test_the_loss_is_that_of_the_patches_plus_both_predictions(hog_target: bool) -> None:
    model, batch = autoencoder(hog_target=hog_target), PICTURES[:4]
    index = MaskIndex.random(4, model.encoder.grid, 0.5, torch.Generator().manual_seed(4), batch.device)
    head = head_of(model)
    latent = model.encoder.norm(model.encoder.tokens(batch, index.visible))
    target = head.target(model.gradients(batch))
    of_class, of_mean = head.from_class(latent[:, 0]), head.from_mean(latent[:, 1:].mean(dim=1))
    more = (of_class - target).square().mean() + (of_mean - target).square().mean()
    model.global_head = None
    patches = model(batch, index)
    model.global_head = head
    torch.testing.assert_close(model(batch, index), patches + GLOBAL_WEIGHT * more)


def test_a_decoder_of_some_rows_gives_the_loss_of_these_rows() -> None:
    model, batch = autoencoder(), PICTURES[:6]
    model.global_head = None
    index = MaskIndex.random(6, model.encoder.grid, 0.5, torch.Generator().manual_seed(5), batch.device)
    rows = torch.tensor([1, 4])

    def only(part: TokenIndex) -> TokenIndex:
        return TokenIndex(part.ids[rows])

    alone = model(batch[rows], MaskIndex(only(index.visible), only(index.predicted)))
    torch.testing.assert_close(model(batch, index.decoded(rows)), alone)


def test_a_new_size_drops_the_global_head_since_its_components_belong_to_the_old_one() -> None:
    model = autoencoder()
    model.resize((16, 8))
    assert model.global_head is None
    assert "global_target" not in model.describe()


def gradients_reach(model: MAE) -> list[str]:
    return [name for name, value in model.named_parameters() if value.grad is not None and value.grad.any()]


def test_the_global_head_teaches_class_token_and_mean_but_not_the_decoder() -> None:
    model = autoencoder()
    tokens: Tensor = model.encoder(PICTURES[:2])
    head_of(model)(tokens[:, 0], tokens[:, 1:].mean(dim=1), model.gradients(PICTURES[:2])).backward()
    reached = gradients_reach(model)
    assert "encoder.class_token" in reached
    assert "global_head.from_class.weight" in reached
    assert "global_head.from_mean.weight" in reached
    assert not any(name.startswith("decoder") for name in reached)
