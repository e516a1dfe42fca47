"""`kakera explain`: look into a model with a few pictures; ends with a page, pictures and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.images import decode
from kakera.data.loader import evaluation_batches
from kakera.data.sources import open_pictures
from kakera.errors import DataError, OptionError, UnreadableFileError, sentence
from kakera.explain.attention import attention_distances
from kakera.explain.masks import drawn, painted
from kakera.explain.reconstruct import kind_of
from kakera.explain.seen import Seen, checked, look, require_pictures
from kakera.formats.load import load
from kakera.formats.native import Saved
from kakera.grid import Grid
from kakera.model.classifier import Classifier
from kakera.study.explain.album import Album
from kakera.study.explain.model_plates import model_plates, require_cnn, untrained_cnn
from kakera.study.explain.options import ExplainOptions
from kakera.study.explain.picture_plates import picture_plates
from kakera.study.explain.plate import Plate
from kakera.training.infer import probabilities
from kakera.training.recipes import build

MOST = 24  # pictures on a page
MOST_SAMPLES = 16


@dataclass(frozen=True)
class Explained:
    """What was written, and the numbers that fit on a screen."""

    folder: Path
    kind: str
    """Encoder only, raw pixels or normalised pixels."""
    files: tuple[dict[str, Any], ...]
    """Of each picture: file, pictures written, probabilities, attention distances, reconstruction errors."""
    written: tuple[str, ...]
    unreadable: tuple[UnreadableFileError, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self) | {"folder": str(self.folder), "unreadable": [str(e) for e in self.unreadable]}


def explain_files(model: str | Path | Saved, files: Sequence[str | Path], **options: Any) -> Explained:
    """Look at pictures with a model and write `index.html`, PNGs and `numbers.npz` into a folder.

    `options` are the fields of `ExplainOptions`. A file that cannot be read is passed over and named in
    the result. Raises RunError for the model, DataError where no picture is left or there are too many,
    OptionError, StorageError.
    """
    asked = _options(options)
    saved = model if isinstance(model, Saved) else load(model)
    require_pictures(saved.inputs)
    kind, grid = kind_of(saved.model), saved.encoder.grid
    layer = asked.layer if asked.layer == -1 else checked("layer", asked.layer, 1, saved.encoder.shape.depth)
    token = checked("patch", asked.patch, 0, grid.count) or grid.rows // 2 * grid.cols + grid.cols // 2 + 1
    hidden = _masks(asked, grid)
    cnn = require_cnn(load(asked.cnn), saved) if asked.cnn else untrained_cnn(saved)
    target = _target(saved, asked.target)
    pictures, names, broken = _read(saved, files)
    known = isinstance(saved.model, Classifier)
    chances = probabilities(saved, pictures).numpy() if known else np.zeros((len(pictures), 0))
    out = Path(asked.out)
    album, seen, rows = Album(out), list[Seen](), list[dict[str, Any]]()
    for number, (picture, name, row) in enumerate(zip(pictures, names, chances, strict=True), 1):
        view = look(saved.encoder, saved.inputs, picture)
        aim = int(row.argmax()) if target < 0 and len(row) else max(target, 0)
        plates = list(
            picture_plates(saved, view, picture, layer=layer, token=token, target=aim, hidden=hidden)
        )
        prefix = f"{number:02d}-{_plain(Path(name).stem)}-"
        album.section(_heading(saved, name, row), prefix, plates)
        rows.append(_numbers(saved, name, row, view, plates, prefix))
        seen.append(view)
    album.section("The model", "model-", list(model_plates(saved, seen, pictures, token, cnn)))
    album.finish(f"Looking into {_title(model)}", f"{kind[0].upper()}{kind[1:]}.")
    return Explained(out, kind, tuple(rows), tuple(album.written), broken)


def _options(given: dict[str, Any]) -> ExplainOptions:
    asked = build(ExplainOptions, given)
    checked("samples", asked.samples, 1, MOST_SAMPLES)
    return asked


def _masks(asked: ExplainOptions, grid: Grid) -> NDArray[np.bool_]:
    if asked.mask:
        return painted(grid, decode(Path(asked.mask), 1)[..., 0] / 255)
    return drawn(grid, asked.hide, seed=asked.seed, count=asked.samples, kind=asked.masking)


def _target(saved: Saved, name: str) -> int:
    """The number of a class, −1 where none is named."""
    if not name:
        return -1
    if name not in saved.classes:
        known = ", ".join(saved.classes) or "none: this model knows no classes"
        raise OptionError(sentence("class", got=name, expected=known, do="choose one of these"))
    return saved.classes.index(name)


def _read(
    saved: Saved, files: Sequence[str | Path]
) -> tuple[Tensor, list[str], tuple[UnreadableFileError, ...]]:
    dataset = open_pictures(files, saved.inputs.channels)
    if not 1 <= len(dataset) <= MOST:
        raise DataError(
            sentence("files", got=f"{len(dataset)} pictures", expected=f"1 to {MOST}", do="name some files")
        )
    batch = next(iter(evaluation_batches(dataset, saved.inputs.size, batch=MOST)))
    if not len(batch.samples):
        raise batch.unreadable[0]
    names = [dataset.pictures.name(index) for index in batch.samples.tolist()]
    return torch.as_tensor(batch.pictures), names, batch.unreadable


def _heading(saved: Saved, name: str, row: NDArray[np.floating[Any]]) -> str:
    best = "" if not len(row) else f": {saved.classes[int(row.argmax())]}, {100 * row.max():.1f} %"
    return f"{Path(name).name}{best}"


def _numbers(
    saved: Saved, name: str, row: NDArray[np.floating[Any]], view: Seen, plates: Sequence[Plate], prefix: str
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": name,
        "pictures": [f"{prefix}{plate.name}.png" for plate in plates],
        "attention_distances": attention_distances(view).round(3).tolist(),
    }
    if len(row):
        found["probabilities"] = dict(zip(saved.classes, row.round(6).tolist(), strict=True))
    for plate in plates:
        if plate.name == "reconstruction":
            found["reconstruction_errors"] = plate.numbers["mean_error"].round(6).tolist()
    return found


def _title(model: str | Path | Saved) -> str:
    return "a model" if isinstance(model, Saved) else str(model)


def _plain(stem: str) -> str:
    """Letters, digits and dashes of a name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:40] or "picture"
