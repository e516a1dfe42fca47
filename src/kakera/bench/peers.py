"""The same networks in other libraries. All of these libraries are optional."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kakera.bench.foreign import library
from kakera.model.configs import ViTConfig


@dataclass(frozen=True)
class Peer:
    """A network of another library, and a function that returns its loss or its logits.

    Example:

        >>> network = nn.Linear(4, 2)
        >>> Peer("torch", network, network).run(torch.zeros(1, 4)).shape
        torch.Size([1, 2])
    """

    name: str
    model: nn.Module
    run: Callable[[Tensor], Tensor]


def transformers_mae(shape: ViTConfig, side: int, hide: float) -> Peer:
    """Build ViTMAE of transformers. Raises ImportError."""
    transformers, decoder = library("transformers"), shape.decoder
    config = transformers.ViTMAEConfig(
        **_transformers(shape, side),
        decoder_hidden_size=decoder.width,
        decoder_num_hidden_layers=decoder.depth,
        decoder_num_attention_heads=decoder.heads,
        decoder_intermediate_size=round(decoder.width * decoder.block.ratio),
        mask_ratio=hide,
        norm_pix_loss=True,
    )
    model = transformers.ViTMAEForPreTraining(config)
    return Peer("transformers", model, lambda pictures: model(pictures).loss)


def vit_pytorch_mae(shape: ViTConfig, side: int, hide: float) -> Peer:
    """Build MAE of vit-pytorch. Raises ImportError.

    Its MAE expects position embeddings (1, n, d), but new versions of its ViT have (n, d).
    """
    inside, decoder = _vit_pytorch(shape, side), shape.decoder
    if inside.pos_embedding.ndim == 2:
        inside.pos_embedding = nn.Parameter(inside.pos_embedding.detach().unsqueeze(0))
    model = library("vit_pytorch.mae").MAE(
        encoder=inside,
        masking_ratio=hide,
        decoder_dim=decoder.width,
        decoder_depth=decoder.depth,
        decoder_heads=decoder.heads,
        decoder_dim_head=decoder.width // decoder.heads,
    )
    return Peer("vit-pytorch", model, model)


def transformers_vit(shape: ViTConfig, side: int, classes: int) -> Peer:
    """Build the classifier of transformers. Raises ImportError."""
    transformers = library("transformers")
    config = transformers.ViTConfig(**_transformers(shape, side), num_labels=classes)
    model = transformers.ViTForImageClassification(config)
    return Peer("transformers", model, lambda pictures: model(pictures).logits)


def vit_pytorch_vit(shape: ViTConfig, side: int, classes: int) -> Peer:
    """Build the classifier of vit-pytorch. Raises ImportError."""
    model = _vit_pytorch(shape, side, classes)
    return Peer("vit-pytorch", model, model)


def timm_vit(shape: ViTConfig, side: int, classes: int) -> Peer:
    """Build the classifier of timm. Raises ImportError."""
    model = library("timm.models.vision_transformer").VisionTransformer(
        img_size=side,
        patch_size=shape.patch[0],
        embed_dim=shape.width,
        depth=shape.depth,
        num_heads=shape.heads,
        num_classes=classes,
    )
    return Peer("timm", model, model)


Maker = Callable[[ViTConfig, int, Any], Peer]
MAES: dict[str, Maker] = {"transformers": transformers_mae, "vit-pytorch": vit_pytorch_mae}
CLASSIFIERS: dict[str, Maker] = {
    "transformers": transformers_vit,
    "vit-pytorch": vit_pytorch_vit,
    "timm": timm_vit,
}


def installed(names: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the libraries that can be imported, and those that cannot.

    Example:

        >>> installed(["json", "no-such-library"])
        (['json'], ('no-such-library',))
    """
    available: list[str] = []
    absent: list[str] = []
    for name in names:
        try:
            library(name.replace("-", "_"))
            available.append(name)
        except ImportError:
            absent.append(name)
    return available, tuple(absent)


def _transformers(shape: ViTConfig, side: int) -> dict[str, Any]:
    return {
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.heads,
        "intermediate_size": round(shape.width * shape.block.ratio),
        "image_size": side,
        "patch_size": shape.patch[0],
        "attn_implementation": "sdpa",
    }


def _vit_pytorch(shape: ViTConfig, side: int, classes: int = 1000) -> Any:
    return library("vit_pytorch").ViT(
        image_size=side,
        patch_size=shape.patch[0],
        num_classes=classes,
        dim=shape.width,
        depth=shape.depth,
        heads=shape.heads,
        mlp_dim=round(shape.width * shape.block.ratio),
        dim_head=shape.width // shape.heads,
    )


def steps(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], object]:
    """Return a training step: forward, backward, and fused AdamW, the same for every library.

    Example:

        >>> network = nn.Linear(4, 1)
        >>> step = steps(network, lambda: network(torch.ones(2, 4)).square().mean())
        >>> before = network.bias.item()
        >>> step()
        >>> network.bias.item() == before
        False
    """
    optimizer = torch.optim.AdamW(
        [part for part in model.parameters() if part.requires_grad], lr=1e-4, fused=True
    )

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
