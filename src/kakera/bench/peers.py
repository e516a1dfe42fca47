"""The same networks in other libraries, where they are installed. None of them is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kakera.model.sizes import VitShape


@dataclass(frozen=True)
class Peer:
    """A network of another library, and how to get its loss or its scores."""

    name: str
    model: nn.Module
    run: Callable[[Tensor], Tensor]


def masked_autoencoders(shape: VitShape, side: int, hide: float) -> list[Peer]:
    """transformers' ViTMAE and vit-pytorch's MAE of this shape, on colour pictures of `side` pixels."""
    found: list[Peer] = []
    if (transformers := _installed("transformers")) is not None:
        decoder = shape.decoder
        config = transformers.ViTMAEConfig(
            **_transformers(shape, side),
            decoder_hidden_size=decoder.width,
            decoder_num_hidden_layers=decoder.depth,
            decoder_num_attention_heads=decoder.heads,
            decoder_intermediate_size=round(decoder.width * decoder.kind.ratio),
            mask_ratio=hide,
            norm_pix_loss=True,
        )
        model = transformers.ViTMAEForPreTraining(config)
        found.append(Peer("transformers", model, lambda pictures: model(pictures).loss))
    if (vit_pytorch := _installed("vit_pytorch")) is not None:
        inside = _vit_pytorch(vit_pytorch, shape, side)
        decoder = shape.decoder
        other = importlib.import_module("vit_pytorch.mae").MAE(
            encoder=inside,
            masking_ratio=hide,
            decoder_dim=decoder.width,
            decoder_depth=decoder.depth,
            decoder_heads=decoder.heads,
            decoder_dim_head=decoder.width // decoder.heads,
        )
        found.append(Peer("vit-pytorch", other, other))
    return found


def classifiers(shape: VitShape, side: int, classes: int) -> list[Peer]:
    """The ViT of transformers, vit-pytorch and timm, on colour pictures of `side` pixels."""
    found: list[Peer] = []
    if (transformers := _installed("transformers")) is not None:
        config = transformers.ViTConfig(**_transformers(shape, side), num_labels=classes)
        model = transformers.ViTForImageClassification(config)
        found.append(Peer("transformers", model, lambda pictures: model(pictures).logits))
    if (vit_pytorch := _installed("vit_pytorch")) is not None:
        other = _vit_pytorch(vit_pytorch, shape, side, classes)
        found.append(Peer("vit-pytorch", other, other))
    if _installed("timm") is not None:
        third = importlib.import_module("timm.models.vision_transformer").VisionTransformer(
            img_size=side,
            patch_size=shape.patch[0],
            embed_dim=shape.width,
            depth=shape.depth,
            num_heads=shape.heads,
            num_classes=classes,
        )
        found.append(Peer("timm", third, third))
    return found


def _transformers(shape: VitShape, side: int) -> dict[str, Any]:
    return {
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.heads,
        "intermediate_size": round(shape.width * shape.kind.ratio),
        "image_size": side,
        "patch_size": shape.patch[0],
        "attn_implementation": "sdpa",
    }


def _vit_pytorch(library: Any, shape: VitShape, side: int, classes: int = 1000) -> nn.Module:
    return library.ViT(
        image_size=side,
        patch_size=shape.patch[0],
        num_classes=classes,
        dim=shape.width,
        depth=shape.depth,
        heads=shape.heads,
        mlp_dim=round(shape.width * shape.kind.ratio),
        dim_head=shape.width // shape.heads,
    )


def _installed(name: str) -> Any | None:
    """The library, or None where it is missing or does not import with this torch."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError):
        return None


def steps(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], object]:
    """One training step: forward, backward, AdamW in one fused kernel, for every library the same."""
    optimizer = torch.optim.AdamW(
        [part for part in model.parameters() if part.requires_grad], lr=1e-4, fused=True
    )

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
