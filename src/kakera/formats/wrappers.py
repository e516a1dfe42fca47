"""Removal of the names and dictionaries that PyTorch and training scripts put around a model's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from kakera.errors import RunError

# Parts of names from DataParallel and AveragedModel, torch.compile, FSDP, and activation checkpointing.
WRAPPING = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
AVERAGED = "n_averaged"  # torch.optim.swa_utils.AveragedModel counts its updates beside its `module`
KEYS = ("model", "state_dict", "model_state_dict", "module")
TEACHER, STUDENT = "teacher", "student"
AVERAGES = "_ema"  # fairseq's averaged weights, a dictionary beside the weights (data2vec 2.0, EAT)
INSIDE = ("backbone.", "model.", "encoder.")  # names that larger models give to their Vision Transformer
PATCHES = "patch_embed.proj.weight"
SHOWN = 3

Tensors = dict[str, Tensor]
Notes = tuple[str, ...]


def contents(content: object) -> tuple[object, Notes]:
    """Return the weights inside the dictionaries of a checkpoint, and notes on the choice.

    If a checkpoint has a teacher and a student (self-distillation as in DINO, Caron et al. 2021), the
    weights of the teacher are returned, because the method evaluates the teacher.

    Example:

        >>> contents({"epoch": 3, "model": {"scale": 1.0}})
        ({'scale': 1.0}, ())
    """
    notes: Notes = ()
    for key in (*KEYS, TEACHER, STUDENT, *KEYS):
        inner = cast(Mapping[str, Any], content).get(key) if isinstance(content, dict) else None
        if isinstance(inner, dict):
            content = cast(object, inner)
            notes += (f"the weights of its {key} are used",) if key in (TEACHER, STUDENT) else ()
    if isinstance(content, dict) and isinstance(cast(Mapping[str, Any], content).get(AVERAGES), dict):
        content = {name: value for name, value in cast(dict[str, Any], content).items() if name != AVERAGES}
        notes += (f"the averaged weights of its teacher ({AVERAGES}) are not used",)
    return content, notes


def unwrapped(tensors: Mapping[str, Tensor], source: str) -> tuple[Tensors, Notes]:
    """Return tensors under the names of the model itself, and notes on the removed parts.

    Parts such as `module.` and `_orig_mod.` are removed anywhere in a name. Raises RunError if two names
    become equal.

    Example:

        >>> import torch
        >>> unwrapped({"module.bias": torch.zeros(2)}, "model.pth")
        ({'bias': tensor([0., 0.])}, ('removed "module." from the tensor names',))
    """
    plain, off = Tensors(), set[str]()
    for name, tensor in tensors.items():
        parts = name.split(".")
        off |= set(parts) & set(WRAPPING)
        plain[".".join(part for part in parts if part not in WRAPPING)] = tensor
    if len(plain) != len(tensors):
        got = f"{len(tensors)} tensors with {len(plain)} names after removing {' and '.join(sorted(off))}"
        raise RunError(source, got=got, expected="one model", do="save only the model inside")
    parts = " and ".join(f'"{part}."' for part in sorted(off))
    notes: Notes = (f"removed {parts} from the tensor names",) if off else ()
    if "module" in off and plain.pop(AVERAGED, None) is not None:
        notes += ("weights averaged over steps",)
    return plain, notes


def inside(tensors: Mapping[str, Tensor]) -> tuple[Tensors, Notes]:
    """Return the tensors of the Vision Transformer inside a larger model, under its own names, and notes.

    From a teacher and a student the teacher is used; from a backbone with pretraining heads, the backbone.

    Example:

        >>> import torch
        >>> inner, notes = inside({"backbone.patch_embed.proj.weight": torch.zeros(64, 1, 4, 4)})
        >>> list(inner), notes
        (['patch_embed.proj.weight'], ('removed "backbone." from the tensor names',))
    """
    inner, notes = dict(tensors), Notes()
    for prefix in (f"{TEACHER}.", f"{STUDENT}.", *INSIDE):
        if PATCHES in inner or not any(f"{prefix}{more}{PATCHES}" in inner for more in ("", *INSIDE)):
            continue
        left = [name for name in inner if not name.startswith(prefix)]
        inner = {name.removeprefix(prefix): t for name, t in inner.items() if name.startswith(prefix)}
        notes += (f'removed "{prefix}" from the tensor names',)
        if left:
            shown = ", ".join(left[:SHOWN]) + (", …" if len(left) > SHOWN else "")
            notes += (f"{len(left)} tensors outside {prefix.removesuffix('.')} not used ({shown})",)
    return inner, notes
