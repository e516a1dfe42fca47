"""Formulas of costs, beside what PyTorch counts."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kakera.formats.native import count_parameters
from kakera.model.classifier import Classifier
from kakera.model.configs import RESNETS, resnet_config, vit_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.training.planning.costs import classifier_cost, mae_cost, resnet_cost


def counted(model: torch.nn.Module, *inputs: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(*inputs).sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(("size", "image", "patch"), [("micro", 64, 8), ("mini", 96, 16), ("tiny", 64, 16)])
def test_a_masked_autoencoder_costs_what_is_counted(size: str, image: int, patch: int) -> None:
    shape = vit_config(size).with_patch((patch, patch))
    encoder = ViT(shape, channels=3, image_size=(image, image))
    model = MAE(encoder, shape.decoder)
    hidden = torch.ones(1, encoder.grid.count, dtype=torch.bool)
    hidden[:, : encoder.grid.count // 4] = False
    cost = mae_cost(shape, (image, image), 3, 0.75)
    assert cost.flops == pytest.approx(counted(model, torch.zeros(1, 3, image, image), hidden), rel=0.1)
    assert cost.parameters == pytest.approx(count_parameters(model), rel=0.05)
    assert cost.tokens == 1 + encoder.grid.count // 4


@pytest.mark.parametrize(("size", "image", "patch"), [("micro", 64, 8), ("tiny", 64, 16)])
def test_a_classifier_costs_what_is_counted(size: str, image: int, patch: int) -> None:
    shape = vit_config(size).with_patch((patch, patch))
    model = Classifier(ViT(shape, channels=3, image_size=(image, image)), 10, "mean")
    cost = classifier_cost(shape, (image, image), 3, 10)
    assert cost.flops == pytest.approx(counted(model, torch.zeros(1, 3, image, image)), rel=0.1)
    assert cost.parameters == pytest.approx(count_parameters(model), rel=0.05)


@pytest.mark.parametrize("name", ["resnet-micro", "resnet-18", "resnet-50"])
def test_a_cnn_costs_about_what_is_counted(name: str) -> None:
    model = ResNet(RESNETS[name], channels=3, classes=10)
    cost = resnet_cost(resnet_config(name), (64, 64), 3, 10)
    assert cost.flops == pytest.approx(counted(model, torch.zeros(2, 3, 64, 64)) / 2, rel=0.35)
    assert cost.parameters == pytest.approx(count_parameters(model), rel=0.25)
