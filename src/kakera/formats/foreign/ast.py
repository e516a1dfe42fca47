"""The files of the Audio Spectrogram Transformer's own code (Gong et al. 2021), `.pth`.

They do not say how long a recording is, how far apart the patches are, nor the data's mean and deviation:
the first two follow from the number of positions, the last from the number of classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from kakera.errors import OptionError
from kakera.formats import names, prefix_tokens
from kakera.formats.build import without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import mae, timm
from kakera.formats.foreign.ast_inputs import AUDIOSET, BINS, STATISTICS, several_of, spectrograms
from kakera.formats.names import Row, below
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import ViTConfig, decoder_for
from kakera.model.vit import ViT

STRIDES = (10, 16)
WINDOW = 128  # frames: the lengths that the paper uses are multiples
HEAD_EPSILON = 1e-5
DROPPED = ("v.head.*", "v.head_dist.*")  # of the DeiT that it began as, and never asked
ROWS = (
    *below("encoder.", "v.", (*timm.ENCODER, timm.DISTILLED, Row("norm.*", "norm.*"))),
    Row("head_norm.*", "mlp_head.0.*"),
    Row("head.*", "mlp_head.1.*"),
)


def read(path: Path, tensors: Mapping[str, Tensor]) -> Pretrained:
    """The classifier of a state dict. Raises RunError."""
    with without_memory(str(path), expected="weights named as in AST's code", do="name another file"):
        saved = _build(tensors)
    patch = saved.encoder.config.patch
    axes = {"ph": patch[0], "pw": patch[1], "c": 1}
    found = names.read(tensors, ROWS, source=str(path), axes=axes, dropped=DROPPED)
    prefix_tokens.settle(found, "encoder.", saved.encoder.grid.count)
    names.fill(saved.model, found, ROWS, source=str(path))
    return saved


def _build(tensors: Mapping[str, Tensor]) -> Pretrained:
    width, _, height, across = tensors["v.patch_embed.proj.weight"].shape
    patch, count = (height, across), tensors["v.pos_embed"].shape[1] - 2
    stride, frames = _window(count, patch)
    classes = tuple(map(str, range(len(tensors["mlp_head.1.weight"]))))
    data, mean, std = STATISTICS.get(len(classes), ("AudioSet", *AUDIOSET))
    inputs: InputSpec = spectrograms(frames, mean, std)
    depth = mae.depth_of({name.removeprefix("v."): t for name, t in tensors.items()}, "blocks.")
    shape = ViTConfig(
        width, depth, timm.heads_of(width), patch, decoder_for(width), registers=1, stride=stride
    )
    model = Classifier(
        ViT(shape, channels=1, image_size=inputs.size, learned=True), len(classes), "halves", HEAD_EPSILON
    )
    assumed = (
        f"{frames} frames, a stride of {stride[0]} × {stride[1]} and {data}'s mean and deviation assumed"
    )
    multi_label, more = several_of(len(classes))
    notes = ("AST's own code", assumed, *more)
    return Pretrained(model, inputs, classes, multi_label, notes=notes, resampling="cut")


def _window(count: int, patch: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Stride and frames of so many patches: as many rows as 128 bands hold, and a length of the paper's."""
    for step in STRIDES:
        rows = (BINS - patch[0]) // step + 1
        if count % rows == 0:
            least = (count // rows - 1) * step + patch[1]
            rounded = -(-least // WINDOW) * WINDOW
            return (step, step), rounded if rounded < least + step else least
    expected = f"a whole number of columns at a stride of {' or '.join(map(str, STRIDES))}"
    raise OptionError("positions", got=count, expected=expected, do="name another file")
