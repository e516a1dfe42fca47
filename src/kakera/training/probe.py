"""`kakera probe`: what simple classifiers read from frozen tokens, with fine-tuning beside them."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.data.warnings import data_warnings
from kakera.errors import DataError, StoppedError, sentence
from kakera.formats.load import load
from kakera.out_of_memory import memory_for
from kakera.storage import write_atomically
from kakera.training.device import placed
from kakera.training.evaluate import evaluate
from kakera.training.finetune import finetune
from kakera.training.infer import features
from kakera.training.options import ProbeOptions
from kakera.training.prepare import held_out, labelled_part, prepare, require_classes
from kakera.training.probe_page import probe_page
from kakera.training.probes import PROBES
from kakera.training.trained import write_page

FINETUNED = "fine-tuned"


@dataclass(frozen=True)
class ProbeResult:
    """One measurement: accuracy, or mean average precision where a picture may carry several labels."""

    probe: str
    layer: int
    pool: str
    labels: int
    seed: int
    score: float


@dataclass(frozen=True)
class ProbeReport:
    """All measurements of one call."""

    results: tuple[ProbeResult, ...]

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text, header first: mean ± standard deviation over the seeds, in per cent."""
        counts = sorted({result.labels for result in self.results})
        rows = [("probe", "tokens", *(f"{count} labels" for count in counts))]
        for kind in dict.fromkeys((r.probe, r.layer, r.pool) for r in self.results):
            probe, layer, pool = kind
            of_kind = [r for r in self.results if (r.probe, r.layer, r.pool) == kind]
            cells = [spread([r.score for r in of_kind if r.labels == count]) for count in counts]
            where = "all" if probe == FINETUNED else f"{pool}, layer {'last' if layer == -1 else layer}"
            rows.append((probe, where, *cells))
        return rows


def spread(scores: list[float]) -> str:
    """Mean ± standard deviation in per cent; – for none."""
    if not scores:
        return "–"
    mean = f"{100 * fmean(scores):.1f}"
    return f"{mean} ± {100 * stdev(scores):.1f}" if len(scores) > 1 else mean


@memory_for("probe", "give fewer --layers or --pools, or lower --workers")
def probe(data: str | Path | Dataset, *, start: str | Path, recipe: str = "", **options: Any) -> ProbeReport:
    """Probes on the frozen tokens of a run, for several label counts and seeds; fine-tuning beside them.

    `options` are the fields of `ProbeOptions`. Raises DataError, OptionError, RunError.
    """
    saved = load(start)
    given = {**options, "start": str(start)}
    chosen, prepared = prepare(ProbeOptions, data, recipe or "paper", given, saved.inputs)
    dataset = prepared.dataset
    require_classes(dataset)
    train, (_, test) = labelled_part(dataset, "train"), held_out(dataset)
    if not len(test):
        raise DataError(
            sentence(dataset.name, got="no labelled test pictures", expected="some", do="add a test split")
        )
    for text in data_warnings(dataset):
        print(f"warning: {text}", file=sys.stderr)
    with placed(saved, chosen.device):
        tokens = partial(
            features, layers=chosen.layers, pools=chosen.pools, workers=prepared.workers, progress="tokens"
        )
        (seen, numbers), (unseen, test_numbers) = tokens(saved, train), tokens(saved, test)
    train, test = train.take(numbers), test.take(test_numbers)
    assert train.labels is not None
    assert test.labels is not None
    results: list[ProbeResult] = []
    for count, seed, rows in _draws(train, chosen):
        for layer, pool in seen:
            for name in chosen.probes:
                scores = PROBES[name](
                    seen[layer, pool][rows],
                    train.labels[rows],
                    unseen[layer, pool],
                    classes=len(dataset.classes),
                    seed=seed,
                )
                score = evaluate(scores, test.labels, dataset.classes).score
                assert score is not None
                results.append(ProbeResult(name, layer, pool, count, seed, score))
    if chosen.finetune:
        try:
            results += _finetuned(dataset, chosen, train)
        except StoppedError as error:
            if chosen.out:
                raise
            raise StoppedError(
                "stopped; nothing is kept without --out, the same command begins again"
            ) from error
    report = ProbeReport(tuple(results))
    if chosen.out:
        text = json.dumps([asdict(result) for result in results], indent=1)
        write_atomically(Path(chosen.out) / "probe.json", text.encode() + b"\n")
        write_page(Path(chosen.out), lambda: _page(report, chosen, test))
    return report


def _page(report: ProbeReport, options: ProbeOptions, test: Dataset) -> str:
    scores = [
        (f"{r.probe}, {r.pool}, layer {r.layer}" if r.pool else r.probe, r.labels, r.score)
        for r in report.results
    ]
    measure = "mean average precision" if test.several else "accuracy"
    return probe_page(options, scores, report.table(), f"{len(test)} {test.kind}", measure)


def _draws(train: Dataset, options: ProbeOptions) -> Iterator[tuple[int, int, Any]]:
    """(labels, seed, rows) for each count that there is; all labels are drawn once."""
    assert train.labels is not None
    counts = {min(count or len(train), len(train)) for count in options.labels}
    for count in sorted(counts):
        for seed in range(options.seeds if count < len(train) else 1):
            yield count, seed, few(train.labels, count, seed)


def _finetuned(dataset: Dataset, options: ProbeOptions, train: Dataset) -> Iterator[ProbeResult]:
    """The same labels, all weights trained: in folders below `out`, or ones that are thrown away."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(options.out or temporary)
        for count, seed, _ in _draws(train, options):
            trained = finetune(
                dataset,
                out=root / f"finetuned-{count}-{seed}",
                start=options.start,
                recipe=options.finetune_recipe,
                labels=count,
                label_seed=seed,
                seed=seed,
                device=options.device,
                baselines=False,
            )
            assert trained.evaluation is not None
            assert trained.evaluation.score is not None
            yield ProbeResult(FINETUNED, -1, "", count, seed, trained.evaluation.score)
