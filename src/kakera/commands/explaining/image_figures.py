"""The figures of `kakera explain` about one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kakera.commands.explaining.gallery import Figure
from kakera.explain import captions, plots
from kakera.explain.activations import RAW, Activations
from kakera.explain.attention import rollout
from kakera.explain.reconstruct import BORROWED, reconstruct
from kakera.explain.relevance import relevance
from kakera.explain.similarity import similarity_map
from kakera.formats.bundle import Pretrained, require_mae, require_token_classifier


@dataclass(frozen=True, eq=False)
class FigureInput:
    """A picture (c, H, W) of stored values, the activations of a model on it, and what to show of them."""

    saved: Pretrained
    seen: Activations
    picture: Tensor
    width: int | None
    """Width without padding, in pixels; None if the picture has no padding."""
    start: float
    """Start of the window in its recording, in seconds."""
    layer: int
    token: int
    target: int
    """Number of the class whose relevance map is shown."""


def image_figures(subject: FigureInput, hidden: NDArray[np.bool_]) -> Iterator[Figure]:
    """Yield the figures of one picture; `hidden` (k, N) are k masks of its patches, True = hidden."""
    saved, seen, picture, token = subject.saved, subject.seen, subject.picture, subject.token
    model, inputs, layer, target = saved.model, saved.inputs, subject.layer, subject.target
    evidence = None
    if model.classifies:
        evidence = relevance(require_token_classifier(saved).model, inputs, picture, target, subject.width)
    name = saved.classes[target] if saved.classes else ""
    which = "the last layer" if layer in (-1, seen.depth) else f"layer {layer}"
    yield Figure(
        "summary",
        "Attention",
        f"From the left: the picture; the attention of the {seen.token_zero} in {which}, averaged over "
        "heads; attention rollout, which combines the attention of all layers (Abnar and Zuidema 2020)"
        + ("" if evidence is None else f"; the {captions.RELEVANCE} (Chefer et al. 2021)")
        + f". In each map {captions.MAP_RANGE}.",
        plots.summary(seen, layer, evidence, name),
        {"attention": seen.attention, "rollout": rollout(seen)}
        | ({} if evidence is None else {"relevance": evidence}),
    )
    yield Figure(
        "heads",
        f"Attention heads of the {seen.token_zero}",
        "Each map is the attention of one head. Heads of one layer differ, and layers differ. Not every head "
        "attends to the object.",
        plots.head_grid(seen),
    )
    yield Figure(
        "heads-patch",
        f"Attention heads of patch {token}",
        f"Each map is one head. {captions.ATTENTION}",
        plots.head_grid(seen, token),
    )
    yield Figure(
        "similarity",
        f"Patches similar to patch {token}",
        f"{captions.SIMILARITY} The raw map compares pixel values. Layer 0 adds the position embeddings. "
        "Deeper layers compare the tokens of the model.",
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
            "Reconstruction",
            f"{captions.RECONSTRUCTION} The mean error is the mean absolute error of the hidden pixels, for "
            "each row, in per cent of the value range."
            + f" In the predictions: {BORROWED}."
            * found.borrowed,
            plots.reconstruction(found),
            {"hidden": found.hidden, "prediction": found.prediction, "error": found.error}
            | {"mean_error": means},
            f"{int(hidden[0].sum())} of {seen.grid.count} patches are hidden; the mean error is {errors}.",
        )
