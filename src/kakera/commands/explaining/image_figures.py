"""The plates of `kakera explain` that show one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kakera.commands.explaining.gallery import Figure
from kakera.explain import plots
from kakera.explain.activations import RAW, Activations
from kakera.explain.attention import rollout
from kakera.explain.reconstruct import BORROWED, reconstruct
from kakera.explain.relevance import relevance
from kakera.explain.similarity import similarity_map
from kakera.formats.bundle import Pretrained, require_mae, require_token_classifier


@dataclass(frozen=True, eq=False)
class FigureInput:
    """What is looked at, and from where: a picture (c, H, W) of stored values, and what a model saw of it."""

    saved: Pretrained
    seen: Activations
    picture: Tensor
    width: int | None
    """After how many pixels it ends."""
    start: float
    """Where it begins, in seconds of its recording."""
    layer: int
    token: int
    target: int
    """The class whose evidence is shown."""


def image_figures(subject: FigureInput, hidden: NDArray[np.bool_]) -> Iterator[Figure]:
    """The plates of one picture; `hidden` (k, N) are masks of the patches that are there."""
    saved, seen, picture, token = subject.saved, subject.seen, subject.picture, subject.token
    model, inputs, layer, target = saved.model, saved.inputs, subject.layer, subject.target
    evidence = None
    if model.classifies:
        evidence = relevance(require_token_classifier(saved).model, inputs, picture, target, subject.width)
    name = saved.classes[target] if saved.classes else ""
    which = "the last layer" if layer in (-1, seen.depth) else f"layer {layer}"
    yield Figure(
        "summary",
        "What it looks at",
        f"From the left: the picture; the class token's attention in {which}, mean over heads; rollout, "
        "which follows attention through all layers (Abnar and Zuidema 2020)"
        + (
            ""
            if evidence is None
            else "; the patches that speak for the class named above it (Chefer et al. 2021)"
        )
        + ". Each map runs from dark, 0, to light, its largest value.",
        plots.summary(seen, layer, evidence, name),
        {"attention": seen.attention, "rollout": rollout(seen)}
        | ({} if evidence is None else {"relevance": evidence}),
    )
    yield Figure(
        "heads",
        "Heads of the class token",
        "Heads differ in where they look, and depth matters; not every head looks at the object.",
        plots.head_grid(seen),
    )
    yield Figure(
        "heads-patch",
        f"Heads of patch {token}",
        "The same from the framed patch: where it takes what it mixes into itself.",
        plots.head_grid(seen, token),
    )
    yield Figure(
        "similarity",
        f"What is like patch {token}",
        "Cosine with the framed patch: brown is alike, white unrelated, blue opposite. Raw vectors compare "
        "pixel by pixel; layer 0 adds the positions; deeper layers compare what the model has made of them.",
        plots.similarity(seen, token),
        {
            "similarity": np.stack(
                [similarity_map(seen, token, each) for each in (RAW, *range(seen.depth + 1))]
            )
        },
    )
    if model.reconstructs:
        found = reconstruct(require_mae(saved).model, inputs, picture, hidden, subject.width, subject.start)
        means = found.mean_errors()
        errors = ", ".join(f"{100 * value:.1f}" for value in means)
        yield Figure(
            "reconstruction",
            "What it guesses",
            "Mean error: of the hidden pixels, by row, in per cent of the range. A guess is right in "
            "context: plausible, not a copy." + f" In the predictions: {BORROWED}." * found.borrowed,
            plots.reconstruction(found),
            {"hidden": found.hidden, "prediction": found.prediction, "error": found.error}
            | {"mean_error": means},
            f"{int(hidden[0].sum())} of {seen.grid.count} patches hidden; mean error {errors}.",
        )
