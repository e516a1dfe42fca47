"""What a model sees and makes of a picture.

`look` encodes a picture once; the other functions answer from what it gives, in arrays. The pictures of
the same are in `plots`.
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
from kakera.explain.components import filters, principal_filters, token_colours
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
    "filters",
    "head_maps",
    "masks",
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
