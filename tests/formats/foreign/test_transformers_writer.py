"""Models of ours, loaded strictly by transformers: the same outputs, and the way back bit for bit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import save_file
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.folder import write_folder
from kakera.formats.foreign.transformers_writer import files
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig, resnet_config
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import drawn, far, hidden, pictures, saved

CLASSES = ("ant", "bee", "çicada")
WIDE = (2, 4), (8, 12)
SQUARE = (3, 3), (12, 12)


def encoder(
    patch: tuple[int, int], size: tuple[int, int], kind: BlockConfig | None = None, registers: int = 0
) -> ViT:
    kind = kind or BlockConfig()
    shape = ViTConfig(24, 2, 3, patch, DecoderConfig(16, 2, 2), kind, registers)
    return ViT(shape, channels=2, image_size=size)


def complete(model: Network, classes: tuple[str, ...] = (), *, multi_label: bool = False) -> Pretrained:
    drawn(model)
    size = model.encoder.size if not isinstance(model, ViT) else model.size
    return Pretrained(model, InputSpec(2, *size, (0.1, 0.2), (0.3, 0.4)), classes, multi_label)


def opened(kind: Any, folder: Path, **options: Any) -> Any:
    """By the library, every name used and none made up."""
    model, said = kind.from_pretrained(folder, output_loading_info=True, **options)
    assert not any(said[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), said
    return model.eval()


def difference(theirs: Any, ours: Pretrained, output: str) -> tuple[float, float]:
    x: Tensor = pictures(2, 2, ours.inputs.size)
    with torch.inference_mode():
        single = far(theirs(x)[output], ours.model(x))
        return single, far(theirs.double()(x.double())[output], ours.model.double()(x.double()))


@pytest.mark.parametrize(
    "kind", [BlockConfig(), BlockConfig(2.0, 0.1, False, "gelu_tanh")], ids=["plain", "all else"]
)
def test_an_encoder_gives_the_same_tokens(kind: BlockConfig, tmp_path: Path) -> None:
    ours = complete(encoder(*WIDE, kind))
    write_folder(tmp_path / "out", files(ours))
    theirs = opened(hf.ViTModel, tmp_path / "out", add_pooling_layer=False)
    single, double = difference(theirs, ours, "last_hidden_state")
    assert single < 1e-5
    assert double < 1e-10


def test_a_classifier_gives_the_same_scores(tmp_path: Path) -> None:
    ours = complete(Classifier(encoder(*WIDE), 3, "class"), CLASSES)
    write_folder(tmp_path / "out", files(ours))
    theirs = opened(hf.ViTForImageClassification, tmp_path / "out")
    assert theirs.config.id2label == dict(enumerate(CLASSES))
    single, double = difference(theirs, ours, "logits")
    assert single < 1e-5
    assert double < 1e-10


@pytest.mark.parametrize("normalised", [True, False])
def test_an_autoencoder_gives_the_same_loss(normalised: bool, tmp_path: Path) -> None:
    inside = encoder(*SQUARE)
    ours = complete(MAE(inside, inside.config.decoder, norm_pix_loss=normalised))
    write_folder(tmp_path / "out", files(ours))
    theirs = opened(hf.ViTMAEForPreTraining, tmp_path / "out").double()
    x, noise = (
        pictures(2, 2, (12, 12)).double(),
        torch.rand(2, 16, generator=torch.Generator().manual_seed(3)),
    )
    with torch.inference_mode():
        expected = theirs(x, noise=noise).loss
        assert abs(expected - ours.model.double()(x, hidden(noise, 4))) < 1e-10


def headed(kind: BlockConfig, pool: Any, registers: int = 0) -> Pretrained:
    return complete(Classifier(encoder((2, 4), (12, 12), kind, registers), 3, pool), CLASSES)


SCALED = BlockConfig(4.0, layer_scale=True)
GATED = BlockConfig(16 / 24, layer_scale=True, gated=True)  # two thirds of 24


def others() -> dict[str, tuple[str, Pretrained]]:
    return {
        "DeiT": ("DeiTForImageClassification", headed(BlockConfig(), "class", 1)),
        "DeiT, two heads": ("DeiTForImageClassificationWithTeacher", headed(BlockConfig(), "distilled", 1)),
        "DeiT, bare": ("DeiTModel", complete(encoder(*WIDE, registers=1))),
        "DINOv2": ("Dinov2ForImageClassification", headed(SCALED, "class and mean")),
        "DINOv2, gated": ("Dinov2ForImageClassification", headed(GATED, "class and mean")),
        "DINOv2, bare": ("Dinov2Model", complete(encoder(*SQUARE, SCALED))),
        "registers": ("Dinov2WithRegistersForImageClassification", headed(SCALED, "class and mean", 4)),
        "registers, bare": ("Dinov2WithRegistersModel", complete(encoder(*SQUARE, GATED, 3))),
        "BEiT": ("BeitForImageClassification", headed(BlockConfig(), "mean")),
        "BEiT, scaled": ("BeitForImageClassification", headed(replace(SCALED, epsilon=0.1), "mean")),
    }


@pytest.mark.parametrize("name", others())
def test_what_vit_cannot_say_another_of_its_models_does(name: str, tmp_path: Path) -> None:
    kind, ours = others()[name]
    write_folder(tmp_path / "out", files(ours))
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == [kind]
    options = {"add_pooling_layer": False} if kind == "DeiTModel" else {}
    theirs = opened(getattr(hf, kind), tmp_path / "out", **options)
    output = "last_hidden_state" if isinstance(ours.model, ViT) else "logits"
    single, double = difference(theirs, ours, output)
    assert single < 1e-5
    assert double < 1e-10


@pytest.mark.parametrize("name", others())
def test_the_library_is_the_judge_of_each(name: str, tmp_path: Path) -> None:
    save_model(tmp_path / "run", others()[name][1])
    found = convert(tmp_path / "run", tmp_path / "out", to="transformers")
    assert (found.judge, found.difference < 1e-5) == ("transformers", True)


def as_written(inputs: InputSpec) -> InputSpec:
    """Oblong pictures are squashed there: a crop of another aspect than a square's cannot be said."""
    return inputs if inputs.sound or inputs.height == inputs.width else replace(inputs, resize=inputs.size)


@pytest.mark.parametrize("name", others())
def test_of_these_too_the_way_there_and_back_changes_no_bit(name: str, tmp_path: Path) -> None:
    _, ours = others()[name]
    write_folder(tmp_path / "out", files(ours))
    back = load(tmp_path / "out")
    assert (back.classes, back.inputs) == (ours.classes, as_written(ours.inputs))
    before, after = dict(ours.model.state_dict()), back.model.state_dict()
    if name.startswith("BEiT"):  # no softmax sees a bias of the keys, and it has none
        for layer in range(2):
            bias = before[f"encoder.layers.{layer}.attention.qkv.bias"].clone()
            bias[24:48] = 0
            before[f"encoder.layers.{layer}.attention.qkv.bias"] = bias
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = files(back)
    assert all(content == (tmp_path / "out" / name).read_bytes() for name, content in again.items())


@pytest.mark.parametrize("registers", [0, 4])
def test_both_without_layer_scale_get_scales_of_one(registers: int, tmp_path: Path) -> None:
    ours = headed(BlockConfig(), "class and mean", registers)
    save_model(tmp_path / "run", ours)
    found = convert(tmp_path / "run", tmp_path / "out", to="transformers")
    assert (found.judge, found.difference < 1e-5) == ("transformers", True)
    before, after = ours.model.state_dict(), load(tmp_path / "out").model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    more = after.keys() - before.keys()
    assert more == {f"encoder.layers.{layer}.scale{which}" for layer in range(2) for which in (1, 2)}
    assert all((after[name] == 1).all() for name in more)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_relative_position_bias": True},
        {"use_shared_relative_position_bias": True},
        {"use_absolute_position_embeddings": False},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_beit_of_relative_positions_is_refused(changes: dict[str, bool], tmp_path: Path) -> None:
    write_folder(tmp_path / "out", files(others()["BEiT"][1]))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    (tmp_path / "out" / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(RunError, match="got relative positions") as caught:
        load(tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_beit_of_the_library_gives_the_same_scores(tmp_path: Path) -> None:
    """In its own names, from its own hand: the mean of the patches, and the class token."""
    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40}
    small |= {"image_size": 8, "patch_size": 2, "num_channels": 2, "use_absolute_position_embeddings": True}
    for mean in (True, False):
        config = hf.BeitConfig(**small, id2label=dict(enumerate(CLASSES)), use_mean_pooling=mean)
        theirs, place = drawn(hf.BeitForImageClassification(config)), tmp_path / str(mean)
        found, x = load(saved(theirs, place)), pictures(size=(8, 8))
        assert found.model.pool == ("mean" if mean else "class")
        with torch.inference_mode():
            assert far(theirs(x).logits, found.model(x)) < 1e-5
        save_file(theirs.state_dict(), place / "model.safetensors")  # the names of version 5
        before, after = found.model.state_dict(), load(place).model.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)


def written() -> dict[str, Pretrained]:
    inside = encoder(*SQUARE)
    return {
        "encoder": complete(encoder(*WIDE, BlockConfig(2.0, 0.1, False, "gelu_tanh"))),
        "classifier": complete(Classifier(encoder(*WIDE), 3, "class"), CLASSES, multi_label=True),
        "autoencoder": complete(MAE(inside, DecoderConfig(16, 1, 4), norm_pix_loss=False)),
    }


@pytest.mark.parametrize("ours", written().values(), ids=written())
def test_the_way_there_and_back_changes_no_bit(ours: Pretrained, tmp_path: Path) -> None:
    write_folder(tmp_path / "out", files(ours))
    back = load(tmp_path / "out")
    assert (back.classes, back.multi_label, back.inputs) == (
        ours.classes,
        ours.multi_label,
        as_written(ours.inputs),
    )
    before, after = ours.model.state_dict(), back.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = files(back)
    assert all(content == (tmp_path / "out" / name).read_bytes() for name, content in again.items())


def test_the_epsilon_is_written_as_it_is(tmp_path: Path) -> None:
    assert json.loads(files(complete(encoder(*WIDE)))["config.json"])["layer_norm_eps"] == 1e-6


def refused() -> dict[str, tuple[Pretrained, str]]:
    square, wide = encoder(*SQUARE), encoder(*WIDE)
    decoder = DecoderConfig(16, 1, 2)
    cnn = ResNet(resnet_config("resnet-nano"), channels=2, classes=3)
    return {
        "oblong mean": (complete(Classifier(encoder(*WIDE), 3, "mean"), CLASSES), "need square pictures"),
        "no bias": (headed(BlockConfig(qkv_bias=False), "mean"), "without query biases"),
        "mean with registers": (headed(BlockConfig(), "mean", 2), "mean pooling and registers"),
        "scaled class": (headed(SCALED, "class"), "class pooling on such layers"),
        "odd width": (headed(BlockConfig(3.5, layer_scale=True), "class and mean"), "an MLP ratio of 3.5"),
        "gate": (headed(BlockConfig(gated=True), "class"), "a gated MLP without layer scale"),
        "gradients": (complete(MAE(square, decoder, hog_target=True)), "gradients beside"),
        "whole": (complete(MAE(square, decoder, global_target=2)), "also predicts the whole picture"),
        "cross": (complete(MAE(square, replace(decoder, cross=True))), "cross-attention only"),
        "oblong": (complete(MAE(wide, decoder)), "not square"),
        "registers": (complete(encoder(*WIDE, registers=2)), "registers"),
        "cnn": (Pretrained(cnn, InputSpec(2, 8, 8, (0.0, 0.0), (1.0, 1.0)), CLASSES), "a CNN"),
    }


@pytest.mark.parametrize(("ours", "reason"), refused().values(), ids=refused())
def test_what_cannot_be_said_there_is_refused_with_the_reason(ours: Pretrained, reason: str) -> None:
    with pytest.raises(RunError, match=reason) as caught:
        files(ours)
    assert "\n" not in str(caught.value)


def test_nothing_is_left_of_a_folder_that_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="expected room to write"):
        write_folder(tmp_path / "out", {"fine": b"1", "no/such/folder": b"2"})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"1")
    with pytest.raises(RunError, match="a path that already exists"):
        write_folder(tmp_path, {"mine": b"2"})
    assert (tmp_path / "mine").read_bytes() == b"1"
