"""Names and dictionaries that PyTorch and training scripts put around a model's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from kakera.errors import RunError

# Parts of names: DataParallel's and an averaged model's, torch.compile's, FSDP's, activation checkpointing's.
WRAPPING = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
AVERAGED = "n_averaged"  # torch.optim.swa_utils.AveragedModel counts its updates beside its `module`
KEYS = ("model", "state_dict", "model_state_dict", "module")
TEACHER, STUDENT = "teacher", "student"
INSIDE = ("backbone.", "model.", "encoder.")  # what a larger model calls the Vision Transformer inside
PATCHES = "patch_embed.proj.weight"
SHOWN = 3

Tensors = dict[str, Tensor]
Notes = tuple[str, ...]


def contents(content: object) -> tuple[object, Notes]:
    """Return what stands inside the dictionaries around the weights, and notes on the choice.

    Of a teacher and a student (self-distillation as in DINO, Caron et al. 2021) the teacher's are returned,
    which the method evaluates.
    """
    notes: Notes = ()
    for key in (*KEYS, TEACHER, STUDENT, *KEYS):
        inner = cast(Mapping[str, Any], content).get(key) if isinstance(content, dict) else None
        if isinstance(inner, dict):
            content = cast(object, inner)
            notes += (f"the weights of its {key} taken",) if key in (TEACHER, STUDENT) else ()
    return content, notes


def unwrapped(tensors: Mapping[str, Tensor], source: str) -> tuple[Tensors, Notes]:
    """Return tensors under the names of the model itself, and notes on what was taken off or left behind.

    `module.` and `_orig_mod.` are taken off wherever they stand. Raises RunError where two names become one.
    """
    found, off = Tensors(), set[str]()
    for name, tensor in tensors.items():
        parts = name.split(".")
        off |= set(parts) & set(WRAPPING)
        found[".".join(part for part in parts if part not in WRAPPING)] = tensor
    if len(found) != len(tensors):
        got = f"{len(tensors)} tensors with {len(found)} names, once {' and '.join(sorted(off))} are off"
        raise RunError(source, got=got, expected="one model", do="save the model inside alone")
    notes: Notes = (f"names without {' and '.join(f'{part}.' for part in sorted(off))}",) if off else ()
    if "module" in off and found.pop(AVERAGED, None) is not None:
        notes += ("weights averaged over steps",)
    return found, notes


def inside(tensors: Mapping[str, Tensor]) -> tuple[Tensors, Notes]:
    """Return a Vision Transformer that is part of a larger model, under its own names, and notes.

    Of a teacher and a student the teacher is taken; of a backbone with the heads of its pretraining, the
    backbone.
    """
    found, notes = dict(tensors), Notes()
    for prefix in (f"{TEACHER}.", f"{STUDENT}.", *INSIDE):
        if PATCHES in found or not any(f"{prefix}{more}{PATCHES}" in found for more in ("", *INSIDE)):
            continue
        left = [name for name in found if not name.startswith(prefix)]
        found = {name.removeprefix(prefix): t for name, t in found.items() if name.startswith(prefix)}
        notes += (f"names without {prefix}",)
        if left:
            shown = ", ".join(left[:SHOWN]) + (", …" if len(left) > SHOWN else "")
            notes += (f"{len(left)} tensors beside {prefix.removesuffix('.')} left behind ({shown})",)
    return found, notes
