"""A file of tensors without a description: whose it is follows from its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import ast, audiomae, mae, timm
from kakera.formats.weights import read_weights
from kakera.formats.wrappers import PATCHES, inside

AST = "v.pos_embed"


def read_file(path: Path) -> Pretrained:
    """AST's, AudioMAE's, MAE's, DeiT's and DINO's own files, and timm's. Raises RunError."""
    weights = read_weights(path)
    tensors, notes = (weights.tensors, ()) if AST in weights.tensors else inside(weights.tensors)
    saved = _read(path, weights.around, tensors)
    return replace(saved, notes=(*saved.notes, *weights.notes, *notes))


def _read(path: Path, around: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Pretrained:
    if AST in tensors:
        return ast.read(path, tensors)
    if any(".embeddings.patch_embeddings." in f".{name}" for name in tensors):
        raise _refusal(path, "names of transformers", "its config.json beside it", "name the folder of both")
    if PATCHES not in tensors or "pos_embed" not in tensors:
        got = f"other names ({', '.join(sorted(tensors)[:3])})"
        raise _refusal(path, got, "a Vision Transformer of MAE's, AST's or timm's", "name another file")
    if tensors[PATCHES].ndim != 4 or tensors["pos_embed"].ndim != 3:
        raise _refusal(
            path, "tensors of other axes", "patches of 4 axes, positions of 3", "name another file"
        )
    if audiomae.is_audiomae(tensors) and "kakera" not in around:
        return audiomae.read(path, tensors)
    if mae.detect(around, tensors):
        return mae.read(path, around, tensors)
    if isinstance(around.get("model"), Mapping):
        return _deit(path, tensors)
    architecture = around.get("arch")
    return timm.read(tensors, str(path), {"architecture": architecture} if architecture else None)


def _deit(path: Path, tensors: Mapping[str, Tensor]) -> Pretrained:
    """DeiT's own code: timm's names, in a wrapper like MAE's; trained on ImageNet's mean and deviation."""
    three = tensors["patch_embed.proj.weight"].shape[1] == len(mae.MEAN)
    saved = timm.read(
        tensors, str(path), {"pretrained_cfg": {"mean": mae.MEAN, "std": mae.STD}} if three else {}
    )
    token = "distillation" if "dist_token" in tensors else "class"
    notes = (f"DeiT's own code, by its {token} token and wrapper", *saved.notes[1:])
    assumed = f"a mean of {mae.MEAN} and a deviation of {mae.STD} assumed"
    return replace(saved, notes=(*notes, assumed) if three else notes)


def _refusal(path: Path, got: str, expected: str, do: str) -> RunError:
    return RunError(str(path), got=got, expected=expected, do=do)
