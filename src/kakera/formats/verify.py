"""What another library makes of the files that were written for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.foreign.transformers_kinds import SOUND, kind_of
from kakera.formats.load import load
from kakera.formats.onnx import export
from kakera.formats.onnx.graph import graph_of

PICTURES = 2  # that both models are shown
Outputs = tuple[Tensor, str]


def trial_inputs(saved: Pretrained) -> tuple[Tensor, Tensor]:
    """Pictures in the model's units, and noise whose greater half is hidden."""
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randn(PICTURES, saved.inputs.channels, *saved.inputs.size, generator=draws)
    noise = torch.rand(PICTURES, saved.encoder.grid.count, generator=draws)
    return pictures.to(dtype_of(saved)), noise


def in_channels(pictures: Tensor, channels: int) -> Tensor:
    """Grey pictures in as many channels as the other model takes."""
    return pictures.expand(-1, channels, -1, -1)


def mask_from_noise(noise: Tensor) -> Tensor:
    """Where noise lies above its row's median."""
    return noise > noise.median(dim=1, keepdim=True).values


def dtype_of(saved: Pretrained) -> torch.dtype:
    """Of its weights."""
    return saved.encoder.class_token.dtype


def our_outputs(saved: Pretrained, pictures: Tensor, noise: Tensor) -> Tensor:
    """Tokens of an encoder, scores of a classifier, an autoencoder's predictions of what is hidden."""
    if saved.model.reconstructs:
        return require_mae(saved).model.predict(pictures, mask_from_noise(noise)).flatten(0, 1)
    return saved.model(pictures)


def by_kakera(saved: Pretrained, place: Path) -> Outputs:
    """Read back by ourselves."""
    back, (pictures, noise) = load(place), trial_inputs(saved)
    pictures = in_channels(pictures, back.inputs.channels)
    return our_outputs(back, pictures.to(dtype_of(back)), noise), "kakera, from the files"


def by_transformers(saved: Pretrained, place: Path) -> Outputs:
    """By transformers, every name used and none made up. Raises ImportError, RunError."""
    library = importlib.import_module("transformers")
    pictures, noise = trial_inputs(saved)
    options: dict[str, Any] = {"dtype": dtype_of(saved), "local_files_only": True}
    name = kind_of(saved).architecture(saved)
    if name in ("ViTModel", "DeiTModel"):
        options["add_pooling_layer"] = False
    if saved.model.reconstructs:
        # The patch of median noise is the last that stays: int(n · (1 − ratio)) patches do.
        count = saved.encoder.grid.count
        options["mask_ratio"] = 1 - ((count + 1) // 2 + 0.5) / count
    model, said = getattr(library, name).from_pretrained(place, output_loading_info=True, **options)
    wrong = [key for keys in (said["missing_keys"], said["unexpected_keys"]) for key in keys]
    if wrong:
        raise RunError("transformers", got=f"other names ({wrong[0]})", expected="its own", do="report this")
    model.eval()
    if saved.model.reconstructs:
        found = model(pictures, noise=noise)
        return found.logits[found.mask.bool()], "transformers"
    # AST's spectrograms are (b, frames, bands).
    heard = kind_of(saved) is SOUND
    found = model(
        pictures[:, 0].transpose(1, 2) if heard else in_channels(pictures, model.config.num_channels)
    )
    return found.logits if saved.model.classifies else found.last_hidden_state, "transformers"


def by_timm(saved: Pretrained, place: Path) -> Outputs:
    """By timm. Raises ImportError where it or torchvision is missing."""
    library = importlib.import_module("timm")
    pictures, _ = trial_inputs(saved)
    model = library.create_model(f"local-dir:{place}", pretrained=True).eval().to(dtype_of(saved))
    return (model if saved.model.classifies else model.forward_features)(pictures), "timm"


def by_onnxruntime(saved: Pretrained, place: Path) -> tuple[float, str]:
    """The largest difference of all that leaves the graph, for one picture and for three."""
    far = 0.0
    session, graph = session_of(place / export.FILE), graph_of(saved)
    for count in (1, 3):
        given = graph.example(count, seed=count)
        names = (each.name for each in session.get_inputs())
        theirs = session.run(None, {name: each.numpy() for name, each in zip(names, given, strict=True)})
        for one, other in zip(graph.expected(*given), map(torch.from_numpy, theirs), strict=True):
            if saved.model.reconstructs:  # in the model's units
                one, other = saved.inputs.normalize(one), saved.inputs.normalize(other)
            far = max(far, float((one - other).abs().max()))
    return far, "onnxruntime"


def session_of(file: Path, threads: int = 0) -> Any:
    """A session of ONNX Runtime on the CPU."""
    library = importlib.import_module("onnxruntime")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    return library.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


CHECKERS: dict[str, Callable[[Pretrained, Path], Outputs]] = {
    "transformers": by_transformers,
    "timm": by_timm,
}


@torch.inference_mode()
def max_abs_diff(saved: Pretrained, place: Path, to: str) -> tuple[float, str]:
    """The largest difference of the outputs, and who ran the other model: its library where it is there."""
    if to == "onnx":
        return by_onnxruntime(saved, place)
    try:
        theirs, judge = CHECKERS.get(to, by_kakera)(saved, place)
    except ImportError:
        theirs, judge = by_kakera(saved, place)
    return float((our_outputs(saved, *trial_inputs(saved)) - theirs).abs().max()), judge
