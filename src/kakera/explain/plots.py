"""Plots of what the other modules compute: each function takes arrays and returns a Pillow image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.explain.activations import RAW, Activations, Array
from kakera.explain.attention import attention_distances, attention_map, head_maps, rollout_map
from kakera.explain.axes import Axes, Measure
from kakera.explain.chart import Series, chart, curve
from kakera.explain.colour import as_rgb, over, rising, signed
from kakera.explain.components import token_colours
from kakera.explain.lines import LineSimilarity
from kakera.explain.mosaic import TILE, WIDEST, mosaic
from kakera.explain.receptive import ReceptiveFields
from kakera.explain.reconstruct import BORROWED, Reconstruction
from kakera.explain.similarity import similarity_map

FRAME = (0, 190, 255)  # colour of the frame around a patch
SMALL = 64  # pixels: height of a tile in plots with many tiles
ERROR = 0.5  # the error with the lightest colour, as a share of the range


def head_grid(activations: Activations, token: int = 0) -> Image.Image:
    """Plot the attention of a token: a row for each layer, a column for each head and their mean.

    The colours of each map reach from 0 to its largest value.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> head_grid(activations).mode
        'RGB'
    """
    rows = [
        [_marked(over(activations.picture, m), activations, token) for m in (*maps, maps.mean(axis=0))]
        for maps in (head_maps(activations, layer, token) for layer in range(1, activations.depth + 1))
    ]
    across = [*(f"head {head}" for head in range(1, activations.heads + 1)), "mean"]
    down = [f"layer {layer}" for layer in range(1, activations.depth + 1)]
    return mosaic(rows, down=down, across=across, axes=activations.axes)


def summary(
    activations: Activations, layer: int = -1, relevant: Array | None = None, name: str = ""
) -> Image.Image:
    """Plot a picture, the attention of token 0 in a layer, rollout, and relevance for class `name`.

    Relevance is left out if `relevant` is None.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> summary(activations).mode
        'RGB'
    """
    maps = [attention_map(activations, layer), rollout_map(activations)] + (
        [] if relevant is None else [relevant]
    )
    across = ["picture", activations.token_zero, "rollout"] + ([] if relevant is None else [name or "class"])
    tiles = [as_rgb(activations.picture), *(over(activations.picture, m) for m in maps)]
    return mosaic([tiles], across=across, axes=activations.axes)


def reconstruction(result: Reconstruction) -> Image.Image:
    """Plot a row for each mask: original, visible patches, prediction and error.

    A note below names the values that are copied from the original.

    Example:

        >>> import torch, kakera
        >>> model = kakera.MAE("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> hidden = np.array([[True, False, True, True]])
        >>> reconstruction(kakera.explain.reconstruct(model, inputs, torch.zeros(1, 8, 8), hidden)).mode
        'RGB'
    """
    rows = [
        [as_rgb(result.original), as_rgb(masked), as_rgb(prediction), rising(error, ERROR)]
        for masked, prediction, error in zip(result.masked, result.prediction, result.error, strict=True)
    ]
    note = f"prediction: {BORROWED}" if result.borrowed else ""
    across = ["original", "visible", "prediction", "error"]
    return mosaic(rows, across=across, note=note, axes=result.axes)


def similarity(activations: Activations, token: int) -> Image.Image:
    """Plot the similarity of the framed patch and all others: raw vectors, then layers 0 … L.

    Light is similar, dark blue is opposite.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> similarity(activations, token=1).mode
        'RGB'
    """
    layers = [RAW, *range(activations.depth + 1)]
    height, width = activations.picture.shape[:2]
    maps = [_enlarged(signed(similarity_map(activations, token, layer)), (height, width)) for layer in layers]
    row = [
        _marked(as_rgb(activations.picture), activations, token),
        *(_marked(each, activations, token) for each in maps),
    ]
    across = ["picture", "raw", *(f"layer {layer}" for layer in layers[1:])]
    return mosaic([row], across=across, axes=activations.axes)


def similarity_across(activations: Sequence[Activations], token: int, layer: int = -1) -> Image.Image:
    """Plot the similarity of the framed patch of the first picture and the patches of all pictures.

    The rows are: pictures, raw vectors, tokens of a layer.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> similarity_across([activations, activations], token=1).mode
        'RGB'
    """
    first = activations[0]
    top = [_marked(as_rgb(first.picture), first, token), *(as_rgb(each.picture) for each in activations[1:])]
    rows = [
        [
            _enlarged(signed(similarity_map(first, token, which, each)), each.picture.shape[:2])
            for each in activations
        ]
        for which in (RAW, layer)
    ]
    return mosaic([top, *rows], down=["picture", "raw", "learned"], axes=_widest(activations))


def colours(activations: Sequence[Activations]) -> Image.Image:
    """Plot a row for each picture: the picture, and its tokens of layers 0 … L as colours.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> colours([activations]).mode
        'RGB'
    """
    layers = range(activations[0].depth + 1)
    parts = [
        [np.round(part * 255).astype(np.uint8) for part in token_colours(activations, layer)]
        for layer in layers
    ]
    rows = [
        [as_rgb(each.picture), *(_enlarged(part[number], each.picture.shape[:2]) for part in parts)]
        for number, each in enumerate(activations)
    ]
    return mosaic(
        rows, across=["picture", *(f"layer {layer}" for layer in layers)], axes=_widest(activations)
    )


def positions(values: Array, *, upwards: bool = False) -> Image.Image:
    """Plot the similarity of position embeddings: one map for each place of the grid.

    `values` is (rows, cols, rows, cols). Dark is the smallest cosine of all, light is 1. `upwards` draws the
    first row at the bottom.

    Example:

        >>> positions(np.eye(4).reshape(2, 2, 2, 2)).mode
        'RGB'
    """
    values = values[::-1, :, ::-1] if upwards else values
    least = float(values.min())
    shape = values.shape[2] * 2, values.shape[3] * 2
    tiles = [[_enlarged(rising(each - least, 1 - least), shape) for each in row] for row in values]
    return mosaic(tiles, tile=max(16, SMALL * 7 // values.shape[0]))


def filters(values: Array, across: int = 8, *, upwards: bool = False) -> Image.Image:
    """Plot filters (count, ph, pw, c), `across` in each row.

    Grey is 0; black and white are − and + the largest value of a filter. `upwards` draws the first row at the
    bottom.

    Example:

        >>> filters(np.ones((2, 4, 4, 1))).mode
        'RGB'
    """
    values = values[:, ::-1] if upwards else values
    most = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
    shares = values / np.where(most == 0, 1.0, most)
    tiles = [as_rgb(np.round(each * 127 + 128).clip(0, 255).astype(np.uint8)) for each in shares]
    return mosaic([tiles[start : start + across] for start in range(0, len(tiles), across)], tile=SMALL)


def receptive_fields(fields: Mapping[str, ReceptiveFields], axes: Axes | None = None) -> Image.Image:
    """Plot a row for each network: its effective receptive fields by depth.

    The plot shows square roots; the colours of each map reach from 0 to its largest value. `axes` are those
    of the pictures.

    Example:

        >>> fields = ReceptiveFields(np.full((1, 8, 8), 1 / 64), np.array([[4.0, 4.0]]))
        >>> receptive_fields({"network": fields}).mode
        'RGB'
    """
    rows = [[rising(np.sqrt(each)) for each in part.maps] for part in fields.values()]
    most = max(map(len, rows))
    return mosaic(rows, down=list(fields), across=[str(depth) for depth in range(most)], axes=axes)


def distances(
    activations: Sequence[Activations], fields: Mapping[str, ReceptiveFields], measure: Measure | None = None
) -> Image.Image:
    """Plot the attention distance of every head by layer, and mean distances of receptive fields.

    Attention distances are means over the pictures.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> distances([activations], {}).size
        (560, 339)
    """
    measure = measure or activations[0].axes.measures()[0]
    heads = np.mean([attention_distances(each, measure.scale) for each in activations], axis=0)
    points = [(float(layer), float(value)) for layer, row in enumerate(heads, 1) for value in row]
    reach = [
        curve(f"{name}: effective receptive field", part.distances(measure.scale))
        for name, part in fields.items()
    ]
    each_head = Series("attention distance, one dot per head", points, joined=False)
    return chart([each_head, *reach], x="depth: layer or block", y=measure.unit)


def lines(similarities: Mapping[str, LineSimilarity]) -> Image.Image:
    """Plot the cosine by distance in rows, for raw pixels and for the last layer of each model.

    Example:

        >>> import kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> lines({"untrained": kakera.explain.patch_lines(model, inputs)}).size
        (560, 358)
    """
    first = next(iter(similarities.values()))
    raw = curve("raw pixels", [float(k == 0) for k in range(len(first.raw))])
    learned = [curve(name, each.by_distance()[-1]) for name, each in similarities.items()]
    return chart([raw, *learned], x="distance in rows", y="cosine")


def _marked(tile: NDArray[np.uint8], activations: Activations, token: int) -> NDArray[np.uint8]:
    """Return the tile with a frame around a patch; the class token gets no frame."""
    if token == 0:
        return tile
    (height, width), (row, col) = activations.patch, divmod(token - 1, activations.grid.cols)
    scale = max(1, round(128 / tile.shape[0]))
    tile = tile.repeat(scale, axis=0).repeat(scale, axis=1)
    top, left = scale * row * activations.step[0], scale * col * activations.step[1]
    bottom, right = top + scale * height, left + scale * width
    thick = 2  # more across if the mosaic makes the tile narrower
    across = thick if activations.axes.plain else max(thick, round(thick * tile.shape[1] / (WIDEST * TILE)))
    inner = tile[top + thick : bottom - thick, left + across : right - across].copy()
    tile[top:bottom, left:right] = FRAME
    tile[top + thick : bottom - thick, left + across : right - across] = inner
    return tile


def _widest(activations: Sequence[Activations]) -> Axes:
    """Return the axes of the widest picture."""
    return max((each.axes for each in activations), key=lambda axes: axes.across.length)


def _enlarged(tile: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a map enlarged to (height, width), each cell as a rectangle."""
    down = np.arange(size[0]) * tile.shape[0] // size[0]
    right = np.arange(size[1]) * tile.shape[1] // size[1]
    return tile[down][:, right]
