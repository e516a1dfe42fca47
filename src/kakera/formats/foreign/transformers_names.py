"""Tensor names of Hugging Face transformers, in files of the hub and in modules of version 5."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from kakera.formats.names import CONVOLUTION, ROW, ROWS, Row, with_prefix
from kakera.model.vit import ViT

TOKENS = ("1 r d", "r d")
DROPPED = ("{pre}pooler.dense.*", "{pre}embeddings.mask_token")  # no head of kakera uses the pooler

_HUB_ATTENTION = (
    Row("attention.qkv.*", tuple(f"attention.attention.{part}.*" for part in ("query", "key", "value"))),
    Row("attention.out.*", "attention.output.dense.*"),
)
_VERSION_5_ATTENTION = (
    Row("attention.qkv.*", tuple(f"attention.{part}_proj.*" for part in "qkv")),
    Row("attention.out.*", "attention.o_proj.*"),
)
_NORMS = (Row("norm1.*", "layernorm_before.*"), Row("norm2.*", "layernorm_after.*"))
_SHORT_NORMS = (Row("norm1.*", "norm1.*"), Row("norm2.*", "norm2.*"))
_SCALES = (Row("scale1", "lambda_1"), Row("scale2", "lambda_2"))  # BEiT's
HUB = (
    *_NORMS,
    *_SCALES,
    *_HUB_ATTENTION,
    Row("mlp.up.*", "intermediate.dense.*"),
    Row("mlp.down.*", "output.dense.*"),
)
VERSION_5 = (
    *_NORMS,
    *_SCALES,
    *_VERSION_5_ATTENTION,
    Row("mlp.up.*", "mlp.fc1.*"),
    Row("mlp.down.*", "mlp.fc2.*"),
)
_DINOV2 = (
    Row("norm1.*", "norm1.*"),
    Row("norm2.*", "norm2.*"),
    Row("scale1", "layer_scale1.lambda1"),
    Row("scale2", "layer_scale2.lambda1"),
)
DINOV2_MLP = (Row("mlp.up.*", "mlp.fc1.*"), Row("mlp.down.*", "mlp.fc2.*"))
DINOV2_GATED = (Row("mlp.up.*", "mlp.weights_in.*"), Row("mlp.down.*", "mlp.weights_out.*"))
DINOV2_GATED_5 = (
    Row("mlp.up.*", ("mlp.gate_proj.*", "mlp.up_proj.*")),
    Row("mlp.down.*", "mlp.down_proj.*"),
)
ENCODER = (
    Row("class_token", "embeddings.cls_token", ROW),
    Row("positions", "embeddings.position_embeddings", ROWS),
    Row("patches.project.weight", "embeddings.patch_embeddings.projection.weight", CONVOLUTION),
    Row("patches.project.bias", "embeddings.patch_embeddings.projection.bias"),
)
NORM, NORM_OF_MEAN = "layernorm", "pooler.layernorm"
DISTILLED = Row("registers", "embeddings.distillation_token", TOKENS)
REGISTERS = Row("registers", "embeddings.register_tokens", TOKENS)
DECODER = (
    Row("embed.*", "decoder_embed.*"),
    Row("mask_token", "mask_token", ROW),
    Row("positions", "decoder_pos_embed", ROWS),
    Row("norm.*", "decoder_norm.*"),
    Row("predict.*", "decoder_pred.*"),
)
HEADS = (
    Row("head.*", "classifier.*"),
    Row("heads.class.*", "cls_classifier.*"),
    Row("heads.distilled.*", "distillation_classifier.*"),
)
AST_HEAD = (Row("head_norm.*", "classifier.layernorm.*"), Row("head.*", "classifier.dense.*"))


def table(
    pre: str,
    ours: str = "encoder.",
    *,
    modern: bool = False,
    decoder: str = "decoder_layers",
    heads: tuple[Row, ...] = HEADS,
    norm: str = NORM,
    short: bool = False,
    class_tokens: int = 1,
) -> tuple[Row, ...]:
    """Return the rows of ViT, DeiT, BEiT, ViTMAE, MSN, I-JEPA, Pixio or AST.

    `pre` is the prefix of the encoder's names in transformers, `ours` in kakera. `modern` chooses the names
    of version 5. `decoder` is the name of the decoder's layers; `heads` differ in AST, and `norm` in BEiT
    with mean pooling. Pixio has `short` names of the norms, and several class tokens.

    Example:

        >>> table("vit.")[0].ours, table("vit.")[0].theirs
        ('encoder.class_token', ('vit.embeddings.cls_token',))
    """
    inner = (*(_SHORT_NORMS if short else ()), *(VERSION_5 if modern else HUB))
    layers = with_prefix("layers.{}.", "layers.{}." if modern else "encoder.layer.{}.", inner)
    first = (Row("class_token", "embeddings.cls_token", TOKENS), *ENCODER[1:])
    encoder = first if class_tokens > 1 else ENCODER
    return (
        *with_prefix(ours, pre, (*encoder, Row("norm.*", f"{norm}.*"), DISTILLED, *layers)),
        *with_prefix("decoder.", "decoder.", DECODER),
        *with_prefix("decoder.layers.{}.", f"decoder.{decoder}.{{}}.", inner),
        *heads,
    )


def dinov2_table(
    pre: str, ours: str = "encoder.", *, modern: bool = False, gated: bool = False
) -> tuple[Row, ...]:
    """Return the rows of DINOv2, with or without registers; the arguments are as in `table`.

    Example:

        >>> [row.theirs for row in dinov2_table("dinov2.") if row.ours == "encoder.registers"]
        [('dinov2.embeddings.register_tokens',)]
    """
    mlp = (DINOV2_GATED_5 if modern else DINOV2_GATED) if gated else DINOV2_MLP
    inner = (*_DINOV2, *(_VERSION_5_ATTENTION if modern else _HUB_ATTENTION), *mlp)
    layers = with_prefix("layers.{}.", "encoder.layer.{}.", inner)
    return (*with_prefix(ours, pre, (*ENCODER, Row("norm.*", f"{NORM}.*"), REGISTERS, *layers)), *HEADS)


def unscaled(encoder: ViT, ours: str) -> dict[str, Tensor]:
    """Return layer scales of 1, for model types that always have layer scales.

    Example:

        >>> sorted(unscaled(ViT("nano", channels=1, image_size=8), "encoder."))[:2]
        ['encoder.layers.0.scale1', 'encoder.layers.0.scale2']
    """
    ones = encoder.reference.new_ones(encoder.config.width)
    return {f"{ours}layers.{n}.scale{k}": ones.clone() for n in range(encoder.config.depth) for k in (1, 2)}


# BEiT's keys have no bias. A key bias adds the same number to all logits of a query: softmax ignores it.
_QUERY, _KEY = (f"attention.attention.{part}.bias" for part in ("query", "key"))
_QUERY_5, _KEY_5 = "attention.q_proj.bias", "attention.k_proj.bias"


def with_key_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with key biases of zero.

    Example:

        >>> import torch
        >>> list(with_key_biases({"attention.q_proj.bias": torch.ones(2)}))
        ['attention.q_proj.bias', 'attention.k_proj.bias']
    """
    result = dict(tensors)
    for name, tensor in tensors.items():
        for query, key in ((_QUERY, _KEY), (_QUERY_5, _KEY_5)):
            if name.endswith(query):
                result[name.removesuffix(query) + key] = tensor.new_zeros(tensor.shape)
    return result


def without_key_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, under the hub's names, without key biases.

    Example:

        >>> import torch
        >>> biases = {f"attention.attention.{part}.bias": torch.zeros(2) for part in ("query", "key")}
        >>> list(without_key_biases(biases))
        ['attention.attention.query.bias']
    """
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(_KEY)}
