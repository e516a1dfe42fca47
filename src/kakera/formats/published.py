"""A table of published encoders for `--init-from`, with what one asks before a download. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Published:
    """One repository of the Hugging Face hub, and what is in it."""

    name: str
    """Its name on the hub, as `--init-from` takes it."""
    kind: Literal["pictures", "recordings"]
    """What it takes in."""
    parameters: int
    """All weights of the file, heads and decoders included."""
    megabytes: int
    """Size of the download, in 10^6 bytes: four bytes a weight."""
    size: tuple[int, int]
    """Pixels (height, width), or mel bands and frames of 10 ms."""
    licence: str
    """As its model card names it, and what the authors say where that differs."""
    trained_on: str
    """Data, and labels where they were used."""
    take: str
    """When to take it, in one sentence."""

    def facts(self) -> str:
        """Return download size and licence in a few words, to stand beside a command."""
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
        "The first to try on photographs: its frozen tokens alone tell most things apart.",
    ),
    Published(
        "facebook/dinov2-base",
        "pictures",
        86_580_480,
        346,
        (224, 224),
        "Apache-2.0",
        "142 million pictures without labels (LVD-142M)",
        "Better than the small one at four times the computation: with a GPU, or for a probe.",
    ),
    Published(
        "timm/vit_tiny_patch16_224.augreg_in21k",
        "pictures",
        9_740_115,
        39,
        (224, 224),
        "Apache-2.0",
        "14 million pictures with labels (ImageNet-21k)",
        "Where fine-tuning must be quick on a CPU.",
    ),
    Published(
        "timm/vit_small_patch16_224.augreg_in21k",
        "pictures",
        30_075_219,
        120,
        (224, 224),
        "Apache-2.0",
        "14 million pictures with labels (ImageNet-21k)",
        "Fine-tuning with a GPU, or with patience on a CPU.",
    ),
    Published(
        "google/vit-base-patch16-224-in21k",
        "pictures",
        86_389_248,
        346,
        (224, 224),
        "Apache-2.0",
        "14 million pictures with labels (ImageNet-21k)",
        "The Vision Transformer of the paper, to compare with.",
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
        "To see what the MAE paper's model guesses; it wants to be fine-tuned, its frozen tokens are weaker.",
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
"""Which one to try first, of pictures and of recordings."""
LIGHT = "timm/vit_tiny_patch16_224.augreg_in21k"
"""Which one a CPU trains quickly."""
SMALL = 64  # pixels: up to here pictures are learned from alone, in minutes
ENOUGH = 20_000  # training files from which pretraining on them alone is worth its hours


def knows_more(kind: str, count: int, side: int) -> bool:
    """Return whether published weights know more than `count` pictures of `side` pixels, or recordings."""
    return count < ENOUGH and (kind != "pictures" or side > SMALL)


def published(name: str) -> Published:
    """Return the row of a name on the hub. Raises KeyError."""
    return {row.name: row for row in PUBLISHED}[name]
