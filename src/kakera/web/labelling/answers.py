"""The answers of the labelling server, from the labelling and its files."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from kakera.commands.labelling.drawing import SELECTED, query_of
from kakera.commands.labelling.setup import OpenLabelling
from kakera.errors import printable, sentence
from kakera.training.baselines.confidence import Range
from kakera.web.errors import UnknownError
from kakera.web.labelling.media import Media
from kakera.web.labelling.schemas import BatchAnswer, FileAnswer, ProgressAnswer, RangeAnswer


class Answers:
    """An open labelling as the page sees it."""

    def __init__(self, opened: OpenLabelling) -> None:
        self.opened, self.labelling, self.media = opened, opened.labelling, Media(opened)

    def require(self, row: int) -> int:
        """Return the number of a file. Raises UnknownError if there is none."""
        count = len(self.opened.dataset)
        if not 0 <= row < count:
            do = "open the page again"
            raise UnknownError(sentence("file", got=str(row)[:80], expected=f"0 to {count - 1}", do=do))
        return row

    def file(self, row: int) -> FileAnswer:
        """Return name, label and prediction of a file."""
        query = query_of(row, SELECTED, self.labelling.latest()[0])
        return self._file(row, query.predicted, query.likely)

    def _file(self, row: int, predicted: int, likely: float) -> FileAnswer:
        entry = self.labelling.entry(row)
        return FileAnswer(
            file=row,
            name=printable(self.opened.dataset.pictures.title(row)),
            label=None if entry is None else entry.label,
            predicted=self.labelling.classes[predicted] if predicted >= 0 else None,
            likely=likely,
        )

    def batch(self, session: str, *, choose: bool) -> BatchAnswer:
        """Return the next files of a session, with the progress."""
        queries = self.labelling.next_batch(session, choose=choose)
        files = [self._file(query.row, query.predicted, query.likely) for query in queries]
        return BatchAnswer(files=files, progress=self.progress())

    def progress(self) -> ProgressAnswer:
        """Return the progress, and the measures of the last head."""
        labelling, dataset = self.labelling, self.opened.dataset
        _, labels = labelling.labels()
        measures, classes = labelling.latest()[1], labelling.classes
        counts = np.bincount(labels, minlength=len(classes))[: len(classes)]
        return ProgressAnswer(
            files=len(dataset),
            labelled=len(labels),
            skipped=labelling.skipped,
            classes=classes,
            counts=tuple(counts.tolist()),
            people=labelling.sessions,
            table=printable(labelling.table.path),
            kind=dataset.kind,
            batch=labelling.batch,
            accuracy=_range(measures.accuracy),
            sample=measures.sample,
            chosen=measures.chosen,
            random=measures.random,
            gain=_range(measures.worth.gain if measures.worth else None),
            replaced=measures.worth.replaced if measures.worth else 0,
            verdict=measures.verdict,
        )

    @cached_property
    def _places(self) -> dict[str, Any]:
        first = self.labelling.components[:, :2].astype(np.float64)
        low, high = first.min(axis=0), first.max(axis=0)
        x, y = ((2 * first - low - high) / np.where(high > low, high - low, 1)).T
        whole = float(np.square(self.labelling.tokens).sum(dtype=np.float64))
        return {"x": x, "y": y, "share": float(np.square(first).sum() / whole) if whole else 1.0}

    def places(self) -> dict[str, Any]:
        """Return the places of all files on a plane; each axis reaches from −1 to 1 at most."""
        return self._places

    def colours(self) -> dict[str, Any]:
        """Return label, prediction, suspicion and part of all files."""
        labelling, count = self.labelling, len(self.opened.dataset)
        head, _ = labelling.latest()
        rows, labels = labelling.labels()
        label, part = np.full(count, -1), np.zeros(count, int)
        for row, entry in labelling.entries().items():
            label[row] = -2 if not entry.label else -1
            part[row] = 2 if entry.part == "test" else 1
        label[rows] = labels
        known = np.isin(labels, head.classes) if head else np.zeros(len(labels), bool)
        suspicion = (
            head.error_probabilities(rows[known], labels[known]) if head else np.zeros(count, np.float32)
        )
        predicted = head.predicted if head else np.full(count, -1)
        found = {"label": label, "predicted": predicted, "suspicion": suspicion, "part": part}
        return {"classes": labelling.classes, **found}


def _range(found: Range | None) -> RangeAnswer | None:
    return None if found is None else RangeAnswer(value=found.value, low=found.low, high=found.high)
