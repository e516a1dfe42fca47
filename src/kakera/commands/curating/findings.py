"""The findings of a curation: one row for each file and fault, as `findings.csv` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kakera.commands.curating.copies import Copies
from kakera.commands.curating.labels import LabelCheck
from kakera.data.dataset import Dataset
from kakera.errors import UnreadableFileError
from kakera.reports.tables import write_csv

HEADER = ("file", "part", "label", "kind", "group", "score", "suggestion")
CONFLICT, LABEL, UNUSUAL, UNCOVERED, UNREADABLE = "conflict", "label", "unusual", "uncovered", "unreadable"
KEEP, DROP, LOOK = "keep", "drop", "look"
ORDER = ("test", "val", "train")  # a copy in an earlier part is kept


@dataclass(frozen=True)
class Finding:
    """A fault of a file, with a suggestion what to do: keep, drop, look, or the name of a class.

    Example:

        >>> Finding("a.png", "train", "cat", "label", 0, 0.7, "dog").cells()
        ('a.png', 'train', 'cat', 'label', '', 0.7, 'dog')
    """

    file: str
    part: str
    label: str
    kind: str
    group: int = 0
    """The number of the group of copies, from 1 on; 0 for none."""
    score: float = 0.0
    suggestion: str = ""
    row: int = -1
    """The row in the data set; −1 for an unreadable file."""

    def cells(self) -> tuple[object, ...]:
        """Return the cells of its row in `findings.csv`."""
        group = self.group or ""
        return self.file, self.part, self.label, self.kind, group, self.score, self.suggestion


@dataclass(frozen=True)
class CopyGroup:
    """A group of copies. See `copy_groups`."""

    rows: tuple[int, ...]
    """The rows of its files; the first one is kept."""
    kinds: tuple[str, ...]
    """How each file is a copy of another one of the group."""
    likeness: tuple[float, ...]
    parts: tuple[str, ...]
    """The parts that it is in."""

    @property
    def across(self) -> bool:
        """True if it has files of more than one part."""
        return len(self.parts) > 1


def copy_groups(dataset: Dataset, copies: Copies) -> list[CopyGroup]:
    """Return the groups of copies: first those of several parts, then the larger ones.

    The kept file is one of the test part, if there is one, else of the validation part; then the one with the
    most pixels or samples, then the first one. See `find_copies`.
    """
    found = list[CopyGroup]()
    for rows in copies.groups:
        best = copies.best(rows)
        order = sorted(
            rows, key=lambda row: (ORDER.index(str(dataset.split[row])), -_size(dataset, row), row)
        )
        parts = [part for part in reversed(ORDER) if part in {str(dataset.split[row]) for row in rows}]
        kinds = tuple(best[row].kind for row in order)
        found.append(CopyGroup(tuple(order), kinds, tuple(best[row].likeness for row in order), tuple(parts)))
    return sorted(found, key=lambda group: (not group.across, -len(group.rows), group.rows[0]))


def _size(dataset: Dataset, row: int) -> int:
    try:
        if dataset.sounds is not None:
            return dataset.sounds.length(row)
        height, width = dataset.pictures.size(row)
    except UnreadableFileError:
        return 0
    return height * width


def findings_of(
    dataset: Dataset,
    labels: Sequence[str],
    groups: Sequence[CopyGroup],
    check: LabelCheck | None,
    unusual: Mapping[int, float],
    uncovered: Mapping[int, float],
    unreadable: Sequence[UnreadableFileError],
) -> tuple[Finding, ...]:
    """Return all findings: copies, labels of copies that differ, labels, unusual and uncovered files.

    `labels` are those of the files as text. `unusual` and `uncovered` have a score by row.
    """
    names = dataset.pictures.names_between(0, len(dataset))

    def finding(row: int, kind: str, group: int, score: float, suggestion: str) -> Finding:
        part = str(dataset.split[row])
        return Finding(names[row], part, labels[row], kind, group, score, suggestion, row)

    found = list[Finding]()
    for number, group in enumerate(groups, 1):
        for place, row in enumerate(group.rows):
            what = DROP if place else KEEP
            found.append(finding(row, group.kinds[place], number, group.likeness[place], what))
    for number, group in enumerate(groups, 1):
        if len({labels[row] for row in group.rows if labels[row]}) > 1:
            found += [finding(row, CONFLICT, number, 1.0, LOOK) for row in group.rows]
    if check is not None:
        found += [
            finding(row, LABEL, 0, score, dataset.classes[counted])
            for row, counted, score in check.suspects()
        ]
    found += [finding(row, UNUSUAL, 0, score, LOOK) for row, score in unusual.items()]
    found += [finding(row, UNCOVERED, 0, score, LOOK) for row, score in uncovered.items()]
    found += [Finding(error.path, "", "", UNREADABLE, 0, 1.0, DROP) for error in unreadable]
    return tuple(found)


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write `findings.csv`. Raises StorageError.

    Example:

        >>> write_findings(Path("findings.csv"), [Finding("a.png", "train", "cat", "label", 0, 0.7, "dog")])
        >>> Path("findings.csv").read_text().splitlines()[1]
        'a.png,train,cat,label,,0.700000,dog'
    """
    write_csv(path, HEADER, [finding.cells() for finding in findings])
