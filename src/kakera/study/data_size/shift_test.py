"""The shift test (lecture L7): how a shift of the picture changes predictions, features and maps.

A convolution is translation-equivariant: after a shift by a whole cell, the maps of a CNN are the shifted
maps, except near the border. A Transformer has no such property, because it adds position embeddings to its
tokens.
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

BATCH, FEW = 256, 32  # pictures, recordings in a batch
MOST = 2000  # largest number of test pictures


def directions(inputs: InputSpec) -> tuple[tuple[int, int], ...]:
    """Return unit shifts (down, across): four for pictures; forward and backward in time for recordings.

    Example:

        >>> directions(InputSpec(1, 28, 28, (0.5,), (0.5,)))
        ((1, 0), (-1, 0), (0, 1), (0, -1))
    """
    in_time = (0, 1), (0, -1)
    return in_time if inputs.sound is not None else ((1, 0), (-1, 0), *in_time)


def moved(
    saved: Pretrained[WithHead], dataset: Dataset, shifts: Sequence[int], device: str = "auto"
) -> dict[str, Any]:
    """Measure a classifier on labelled pictures, shifted by each number of pixels in `shifts`.

    All `directions` are averaged, and zeros fill the border. The result has the keys `scores` (accuracy or
    mean average precision, by shift), `features` (change of the input of the head, by shift), `maps` (the
    difference between the new maps and the shifted maps, for a shift of one cell), `cell` (pixels of a cell)
    and `unit`. A difference is 0 for equal values and about 1 for unrelated ones (`difference`). For
    recordings, the first window is shifted by frames, the mean fills the border, and the end shifts too.

    Example:

        >>> from kakera import Classifier
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> found = moved(saved, open_dataset("demo").part("test").take(np.arange(4)), [1], device="cpu")
        >>> sorted(found)
        ['cell', 'features', 'maps', 'scores', 'unit']
    """
    with moved_to_device(saved, device):
        return _moves(saved, dataset, shifts)


@torch.inference_mode()  # not around `moved_to_device`: parameters moved in this mode cannot be trained again
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
    """Return ‖a − b‖² / (‖a − m‖² + ‖b − m‖²), where m is the mean of both.

    The value is 0 for equal rows and about 1 for unrelated rows.

    Example:

        >>> rows = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> difference(rows, rows), difference(rows, -rows)
        (0.0, 2.0)
    """
    centre = torch.cat([first, second]).mean(dim=0)
    apart = (first - second).square().sum()
    spread = (first - centre).square().sum() + (second - centre).square().sum()
    return float(apart / spread.clamp_min(torch.finfo(spread.dtype).tiny))


def shifted(
    pictures: Num[Tensor, "b c H W"], shift: int, direction: tuple[int, int], fill: float = 0.0
) -> Num[Tensor, "b c H W"]:
    """Shift pictures by `shift` pixels in `direction` (down, across); `fill` is the value of new pixels.

    Example:

        >>> shifted(torch.tensor([[[[1, 2, 3]]]]), 1, (0, 1)).tolist()
        [[[[0, 1, 2]]]]
    """
    down, across = (shift * step for step in direction)
    height, width = pictures.shape[-2:]
    result = torch.full_like(pictures, fill)
    rows, cols = _overlap(height, down), _overlap(width, across)
    result[..., rows[1], cols[1]] = pictures[..., rows[0], cols[0]]
    return result


def _overlap(length: int, by: int) -> tuple[slice, slice]:
    """Return the source and the target range of the part that stays inside."""
    return slice(max(-by, 0), length - max(by, 0)), slice(max(by, 0), length - max(-by, 0))


def _features(
    saved: Pretrained[WithHead], dataset: Dataset, shift: int, direction: tuple[int, int]
) -> tuple[Tensor, NDArray[np.int64]]:
    """Return the input of the head, (n, d), and the numbers of the pictures."""
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
    """Shift stored values; pictures are filled with black (0), spectrograms with the mean, like padding."""
    fill = 0.0 if saved.inputs.sound is None else saved.inputs.mean[0]
    return shifted(looked.pictures, shift, direction, fill)


def _end(saved: Pretrained[WithHead], width: int | None, across: int) -> int:
    """Return the number of pixels before the padding after a shift; only recordings have padding."""
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
    """Return the side of a cell in pixels, and how much the maps differ from the maps shifted by one cell.

    The padding of a recording counts as part of the picture here, and it shifts too.
    """
    first: list[Tensor] = []
    second: list[Tensor] = []
    cell = 1
    for looked, _ in _batches(saved, dataset):
        still = _maps(saved, looked.pictures)
        cell = max(1, round(looked.pictures.shape[-1] / still.shape[-1]))
        after = _maps(saved, _moved(saved, looked, cell, (0, 1)))
        # Leave out two cells at each border, if the maps are large enough: new content enters there.
        rim = min(2, (still.shape[-1] - 2) // 2) if still.shape[-1] > 2 else 0
        first.append(_inside(still[..., :-1], rim))
        second.append(_inside(after[..., 1:], rim))
    return cell, difference(torch.cat(first), torch.cat(second))


def _inside(maps: Float[Tensor, "b d rows cols"], rim: int) -> Float[Tensor, "n d"]:
    rows, cols = maps.shape[-2:]
    inside = maps[..., rim : rows - rim, rim : cols - rim] if min(rows, cols) > 2 * rim else maps
    return rearrange(inside, "b d rows cols -> (b rows cols) d")


def _maps(saved: Pretrained[WithHead], pictures: Tensor) -> Float[Tensor, "b d rows cols"]:
    """Return the features of the last layer at each position."""
    return saved.model.maps(_normalised(saved, pictures)).cpu()


def _normalised(saved: Pretrained[WithHead], pictures: Tensor) -> Tensor:
    """Return normalised pictures on the device of the model."""
    return saved.inputs.normalize(pictures.to(saved.device))


def _batches(saved: Pretrained[WithHead], dataset: Dataset) -> Iterator[tuple[Preview, Tensor]]:
    """Yield batches of pictures, and their numbers."""
    together = BATCH if dataset.sounds is None else FEW
    for first in range(0, len(dataset), together):
        rows = np.arange(first, min(first + together, len(dataset)))
        looked = preview(dataset.take(rows), saved.front_end)
        if len(looked):
            yield looked, looked.batch.samples + first
