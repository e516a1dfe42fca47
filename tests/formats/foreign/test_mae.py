"""The files of MAE's code. Their names are also those of timm, whose own model is the oracle elsewhere."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from kakera.commands.predict import predict
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import mae
from kakera.formats.load import load
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import drawn, far, pictures
from tests.small import folder

WIDTH, DEPTH, HEADS, SIDE, PATCH = 192, 1, 3, 12, 4  # a width that the paper's sizes know


def layer(pre: str, width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{pre}.norm{n}.{p}": (width,) for n in "12" for p in ("weight", "bias")
    }
    linears = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    for name, (leave, enter) in linears.items():
        shapes |= {
            f"{pre}.{name}.weight": (leave * width, enter * width),
            f"{pre}.{name}.bias": (leave * width,),
        }
    return shapes


def weights(head: str = "", decoder: int = 0) -> dict[str, Tensor]:
    """A state dict as the code of the paper writes it, from its names alone."""
    places, norm = (SIDE // PATCH) ** 2, "fc_norm" if head == "mean" else "norm"
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + places, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        f"{norm}.weight": (WIDTH,),
        f"{norm}.bias": (WIDTH,),
        **layer("blocks.0", WIDTH),
    }
    if head:
        shapes |= {"head.weight": (5, WIDTH), "head.bias": (5,)}
    if decoder:
        values = 3 * PATCH**2
        shapes |= {"decoder_embed.weight": (decoder, WIDTH), "decoder_embed.bias": (decoder,)}
        shapes |= {"mask_token": (1, 1, decoder), "decoder_pos_embed": (1, 1 + places, decoder)}
        shapes |= {"decoder_norm.weight": (decoder,), "decoder_norm.bias": (decoder,)}
        shapes |= {"decoder_pred.weight": (values, decoder), "decoder_pred.bias": (values,)}
        shapes |= layer("decoder_blocks.0", decoder)
    generator = torch.Generator().manual_seed(5)
    return {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def by_the_formula(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """Tokens before the final norm, from the paper's conventions written out."""

    def norm(z: Tensor, name: str) -> Tensor:
        return functional.layer_norm(z, (WIDTH,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def linear(z: Tensor, name: str) -> Tensor:
        return z @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    z = functional.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=PATCH)
    z = z.flatten(2).transpose(1, 2)
    z = torch.cat([w["cls_token"].expand(len(x), -1, -1), z], dim=1) + w["pos_embed"]
    parts = linear(norm(z, "blocks.0.norm1"), "blocks.0.attn.qkv").chunk(3, dim=-1)
    q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
    mixed = (q @ k.transpose(-2, -1) / (WIDTH / HEADS) ** 0.5).softmax(-1) @ v
    z = z + linear(mixed.transpose(1, 2).flatten(2), "blocks.0.attn.proj")
    inside = functional.gelu(linear(norm(z, "blocks.0.norm2"), "blocks.0.mlp.fc1"))
    return z + linear(inside, "blocks.0.mlp.fc2")


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("head", ["", "class", "mean"])
def test_the_outputs_are_those_of_the_formula(
    head: str, dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    w = {name: tensor.to(dtype) for name, tensor in weights(head).items()}
    torch.save({"model": w, "args": argparse.Namespace(model="vit")}, tmp_path / "file.pth")
    ours = load(tmp_path / "file.pth", dtype=dtype)
    x = pictures(2, 3, (SIDE, SIDE)).to(dtype)
    tokens = by_the_formula(w, x)
    norm = "fc_norm" if head == "mean" else "norm"
    seen = {"": tokens, "class": tokens[:, 0], "mean": tokens[:, 1:].mean(1)}[head]
    expected = functional.layer_norm(seen, (WIDTH,), w[f"{norm}.weight"], w[f"{norm}.bias"], 1e-6)
    if head:
        expected = expected @ w["head.weight"].T + w["head.bias"]
    with torch.inference_mode():
        assert far(expected, ours.model(x)) < most


@pytest.mark.parametrize(("name", "normalised"), [("mae_pretrain", True), ("mae_visualize_vit_base", False)])
def test_which_pixels_are_predicted_follows_from_the_name_and_is_said(
    name: str, normalised: bool, tmp_path: Path
) -> None:
    torch.save({"model": weights(decoder=64)}, tmp_path / f"{name}.pth")
    found = load(tmp_path / f"{name}.pth")
    assert isinstance(found.model, MAE)
    assert found.model.norm_pix_loss == normalised
    assert any("pixels as target assumed" in note for note in found.notes)
    assert any("CC-BY-NC" in note for note in found.notes)
    assert (found.model.decoder.config.width, found.model.decoder.config.heads) == (64, 2)


PARTS = {
    "vit.embeddings.cls_token": "cls_token",
    "vit.embeddings.position_embeddings": "pos_embed",
    "vit.embeddings.patch_embeddings.projection": "patch_embed.proj",
    "vit.layernorm": "norm",
    "vit.encoder.layer.": "blocks.",
    "decoder.decoder_encoder.layer.": "decoder_blocks.",
    "decoder.": "",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.output.dense": "attn.proj",
    "attention.attention": "attn",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


def in_maes_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of a file of transformers' ViTMAE, as the code of the paper calls and stacks them."""
    found = {}
    for name, tensor in tensors.items():
        for theirs, maes in PARTS.items():
            name = name.replace(theirs, maes)
        found[name] = tensor
    for name in [name for name in found if ".attn.query." in name]:
        parts = [found.pop(name.replace("query", part)) for part in ("query", "key", "value")]
        found[name.replace("query", "qkv")] = torch.cat(parts)
    return found


@pytest.mark.slow
def test_a_whole_base_model_with_its_decoder_gives_the_loss_of_transformers(tmp_path: Path) -> None:
    theirs = drawn(hf.ViTMAEForPreTraining(hf.ViTMAEConfig(layer_norm_eps=1e-6, norm_pix_loss=True)))
    theirs.save_pretrained(tmp_path)
    tensors = in_maes_names(load_file(tmp_path / "model.safetensors"))
    torch.save({"model": tensors}, tmp_path / "mae_pretrain_vit_base.pth")
    found = load(tmp_path / "mae_pretrain_vit_base.pth").model
    assert isinstance(found, MAE)
    assert (found.encoder.config.heads, found.decoder.config.heads, found.decoder.config.depth) == (12, 16, 8)
    x, noise = pictures(1, 3, (224, 224)), torch.rand(1, 196, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        answer = theirs(x, noise=noise)
        mask = answer.mask.bool()
        assert far(answer.logits[mask], found.predict(x, mask).flatten(0, 1)) < 1e-5
        assert abs(answer.loss - found(x, mask)) < 1e-5
        answer, found = theirs.double()(x.double(), noise=noise.double()), found.double()
        assert far(answer.logits[mask], found.predict(x.double(), mask).flatten(0, 1)) < 1e-10
        assert abs(answer.loss - found(x.double(), mask)) < 1e-10


SHAPE = ViTConfig(24, 2, 3, (2, 4), DecoderConfig(16, 1, 4))
INPUTS = InputSpec(2, 8, 12, (0.1, 0.2), (0.3, 0.4))


def encoder(shape: ViTConfig = SHAPE) -> ViT:
    return ViT(shape, channels=2, image_size=(8, 12))


def ours() -> dict[str, Pretrained]:
    autoencoder = MAE(encoder(), SHAPE.decoder, norm_pix_loss=False)
    return {
        "encoder": Pretrained(encoder(), INPUTS),
        "mean": Pretrained(Classifier(encoder(), 2, "mean"), INPUTS, ("ant", "bee"), multi_label=True),
        "class": Pretrained(Classifier(encoder(), 2, "class"), INPUTS, ("ant", "bee")),
        "autoencoder": Pretrained(autoencoder, INPUTS),
    }


@pytest.mark.parametrize("saved", ours().values(), ids=ours())
def test_the_way_there_and_back_changes_no_bit(saved: Pretrained, tmp_path: Path) -> None:
    drawn(saved.model)
    (tmp_path / "file.pth").write_bytes(mae.write(saved))
    back = load(tmp_path / "file.pth")
    assert (back.inputs, back.classes, back.multi_label) == (saved.inputs, saved.classes, saved.multi_label)
    before, after = saved.model.state_dict(), back.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    # The decoder that goes with a size is no part of the weights.
    assert replace(back.encoder.config, decoder=SHAPE.decoder) == saved.encoder.config
    if isinstance(saved.model, MAE):
        assert isinstance(back.model, MAE)
        assert back.model.norm_pix_loss == saved.model.norm_pix_loss
        assert back.model.decoder.config == saved.model.decoder.config


def test_what_is_written_has_the_papers_names(tmp_path: Path) -> None:
    model = Classifier(ViT(ViTConfig(WIDTH, 1, 3, (4, 4), SHAPE.decoder), channels=3, image_size=(12, 12)), 5)
    inputs = InputSpec(3, 12, 12, (0.5,) * 3, (0.5,) * 3)
    (tmp_path / "file.pth").write_bytes(mae.write(Pretrained(model, inputs, tuple("abcde"))))
    found = torch.load(tmp_path / "file.pth", weights_only=True)["model"]
    assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in weights("mean").items()}


def refused() -> dict[str, tuple[Pretrained, str]]:
    other = ViTConfig(24, 1, 3, (2, 4), SHAPE.decoder, BlockConfig(epsilon=1e-12))
    autoencoder = MAE(encoder(), SHAPE.decoder, hog_target=True)
    cross = replace(SHAPE.decoder, cross=True)
    return {
        "epsilon": (Pretrained(encoder(other), INPUTS), "other blocks than the paper's"),
        "gradients": (Pretrained(autoencoder, INPUTS), "gradients"),
        "whole": (Pretrained(MAE(encoder(), SHAPE.decoder, global_target=2), INPUTS), "the whole picture"),
        "cross": (Pretrained(MAE(encoder(), cross), INPUTS), "differs from the paper's"),
    }


@pytest.mark.parametrize(("saved", "reason"), refused().values(), ids=refused())
def test_what_cannot_be_said_there_is_refused_with_the_reason(saved: Pretrained, reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        mae.write(saved)


class Harmful:
    """Makes a folder when it is unpickled by someone careless."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def one_line(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    return str(caught.value)


def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path) -> None:
    torch.save({"model": Harmful(tmp_path / "made")}, tmp_path / "file.pth")
    assert "would call posix.mkdir" in one_line(tmp_path / "file.pth")
    assert not (tmp_path / "made").exists()


def test_half_a_file_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    torch.save({"model": weights()}, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    one_line(path)


@pytest.mark.parametrize(
    "content",
    [{}, [1], {"model": {"a": 1}}, {"model": {"a": torch.zeros(1)}}, torch.zeros(2)],
    ids=["nothing", "list", "number", "another model", "tensor"],
)
def test_other_content_gets_one_line(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pth")
    one_line(tmp_path / "file.pth")


def test_a_missing_file_gets_one_line(tmp_path: Path) -> None:
    assert "no such file" in one_line(tmp_path / "none.pth")


def test_a_width_whose_heads_nobody_knows_gets_one_line(tmp_path: Path) -> None:
    content = torch.load(_written(tmp_path), weights_only=True)
    del content["kakera"]["heads"]
    torch.save(content, tmp_path / "file.pth")
    assert "got 24, expected 192" in one_line(tmp_path / "file.pth")


def test_what_is_too_many_and_missing_is_listed(tmp_path: Path) -> None:
    content = torch.load(_written(tmp_path), weights_only=True)
    tensors = content["model"]
    tensors["blocks.0.attn.gate"] = tensors.pop("blocks.0.attn.proj.bias")
    torch.save(content, tmp_path / "file.pth")
    assert "1 unknown (blocks.0.attn.gate)" in one_line(tmp_path / "file.pth")
    del tensors["blocks.0.attn.gate"]
    torch.save(content, tmp_path / "file.pth")
    assert "1 missing (blocks.0.attn.proj.bias)" in one_line(tmp_path / "file.pth")


def _written(folder: Path) -> Path:
    (folder / "file.pth").write_bytes(mae.write(ours()["encoder"]))
    return folder / "file.pth"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_file_in_another_precision_predicts_as_in_float32_and_a_note_says_so(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    w = {name: tensor.to(dtype) for name, tensor in weights("class").items()}
    args = argparse.Namespace(model="vit")
    torch.save({"model": w, "args": args}, tmp_path / "file.pth")
    torch.save({"model": {n: t.float() for n, t in w.items()}, "args": args}, tmp_path / "single.pth")
    path = folder(tmp_path / "d", count=1) / "bag" / "0.png"
    (found,), (expected,) = (predict(tmp_path / f"{name}.pth", path) for name in ("file", "single"))
    assert found.probabilities == expected.probabilities
    noted = any(
        "weights converted from float64 to float32" in note for note in load(tmp_path / "file.pth").notes
    )
    assert noted == (dtype == torch.float64)
