from dataclasses import replace

import pytest
import torch
from torch import nn

from kakera.errors import OptionError
from kakera.model.attention import CrossBlock
from kakera.model.classifier import Classifier as VitClassifier
from kakera.model.configs import SIZES, ResNetConfig
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT as VitEncoder
from kakera.training.parameters import linear_layers, parameter_groups


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Linear(4, 8)
        self.positions = nn.Parameter(torch.zeros(5, 8))
        self.class_token = nn.Parameter(torch.zeros(1, 8))
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.norm = nn.LayerNorm(8)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Linear(8, 3)


def scales(model: nn.Module, layer_decay: float) -> dict[str, float]:
    found = parameter_groups(model, weight_decay=0.1, lr=1.0, layer_decay=layer_decay)
    return {name: group["lr_scale"] for group in found for name in group["names"]}


def test_each_layer_learns_slower_than_the_one_above() -> None:
    assert scales(Classifier(), 0.5) == {
        "encoder.patches.weight": 0.125,
        "encoder.patches.bias": 0.125,
        "encoder.positions": 0.125,
        "encoder.class_token": 0.125,
        "encoder.layers.0.weight": 0.25,
        "encoder.layers.0.bias": 0.25,
        "encoder.layers.1.weight": 0.5,
        "encoder.layers.1.bias": 0.5,
        "encoder.norm.weight": 1.0,
        "encoder.norm.bias": 1.0,
        "head.weight": 1.0,
        "head.bias": 1.0,
    }


def test_all_parts_before_the_first_layer_belong_to_the_patch_embedding() -> None:
    shape = replace(
        SIZES["nano"], norm_pre=True, registers=1, convolution=(4, 4), relative=(8, 16), patch_width=8
    )
    found = scales(VitClassifier(shape, 2, channels=1, image_size=28), 0.5)
    assert {name for name, scale in found.items() if scale == 0.5**4} == {
        name for name in found if not name.startswith(("encoder.layers.", "encoder.norm.", "head."))
    }


def test_the_rate_of_a_group_is_the_rate_times_its_scale() -> None:
    for group in parameter_groups(Classifier(), weight_decay=0.1, lr=0.3, layer_decay=0.75):
        assert group["lr"] == pytest.approx(0.3 * group["lr_scale"])


def test_only_matrices_decay() -> None:
    found = parameter_groups(Classifier(), weight_decay=0.1, lr=1.0)
    decaying = {name for group in found for name in group["names"] if group["weight_decay"] == 0.1}
    assert decaying == {
        "encoder.patches.weight",
        "encoder.positions",
        "encoder.class_token",
        "encoder.layers.0.weight",
        "encoder.layers.1.weight",
        "head.weight",
    }


def test_every_other_group_has_no_decay_at_all() -> None:
    assert {g["weight_decay"] for g in parameter_groups(Classifier(), weight_decay=0.1, lr=1.0)} == {0.0, 0.1}


def test_the_blocks_of_a_resnet_count_as_layers() -> None:
    model = ResNet(ResNetConfig((1, 1), (2, 4), bottleneck=False, stem="small"), channels=1, classes=2)
    found = scales(model, 0.5)
    assert found["stem.conv.weight"] == 0.125
    assert found["layers.0.branch.conv1.weight"] == 0.25
    assert found["layers.1.shortcut.norm.bias"] == 0.5
    assert found["head.weight"] == 1.0


def test_the_layers_of_a_vision_transformer_are_found_by_their_names() -> None:
    found = scales(VitClassifier(VitEncoder(SIZES["nano"], channels=1, image_size=(8, 8)), 2), 0.5)
    by_scale = {
        scale: {name.split(".")[1] for name, s in found.items() if s == scale} for scale in found.values()
    }
    assert by_scale == {
        0.0625: {"patches", "class_token"},
        **{scale: {"layers"} for scale in (0.125, 0.25, 0.5)},
        1.0: {"norm", "weight", "bias"},
    }


def test_frozen_parameters_are_left_out_without_changing_the_scale_of_the_others() -> None:
    model = Classifier()
    model.encoder.layers[1].requires_grad_(False)
    model.encoder.positions.requires_grad_(False)
    found = scales(model, 0.5)
    assert "encoder.positions" not in found
    assert "encoder.layers.1.weight" not in found
    assert found["encoder.layers.0.weight"] == 0.25


def test_every_trained_parameter_is_in_exactly_one_group() -> None:
    model = Classifier()
    listed = [
        id(p) for g in parameter_groups(model, weight_decay=0.1, lr=1.0, layer_decay=0.9) for p in g["params"]
    ]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())


def test_adamw_takes_the_groups() -> None:
    optimiser = torch.optim.AdamW(parameter_groups(Classifier(), weight_decay=0.1, lr=0.2, layer_decay=0.5))
    assert {group["lr"] for group in optimiser.param_groups} == {0.2, 0.1, 0.05, 0.025}


@pytest.mark.parametrize("decay", [0.0, -1.0, 1.5])
def test_a_layer_decay_outside_zero_to_one_is_refused(decay: float) -> None:
    with pytest.raises(OptionError, match="layer decay"):
        parameter_groups(Classifier(), weight_decay=0.1, lr=1.0, layer_decay=decay)


def test_the_linear_maps_of_a_transformers_layers_are_counted() -> None:
    model = VitClassifier(VitEncoder(SIZES["nano"], channels=1, image_size=(8, 8)), 2)
    found = {
        name: g["maps"] for g in parameter_groups(model, weight_decay=0.1, lr=1.0) for name in g["names"]
    }
    first = {name.split(".", 3)[3]: maps for name, maps in found.items() if ".layers.0." in name and maps}
    assert first == {
        "attention.qkv.weight": 3,
        "attention.out.weight": 1,
        "mlp.up.weight": 1,
        "mlp.down.weight": 1,
    }
    assert {name.split(".")[1] for name, maps in found.items() if maps} == {"layers"}
    cross = CrossBlock(8, 2)
    assert {n: linear_layers(f"decoder.layers.0.{n}", p) for n, p in cross.attention.named_parameters()} == {
        **{"q.weight": 1, "kv.weight": 2, "out.weight": 1},
        **{"q.bias": 0, "kv.bias": 0, "out.bias": 0},
    }


def test_a_convolution_is_no_linear_map() -> None:
    model = ResNet(ResNetConfig((1, 1), (2, 4), bottleneck=False, stem="small"), channels=1, classes=2)
    assert {group["maps"] for group in parameter_groups(model, weight_decay=0.1, lr=1.0)} == {0}
