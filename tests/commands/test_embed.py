from pathlib import Path

import numpy as np
import pytest
import torch

from kakera.commands.embed import embed
from kakera.commands.predict import predict_windows
from kakera.errors import OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Pooling, pool_tokens
from kakera.model.configs import resnet_config, vit_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec
from tests.formats.test_inference import INPUTS, classifier
from tests.formats.test_preparation import classifier as with_inputs
from tests.small import folder
from tests.training.songs import tone


def test_a_classifier_gives_what_its_head_sees(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=3)
    for pool in ("mean", "class"):
        saved = classifier(pool)
        assert isinstance(saved.model, Classifier)
        found = embed(saved, root)
        with torch.inference_mode():
            expected = saved.model.features(saved.prepare(root)).numpy()
        np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
        assert found.names == tuple(str(root / n / f"{i}.png") for n in ("bag", "boot") for i in range(3))


@pytest.mark.parametrize("pool", ["class", "mean", "class and mean"])
def test_autoencoders_and_encoders_of_a_folder_are_pooled_as_asked(pool: Pooling, tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=2)
    saved = classifier()
    mae = Pretrained(MAE(saved.encoder, vit_config("nano").decoder), INPUTS)
    save_model(tmp_path / "mae", mae)
    found = embed(tmp_path / "mae", str(root), pool=pool)
    with torch.inference_mode():
        expected = pool_tokens(saved.encoder, saved.encoder.tokens(saved.prepare(root)), pool).numpy()
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    np.testing.assert_array_equal(
        embed(Pretrained(saved.encoder, INPUTS), root, pool=pool).vectors, found.vectors
    )


def test_without_a_pool_an_encoder_gives_its_class_token(tmp_path: Path) -> None:
    saved = Pretrained(classifier().encoder, INPUTS)
    root = folder(tmp_path / "d", count=2)
    np.testing.assert_array_equal(embed(saved, root).vectors, embed(saved, root, pool="class").vectors)


def test_a_recording_is_the_mean_over_its_windows() -> None:
    spec = SoundSpec(rate=8000, bins=32)
    saved = with_inputs(InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec))
    long = tone(500, 1.5)
    windows = [round(8000 * start) for p in predict_windows(saved, (long, 8000)) for start in [p.window[0]]]
    samples = spec.samples(40)
    parts = embed(saved, [(long[start : start + samples], 8000) for start in windows]).vectors
    assert len(parts) > 2
    np.testing.assert_allclose(embed(saved, (long, 8000)).vectors[0], parts.mean(axis=0), atol=1e-5)


def test_what_cannot_be_read_has_no_vector_and_is_named() -> None:
    found = embed(classifier(), [b"no picture", np.zeros((28, 28), np.uint8)])
    assert found.names == ("picture[1]",)
    assert found.vectors.shape == (1, vit_config("nano").width)
    assert [error.path for error in found.unreadable] == ["picture[0]"]


def test_what_has_no_tokens_is_refused() -> None:
    cnn = ResNet(resnet_config("resnet-nano"), channels=1, classes=10)
    with pytest.raises(RunError, match="got a CNN, expected a Vision Transformer"):
        embed(Pretrained(cnn, INPUTS), np.zeros((28, 28), np.uint8))
    with pytest.raises(OptionError, match="layer: got 9"):
        embed(Pretrained(ViT(vit_config("nano"), channels=1, image_size=(28, 28)), INPUTS), [], layer=9)
