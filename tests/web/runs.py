"""Small runs to look into, and a client that speaks to the explorer as its own page does."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from fastapi.testclient import TestClient
from PIL import Image

from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import resnet_config, vit_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.web.app import build

SIDE = 28
CLASSES = tuple(f"class {number}" for number in range(10))
INPUTS = InputSpec(1, SIDE, SIDE, (0.3,), (0.35,))


def autoencoder(seed: int = 0, *, normalised: bool = False) -> Pretrained:
    """Untrained, 49 patches, three layers of two heads."""
    shape = vit_config("nano")
    encoder = ViT(shape, channels=1, image_size=(SIDE, SIDE))
    model = MAE(encoder, shape.decoder, norm_pix_loss=normalised)
    model.reset_parameters(torch.Generator().manual_seed(seed))
    return Pretrained(model.eval(), INPUTS)


def classifier(seed: int = 1) -> Pretrained:
    """Untrained, with a head that says something."""
    encoder = autoencoder(seed).encoder
    model = Classifier(encoder, len(CLASSES))
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(seed))
    torch.nn.init.zeros_(model.head.bias)
    return Pretrained(model.eval(), INPUTS, CLASSES)


def cnn() -> Pretrained:
    """An untrained ResNet."""
    model = ResNet(resnet_config("resnet-nano"), channels=1, classes=len(CLASSES))
    model.reset_parameters(torch.Generator().manual_seed(0))
    return replace(classifier(), model=model.eval())


def three_runs(folder: Path) -> list[Path]:
    """mae, classifier and cnn."""
    for name, saved in {"mae": autoencoder(), "classifier": classifier(), "cnn": cnn()}.items():
        save_model(folder / name, saved)
    return [folder / name for name in ("mae", "classifier", "cnn")]


def client(runs: list[Path], pictures: str = "") -> TestClient:
    """Errors of the server come back as status 500, as they would to a browser."""
    return TestClient(
        build(runs, pictures=pictures), base_url="http://127.0.0.1", raise_server_exceptions=False
    )


def png(values: np.ndarray) -> bytes:
    """A PNG of values (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()
