"""From one format to another, with a proof: both models are run on the same inputs."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from kakera.errors import RunError, sentence
from kakera.formats import mae, transformers_writing
from kakera.formats.folder import require_free, write_folder
from kakera.formats.load import load
from kakera.formats.native import Saved, generator, write_atomically
from kakera.model.classifier import Classifier
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder

Format = Literal["transformers", "mae"]
PICTURES = 2  # that both models are shown
MOST = 1e-3  # from here on a difference is no rounding, and nothing is written


@dataclass(frozen=True)
class Converted:
    """What was read, where it was written, and how far apart the outputs are, at most, judged by whom."""

    source: Saved
    target: Path
    difference: float
    judge: str

    def lines(self) -> list[str]:
        """For people to read."""
        found = ", ".join(self.source.notes) or "a run of kakera"
        return [
            f"read: {about(self.source)} ({found})",
            f"{self.target}: largest difference of the outputs {self.difference:.1e}, run by {self.judge}",
        ]


def about(saved: Saved) -> str:
    """Kind, size, inputs, and what it gives, in one line."""
    model = saved.model
    shape, inputs = saved.encoder.shape, saved.inputs
    parts = [f"{shape.depth} layers of {shape.width} with {shape.heads} heads"]
    parts += [f"patches of {shape.patch[0]} × {shape.patch[1]}"]
    parts += [f"{inputs.channels} channels of {inputs.height} × {inputs.width}"]
    if isinstance(model, MaskedAutoencoder):
        parts += [f"decoder of {'normalised' if model.normalised else 'plain'} pixels"]
        return "masked autoencoder: " + ", ".join(parts)
    if isinstance(model, Classifier):
        parts += [f"{len(saved.classes)} classes from the {model.pool} token".replace("mean token", "mean")]
        return "classifier: " + ", ".join(parts)
    return "encoder: " + ", ".join(parts)


def convert(source: str | Path, target: str | Path, *, to: Format, encoder: bool = False) -> Converted:
    """Write the model of `source` for another library: a folder for transformers, a `.pth` file for mae.

    With `encoder` a decoder or head is left behind, and with it what the target may have no word for.
    It is written beside its place, read back and run before it is put there; where the library itself is
    installed, it is the one that runs it. Raises RunError, with the reason, for what the target cannot
    express, for a target that is there already and for outputs that differ; StorageError.
    """
    saved, target = load(source), Path(target)
    if encoder:
        saved = Saved(saved.encoder, saved.inputs, notes=saved.notes)
    if to == "transformers":
        files = transformers_writing.files(saved)
        require_free(target)
    else:
        files = {"model.pth": mae.write(saved)}
        _require_new_file(target)
    with tempfile.TemporaryDirectory() as place:
        trial = Path(place) / "trial"
        write_folder(trial, files)
        difference, judge = _compare(saved, trial, to)
    if not difference < MOST:
        raise RunError(
            sentence(
                str(target),
                got=f"outputs that differ by {difference:.1e}",
                expected=f"less than {MOST:.0e}",
                do="report this; nothing was written",
            )
        )
    if to == "transformers":
        write_folder(target, files)
    else:
        write_atomically(target, files["model.pth"])
    return Converted(saved, target, difference, judge)


def _require_new_file(target: Path) -> None:
    if target.suffix != ".pth" or target.exists():
        got = "something there already" if target.exists() else "another ending"
        raise RunError(sentence(str(target), got=got, expected="a new .pth file", do="choose another"))


@torch.inference_mode()
def _compare(saved: Saved, trial: Path, to: Format) -> tuple[float, str]:
    """The largest difference of the outputs, and who ran the other model."""
    inputs, grid = saved.inputs, saved.encoder.grid
    draws = generator(0)
    pictures = torch.randn(PICTURES, inputs.channels, *inputs.size, generator=draws)
    noise = torch.rand(PICTURES, grid.count, generator=draws)
    hidden = noise > noise.median(dim=1, keepdim=True).values
    if to == "transformers" and importlib.util.find_spec("transformers"):
        theirs, judge = _transformers(saved, trial, pictures.to(_like(saved)), noise), "transformers"
    else:
        back = load(trial if to == "transformers" else trial / "model.pth")
        theirs, judge = _ours(back, pictures.to(_like(back)), hidden), "kakera, from the files"
    return float((_ours(saved, pictures.to(_like(saved)), hidden) - theirs).abs().max()), judge


def _like(saved: Saved) -> torch.dtype:
    return saved.encoder.class_token.dtype


def _ours(saved: Saved, pictures: Tensor, hidden: Tensor) -> Tensor:
    model = saved.model
    return (
        model.predict(pictures, hidden).flatten(0, 1)
        if isinstance(model, MaskedAutoencoder)
        else model(pictures)
    )


def _transformers(saved: Saved, folder: Path, pictures: Tensor, noise: Tensor) -> Tensor:
    import transformers

    _, architecture = transformers_writing.ARCHITECTURES[type(saved.model)]
    options: dict[str, Any] = {"dtype": _like(saved), "local_files_only": True}
    if isinstance(saved.model, Encoder):
        options["add_pooling_layer"] = False
    if isinstance(saved.model, MaskedAutoencoder):
        # The patch of median noise is the last that stays: int(n · (1 − ratio)) patches do.
        count = saved.encoder.grid.count
        options["mask_ratio"] = 1 - ((count + 1) // 2 + 0.5) / count
    model = getattr(transformers, architecture).from_pretrained(folder, **options).eval()
    if isinstance(saved.model, MaskedAutoencoder):
        found = model(pictures, noise=noise)
        return found.logits[found.mask.bool()]
    found = model(pictures)
    return found.last_hidden_state if isinstance(saved.model, Encoder) else found.logits
