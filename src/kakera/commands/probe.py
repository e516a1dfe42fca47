"""`kakera probe`: train simple classifiers on frozen tokens, and compare them with fine-tuning."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from kakera import duration
from kakera.commands.job import sample
from kakera.commands.labelled import held_out, labelled_part, require_classes
from kakera.commands.pages.probe import ProbePage
from kakera.commands.pages.writing import write_page
from kakera.commands.prepare import resolve
from kakera.commands.probing.estimate import estimate, timed, with_fits
from kakera.commands.probing.plan import ProbePlan
from kakera.commands.probing.tokens import kinds_of, missing_tokens
from kakera.data.dataset import Dataset
from kakera.data.preload.preload import is_decoded
from kakera.errors import DataError, StoppedError
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features, require_layers
from kakera.formats.load import load
from kakera.formats.tokens.encoder import encoder_of
from kakera.formats.tokens.keys import keys_of_source
from kakera.model.classifier import Pooling, require_pool
from kakera.option_fields import AUTO, renamed
from kakera.out_of_memory import memory_for
from kakera.progress import Progress, is_follower
from kakera.storage import write_atomically
from kakera.training.baselines.verdict import measure_of
from kakera.training.device import moved_to_device
from kakera.training.metrics import evaluate
from kakera.training.metrics_report import Evaluation
from kakera.training.notes import noted
from kakera.training.option_args import ProbeArgs
from kakera.training.options import ProbeOptions
from kakera.training.planning.rules import LIMIT
from kakera.training.prepared import Prepared
from kakera.training.probes.probes import PROBES
from kakera.training.probes.results import FINETUNED, ProbeReport, ProbeResult
from kakera.training.stored_features import stored_features

Tokens = dict[tuple[int, Pooling], NDArray[np.float32]]
LEAST, ENOUGH = 8, 3.0  # a plan measures tokens on at least 8 files, and for about 3 seconds
MEMORY = "pass fewer --layers or --pools, or lower --workers"


@dataclass(frozen=True, eq=False)
class ProbeOutcome:
    """The results of all fits, and the logits of the fits that the page shows. See `probe`."""

    results: list[ProbeResult]
    scores: dict[str, NDArray[np.float64]]
    """Logits (m, classes) by name of the probe, for the first draw of the largest number of labels."""
    numbers: NDArray[np.int64]
    """Row numbers (m,) of the readable test files."""


@renamed(start="init_from")
@memory_for("probe", MEMORY)
def probe(
    data: str | Path | Dataset,
    *,
    init_from: str | Path,
    out: str | Path = "",
    announce: bool = False,
    **options: Unpack[ProbeArgs],
) -> ProbeReport:
    """Train simple classifiers (probes) on the frozen tokens of a model, and compare them with fine-tuning.

    `data` is a data set with labels and a test part. `init_from` is the run folder of the model. Each probe
    is fitted for several numbers of labels and several random draws (seeds). `out` is a folder for
    probe.json, report.html and the fine-tunings; by default nothing is saved. `options` are the fields of
    `ProbeOptions`. `announce` prints the plan on stderr before the start, and sets a time limit of 30
    minutes, unless `time` or `finetune_recipe` is passed.

    Tokens are read from the cache folder if another command has computed them for the same encoder and files.

    Return a `ProbeReport` with the results of all probes. Raises DataError, OptionError, RunError, and
    StoppedError after SIGTERM or Ctrl-C.

    Example:

        >>> from kakera import InputSpec, ViT, open_data
        >>> from kakera.formats.native import save_model
        >>> inputs = InputSpec(1, 28, 28, mean=(0.5,), std=(0.5,))
        >>> save_model(Path("runs/untrained"), Pretrained(ViT("nano", channels=1, image_size=28), inputs))
        >>> data = open_data("demo").take(range(0, 9500, 50))
        >>> options = {"labels": (0,), "probes": ("ridge",), "finetune": False, "workers": 0}
        >>> report = probe(data, init_from="runs/untrained", **options)
        >>> report.counts, report.best_probe().probe
        ([160], 'ridge')
    """
    began = duration.started()
    plan, saved = _planned(data, init_from, {**options, "out": str(out)}, began, announce=announce)
    chosen, speaks = plan.options, announce and plan.prepared.facts.readable and not is_follower()
    if speaks:
        print("\n".join(plan.shorter().lines()), file=sys.stderr, flush=True)
    prepared = _held(plan.prepared, saved, plan)
    if _labelled(prepared) != _labelled(plan.prepared):  # some files are unreadable
        plan = estimate(chosen, replace(plan.prepared, dataset=prepared.dataset), saved, plan)
    (part, test), train = held_out(prepared.dataset), labelled_part(prepared.dataset, "train")
    probed = _probed(plan, saved, train, test, prepared.workers)
    plan = replace(plan, token_seconds=0.0, fit_seconds=0.0, spent=time.monotonic() - began)
    tuned = timed(plan, prepared) if announce or plan.limit else plan.shorter()
    if speaks and plan.tunings:
        print("\n".join(tuned.update()), file=sys.stderr, flush=True)
    results = [*probed.results]
    try:
        results += _finetuned(tuned, prepared, results[0].measure)
    except StoppedError as error:
        if chosen.out:
            raise
        raise StoppedError("stopped; nothing is saved without --out: start again", error.number) from error
    report = ProbeReport(tuple(results))
    if chosen.out:
        text = json.dumps([asdict(result) for result in results], indent=1)
        write_atomically(Path(chosen.out) / "probe.json", text.encode() + b"\n")
        page = ProbePage(chosen, report, train, test, part, prepared.workers, tuned.notes)
        best = report.best_probe()
        scores, rows = probed.scores[best.name], plan.draws[-1].rows
        write_page(Path(chosen.out), lambda: page(rows, scores, probed.numbers))
    return report


@renamed(start="init_from")
@memory_for("probe", MEMORY)
def plan_probe(
    data: str | Path | Dataset, *, init_from: str | Path, out: str | Path = "", **options: Unpack[ProbeArgs]
) -> ProbePlan:
    """Return the plan of `probe` with the same arguments: tokens, fits, fine-tunings, time, memory.

    The time is measured on a few real steps and fits. Nothing is written. Raises DataError, OptionError,
    RunError.
    """
    plan, saved = _planned(data, init_from, {**options, "out": str(out)}, duration.started(), announce=True)
    began = time.monotonic()
    prepared = _held(sample(plan.prepared, labelled=True), saved, plan, quiet=True)
    read = (time.monotonic() - began) / len(prepared.dataset) * len(plan.prepared.dataset)
    files = labelled_part(prepared.dataset, "train")
    most = max(LEAST, int(ENOUGH * plan.files / plan.token_seconds))
    files, began = files.take(range(min(most, len(files)))), time.monotonic()
    with moved_to_device(saved, plan.options.device):
        tokens, kept = features(saved, files, plan.options.layers, plan.options.pools, workers=0)
    each = (time.monotonic() - began) / len(files)
    read = read if is_decoded(prepared.dataset) else 0.0  # otherwise the time of the tokens includes it
    plan = replace(plan, read_seconds=read, token_seconds=each * missing_tokens(plan, saved))
    return timed(with_fits(plan, files.take(kept), next(iter(tokens.values()))), prepared, always=True)


def _planned(
    data: str | Path | Dataset, start: str | Path, options: dict[str, Any], began: float, *, announce: bool
) -> tuple[ProbePlan, Pretrained]:
    """Return the plan from headers alone, and the model; `began` is the start of the probe.

    `began` is in seconds of `time.monotonic`.
    """
    saved = noted(load(start), start)
    given = {**options, "init_from": str(start)}
    config = saved.encoder.config
    if "pools" not in given and not config.class_tokens:
        given["pools"] = ("mean", "attention") if config.attention_pool else ("mean",)
    chosen, prepared = resolve(ProbeOptions, data, "", given, saved.inputs)
    require_classes(prepared.dataset)
    if not len(held_out(prepared.dataset)[1]):
        do = "add a test split"
        raise DataError(prepared.dataset.name, got="no labelled test files", expected="at least one", do=do)
    require_layers(saved.encoder, chosen.layers)
    for pool in chosen.pools:
        require_pool(config, pool)
    free = announce and not chosen.finetune_recipe
    limit = duration.seconds(chosen.time) if chosen.time != AUTO else LIMIT if free else 0.0
    plan = estimate(chosen, prepared, saved)
    return replace(plan, limit=limit, spent=time.monotonic() - began), saved


def _held(prepared: Prepared, saved: Pretrained, plan: ProbePlan, *, quiet: bool = False) -> Prepared:
    """Return the data decoded once, only as large as tokens and fine-tunings need them."""
    if not plan.tunings:
        return prepared.preloaded(saved.inputs.size, quiet=quiet)
    first = plan.tunings[0]
    return prepared.preloaded(first.forecast.plan.size, first.job.options.crop_min_scale, quiet=quiet)


def _labelled(prepared: Prepared) -> int:
    return len(labelled_part(prepared.dataset, "train"))


def _probed(plan: ProbePlan, saved: Pretrained, train: Dataset, test: Dataset, workers: int) -> ProbeOutcome:
    """Fit each probe on each kind of tokens, for each draw of the labels."""
    chosen = plan.options
    rows = np.unique(np.concatenate([draw.rows for draw in plan.draws]))
    tokens = partial(
        stored_features, encoder_of(saved), kinds=kinds_of(chosen), workers=workers, device=chosen.device
    )
    some, source = train.take(rows), plan.prepared.dataset
    seen, kept = tokens(some, keys=keys_of_source(some, source))
    unseen, numbers = tokens(test, keys=keys_of_source(test, source))
    rows = rows[kept]
    assert train.labels is not None
    assert test.labels is not None
    labels, truth = train.labels[rows], test.labels[numbers]
    measure = measure_of(truth)
    found, scores = list[ProbeResult](), dict[str, NDArray[np.float64]]()
    with Progress("probes", total=plan.fits, kind="fits") as progress:
        for draw in plan.draws:
            mine = np.isin(rows, draw.rows)
            for layer, pool in seen:
                for name in chosen.probes:
                    values = PROBES[name](
                        seen[layer, pool][mine],
                        labels[mine],
                        unseen[layer, pool],
                        classes=len(train.classes),
                        seed=draw.seed,
                    )
                    score = _score(evaluate(values, truth, train.classes), measure)
                    result = ProbeResult(name, layer, pool, draw.labels, draw.seed, score, measure)
                    found.append(result)
                    if draw.labels == plan.draws[-1].labels and draw.seed == 0:
                        scores[result.name] = values
                    progress.advance()
    return ProbeOutcome(found, scores, numbers)


def _score(evaluation: Evaluation, measure: str) -> float:
    score = getattr(evaluation, measure.replace(" ", "_"))
    assert isinstance(score, float)
    return score


def _finetuned(plan: ProbePlan, prepared: Prepared, measure: str) -> Iterator[ProbeResult]:
    """Train all weights on the same labels; yield the results. The run folders are in `out`, or temporary."""
    with tempfile.TemporaryDirectory() as temporary:
        for tuning in plan.tunings:
            trained = tuning.into(Path(plan.options.out or temporary)).train(prepared)
            assert trained.evaluation is not None
            score = _score(trained.evaluation, measure)
            yield ProbeResult(FINETUNED, -1, "", tuning.labels, tuning.seed, score, measure)
