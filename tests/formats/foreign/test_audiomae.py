"""AudioMAE's files: time runs down there, and across here. The formula is MAE's, on a turned picture."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kakera.errors import RunError
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.model.classifier import Classifier
from kakera.model.vit import ViT
from tests.formats.foreign.test_mae import layer
from tests.formats.foreign.test_transformers import far

WIDTH, TIMES, BANDS, PATCH = 192, 6, 8, 16


def weights(head: str = "", width: int = WIDTH, depth: int = 1) -> dict[str, Tensor]:
    """Its names, of a spectrogram of 96 frames and 128 bands."""
    norm = "fc_norm" if head == "mean" else "norm"
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + TIMES * BANDS, width),
        "patch_embed.proj.weight": (width, 1, PATCH, PATCH),
        "patch_embed.proj.bias": (width,),
        f"{norm}.weight": (width,),
        f"{norm}.bias": (width,),
    }
    for number in range(depth):
        shapes |= layer(f"blocks.{number}", width)
    if head:
        shapes |= {"head.weight": (50, width), "head.bias": (50,)}
    generator = torch.Generator().manual_seed(6)
    return {name: 0.1 * torch.randn(shape, generator=generator).double() for name, shape in shapes.items()}


def by_the_formula(w: dict[str, Tensor], x: Tensor, norm: str, *, mean: bool, depth: int = 1) -> Tensor:
    """Of (b, 1, frames, bands): tokens row by row of time, or their mean, after the norm. Heads of 64."""
    width = w["cls_token"].shape[2]

    def normed(z: Tensor, name: str) -> Tensor:
        return functional.layer_norm(z, (width,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def mapped(z: Tensor, name: str) -> Tensor:
        return z @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    z = functional.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=PATCH)
    z = z.flatten(2).transpose(1, 2) + w["pos_embed"][:, 1:]
    z = torch.cat([(w["cls_token"] + w["pos_embed"][:, :1]).expand(len(z), -1, -1), z], dim=1)
    for block in (f"blocks.{number}" for number in range(depth)):
        q, k, v = mapped(normed(z, f"{block}.norm1"), f"{block}.attn.qkv").chunk(3, dim=-1)
        heads = []
        for h in range(width // 64):
            part = slice(64 * h, 64 * (h + 1))
            weight = (q[..., part] @ k[..., part].transpose(1, 2) / 8).softmax(-1)
            heads.append(weight @ v[..., part])
        z = z + mapped(torch.cat(heads, dim=-1), f"{block}.attn.proj")
        inside = functional.gelu(mapped(normed(z, f"{block}.norm2"), f"{block}.mlp.fc1"))
        z = z + mapped(inside, f"{block}.mlp.fc2")
    return normed(z[:, 1:].mean(1), norm) if mean else normed(z, norm)


def frames() -> Tensor:
    return torch.randn(2, 1, 96, 128, generator=torch.Generator().manual_seed(1)).double()


def test_the_encoders_tokens_are_the_same_in_another_order(tmp_path: Path) -> None:
    w = weights()
    decoder = {
        "decoder_embed.weight": torch.zeros(2, 2),
        "mask_token": torch.zeros(1),
        "decoder_x.y": torch.zeros(1),
    }
    torch.save({"model": {**w, **decoder}}, tmp_path / "file.pth")
    found, x = load(tmp_path / "file.pth", dtype=torch.float64), frames()
    assert isinstance(found.model, ViT)
    assert (found.inputs.size, found.encoder.grid) == ((128, 96), Grid(BANDS, TIMES))
    with torch.inference_mode():
        expected = by_the_formula(w, x, "norm", mean=False)
        ours = found.model(x.transpose(2, 3))
    turned = expected[:, 1:].reshape(2, TIMES, BANDS, WIDTH).transpose(1, 2).flatten(1, 2)
    assert far(ours[:, :1], expected[:, :1]) < 1e-10
    assert far(ours[:, 1:], turned) < 1e-10
    assert any("3 tensors of its decoder are not used" in note for note in found.notes)


BASE = pytest.param(768, 12, marks=pytest.mark.slow)


@pytest.mark.parametrize(("width", "depth"), [(WIDTH, 1), BASE], ids=["tiny", "base"])
def test_a_fine_tuned_one_gives_the_same_scores(width: int, depth: int, tmp_path: Path) -> None:
    w = weights("mean", width, depth)
    torch.save({"model": w}, tmp_path / "file.pth")
    found, x = load(tmp_path / "file.pth", dtype=torch.float64), frames()
    assert isinstance(found.model, Classifier)
    assert found.model.pool == "mean"
    assert any("ESC-50" in note for note in found.notes)
    with torch.inference_mode():
        expected = (
            by_the_formula(w, x, "fc_norm", mean=True, depth=depth) @ w["head.weight"].T + w["head.bias"]
        )
        assert far(expected, found.model(x.transpose(2, 3))) < 1e-10


def test_a_name_that_is_too_many_is_listed(tmp_path: Path) -> None:
    torch.save({"model": {**weights(), "blocks.0.attn.gate": torch.zeros(1)}}, tmp_path / "file.pth")
    with pytest.raises(RunError, match=r"1 unknown \(blocks.0.attn.gate\)"):
        load(tmp_path / "file.pth")


def test_with_the_527_classes_of_audioset_there_may_be_several_labels(tmp_path: Path) -> None:
    w = weights("mean", 192, 1)
    width = w["head.weight"].shape[1]
    torch.save(
        {"model": {**w, "head.weight": torch.zeros(527, width), "head.bias": torch.zeros(527)}},
        tmp_path / "f.pth",
    )
    found = load(tmp_path / "f.pth")
    assert found.multi_label
    assert any("multi-label assumed" in note for note in found.notes)
