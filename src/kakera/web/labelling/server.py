"""`kakera label`: start the page on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from kakera.commands.labelling.setup import open_label_setup, start_labelling
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.errors import OptionError
from kakera.option_fields import AUTO, Auto
from kakera.out_of_memory import memory_for
from kakera.training.malloc import few_arenas
from kakera.training.recipes import build as build_options
from kakera.web.connections import most_connections
from kakera.web.labelling.app import build_labelling
from kakera.web.serve_args import ServeArgs
from kakera.web.serve_options import ServeOptions
from kakera.web.server import answer_requests

MOST = 1000  # files of a batch


@memory_for("label", "lower --workers, or label parts of the data")
def label(
    data: str | Path | Dataset,
    *,
    init_from: str | Path,
    out: str | Path,
    classes: Sequence[str] = (),
    batch: int = 10,
    pool: str = AUTO,
    kind: Kind = "any",
    workers: int | Auto = AUTO,
    device: str = AUTO,
    plan: bool = False,
    **address: Unpack[ServeArgs],
) -> None:
    """Start a page on which people label the files of a data set, and answer requests until Ctrl-C.

    `data` is a folder or a table of files, `init_from` the encoder, `out` the CSV table of labels; if it
    exists, it is continued. `classes` are the names to propose; without them, those of the
    folders or the table. `batch` is the number of files at a time. `pool`, `kind`, `workers` and `device`
    are as in `curate`. `plan` prints the plan and does nothing else. `address` are options of `serve`.

    Raises DataError, OptionError, RunError and StorageError.

    Example:

        >>> label("pictures", init_from="runs/mae", out="labels.csv")  # doctest: +SKIP
        plan: label 9,500 pictures -> labels.csv; tokens of 9,500 in the cache
        http://127.0.0.1:8421/ : open this address in a browser; Ctrl-C stops the server
    """
    if not 1 <= batch <= MOST:
        raise OptionError("batch", got=batch, expected=f"1 to {MOST}", do="pass another number")
    asked = build_options(ServeOptions, {**address})
    setup = open_label_setup(data, init_from, out, classes=classes, pool=pool, kind=kind)
    print(setup.plan(), flush=True)
    if plan:
        return
    opened = start_labelling(setup, batch=batch, workers=workers, device=device)
    for error in opened.unreadable:
        print(f"kakera: {error}", file=sys.stderr)
    labelling = opened.labelling
    if kept := len(labelling.table.foreign):
        print(f"note: {kept:,} rows of {setup.out} are of files that are not in the data; they are kept")
    if labelling.count:
        print(f"{setup.out}: {labelling.count:,} labels, which are kept")
    names = [name.strip() for name in asked.allow_host.split(",") if name.strip()]
    root, most = asked.root_path.strip("/"), most_connections()
    app = build_labelling(
        opened,
        host=asked.host,
        allowed=names,
        root_path=f"/{root}" if root else "",
        queue=most // 3,
    )
    few_arenas()
    answer_requests(app, asked, "this page", most)
