"""`kakera explain`: figures of what a model does with a few pictures, on a page, with their numbers."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from kakera.commands.explaining.args import ExplainArgs
from kakera.commands.explaining.gallery import Figure, Gallery
from kakera.commands.explaining.image_figures import FigureInput, image_figures
from kakera.commands.explaining.model_figures import model_figures, require_cnn, untrained_cnn
from kakera.commands.explaining.options import ExplainOptions
from kakera.commands.explaining.spread import spread
from kakera.data.images.decode import decode
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.explain.activations import Activations, encode, require_between
from kakera.explain.attention import attention_distances
from kakera.explain.extent import ValidArea
from kakera.explain.masks import mask_of_drawing, random_masks
from kakera.explain.reconstruct import describe_kind
from kakera.formats.adapt import with_one_shape
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import probabilities
from kakera.formats.load import load
from kakera.formats.regression import encoder_of
from kakera.grid import Grid
from kakera.option_fields import AUTO, Auto
from kakera.out_of_memory import memory_for
from kakera.training.notes import noted
from kakera.training.preview import Preview, preview
from kakera.training.recipes import build

MOST = 24  # most files on a page
MOST_SAMPLES = 16  # most reconstructions of each file


@dataclass(frozen=True)
class ExplainResult:
    """The names of the written files, and the most important numbers. See `explain_files`."""

    folder: Path
    kind: str
    """Description of what the model predicts: encoder only, raw pixels or normalised pixels."""
    files: tuple[dict[str, Any], ...]
    """For each file: its name, written figures, probabilities, attention distances, reconstruction errors.

    Distances are in pixels; for recordings in seconds.
    """
    written: tuple[str, ...]
    unreadable: tuple[UnreadableFileError, ...] = ()
    notes: tuple[str, ...] = ()
    """One sentence for each thing that the page leaves out because it is too small."""

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values for JSON."""
        return asdict(self) | {"folder": str(self.folder), "unreadable": [str(e) for e in self.unreadable]}


@memory_for("explain", "pass fewer files, or lower --samples")
def explain_files(
    model: str | Path | Pretrained,
    files: Files,
    *,
    out: str | Path = ExplainOptions.out,
    **options: Unpack[ExplainArgs],
) -> ExplainResult:
    """Draw figures of what a model does with pictures or recordings, and write them into a folder.

    `model` is a run folder or a loaded model with a Vision Transformer. `files` are as in `predict`, and
    `options` are the fields of `ExplainOptions`. The folder `out` receives `index.html`, PNG files and
    `numbers.npz`. For a recording the page shows one window, without its padding. The page shows at most 24
    files, equally many of each class, and at most 16 samples; one line on stderr, the page and `notes` tell
    about files and samples left out. Unreadable files are skipped and listed in the result.

    Return an `ExplainResult`. Raises RunError for the model, DataError if no file is left, OptionError,
    StorageError.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.bundle import Pretrained
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> inputs = InputSpec(1, 28, 28, mean=(0.5,), std=(0.5,))
        >>> model = Pretrained(network.eval(), inputs, ("left", "right"))
        >>> explain_files(model, np.zeros((28, 28), np.uint8), out="explained").written[-2:]
        ('numbers.npz', 'index.html')
    """
    asked, notes = _options({**options, "out": str(out)})
    saved = with_one_shape(model if isinstance(model, Pretrained) else noted(load(model), model))
    if saved.regression:
        _note(notes, "the model predicts numbers: the page shows its encoder, without relevance maps")
        saved = encoder_of(saved)
    depth, kind = saved.encoder.config.depth, describe_kind(saved.model)
    layer = asked.layer if asked.layer == -1 else require_between("layer", asked.layer, 1, depth)
    _token(asked.patch_index, saved.encoder.grid)
    _masks(asked, saved.encoder.grid)  # raise errors of the mask options before reading any file
    cnn = require_cnn(load(asked.cnn), saved) if asked.cnn else untrained_cnn(saved)
    target = _target(saved, asked.target)
    looked, names = _read(saved, files, asked.at, notes)
    extents = [ValidArea.of(saved.encoder, width) for width in looked.widths]
    tokens = [_token(asked.patch_index, extent.grid) for extent in extents]
    hidden = [_masks(asked, extent.grid) for extent in extents]
    chances = np.zeros((len(looked), 0), np.float32)
    if saved.model.classifies:
        chances = probabilities(saved, saved.inputs.normalize(looked.pictures), looked.padding).numpy()
    out = Path(out)
    album, seen, rows = Gallery(out), list[Activations](), list[dict[str, Any]]()
    for number, (name, row) in enumerate(zip(names, chances, strict=True)):
        picture, width = looked.pictures[number], looked.widths[number]
        view = encode(saved.encoder, saved.inputs, picture, width, asked.at)
        aim = int(row.argmax()) if target < 0 and len(row) else max(target, 0)
        subject = FigureInput(saved, view, picture, width, asked.at, layer, tokens[number], aim)
        plates = list(image_figures(subject, hidden[number]))
        prefix = f"{number + 1:02d}-{_plain(Path(name).stem)}-"
        album.section(_heading(saved, name, row, view), prefix, plates)
        rows.append(_numbers(saved, name, row, view, plates, prefix))
        seen.append(view)
    album.section("The model", "model-", list(model_figures(saved, seen, looked, tokens[0], cnn)))
    opening = " ".join(f"{part[0].upper()}{part[1:]}." for part in (kind, *notes))
    album.finish(f"kakera explain: {_title(model)}", opening)
    return ExplainResult(out, kind, tuple(rows), tuple(album.written), looked.batch.unreadable, tuple(notes))


def _options(given: dict[str, Any]) -> tuple[ExplainOptions, list[str]]:
    """Return the options, with at most MOST_SAMPLES samples, and a list of notes."""
    asked, notes = build(ExplainOptions, given), list[str]()
    if asked.samples > MOST_SAMPLES:
        _note(notes, f"the page shows {MOST_SAMPLES} of {asked.samples:,} samples of each file")
        asked = replace(asked, samples=MOST_SAMPLES)
    return asked, notes


def _note(notes: list[str], text: str) -> None:
    notes.append(text)
    print(f"kakera: {text}", file=sys.stderr)


def _masks(asked: ExplainOptions, grid: Grid) -> NDArray[np.bool_]:
    if asked.mask:
        return mask_of_drawing(grid, decode(Path(asked.mask), 1)[..., 0] / 255)
    return random_masks(grid, asked.mask_ratio, seed=asked.seed, count=asked.samples, kind=asked.masking)


def _target(saved: Pretrained, name: str) -> int:
    """Return the number of a class; −1 for an empty name."""
    if not name:
        return -1
    if name not in saved.classes:
        known = ", ".join(saved.classes) or "none: this model has no classes"
        raise OptionError("class", got=name, expected=known, do="choose one of these")
    return saved.classes.index(name)


def _token(number: int | Auto, grid: Grid) -> int:
    """Return the requested patch, or the patch at the centre for "auto". Raises OptionError."""
    if number == AUTO:
        return grid.rows // 2 * grid.cols + grid.cols // 2 + 1
    return require_between("patch_index", number, 1, grid.count)


def _read(saved: Pretrained, files: Files, start: float, notes: list[str]) -> tuple[Preview, list[str]]:
    """Read at most MOST files, spread over the classes.

    Raises DataError for no files, UnreadableFileError if all of them are unreadable.
    """
    dataset = open_files(files, saved.inputs)
    kind = "recordings" if saved.inputs.sound else "pictures"
    if not len(dataset):
        raise DataError("files", got=f"0 {kind}", expected="at least one", do="pass some files")
    if len(dataset) > MOST:
        many = f"the page shows {MOST} of {len(dataset):,} {kind}, spread over the classes"
        _note(notes, f"{many}; pass single files to choose others")
        dataset = dataset.take(spread(dataset, MOST))
    looked = preview(dataset, saved.front_end, start)
    if not len(looked):
        raise looked.batch.unreadable[0]
    return looked, [dataset.pictures.name(index) for index in looked.batch.samples.tolist()]


def _heading(saved: Pretrained, name: str, row: NDArray[np.floating[Any]], view: Activations) -> str:
    best = "" if not len(row) else f": {saved.classes[int(row.argmax())]}, {100 * row.max():.1f} %"
    times = view.axes.across
    where = "" if view.axes.plain else f", {times.edges[0]:.2f} to {times.edges[-1]:.2f} {times.unit}"
    return f"{Path(name).name}{where}{best}"


def _numbers(
    saved: Pretrained,
    name: str,
    row: NDArray[np.floating[Any]],
    view: Activations,
    plates: Sequence[Figure],
    prefix: str,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": name,
        "pictures": [f"{prefix}{plate.name}.png" for plate in plates],
        "attention_distances": attention_distances(view, view.axes.measures()[0].scale).round(3).tolist(),
    }
    if len(row):
        found["probabilities"] = dict(zip(saved.classes, row.round(6).tolist(), strict=True))
    for plate in plates:
        if plate.name == "reconstruction":
            found["reconstruction_errors"] = plate.numbers["mean_error"].round(6).tolist()
    return found


def _title(model: str | Path | Pretrained) -> str:
    return "a model" if isinstance(model, Pretrained) else str(model)


def _plain(stem: str) -> str:
    """Return a name with only letters, digits and dashes, at most 40 characters."""
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:40] or "picture"
