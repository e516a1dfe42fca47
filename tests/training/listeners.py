"""Small untrained models of the recordings in `songs`, for what looks into models."""

from pathlib import Path

import torch

from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model, seeded_generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import resnet_config, vit_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.sound.spec import preset

SPEC = preset("speech,rate=8000,bins=32")
SHAPE = vit_config("nano").with_patch((8, 8))
INPUTS = InputSpec(1, 32, 80, (-6.0,), (4.0,), scale=1.0, axes=("frequency", "time"), sound=SPEC)
WINDOW = SPEC.samples(80) / SPEC.rate  # seconds
CLASSES = ("high", "low")


def autoencoder(seed: int = 0, *, normalised: bool = True) -> Pretrained:
    encoder = ViT(SHAPE, channels=1, image_size=INPUTS.size)
    model = MAE(encoder, SHAPE.decoder, norm_pix_loss=normalised)
    model.reset_parameters(seeded_generator(seed))
    return Pretrained(model.eval(), INPUTS)


def classifier(seed: int = 1) -> Pretrained:
    model = Classifier(autoencoder(seed).encoder, 2)
    torch.nn.init.normal_(model.head.weight, generator=seeded_generator(seed))
    torch.nn.init.zeros_(model.head.bias)
    return Pretrained(model.eval(), INPUTS, CLASSES)


def cnn() -> Pretrained:
    model = ResNet(resnet_config("resnet-nano"), channels=1, classes=2)
    model.reset_parameters(seeded_generator(0))
    torch.nn.init.normal_(model.head.weight, generator=seeded_generator(2))
    return Pretrained(model.eval(), INPUTS, CLASSES)


def three_listeners(folder: Path) -> list[Path]:
    """mae, classifier and cnn."""
    for name, saved in {"mae": autoencoder(), "classifier": classifier(), "cnn": cnn()}.items():
        save_model(folder / name, saved)
    return [folder / name for name in ("mae", "classifier", "cnn")]
