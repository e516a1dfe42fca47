"""A model in one line: kind, size, what it takes in and what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet

if TYPE_CHECKING:
    from kakera.formats.native import Saved

READS = {
    "class": "the class token",
    "mean": "the mean",
    "distilled": "the class and the distillation token",
    "halves": "the mean of the class and the distillation token",
    "class and mean": "the class token and the mean",
}


def about(saved: Saved) -> str:
    """Kind, size, inputs, and what it gives, in one line."""
    model, inputs = saved.model, saved.inputs
    channels = "1 channel" if inputs.channels == 1 else f"{inputs.channels} channels"
    taken = f"{channels} of {inputs.height} × {inputs.width}"
    if isinstance(model, ResNet):
        return f"CNN: {len(model.layers)} blocks, {taken}, {len(saved.classes)} classes"
    shape = saved.encoder.shape
    parts = [f"{shape.depth} layers of {shape.width} with {shape.heads} heads"]
    parts += [f"patches of {shape.patch[0]} × {shape.patch[1]}"]
    parts += [taken]
    if isinstance(model, MAE):
        parts += [f"decoder of {'normalised' if model.norm_pix_loss else 'plain'} pixels"]
        return "masked autoencoder: " + ", ".join(parts)
    if isinstance(model, Classifier):
        parts += [f"{len(saved.classes)} classes from {READS[model.pool]}"]
        return "classifier: " + ", ".join(parts)
    return "encoder: " + ", ".join(parts)
