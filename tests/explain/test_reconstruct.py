import numpy as np
import pytest
import torch

from kakera.errors import RunError
from kakera.explain import masks
from kakera.explain.reconstruct import (
    describe_kind,
    legend,
    reconstruct,
    reconstructions,
)
from kakera.formats.bundle import Pretrained, require_mae
from kakera.inputs import InputSpec
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.model.models import DECODER, SHAPE, hidden_in, seeded

PATCH, SIZE = SHAPE.patch, (8, 15)  # 4 × 5 patches of 2 × 3


def autoencoder(channels: int = 3, *, norm_pix_loss: bool = False) -> MAE:
    encoder = ViT(SHAPE.with_patch(PATCH), channels=channels, image_size=SIZE)
    model = MAE(encoder, DECODER, norm_pix_loss=norm_pix_loss)
    model.reset_parameters(seeded(0))
    return model.eval()


def inputs(channels: int, scale: float = 255.0) -> InputSpec:
    return InputSpec(channels, *SIZE, (0.4,) * channels, (0.2,) * channels, scale=scale)


def stored(channels: int, count: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (count, channels, *SIZE), generator=seeded(1), dtype=torch.uint8)


def pixels(hidden: torch.Tensor) -> np.ndarray:
    """Which pixels (b, H, W) the hidden patches cover."""
    grid = hidden.reshape(-1, 4, 5).numpy()
    return grid.repeat(PATCH[0], axis=1).repeat(PATCH[1], axis=2)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_visible_patches_are_shown_as_they_are_and_hidden_ones_grey(channels: int, normalised: bool) -> None:
    model, pictures = autoencoder(channels, norm_pix_loss=normalised), stored(channels)
    hidden = hidden_in(model.encoder.grid, 4)
    found = reconstructions(model, inputs(channels), pictures, hidden)
    assert found.shape == (4, 3, *SIZE, channels)
    assert found.dtype == np.uint8
    original, masked, predicted = found.transpose(1, 0, 2, 3, 4)
    under = pixels(hidden)
    assert np.array_equal(original, pictures.permute(0, 2, 3, 1))
    assert set(masked[under].ravel()) <= {127, 128}
    assert np.array_equal(masked[~under], original[~under])
    assert np.array_equal(predicted[~under], original[~under])
    assert not np.array_equal(predicted[under], original[under])


def test_the_baseline_predicts_the_mean_of_the_visible_patches() -> None:
    model, picture = autoencoder(3), stored(3)[0]
    hidden = hidden_in(model.encoder.grid, 2).numpy()
    found = reconstruct(model, inputs(3), picture, hidden).baseline_errors()
    cells = torch.nn.functional.unfold(picture[None] / 255, PATCH, stride=PATCH)[0].T.numpy()  # (20, 18)
    for error, mask in zip(found, hidden, strict=True):
        mean = sum(cells[~mask]) / (~mask).sum()
        assert error == pytest.approx(np.mean([np.abs(cell - mean).mean() for cell in cells[mask]]), rel=1e-5)


def test_what_is_predicted_is_what_the_model_reconstructs_in_bytes() -> None:
    model, pictures, spec = autoencoder(), stored(3), inputs(3)
    hidden = hidden_in(model.encoder.grid, 4)
    guess = model.reconstruct((pictures / 255 - 0.4) / 0.2, hidden) * 0.2 + 0.4
    wanted = (guess * 255).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    assert np.abs(reconstructions(model, spec, pictures, hidden)[:, 2] - wanted).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_guesses_beyond_the_range_are_black_or_white_and_do_not_wrap(value: float) -> None:
    model = autoencoder()
    model.decoder.predict.bias.data.fill_(value)
    hidden = hidden_in(model.encoder.grid, 4)
    predicted = reconstructions(model, inputs(3), stored(3), hidden)[:, 2]
    assert set(predicted[pixels(hidden)].ravel()) == {0 if value < 0 else 255}


def test_a_model_of_normalised_pixels_borrows_mean_and_contrast() -> None:
    model = autoencoder(1, norm_pix_loss=True)
    for parameter in model.decoder.predict.parameters():
        parameter.data.zero_()
    pictures, hidden = stored(1), hidden_in(model.encoder.grid, 4)
    predicted = reconstructions(model, inputs(1), pictures, hidden)[:, 2, ..., 0]
    patches = pictures[:, 0].double().numpy().reshape(4, 4, 2, 5, 3)
    means = np.broadcast_to(patches.mean(axis=(2, 4), keepdims=True), patches.shape).reshape(4, *SIZE)
    under = pixels(hidden)
    assert np.abs(predicted[under] - means[under]).max() <= 0.5 + 1e-3
    contrast = autoencoder(1, norm_pix_loss=True)
    contrast.decoder.predict.weight.data.zero_()
    contrast.decoder.predict.bias.data.fill_(0.5)
    deviations = np.broadcast_to(patches.std(axis=(2, 4), ddof=1, keepdims=True), patches.shape)
    wanted = np.clip(means + 0.5 * deviations.reshape(4, *SIZE), 0, 255)
    predicted = reconstructions(contrast, inputs(1), pictures, hidden)[:, 2, ..., 0]
    assert np.abs(predicted[under] - wanted[under]).max() <= 0.5 + 1e-2


def test_values_of_another_scale_are_shown_the_same() -> None:
    model, pictures = autoencoder(), stored(3)
    hidden = hidden_in(model.encoder.grid, 4)
    bytes_, shares = (
        reconstructions(model, inputs(3, scale), values, hidden)
        for scale, values in ((255.0, pictures), (1.0, pictures / 255))
    )
    assert np.array_equal(bytes_[:, 0], shares[:, 0])
    assert np.abs(bytes_.astype(int) - shares).max() <= 1


def test_the_legend_names_what_is_borrowed_and_only_then() -> None:
    plain, borrowing = (legend(autoencoder(norm_pix_loss=normalised)) for normalised in (False, True))
    assert plain == "original, visible patches, prediction"
    assert borrowing.startswith(plain)
    assert "copied from the original" in borrowing


def test_one_picture_under_several_masks_is_what_a_batch_of_it_gives() -> None:
    model, picture = autoencoder(), stored(3, 1)[0]
    hidden = masks.random_masks(model.encoder.grid, 0.6, count=4)
    found = reconstruct(model, inputs(3), picture, hidden)
    batch = reconstructions(model, inputs(3), picture.expand(4, -1, -1, -1), torch.from_numpy(hidden))
    assert np.array_equal(found.original, picture.permute(1, 2, 0))
    assert np.array_equal(found.masked, batch[:, 1])
    assert np.array_equal(found.prediction, batch[:, 2])
    assert np.array_equal(found.hidden.reshape(4, 20), hidden)
    assert len({row.tobytes() for row in found.prediction}) == 4


def test_the_error_is_the_distance_to_the_original_before_clipping() -> None:
    model, picture = autoencoder(), stored(3, 1)[0]
    hidden = masks.random_masks(model.encoder.grid, 0.6, count=4)
    found = reconstruct(model, inputs(3), picture, hidden)
    batch = (picture / 255 - 0.4).expand(4, -1, -1, -1) / 0.2
    guess = model.reconstruct(batch, torch.from_numpy(hidden)) * 0.2 + 0.4
    wanted = (guess - picture / 255).abs().mean(dim=1).numpy()
    under = pixels(torch.from_numpy(hidden))
    assert found.error.shape == (4, *SIZE)
    assert np.abs(found.error - wanted).max() < 1e-6
    assert np.abs(found.error[~under]).max() < 1e-6
    assert found.mean_errors() == pytest.approx([e[u].mean() for e, u in zip(wanted, under, strict=True)])


def test_hidden_patches_say_nothing_of_themselves() -> None:
    """But for a borrowed mean and contrast: shuffled within a hidden patch, the values change nothing."""
    for normalised in (False, True):
        model, picture = autoencoder(1, norm_pix_loss=normalised), stored(1, 1)[0]
        hidden = masks.mask_of_patches(model.encoder.grid, [7, 8])
        other = picture.clone()
        other[:, 2:4, 3:9] = picture[:, 2:4, 3:9].flip(1) if normalised else 255 - picture[:, 2:4, 3:9]
        one, two = (reconstruct(model, inputs(1), p, hidden) for p in (picture, other))
        assert np.array_equal(one.prediction, two.prediction)
        assert one.borrowed == normalised


def test_a_checkpoint_says_of_which_kind_it_is() -> None:
    assert describe_kind(autoencoder()).startswith("masked autoencoder of raw pixels")
    assert describe_kind(autoencoder(norm_pix_loss=True)).startswith(
        "masked autoencoder of normalised pixels"
    )
    assert "copied from the original" in describe_kind(autoencoder(norm_pix_loss=True))
    assert describe_kind(autoencoder().encoder).startswith("encoder only")


def test_an_encoder_only_is_refused_in_one_line() -> None:
    saved = Pretrained(autoencoder(), inputs(3))
    assert require_mae(saved) is saved
    with pytest.raises(RunError, match="got an encoder only, expected a masked autoencoder; name the pretr"):
        require_mae(Pretrained(saved.encoder, inputs(3)))
