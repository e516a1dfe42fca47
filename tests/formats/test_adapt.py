"""Other sizes, channels and classes: what the other libraries give for them, or a formula."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError
from kakera.formats.adapt import adapt
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.foreign import ast_inputs
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import DecoderConfig, ViTConfig, resnet_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import SMALL, VIT_MAE, drawn, far, pictures, saved

SHAPE = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4))
INPUTS = InputSpec(3, 12, 12, (0.1, 0.2, 0.6), (0.3, 0.4, 0.5))


def encoder(channels: int = 3) -> ViT:
    return ViT(SHAPE, channels=channels, image_size=(12, 12))


def autoencoder(*, hog_target: bool = False) -> Pretrained:
    return Pretrained(MAE(encoder(), SHAPE.decoder, norm_pix_loss=False, hog_target=hog_target), INPUTS)


@pytest.mark.parametrize("size", [384, (448, 224)], ids=["224 to 384", "square to 2 to 1"])
def test_a_vit_of_another_size_gives_what_transformers_gives_for_it(size: Any, tmp_path: Path) -> None:
    options = {**SMALL, "image_size": 224, "patch_size": 16}
    theirs = drawn(hf.ViTModel(hf.ViTConfig(**options)))
    ours = load(saved(theirs, tmp_path), image_size=size)
    x = pictures(1, 2, ours.inputs.size)
    with torch.inference_mode():
        expected = theirs(x, interpolate_pos_encoding=True).last_hidden_state
        assert far(expected, ours.model(x)) < 1e-5
    assert ours.inputs.size == (size if isinstance(size, tuple) else (size, size))


def test_the_encoder_of_an_autoencoder_is_resized_as_transformers_does(tmp_path: Path) -> None:
    theirs = drawn(hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**VIT_MAE, mask_ratio=0.0)))
    ours = load(saved(theirs, tmp_path), image_size=(24, 12))
    x, order = pictures(2, 2, (24, 12)), torch.arange(32.0).expand(2, 32)
    with torch.inference_mode():
        expected = theirs.vit(x, noise=order, interpolate_pos_encoding=True).last_hidden_state
        assert far(expected, ours.encoder(x)) < 1e-5


def test_the_positions_of_a_decoder_are_resized_in_two_dimensions() -> None:
    ours = autoencoder()
    model = ours.model
    assert isinstance(model, MAE)
    model.decoder.positions.data = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
    before = model.decoder.positions.detach().clone()
    model = require_mae(adapt(ours, size=(24, 12))).model
    field = before[1:].T.reshape(1, 16, 3, 3)
    expected = functional.interpolate(field, size=(6, 3), mode="bicubic", align_corners=False)
    assert torch.equal(model.decoder.positions[:1], before[:1])
    assert far(model.decoder.positions[1:].detach(), expected.reshape(16, 18).T) < 1e-6
    hidden = torch.arange(18).expand(2, 18) % 2 == 0
    assert model.predict(torch.zeros(2, 3, 24, 12), hidden).shape == (2, 9, 48)


def test_asts_positions_are_cut_where_recordings_get_shorter() -> None:
    inputs = ast_inputs.spectrograms(96, -4.0, 4.0, 48)
    shape = ViTConfig(4, 1, 1, (16, 16), SHAPE.decoder, registers=1)
    ours = Pretrained(ViT(shape, channels=1, image_size=inputs.size), inputs, resampling="cut")
    ours.encoder.positions.data = torch.arange(19.0).unsqueeze(1).expand(-1, 4).clone()
    rows = adapt(ours, size=(48, 64)).encoder.positions[1:, 0].reshape(3, 4)
    assert rows.tolist() == [[2, 3, 4, 5], [8, 9, 10, 11], [14, 15, 16, 17]]


def grey(channels: int) -> Tensor:
    """Stored values alike in all channels."""
    values = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(2)) * 255
    return values.expand(-1, channels, -1, -1)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_picture_alike_in_all_channels_gives_the_same_tokens_with_any_number_of_them(channels: int) -> None:
    ours = Pretrained(drawn(encoder()).double(), INPUTS)
    with torch.inference_mode():
        before = ours.encoder(INPUTS.normalize(grey(3).double()))
        after = adapt(ours, channels=channels)
        assert after.inputs.channels == channels
        assert far(before, after.encoder(after.inputs.normalize(grey(channels).double()))) < 1e-10
    assert any("3 channels" in note for note in after.notes)


def test_from_grey_to_colour_a_picture_gives_the_tokens_of_its_brightness() -> None:
    saved = Pretrained(drawn(encoder(1)), InputSpec(1, 12, 12, (0.3,), (0.4,)))
    colour = torch.randint(0, 256, (2, 3, 12, 12), generator=torch.Generator().manual_seed(0)).float()
    grey = (0.299 * colour[:, 0] + 0.587 * colour[:, 1] + 0.114 * colour[:, 2]).unsqueeze(1)
    with torch.inference_mode():
        expected = saved.model(saved.inputs.normalize(grey))
        found = adapt(saved, channels=3)
        assert far(expected, found.model(found.inputs.normalize(colour))) < 1e-5
    assert "brightness" in found.notes[-1]


def test_with_one_deviation_for_all_the_weights_are_summed_as_timm_sums_them() -> None:
    inputs = InputSpec(3, 12, 12, (0.5,) * 3, (0.5,) * 3)
    ours = Pretrained(drawn(encoder()), inputs)
    before = ours.encoder.patches.project.weight.detach().reshape(24, 4, 4, 3)
    after = adapt(ours, channels=1)
    assert far(after.encoder.patches.project.weight.detach(), before.sum(dim=3).reshape(24, 16)) < 1e-6
    assert (
        "weights of 3 channels summed into 1 channel"
        in adapt(Pretrained(encoder(), inputs), channels=1).notes
    )


def test_a_decoder_predicts_each_new_channel_as_the_mean_of_the_old_ones() -> None:
    ours = autoencoder()
    drawn(ours.model)
    hidden = torch.arange(9).expand(2, 9) % 2 == 0
    x = INPUTS.normalize(grey(3))
    model = ours.model
    assert isinstance(model, MAE)
    with torch.inference_mode():
        before = model.predict(x, hidden).reshape(2, 5, 16, 3).mean(dim=3)
        after = require_mae(adapt(ours, channels=1))
        model = after.model
        assert far(before, model.predict(after.inputs.normalize(grey(1)), hidden)) < 1e-4
        assert model.reconstruct(after.inputs.normalize(grey(1)), hidden).shape == (2, 1, 12, 12)


@pytest.mark.parametrize("classes", [4, ("a", "b", "c", "d")])
@pytest.mark.parametrize("kind", ["encoder", "classifier", "autoencoder", "cnn"])
def test_new_classes_get_a_new_head_on_the_same_encoder(kind: str, classes: Any, tmp_path: Path) -> None:
    cnn = ResNet(resnet_config("resnet-nano"), channels=3, classes=2)
    models = {
        "encoder": Pretrained(encoder(), INPUTS),
        "classifier": Pretrained(
            Classifier(encoder(), 2, "class and mean"), INPUTS, ("x", "y"), multi_label=True
        ),
        "autoencoder": autoencoder(),
        "cnn": Pretrained(cnn, INPUTS, ("x", "y")),
    }
    save_model(tmp_path, models[kind])
    found = load(tmp_path, classes=classes)
    assert len(found.classes) == 4
    assert not found.multi_label
    assert isinstance(found.model, Classifier | ResNet)
    with torch.inference_mode():
        scores = found.model(torch.randn(2, 3, 12, 12))
    assert scores.shape == (2, 4)
    assert scores.abs().max() < 0.01
    if kind != "cnn":
        before, after = load(tmp_path).encoder.state_dict(), found.encoder.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_all_at_once_on_load(tmp_path: Path) -> None:
    save_model(tmp_path, autoencoder())
    found = load(tmp_path, image_size=(8, 16), channels=1, classes=3)
    with torch.inference_mode():
        assert found.model(torch.zeros(2, 1, 8, 16)).shape == (2, 3)
    assert len(found.notes) == 3


@pytest.mark.parametrize(
    ("make", "options", "said"),
    [
        (autoencoder, {"size": 13}, "divides the picture"),
        (autoencoder, {"channels": 0}, "1 or more"),
        (lambda: autoencoder(hog_target=True), {"channels": 1}, "gradients"),
        (autoencoder, {"classes": 1}, "two or more"),
    ],
    ids=["size", "channels", "gradients", "classes"],
)
def test_what_cannot_be_is_refused_in_one_line(make: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        adapt(make(), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"size": (24, 12)}, {"channels": 1}, {"classes": 3}], ids=str)
def test_what_is_adapted_stays_as_it_was(options: dict[str, Any]) -> None:
    ours = autoencoder()
    before = {name: tensor.clone() for name, tensor in ours.model.state_dict().items()}
    found = adapt(ours, **options)
    with torch.no_grad():
        for parameter in found.model.parameters():
            parameter.zero_()
    after = ours.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (ours.inputs, ours.classes, ours.notes) == (INPUTS, (), ())


def test_recordings_have_one_channel() -> None:
    inputs = ast_inputs.spectrograms(64, -4.0, 4.0, 32)
    shape = ViTConfig(24, 1, 3, (16, 16), SHAPE.decoder)
    ours = Pretrained(ViT(shape, channels=1, image_size=inputs.size), inputs)
    with pytest.raises(OptionError, match="a model of recordings"):
        adapt(ours, channels=3)
    with pytest.raises(OptionError, match="mel bands"):
        adapt(ours, size=(48, 64))
