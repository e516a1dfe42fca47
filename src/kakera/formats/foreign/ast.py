"""Reading of `.pth` files of the Audio Spectrogram Transformer's code (Gong et al. 2021).

These files contain neither the window length nor the stride of the patches, nor the mean and standard
deviation of the data. Length and stride follow from the number of positions, the statistics from
the number of classes.
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
from kakera.formats.foreign.ast_inputs import AUDIOSET, BINS, STATISTICS, is_multi_label, spectrograms
from kakera.formats.names import Row, with_prefix
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import ViTConfig, decoder_for
from kakera.model.vit import ViT

STRIDES = (10, 16)
WINDOW = 128  # frames: the paper's lengths are multiples of this
HEAD_EPSILON = 1e-5
DROPPED = (
    "v.head.*",
    "v.head_dist.*",
)  # heads of the DeiT that AST was initialised from, which it never uses
ROWS = (
    *with_prefix("encoder.", "v.", (*timm.ENCODER, timm.DISTILLED, Row("norm.*", "norm.*"))),
    Row("head_norm.*", "mlp_head.0.*"),
    Row("head.*", "mlp_head.1.*"),
)


def read(path: Path, tensors: Mapping[str, Tensor]) -> Pretrained:
    """Read the classifier of a state dict. Raises RunError.

    Example:

        >>> shape = ViTConfig(192, 1, 3, (16, 16), decoder_for(192), registers=1, stride=(10, 10))
        >>> encoder = ViT(shape, channels=1, image_size=(128, 128), learned=True)
        >>> ours = prefix_tokens.with_rows(Classifier(encoder, 50, "halves", 1e-5).state_dict(), "encoder.")
        >>> tensors = names.write(ours, ROWS, source="ast", axes={"ph": 16, "pw": 16, "c": 1})
        >>> read(Path("model.pth"), tensors).inputs.size
        (128, 128)
    """
    with without_memory(str(path), expected="weights named as in AST's code", do="name another file"):
        saved = _build(tensors)
    patch = saved.encoder.config.patch
    axes = {"ph": patch[0], "pw": patch[1], "c": 1}
    mapped = names.read(tensors, ROWS, source=str(path), axes=axes, dropped=DROPPED)
    prefix_tokens.convert_tokens(mapped, "encoder.", saved.encoder.grid.count)
    names.fill(saved.model, mapped, ROWS, source=str(path))
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
        f"{frames} frames, stride {stride[0]} × {stride[1]}, mean and standard deviation of {data} assumed"
    )
    multi_label, more = is_multi_label(len(classes))
    notes = ("a file of AST's code", assumed, *more)
    return Pretrained(model, inputs, classes, multi_label, notes=notes, resampling="cut")


def _window(count: int, patch: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Return stride and frames for this number of patches, with 128 bands and a length as in the paper."""
    for step in STRIDES:
        rows = (BINS - patch[0]) // step + 1
        if count % rows == 0:
            least = (count // rows - 1) * step + patch[1]
            rounded = -(-least // WINDOW) * WINDOW
            return (step, step), rounded if rounded < least + step else least
    expected = f"a whole number of columns at a stride of {' or '.join(map(str, STRIDES))}"
    raise OptionError("positions", got=count, expected=expected, do="name another file")
