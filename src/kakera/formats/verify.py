"""What another library makes of the files that were written for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kakera.errors import RunError, sentence
from kakera.formats.foreign.transformers_kinds import kind_of
from kakera.formats.load import load
from kakera.formats.native import Saved
from kakera.formats.onnx import export
from kakera.formats.onnx.graph import parts
from kakera.model.mae import MAE
from kakera.model.token_index import beyond
from kakera.model.vit import ViT
from kakera.sound.logmel import blank_after, log_mel

PICTURES = 2  # that both models are shown
Judgement = tuple[Tensor, str]


def trial(saved: Saved) -> tuple[Tensor, Tensor]:
    """Pictures in the model's units, and noise whose greater half is hidden."""
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randn(PICTURES, saved.inputs.channels, *saved.inputs.size, generator=draws)
    noise = torch.rand(PICTURES, saved.encoder.grid.count, generator=draws)
    return pictures.to(dtype_of(saved)), noise


def in_channels(pictures: Tensor, channels: int) -> Tensor:
    """Grey pictures in as many channels as the other model takes."""
    return pictures.expand(-1, channels, -1, -1)


def hidden_by(noise: Tensor) -> Tensor:
    """Where noise lies above its row's median."""
    return noise > noise.median(dim=1, keepdim=True).values


def dtype_of(saved: Saved) -> torch.dtype:
    """Of its weights."""
    return saved.encoder.class_token.dtype


def ours(saved: Saved, pictures: Tensor, noise: Tensor) -> Tensor:
    """Tokens of an encoder, scores of a classifier, an autoencoder's predictions of what is hidden."""
    model = saved.model
    if isinstance(model, MAE):
        return model.predict(pictures, hidden_by(noise)).flatten(0, 1)
    return model(pictures)


def by_kakera(saved: Saved, place: Path) -> Judgement:
    """Read back by ourselves."""
    back, (pictures, noise) = load(place), trial(saved)
    pictures = in_channels(pictures, back.inputs.channels)
    return ours(back, pictures.to(dtype_of(back)), noise), "kakera, from the files"


def by_transformers(saved: Saved, place: Path) -> Judgement:
    """By transformers, every name used and none made up. Raises ImportError, RunError."""
    library = importlib.import_module("transformers")
    pictures, noise = trial(saved)
    options: dict[str, Any] = {"dtype": dtype_of(saved), "local_files_only": True}
    name = kind_of(saved).architecture(saved)
    if name in ("ViTModel", "DeiTModel"):
        options["add_pooling_layer"] = False
    if isinstance(saved.model, MAE):
        # The patch of median noise is the last that stays: int(n · (1 − ratio)) patches do.
        count = saved.encoder.grid.count
        options["mask_ratio"] = 1 - ((count + 1) // 2 + 0.5) / count
    model, said = getattr(library, name).from_pretrained(place, output_loading_info=True, **options)
    wrong = [key for keys in (said["missing_keys"], said["unexpected_keys"]) for key in keys]
    if wrong:
        raise RunError(
            sentence("transformers", got=f"other names ({wrong[0]})", expected="its own", do="report this")
        )
    model.eval()
    if isinstance(saved.model, MAE):
        found = model(pictures, noise=noise)
        return found.logits[found.mask.bool()], "transformers"
    # AST's spectrograms are (b, frames, bands).
    heard = saved.inputs.sound is not None
    found = model(
        pictures[:, 0].transpose(1, 2) if heard else in_channels(pictures, model.config.num_channels)
    )
    return found.last_hidden_state if isinstance(saved.model, ViT) else found.logits, "transformers"


def by_timm(saved: Saved, place: Path) -> Judgement:
    """By timm. Raises ImportError where it or torchvision is missing."""
    library = importlib.import_module("timm")
    pictures, _ = trial(saved)
    model = library.create_model(f"local-dir:{place}", pretrained=True).eval().to(dtype_of(saved))
    return (model.forward_features if isinstance(saved.model, ViT) else model)(pictures), "timm"


def by_onnxruntime(saved: Saved, place: Path) -> tuple[float, str]:
    """The largest difference of all that leaves the graph, for one picture and for three."""
    far = 0.0
    session = session_of(place / export.FILE)
    for count in (1, 3):
        given = export.example(saved, count, seed=count)
        names = (each.name for each in session.get_inputs())
        theirs = session.run(None, {name: each.numpy() for name, each in zip(names, given, strict=True)})
        for one, other in zip(expected(saved, given), map(torch.from_numpy, theirs), strict=True):
            if isinstance(saved.model, MAE):  # in the model's units
                one, other = saved.inputs.normalise(one), saved.inputs.normalise(other)
            far = max(far, float((one - other).abs().max()))
    return far, "onnxruntime"


def session_of(file: Path, threads: int = 0) -> Any:
    """A session of ONNX Runtime on the CPU."""
    library = importlib.import_module("onnxruntime")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    return library.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def expected(saved: Saved, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What the model itself makes of what enters a graph, leaving out what is hidden or absent."""
    model, inputs = saved.model, saved.inputs
    absent = None
    if inputs.sound is not None:
        blank = inputs.mean[0] if inputs.blank is None else inputs.blank
        frames = ((given[1] - inputs.sound.frame_samples) // inputs.sound.hop_samples + 1).clamp(min=1)
        stored = blank_after(log_mel(given[0], inputs.sound), frames, blank)
        if inputs.blank is None:
            absent = beyond(frames, *parts(saved))
    else:
        stored = given[0]
    pictures = inputs.normalise(stored)
    if isinstance(model, MAE):
        hidden = given[-1] if absent is None else given[-1] & ~absent
        return (inputs.restore(model.reconstruct(pictures, hidden, absent)),)
    if isinstance(model, ViT):
        return (model(pictures),)
    logits = model(pictures) if absent is None else model(pictures, absent=absent)
    return logits, logits.sigmoid() if saved.several else logits.softmax(dim=-1)


JUDGES: dict[str, Callable[[Saved, Path], Judgement]] = {"transformers": by_transformers, "timm": by_timm}


@torch.inference_mode()
def difference(saved: Saved, place: Path, to: str) -> tuple[float, str]:
    """The largest difference of the outputs, and who ran the other model: its library where it is there."""
    if to == "onnx":
        return by_onnxruntime(saved, place)
    try:
        theirs, judge = JUDGES.get(to, by_kakera)(saved, place)
    except ImportError:
        theirs, judge = by_kakera(saved, place)
    return float((ours(saved, *trial(saved)) - theirs).abs().max()), judge
