"""Verification of converted models: the other library runs the files, and the outputs are compared."""

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

PICTURES = 2  # number of test pictures
Outputs = tuple[Tensor, str]


def trial_inputs(saved: Pretrained) -> tuple[Tensor, Tensor]:
    """Return random normalised pictures (2, c, H, W), and noise (2, n) for `mask_from_noise`.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> [values.shape for values in trial_inputs(saved)]
        [torch.Size([2, 1, 8, 8]), torch.Size([2, 4])]
    """
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randn(PICTURES, saved.inputs.channels, *saved.inputs.size, generator=draws)
    noise = torch.rand(PICTURES, saved.encoder.grid.count, generator=draws)
    return pictures.to(dtype_of(saved)), noise


def in_channels(pictures: Tensor, channels: int) -> Tensor:
    """Return grey pictures with the number of channels of the other model.

    Example:

        >>> in_channels(torch.zeros(2, 1, 8, 8), 3).shape
        torch.Size([2, 3, 8, 8])
    """
    return pictures.expand(-1, channels, -1, -1)


def mask_from_noise(noise: Tensor) -> Tensor:
    """Return a mask that is True (hidden) where noise is above the median of its row.

    Example:

        >>> mask_from_noise(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
        tensor([[False, False,  True,  True]])
    """
    return noise > noise.median(dim=1, keepdim=True).values


def dtype_of(saved: Pretrained) -> torch.dtype:
    """Return the floating-point type of the weights.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> dtype_of(Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,))))
        torch.float32
    """
    return saved.encoder.reference.dtype


def our_outputs(saved: Pretrained, pictures: Tensor, noise: Tensor) -> Tensor:
    """Return the outputs of a model: tokens of an encoder, logits of a classifier, predicted hidden patches.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> our_outputs(saved, *trial_inputs(saved)).shape
        torch.Size([2, 5, 64])
    """
    if saved.model.reconstructs:
        return require_mae(saved).model.predict(pictures, mask_from_noise(noise)).flatten(0, 1)
    return saved.model(pictures)


def by_kakera(saved: Pretrained, place: Path) -> Outputs:
    """Run the written files in kakera. Return the outputs and "kakera, from the files".

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> saved.save("run")
        >>> by_kakera(saved, Path("run"))[0].shape
        torch.Size([2, 5, 64])
    """
    back, (pictures, noise) = load(place), trial_inputs(saved)
    pictures = in_channels(pictures, back.inputs.channels)
    return our_outputs(back, pictures.to(dtype_of(back)), noise), "kakera, from the files"


def by_transformers(saved: Pretrained, place: Path) -> Outputs:
    """Run the written files in transformers. Return the outputs and "transformers".

    Raises ImportError without transformers, and RunError if transformers reports missing or unexpected names.
    """
    library = importlib.import_module("transformers")
    pictures, noise = trial_inputs(saved)
    options: dict[str, Any] = {"dtype": dtype_of(saved), "local_files_only": True}
    name = kind_of(saved).architecture(saved)
    if name in ("ViTModel", "DeiTModel"):
        options["add_pooling_layer"] = False
    if saved.model.reconstructs:
        # transformers leaves int(n · (1 − ratio)) patches visible: the last one has the median noise.
        count = saved.encoder.grid.count
        options["mask_ratio"] = 1 - ((count + 1) // 2 + 0.5) / count
    model, report = getattr(library, name).from_pretrained(place, output_loading_info=True, **options)
    wrong = [key for keys in (report["missing_keys"], report["unexpected_keys"]) for key in keys]
    if wrong:
        got = f"missing or unexpected names ({wrong[0]})"
        raise RunError("transformers", got=got, expected="its own names", do="report this as a bug")
    model.eval()
    if saved.model.reconstructs:
        outputs = model(pictures, noise=noise)
        return outputs.logits[outputs.mask.bool()], "transformers"
    # AST's spectrograms are (b, frames, bands).
    sound = kind_of(saved) is SOUND
    outputs = model(
        pictures[:, 0].transpose(1, 2) if sound else in_channels(pictures, model.config.num_channels)
    )
    return outputs.logits if saved.model.classifies else outputs.last_hidden_state, "transformers"


def by_timm(saved: Pretrained, place: Path) -> Outputs:
    """Run the written files in timm. Return the outputs and "timm".

    Raises ImportError without timm or torchvision.
    """
    library = importlib.import_module("timm")
    pictures, _ = trial_inputs(saved)
    model = library.create_model(f"local-dir:{place}", pretrained=True).eval().to(dtype_of(saved))
    return (model if saved.model.classifies else model.forward_features)(pictures), "timm"


def by_onnxruntime(saved: Pretrained, place: Path) -> tuple[float, str]:
    """Return the largest difference of all outputs of the graph, for one input and for three."""
    largest = 0.0
    session, graph = session_of(place / export.FILE), graph_of(saved)
    for count in (1, 3):
        values = graph.example(count, seed=count)
        names = (each.name for each in session.get_inputs())
        theirs = session.run(None, {name: each.numpy() for name, each in zip(names, values, strict=True)})
        outputs = zip(graph.output_names, graph.expected(*values), map(torch.from_numpy, theirs), strict=True)
        for name, ours, other in outputs:
            if name == "typical":  # a share of files: it follows from `pooled`, and changes in steps
                continue
            if saved.model.reconstructs:  # compare normalised pixels, as the model predicts them
                ours, other = saved.inputs.normalize(ours), saved.inputs.normalize(other)
            largest = max(largest, float((ours - other).abs().max()))
    return largest, "onnxruntime"


def session_of(file: Path, threads: int = 0) -> Any:
    """Open an ONNX graph in ONNX Runtime on the CPU, with `threads` threads (0: ONNX Runtime chooses)."""
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
    """Return the largest difference of the outputs, and the library that ran the written files.

    This is the library of the format `to` if it is installed, else kakera.

    Example:

        >>> from kakera.formats.foreign import mae
        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> file = Path("model.pth")
        >>> file.write_bytes(mae.write(saved)) > 0
        True
        >>> max_abs_diff(saved, file, "mae")
        (0.0, 'kakera, from the files')
    """
    if to == "onnx":
        return by_onnxruntime(saved, place)
    try:
        theirs, judge = CHECKERS.get(to, by_kakera)(saved, place)
    except ImportError:
        theirs, judge = by_kakera(saved, place)
    return float((our_outputs(saved, *trial_inputs(saved)) - theirs).abs().max()), judge
