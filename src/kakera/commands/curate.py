"""`kakera curate`: copies, wrong labels, unusual files and gaps of a data set, by frozen tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kakera.commands.curating.copies import Copies, find_copies
from kakera.commands.curating.coverage import Coverage, find_coverage
from kakera.commands.curating.findings import (
    DROP,
    CopyGroup,
    Finding,
    copy_groups,
    findings_of,
    write_findings,
)
from kakera.commands.curating.labels import LabelCheck, check_labels
from kakera.commands.curating.setup import (
    FINDINGS,
    CurateSetup,
    CurateTokens,
    open_curate_setup,
    require_folder,
    tokens_of,
)
from kakera.commands.curating.small import small_pictures
from kakera.commands.curating.summary import many, summary
from kakera.commands.curating.table import require_table, write_table
from kakera.commands.curating.unusual import Unusual, find_unusual
from kakera.commands.indexing.setup import labels_of
from kakera.commands.pages.writing import write_page
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.errors import OptionError, UnreadableFileError
from kakera.option_fields import AUTO, Auto
from kakera.out_of_memory import memory_for
from kakera.storage import storing


@dataclass(frozen=True, eq=False)
class Curation:
    """The findings of `curate`, and what they come from."""

    folder: Path
    setup: CurateSetup
    """Encoder and readable files."""
    findings: tuple[Finding, ...]
    groups: tuple[CopyGroup, ...]
    copies: Copies
    labels: tuple[str, ...]
    """The labels of the files as text."""
    check: LabelCheck | str
    """The check of the labels, or why there is none."""
    unusual: Unusual | None
    unusual_rows: tuple[int, ...]
    coverage: Coverage | None
    unreadable: tuple[UnreadableFileError, ...]
    seconds: float
    applied: str = ""
    """A sentence about the table of `apply`; "" without one."""

    @property
    def dataset(self) -> Dataset:
        """The readable files."""
        return self.setup.dataset

    def lines(self) -> list[str]:
        """Return the results, one line each."""
        return [*summary(self), *([self.applied] if self.applied else [])]


@memory_for("curate", "lower --workers, or pass parts of the data")
def curate(
    data: str | Path | Dataset,
    *,
    init_from: str | Path,
    out: str | Path,
    pool: str = AUTO,
    mirrored: bool = True,
    unusual: int | Auto = AUTO,
    apply: str | Path = "",
    relabel: bool = False,
    kind: Kind = "any",
    workers: int | Auto = AUTO,
    device: str = AUTO,
) -> Curation:
    """Write the copies, probably wrong labels, unusual files and gaps of a data set into a folder.

    `data` is as in `open_data`, `init_from` the encoder: a run, or weights of another library. `out` is the
    folder of `findings.csv` and `report.html`. `pool` chooses the tokens. `mirrored` also finds mirrored
    copies of pictures, with a second pass of the encoder. `unusual` is the number of unusual files to list;
    by default up to 50 that are above a limit. `apply` is a CSV table to write: without all copies but one of
    each group, readable by `finetune`; `relabel` also replaces suspect labels of training files in it. No
    file of the data is changed. `kind`, `workers` and `device` are as in `predict`. Tokens are read from the
    cache if it has them.

    Raises OptionError, DataError, RunError and StorageError.

    Example:

        >>> import os
        >>> from unittest.mock import patch
        >>> from kakera import InputSpec, ViT, open_data
        >>> from kakera.formats.bundle import Pretrained
        >>> encoder = ViT("nano", channels=1, image_size=28, seed=0)
        >>> Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))).save("run")
        >>> demo = open_data("demo").take([*range(30), 3])
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     found = curate(demo, init_from="run", out="curated")
        >>> [group.rows for group in found.groups]
        [(3, 30)]
    """
    began, folder = time.monotonic(), require_folder(out)
    if unusual != AUTO and unusual < 0:
        raise OptionError("unusual", got=unusual, expected="0 or more", do="pass a larger number")
    if relabel and not str(apply):
        raise OptionError("relabel", got="no table", expected="--apply TABLE.csv", do="add it")
    opened = open_curate_setup(data, init_from, pool=pool, mirrored=mirrored, kind=kind)
    table = require_table(apply, opened.dataset) if str(apply) else None
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    found = tokens_of(opened, workers=workers, device=device)
    result = _curated(folder, found, unusual, began)
    write_findings(folder / FINDINGS, result.findings)
    from kakera.commands.pages.curate import curate_page

    write_page(folder, lambda: curate_page(result))
    return result if table is None else _applied(result, table, relabel=relabel)


def _curated(folder: Path, found: CurateTokens, most: int | Auto, began: float) -> Curation:
    setup, dataset, tokens = found.setup, found.setup.dataset, found.tokens
    small = small_pictures(dataset, setup.keys)
    copies = find_copies(setup.keys, tokens, small, mirrored=found.mirrored, kind=dataset.kind)
    groups = tuple(copy_groups(dataset, copies))
    check = _checked(dataset, tokens, [group.rows for group in groups])
    odd = find_unusual(tokens)
    rows = () if odd is None else tuple(odd.rows(most).tolist())
    coverage = _coverage(dataset, tokens, groups)
    labels = labels_of(dataset)
    findings = findings_of(
        dataset,
        labels,
        groups,
        None if isinstance(check, str) else check,
        {} if odd is None else {row: float(odd.scores[row]) for row in rows},
        {} if coverage is None else coverage.far,
        found.unreadable,
    )
    return Curation(
        folder,
        setup,
        findings,
        groups,
        copies,
        tuple(labels),
        check,
        odd,
        rows,
        coverage,
        found.unreadable,
        time.monotonic() - began,
    )


def _checked(dataset: Dataset, tokens: np.ndarray, groups: Sequence[Sequence[int]]) -> LabelCheck | str:
    if dataset.labels is None:
        return "the files have no labels"
    if dataset.multi_label:
        return "files have several labels"
    if dataset.regression:
        return "the labels are numbers to predict"
    return check_labels(tokens, dataset.labels, len(dataset.classes), groups)


def _coverage(dataset: Dataset, tokens: np.ndarray, groups: Sequence[CopyGroup]) -> Coverage | None:
    """Return the coverage of the test part, or of val without one, without copies."""
    kept = np.ones(len(dataset), bool)
    kept[[row for group in groups for row in group.rows[1:]]] = False
    parts = {part: np.flatnonzero((dataset.split == part) & kept) for part in ("train", "val", "test")}
    return find_coverage(tokens, parts["train"], parts["test"] if len(parts["test"]) else parts["val"])


def _applied(result: Curation, table: Path, *, relabel: bool) -> Curation:
    from dataclasses import replace

    dataset = result.dataset
    dropped = [finding.row for finding in result.findings if finding.suggestion == DROP and finding.row >= 0]
    new = dict[int, str]()
    if relabel and not isinstance(result.check, str):
        new = {
            row: dataset.classes[counted]
            for row, counted, _ in result.check.suspects()
            if dataset.split[row] == "train"
        }
    files, changed = write_table(table, dataset, result.labels, dropped, new)
    text = (
        f"{table}: {many(files, 'file')}, {many(len(set(dropped)), 'copy', 'copies')} left out, "
        f"{many(changed, 'label')} replaced"
    )
    return replace(result, applied=text)
