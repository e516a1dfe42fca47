"""Reading of AudioMAE's encoders (Huang et al. 2022), `.pth` files, pretrained or fine-tuned.

AudioMAE's spectrograms have time as rows and frequency as columns; kakera's have frequency as rows. So
patches and position embeddings are transposed; the tokens are the same in another order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor

from kakera.formats import names
from kakera.formats.build import without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import mae, timm
from kakera.formats.foreign.ast_inputs import AUDIOSET, BINS, STATISTICS, is_multi_label, spectrograms
from kakera.model.classifier import Classifier
from kakera.model.configs import ViTConfig, decoder_for
from kakera.model.network import Network
from kakera.model.vit import ViT

TURNED = ("d c pw ph", "d (ph pw c)")  # time is vertical in AudioMAE, horizontal in kakera
DECODER = ("decoder", "mask_token", "norm_pix_loss", "contextual", "log_softmax")


def is_audiomae(tensors: Mapping[str, Tensor]) -> bool:
    """Return True if these are tensors of AudioMAE and not of MAE.

    Their inputs have one channel and 128 bands, and are not square, unlike MAE's pictures.

    Example:

        >>> patches, positions = torch.zeros(8, 1, 16, 16), torch.zeros(1, 513, 8)
        >>> is_audiomae({"patch_embed.proj.weight": patches, "pos_embed": positions})
        True
    """
    weight, count = tensors["patch_embed.proj.weight"], tensors["pos_embed"].shape[1] - 1
    if weight.ndim != 4 or weight.shape[1] != 1 or BINS % weight.shape[3] or count < 1:
        return False
    return round(count**0.5) ** 2 != count and count % (BINS // weight.shape[3]) == 0


def read(path: Path, tensors: Mapping[str, Tensor]) -> Pretrained:
    """Read the encoder, or the classifier, without the decoder. Raises RunError.

    Example:

        >>> shape = ViTConfig(192, 1, 3, (16, 16), decoder_for(192))
        >>> encoder = ViT(shape, channels=1, image_size=(128, 208))
        >>> axes = {"ph": 16, "pw": 16, "c": 1}
        >>> tensors = names.write(encoder.state_dict(), mae.table(""), source="mae", axes=axes)
        >>> read(Path("model.pth"), tensors).inputs.size
        (128, 208)
    """
    left = {name: tensor for name, tensor in tensors.items() if not name.startswith(DECODER)}
    expected = "weights named as in AudioMAE's code"
    with without_memory(str(path), expected=expected, do="name another file"):
        saved = _build(left)
    encoder = saved.encoder
    ours, norm = ("", "norm") if saved.model is encoder else ("encoder.", "fc_norm")
    norm = norm if f"{norm}.weight" in left else "norm"
    rows = tuple(
        replace(row, form=TURNED) if row.ours.endswith("project.weight") else row
        for row in mae.table(ours, norm=norm)
    )
    axes = {"ph": encoder.config.patch[0], "pw": encoder.config.patch[1], "c": 1}
    mapped = names.read(left, rows, source=str(path), axes=axes)
    places = mapped[f"{ours}positions"]
    turned = rearrange(places[1:], "(cols rows) d -> (rows cols) d", rows=encoder.grid.rows)
    mapped[f"{ours}positions"] = torch.cat([places[:1], turned])
    names.fill(saved.model, mapped, rows, source=str(path))
    dropped = len(tensors) - len(left)
    note = (f"{dropped} tensors of its decoder are not used",) if dropped else ()
    return replace(saved, notes=(*saved.notes, *note))


def _build(tensors: Mapping[str, Tensor]) -> Pretrained:
    width, _, across, height = tensors["patch_embed.proj.weight"].shape
    count, rows = tensors["pos_embed"].shape[1] - 1, BINS // height
    classes = tuple(map(str, range(len(tensors["head.weight"])))) if "head.weight" in tensors else ()
    data, mean, std = STATISTICS.get(len(classes), ("AudioSet", *AUDIOSET))
    inputs = spectrograms(count // rows * across, mean, std)
    shape = ViTConfig(
        width, mae.depth_of(tensors, "blocks."), timm.heads_of(width), (height, across), decoder_for(width)
    )
    encoder = ViT(shape, channels=1, image_size=inputs.size)
    pool = "mean" if "fc_norm.weight" in tensors else "class"
    model: Network = Classifier(encoder, len(classes), pool) if classes else encoder
    assumed = f"{inputs.width} frames and the mean and standard deviation of {data} assumed"
    multi_label, more = is_multi_label(len(classes))
    return Pretrained(
        model, inputs, classes, multi_label, notes=("a file of AudioMAE's code", assumed, *more)
    )
