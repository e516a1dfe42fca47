"""What a shift of the picture does to a network (lecture L7): to its answers, its features, its maps.

A convolution moves with the picture, so the maps of a CNN shifted by a whole cell are, away from the border,
the shifted maps. Nothing in a Transformer says so: positions are added to the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Num
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained, WithHead
from kakera.inputs import InputSpec
from kakera.training.device import moved_to_device
from kakera.training.metrics import evaluate
from kakera.training.preview import Preview, preview

BATCH, FEW = 256, 32  # pictures, recordings at a time
MOST = 2000  # pictures, of those that there are


def directions(inputs: InputSpec) -> tuple[tuple[int, int], ...]:
    """Down and across: pictures are moved in four directions, recordings to and fro in time."""
    in_time = (0, 1), (0, -1)
    return in_time if inputs.sound is not None else ((1, 0), (-1, 0), *in_time)


def moved(
    saved: Pretrained[WithHead], dataset: Dataset, shifts: Sequence[int], device: str = "auto"
) -> dict[str, Any]:
    """Of labelled pictures moved by each number of pixels (`directions`), zeros coming in behind:

    `scores` of each shift (accuracy, or mean average precision), `features`: how different what the head
    sees becomes, `maps`: how different the maps are from the shifted maps, for one cell of `cell` pixels.
    Differences are 0 for the same and about 1 for what has nothing in common (`difference`). Of recordings
    the first window is moved, by frames; the mean comes in behind, and the end moves along.
    """
    with moved_to_device(saved, device):
        return _moves(saved, dataset, shifts)


@torch.inference_mode()  # not around `placed`: what is moved within it could never learn again
def _moves(saved: Pretrained[WithHead], dataset: Dataset, shifts: Sequence[int]) -> dict[str, Any]:
    still = _features(saved, dataset, 0, (0, 0))
    found: dict[str, Any] = {"scores": {}, "features": {}}
    for shift in shifts:
        runs = [_features(saved, dataset, shift, direction) for direction in directions(saved.inputs)]
        values = [_score(saved, dataset, features, numbers) for features, numbers in runs]
        found["scores"][str(shift)] = float(np.mean(values))
        found["features"][str(shift)] = float(np.mean([difference(still[0], run[0]) for run in runs]))
    cell, change = _maps_change(saved, dataset)
    unit = "px" if saved.inputs.sound is None else "frames"
    return found | {"cell": cell, "maps": change, "unit": unit}


def difference(first: Float[Tensor, "n d"], second: Float[Tensor, "n d"]) -> float:
    """‖a − b‖² / (‖a − m‖² + ‖b − m‖²), m the mean of both: 0 for equal rows, 1 for unrelated ones."""
    centre = torch.cat([first, second]).mean(dim=0)
    apart = (first - second).square().sum()
    spread = (first - centre).square().sum() + (second - centre).square().sum()
    return float(apart / spread.clamp_min(torch.finfo(spread.dtype).tiny))


def shifted(
    pictures: Num[Tensor, "b c H W"], shift: int, direction: tuple[int, int], fill: float = 0.0
) -> Num[Tensor, "b c H W"]:
    """Moved by so many pixels down and across, `fill` behind."""
    down, across = (shift * step for step in direction)
    height, width = pictures.shape[-2:]
    found = torch.full_like(pictures, fill)
    rows, cols = _overlap(height, down), _overlap(width, across)
    found[..., rows[1], cols[1]] = pictures[..., rows[0], cols[0]]
    return found


def _overlap(length: int, by: int) -> tuple[slice, slice]:
    """Where the part that stays inside comes from, and goes to."""
    return slice(max(-by, 0), length - max(by, 0)), slice(max(by, 0), length - max(-by, 0))


def _features(
    saved: Pretrained[WithHead], dataset: Dataset, shift: int, direction: tuple[int, int]
) -> tuple[Tensor, NDArray[np.int64]]:
    """What the head sees, (n, d), and the numbers of the pictures."""
    model = saved.model
    rows: list[Tensor] = []
    numbers: list[Tensor] = []
    for looked, samples in _batches(saved, dataset):
        pictures = _normalised(saved, _moved(saved, looked, shift, direction))
        ends = [_end(saved, width, shift * direction[1]) for width in looked.widths]
        padding = saved.front_end.padding(torch.tensor(ends))
        rows.append(model.features(pictures, padding_mask=padding).cpu())
        numbers.append(samples)
    return torch.cat(rows), torch.cat(numbers).numpy()


def _moved(saved: Pretrained[WithHead], looked: Preview, shift: int, direction: tuple[int, int]) -> Tensor:
    """In stored values; 0 of pictures is black, the mean of spectrograms what stands beyond their end."""
    fill = 0.0 if saved.inputs.sound is None else saved.inputs.mean[0]
    return shifted(looked.pictures, shift, direction, fill)


def _end(saved: Pretrained[WithHead], width: int | None, across: int) -> int:
    """After how many pixels a picture ends that was moved; of recordings alone the front end asks for it."""
    whole = saved.inputs.width
    return min(max((whole if width is None else width) + across, 1), whole)


def _score(
    saved: Pretrained[WithHead], dataset: Dataset, features: Tensor, numbers: NDArray[np.int64]
) -> float:
    model = saved.model
    assert dataset.labels is not None
    logits = model.head(features.to(saved.device)).cpu()
    chances = logits.sigmoid() if saved.multi_label else logits.softmax(dim=1)
    score = evaluate(chances.numpy(), dataset.labels[numbers], saved.classes).score
    assert score is not None
    return score


def _maps_change(saved: Pretrained[WithHead], dataset: Dataset) -> tuple[int, float]:
    """The side of a cell in pixels, and how far the maps fail to move with the picture by one cell.

    What stands beyond the end of a recording counts as part of the picture here: it moves along.
    """
    first: list[Tensor] = []
    second: list[Tensor] = []
    cell = 1
    for looked, _ in _batches(saved, dataset):
        still = _maps(saved, looked.pictures)
        cell = max(1, round(looked.pictures.shape[-1] / still.shape[-1]))
        after = _maps(saved, _moved(saved, looked, cell, (0, 1)))
        # Two cells from the borders, where there are so many: what comes in is not what was there.
        rim = min(2, (still.shape[-1] - 2) // 2) if still.shape[-1] > 2 else 0
        first.append(_inside(still[..., :-1], rim))
        second.append(_inside(after[..., 1:], rim))
    return cell, difference(torch.cat(first), torch.cat(second))


def _inside(maps: Float[Tensor, "b d rows cols"], rim: int) -> Float[Tensor, "n d"]:
    rows, cols = maps.shape[-2:]
    kept = maps[..., rim : rows - rim, rim : cols - rim] if min(rows, cols) > 2 * rim else maps
    return rearrange(kept, "b d rows cols -> (b rows cols) d")


def _maps(saved: Pretrained[WithHead], pictures: Tensor) -> Float[Tensor, "b d rows cols"]:
    """The last layer, place by place."""
    return saved.model.maps(_normalised(saved, pictures)).cpu()


def _normalised(saved: Pretrained[WithHead], pictures: Tensor) -> Tensor:
    """In the model's units, where the model is."""
    return saved.inputs.normalize(pictures.to(saved.device))


def _batches(saved: Pretrained[WithHead], dataset: Dataset) -> Iterator[tuple[Preview, Tensor]]:
    """Some pictures at a time, and their numbers."""
    together = BATCH if dataset.sounds is None else FEW
    for first in range(0, len(dataset), together):
        rows = np.arange(first, min(first + together, len(dataset)))
        looked = preview(dataset.take(rows), saved.front_end)
        if len(looked):
            yield looked, looked.batch.samples + first
