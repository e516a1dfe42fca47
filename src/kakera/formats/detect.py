"""Detection of the library that wrote a weights file without a description, by its tensor names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.fields import mapping
from kakera.formats.foreign import ast, audiomae, beats, dasheng, eat, mae, timm
from kakera.formats.weights import read_weights
from kakera.formats.wrappers import PATCHES, inside

AST = "v.pos_embed"


def read_file(path: Path) -> Pretrained:
    """Read a weights file of a library or of a paper's code, by its tensor names. Raises RunError for others.

    Example:

        >>> from kakera.formats.foreign import mae
        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> path = Path("model.pth")
        >>> path.write_bytes(mae.write(saved)) > 0
        True
        >>> read_file(path).notes
        ("a file in MAE's layout, written by kakera",)
    """
    weights = read_weights(path)
    tensors, notes = (weights.tensors, ()) if AST in weights.tensors else inside(weights.tensors)
    saved = _read(path, weights.around, tensors)
    return replace(saved, notes=(*saved.notes, *weights.notes, *notes))


def _read(path: Path, around: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Pretrained:
    if AST in tensors:
        return ast.read(path, tensors)
    if eat.is_eat(tensors):
        return eat.read(tensors, str(path), eat.options_of(around))
    if dasheng.is_dasheng(tensors):
        return dasheng.read(tensors, str(path), mapping("config", around.get("config") or {}))
    if beats.is_beats(tensors):
        return beats.read(tensors, str(path), around)
    if any(".embeddings.patch_embeddings." in f".{name}" for name in tensors):
        raise _refusal(
            path, "tensor names of transformers", "its config.json beside it", "name the folder of both"
        )
    rotary = "pos_embed" not in tensors and timm.is_dinov3(tensors)
    if PATCHES not in tensors or not ("pos_embed" in tensors or rotary):
        got = f"unknown tensor names ({', '.join(sorted(tensors)[:3])})"
        raise _refusal(path, got, "a Vision Transformer of MAE, AST, EAT or timm", "name another file")
    if tensors[PATCHES].ndim != 4 or (not rotary and tensors["pos_embed"].ndim != 3):
        raise _refusal(
            path, "another number of axes", "a patch embedding of 4 axes, positions of 3", "name another file"
        )
    if rotary:
        return timm.read(tensors, str(path))
    if audiomae.is_audiomae(tensors) and "kakera" not in around:
        return audiomae.read(path, tensors)
    if mae.detect(around, tensors):
        return mae.read(path, around, tensors)
    if isinstance(around.get("model"), Mapping):
        return _deit(path, tensors)
    architecture = around.get("arch")
    return timm.read(tensors, str(path), {"architecture": architecture} if architecture else None)


def _deit(path: Path, tensors: Mapping[str, Tensor]) -> Pretrained:
    """Read a file of DeiT's code: timm's names in a wrapper like MAE's, normalised like ImageNet."""
    three = tensors["patch_embed.proj.weight"].shape[1] == len(mae.MEAN)
    saved = timm.read(
        tensors, str(path), {"pretrained_cfg": {"mean": mae.MEAN, "std": mae.STD}} if three else {}
    )
    token = "distillation" if "dist_token" in tensors else "class"
    notes = (f"a file of DeiT's code, detected by its {token} token and wrapper", *saved.notes[1:])
    assumed = f"mean {mae.MEAN} and standard deviation {mae.STD} assumed"
    return replace(saved, notes=(*notes, assumed) if three else notes)


def _refusal(path: Path, got: str, expected: str, do: str) -> RunError:
    return RunError(str(path), got=got, expected=expected, do=do)
