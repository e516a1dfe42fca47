"""A table of published encoders for `--init-from`, with size, licence and advice; imported without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Published:
    """One model on the Hugging Face hub.

    Example:

        >>> published(LIGHT).facts()
        '39 MB, licence Apache-2.0'
    """

    name: str
    """Its name on the hub, for `--init-from`."""
    kind: Literal["pictures", "recordings"]
    """The kind of its inputs."""
    parameters: int
    """The number of weights in the file, heads and decoders included."""
    megabytes: int
    """The size of the download, in 10^6 bytes: four bytes for each weight."""
    size: tuple[int, int]
    """The input size: pixels (height, width), or mel bands and frames of 10 ms."""
    licence: str
    """The licence on its model card, and the licence of the authors if that differs."""
    trained_on: str
    """The training data, with or without labels."""
    take: str
    """Advice on when to use it, in one sentence."""

    def facts(self) -> str:
        """Return download size and licence in a few words, for a line beside a command."""
        return f"{self.megabytes} MB, licence {self.licence}"


PUBLISHED = (
    Published(
        "facebook/dinov2-small",
        "pictures",
        22_056_576,
        88,
        (224, 224),
        "Apache-2.0",
        "142 million pictures without labels (LVD-142M)",
        "The first choice for photographs: its frozen tokens alone distinguish most things.",
    ),
    Published(
        "facebook/dinov2-base",
        "pictures",
        86_580_480,
        346,
        (224, 224),
        "Apache-2.0",
        "142 million pictures without labels (LVD-142M)",
        "More accurate than dinov2-small, with four times the computation: for a GPU, or for a probe.",
    ),
    Published(
        "timm/vit_tiny_patch16_224.augreg_in21k",
        "pictures",
        9_740_115,
        39,
        (224, 224),
        "Apache-2.0",
        "14 million pictures with labels (ImageNet-21k)",
        "Fast fine-tuning on a CPU.",
    ),
    Published(
        "timm/vit_small_patch16_224.augreg_in21k",
        "pictures",
        30_075_219,
        120,
        (224, 224),
        "Apache-2.0",
        "14 million pictures with labels (ImageNet-21k)",
        "Fine-tuning on a GPU, or slowly on a CPU.",
    ),
    Published(
        "google/vit-base-patch16-224-in21k",
        "pictures",
        86_389_248,
        346,
        (224, 224),
        "Apache-2.0",
        "14 million pictures with labels (ImageNet-21k)",
        "The Vision Transformer of the paper, for comparisons.",
    ),
    Published(
        "facebook/deit-tiny-patch16-224",
        "pictures",
        5_717_416,
        23,
        (224, 224),
        "Apache-2.0",
        "1.3 million pictures with labels (ImageNet-1k)",
        "The smallest download.",
    ),
    Published(
        "facebook/vit-mae-base",
        "pictures",
        111_907_840,
        448,
        (224, 224),
        "Apache-2.0 on its card, CC-BY-NC-4.0 by its authors",
        "1.3 million pictures without labels (ImageNet-1k)",
        "The MAE paper's model, to see its reconstructions. Fine-tune it: its frozen tokens are weaker.",
    ),
    Published(
        "MIT/ast-finetuned-audioset-10-10-0.4593",
        "recordings",
        86_594_063,
        346,
        (128, 1024),
        "BSD-3-Clause",
        "two million recordings of 10 s with labels (AudioSet)",
        "Everyday sounds, music and speech at 16 kHz, in windows of 10.24 s.",
    ),
)
FIRST = {"pictures": "facebook/dinov2-small", "recordings": "MIT/ast-finetuned-audioset-10-10-0.4593"}
"""The model to try first, for pictures and for recordings."""
LIGHT = "timm/vit_tiny_patch16_224.augreg_in21k"
"""The model that trains quickly on a CPU."""
SMALL = 64  # pixels: on pictures up to this size a model without published weights trains in minutes
ENOUGH = 20_000  # training files: from this number on, pretraining on them alone is worth its hours


def is_recommended(kind: str, count: int, side: int) -> bool:
    """Return True if published weights are better than pretraining on `count` own files.

    `kind` is "pictures", of `side` pixels, or "recordings".

    Example:

        >>> is_recommended("pictures", 1_000, 224), is_recommended("pictures", 1_000, 32)
        (True, False)
    """
    return count < ENOUGH and (kind != "pictures" or side > SMALL)


def published(name: str) -> Published:
    """Return the entry of a model by its name on the hub. Raises KeyError for another name.

    Example:

        >>> published("facebook/dinov2-small").megabytes
        88
    """
    return {row.name: row for row in PUBLISHED}[name]
