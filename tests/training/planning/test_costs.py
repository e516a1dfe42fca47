"""Formulas of costs, beside what PyTorch counts."""

from typing import Literal

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
from kakera.training.freezing import frozen
from kakera.training.frozen_tokens import tokens_after
from kakera.training.lora import with_lora
from kakera.training.options import FinetuneOptions
from kakera.training.planning.costs import classifier_cost, lora_parameters, mae_cost, resnet_cost


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


@pytest.mark.parametrize("targets", ["attention", "all"])
def test_low_rank_updates_cost_what_is_counted(targets: Literal["attention", "all"]) -> None:
    shape = vit_config("tiny").with_patch((16, 16))
    model = Classifier(ViT(shape, channels=3, image_size=(64, 64)), 10, "mean")
    options = FinetuneOptions("", lora_rank=8, lora_targets=targets)
    cost = classifier_cost(shape, (64, 64), 3, 10).with_lora(
        lora_parameters(shape, 8, mlp=targets == "all"), 10 * (shape.width + 1)
    )
    with with_lora(model, options):
        assert cost.flops == pytest.approx(counted(model, torch.zeros(1, 3, 64, 64)), rel=0.1)
        assert cost.changed == sum(each.numel() for each in model.parameters() if each.requires_grad)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(1, 3, 64, 64))
        assert cost.flops * cost.forward == pytest.approx(counter.get_total_flops(), rel=0.1)


@pytest.mark.parametrize("layers", [1, 3])
def test_frozen_layers_cost_what_is_counted(layers: int) -> None:
    shape = vit_config("micro").with_patch((8, 8))
    model, pixels = Classifier(ViT(shape, channels=3, image_size=(64, 64)), 10), torch.zeros(1, 3, 64, 64)
    whole = classifier_cost(shape, (64, 64), 3, 10)
    once = whole.with_frozen(layers / 4, computed_once=True)
    with frozen(model, layers):
        assert whole.with_frozen(layers / 4).flops == pytest.approx(counted(model, pixels), rel=0.1)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            tokens = tokens_after(model, pixels, layers)
        assert once.once == pytest.approx(counter.get_total_flops(), rel=0.1)
        above = counted(model.encoder.layers[layers:][0], tokens) * (4 - layers)
        assert once.flops == pytest.approx(above, rel=0.1)


@pytest.mark.parametrize("name", ["resnet-micro", "resnet-18", "resnet-50"])
def test_a_cnn_costs_about_what_is_counted(name: str) -> None:
    model = ResNet(RESNETS[name], channels=3, classes=10)
    cost = resnet_cost(resnet_config(name), (64, 64), 3, 10)
    assert cost.flops == pytest.approx(counted(model, torch.zeros(2, 3, 64, 64)) / 2, rel=0.35)
    assert cost.parameters == pytest.approx(count_parameters(model), rel=0.25)
