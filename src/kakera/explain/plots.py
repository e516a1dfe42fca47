"""One picture for each view: arrays in, a Pillow image out."""

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

FRAME = (0, 190, 255)  # around a chosen patch
SMALL = 64  # pixels: the height of a tile where there are many
ERROR = 0.5  # share of the range at which an error is drawn lightest


def head_grid(seen: Activations, token: int = 0) -> Image.Image:
    """A row for each layer, a column for each head and their mean; each map from 0 to its largest value."""
    rows = [
        [_marked(over(seen.picture, m), seen, token) for m in (*maps, maps.mean(axis=0))]
        for maps in (head_maps(seen, layer, token) for layer in range(1, seen.depth + 1))
    ]
    across = [*(f"head {head}" for head in range(1, seen.heads + 1)), "mean"]
    down = [f"layer {layer}" for layer in range(1, seen.depth + 1)]
    return mosaic(rows, down=down, across=across, axes=seen.axes)


def summary(seen: Activations, layer: int = -1, relevant: Array | None = None, name: str = "") -> Image.Image:
    """The picture, the class token's attention in a layer, rollout, and relevance for the class `name`."""
    maps = [attention_map(seen, layer), rollout_map(seen)] + ([] if relevant is None else [relevant])
    across = ["picture", "class token", "rollout"] + ([] if relevant is None else [name or "class"])
    tiles = [as_rgb(seen.picture), *(over(seen.picture, m) for m in maps)]
    return mosaic([tiles], across=across, axes=seen.axes)


def reconstruction(found: Reconstruction) -> Image.Image:
    """A row for each mask: original, visible, prediction, error; what is borrowed is written below."""
    rows = [
        [as_rgb(found.original), as_rgb(masked), as_rgb(prediction), rising(error, ERROR)]
        for masked, prediction, error in zip(found.masked, found.prediction, found.error, strict=True)
    ]
    note = f"prediction: {BORROWED}" if found.borrowed else ""
    across = ["original", "visible", "prediction", "error"]
    return mosaic(rows, across=across, note=note, axes=found.axes)


def similarity(seen: Activations, token: int) -> Image.Image:
    """How like the framed patch the others are: raw, then layer 0 … L; brown alike, blue opposite."""
    layers = [RAW, *range(seen.depth + 1)]
    height, width = seen.picture.shape[:2]
    maps = [_enlarged(signed(similarity_map(seen, token, layer)), (height, width)) for layer in layers]
    row = [_marked(as_rgb(seen.picture), seen, token), *(_marked(each, seen, token) for each in maps)]
    across = ["picture", "raw", *(f"layer {layer}" for layer in layers[1:])]
    return mosaic([row], across=across, axes=seen.axes)


def similarity_across(seen: Sequence[Activations], token: int, layer: int = -1) -> Image.Image:
    """The framed patch of the first picture against the patches of all: the pictures, raw, learned."""
    first = seen[0]
    top = [_marked(as_rgb(first.picture), first, token), *(as_rgb(each.picture) for each in seen[1:])]
    rows = [
        [
            _enlarged(signed(similarity_map(first, token, which, each)), each.picture.shape[:2])
            for each in seen
        ]
        for which in (RAW, layer)
    ]
    return mosaic([top, *rows], down=["picture", "raw", "learned"], axes=_widest(seen))


def colours(seen: Sequence[Activations]) -> Image.Image:
    """A row for each picture: itself, and its tokens of layers 0 … L as colours."""
    layers = range(seen[0].depth + 1)
    found = [
        [np.round(part * 255).astype(np.uint8) for part in token_colours(seen, layer)] for layer in layers
    ]
    rows = [
        [as_rgb(each.picture), *(_enlarged(part[number], each.picture.shape[:2]) for part in found)]
        for number, each in enumerate(seen)
    ]
    return mosaic(rows, across=["picture", *(f"layer {layer}" for layer in layers)], axes=_widest(seen))


def positions(found: Array, *, upwards: bool = False) -> Image.Image:
    """(rows, cols, rows, cols): at each place of the grid the map of how like its vector the others are.

    Dark is the smallest cosine of all, light is 1. `upwards` draws the first row at the bottom.
    """
    found = found[::-1, :, ::-1] if upwards else found
    least = float(found.min())
    shape = found.shape[2] * 2, found.shape[3] * 2
    tiles = [[_enlarged(rising(each - least, 1 - least), shape) for each in row] for row in found]
    return mosaic(tiles, tile=max(16, SMALL * 7 // found.shape[0]))


def filters(found: Array, across: int = 8, *, upwards: bool = False) -> Image.Image:
    """(count, ph, pw, c), `across` a row; grey is 0, black and white are ± its largest value.

    `upwards` draws the first row of each at the bottom.
    """
    found = found[:, ::-1] if upwards else found
    most = np.abs(found).max(axis=(1, 2, 3), keepdims=True)
    shares = found / np.where(most == 0, 1.0, most)
    tiles = [as_rgb(np.round(each * 127 + 128).clip(0, 255).astype(np.uint8)) for each in shares]
    return mosaic([tiles[start : start + across] for start in range(0, len(tiles), across)], tile=SMALL)


def receptive_fields(found: Mapping[str, ReceptiveFields], axes: Axes | None = None) -> Image.Image:
    """A row for each network: its effective receptive fields by depth, square roots, each to its largest.

    `axes` are those of the pictures.
    """
    rows = [[rising(np.sqrt(each)) for each in part.maps] for part in found.values()]
    most = max(map(len, rows))
    return mosaic(rows, down=list(found), across=[str(depth) for depth in range(most)], axes=axes)


def distances(
    seen: Sequence[Activations], found: Mapping[str, ReceptiveFields], measure: Measure | None = None
) -> Image.Image:
    """Attention distance of every head by layer, mean over pictures, beside fields' mean distances."""
    measure = measure or seen[0].axes.measures()[0]
    heads = np.mean([attention_distances(each, measure.scale) for each in seen], axis=0)
    points = [(float(layer), float(value)) for layer, row in enumerate(heads, 1) for value in row]
    reach = [
        curve(f"{name}: effective receptive field", part.distances(measure.scale))
        for name, part in found.items()
    ]
    each_head = Series("attention distance, one dot a head", points, joined=False)
    return chart([each_head, *reach], x="depth: layer or block", y=measure.unit)


def lines(found: Mapping[str, LineSimilarity]) -> Image.Image:
    """Cosine by distance in rows: raw, and what the last layer makes of it, for each model."""
    first = next(iter(found.values()))
    raw = curve("raw pixels", [float(k == 0) for k in range(len(first.raw))])
    learned = [curve(name, each.by_distance()[-1]) for name, each in found.items()]
    return chart([raw, *learned], x="rows apart", y="cosine")


def _marked(tile: NDArray[np.uint8], seen: Activations, token: int) -> NDArray[np.uint8]:
    """The tile with a frame around a patch; none for the class token."""
    if token == 0:
        return tile
    (height, width), (row, col) = seen.patch, divmod(token - 1, seen.grid.cols)
    scale = max(1, round(128 / tile.shape[0]))
    tile = tile.repeat(scale, axis=0).repeat(scale, axis=1)
    top, left = scale * row * seen.step[0], scale * col * seen.step[1]
    bottom, right = top + scale * height, left + scale * width
    thick = 2  # across more, where the mosaic will make the tile narrower
    across = thick if seen.axes.plain else max(thick, round(thick * tile.shape[1] / (WIDEST * TILE)))
    inner = tile[top + thick : bottom - thick, left + across : right - across].copy()
    tile[top:bottom, left:right] = FRAME
    tile[top + thick : bottom - thick, left + across : right - across] = inner
    return tile


def _widest(seen: Sequence[Activations]) -> Axes:
    """The axes of the picture that reaches furthest."""
    return max((each.axes for each in seen), key=lambda axes: axes.across.length)


def _enlarged(tile: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Square by square to (height, width)."""
    down = np.arange(size[0]) * tile.shape[0] // size[0]
    right = np.arange(size[1]) * tile.shape[1] // size[1]
    return tile[down][:, right]
