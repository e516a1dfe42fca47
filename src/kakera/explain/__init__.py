"""Look inside a model: attention, tokens, similarity, reconstruction and receptive fields of a picture.

`encode` runs a model once on a picture. The other functions compute arrays from its result, and `plots` draws
them.

Example:

    >>> import torch
    >>> from kakera.inputs import InputSpec
    >>> from kakera.model.vit import ViT
    >>> inputs = InputSpec(channels=1, height=28, width=28, mean=(0.5,), std=(0.25,))
    >>> encoder = ViT("nano", channels=1, image_size=28, seed=0)
    >>> activations = encode(encoder, inputs, torch.zeros(1, 28, 28))
    >>> attention_map(activations).shape, plots.head_grid(activations).mode
    ((7, 7), 'RGB')
"""

from kakera.explain import masks, plots
from kakera.explain.activations import RAW, Activations, encode
from kakera.explain.attention import (
    attention_distances,
    attention_map,
    even_distance,
    head_maps,
    rollout,
    rollout_map,
)
from kakera.explain.components import patch_filters, principal_filters, token_colours
from kakera.explain.lines import LineSimilarity, patch_lines, picture_lines
from kakera.explain.receptive import ReceptiveFields, cnn_fields, transformer_fields
from kakera.explain.reconstruct import Reconstruction, describe_kind, reconstruct
from kakera.explain.relevance import relevance
from kakera.explain.similarity import cosine, position_similarity, similarities, similarity_map

__all__ = [
    "RAW",
    "Activations",
    "LineSimilarity",
    "ReceptiveFields",
    "Reconstruction",
    "attention_distances",
    "attention_map",
    "cnn_fields",
    "cosine",
    "describe_kind",
    "encode",
    "even_distance",
    "head_maps",
    "masks",
    "patch_filters",
    "patch_lines",
    "picture_lines",
    "plots",
    "position_similarity",
    "principal_filters",
    "reconstruct",
    "relevance",
    "rollout",
    "rollout_map",
    "similarities",
    "similarity_map",
    "token_colours",
    "transformer_fields",
]
