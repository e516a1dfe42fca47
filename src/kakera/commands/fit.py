"""`kakera fit`: train a head on the frozen tokens of an encoder, in seconds. Does not import torch by itself.

The command needs torch only for tokens that the cache lacks. The function `fit` returns a model, so it
imports torch at its end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from kakera import duration
from kakera.commands.fitting.folder import (
    EVALUATION,
    configuration,
    open_folder,
    read_evaluation,
    write_json,
    write_model,
)
from kakera.commands.fitting.head import FittedHead, fit_head, predicted
from kakera.commands.fitting.plan import FitPlan
from kakera.commands.fitting.setup import FitSetup, open_setup
from kakera.commands.fitting.tokens import (
    FitTokens,
    missing,
    only_readable,
    seconds_per_file,
    tokens_of,
    within_time,
)
from kakera.commands.pages.writing import REPORT, write_page
from kakera.data.dataset import Dataset
from kakera.formats.rejection import Rejection, fit_rejection
from kakera.option_fields import AUTO
from kakera.out_of_memory import memory_for
from kakera.progress import is_follower
from kakera.training.lock import locked
from kakera.training.metrics_report import Evaluation
from kakera.training.option_args import FitArgs

if TYPE_CHECKING:
    from kakera.commands.result import TrainResult
    from kakera.formats.bundle import Pretrained
    from kakera.model.classifier import Classifier

LIMIT = 1800.0  # seconds: the time limit of the command, unless the user sets one
RATE = 0.05  # of false alarms, for the figures about "none of these"


@dataclass(frozen=True, eq=False)
class FitResult:
    """A finished run of `fit_run`: folder, evaluation (None without test files), and sentences to print."""

    folder: Path
    setup: FitSetup
    evaluation: Evaluation | None
    sentences: tuple[str, ...] = ()


@memory_for("fit", "lower --workers, or use fewer --labels")
def fit(
    data: str | Path | Dataset,
    *,
    init_from: str | Path,
    out: str | Path,
    announce: bool = True,
    **options: Unpack[FitArgs],
) -> TrainResult[Classifier]:
    """Train a head on the frozen tokens of an encoder, and evaluate it on the test files (or else val).

    `data` is a folder, a table, the name of a built-in data set, or a `Dataset`. `init_from` is the run
    folder of the encoder, or weights of another library. `out` is the run folder; a second call with the
    same arguments opens the finished run. Tokens are computed once for each file and kept in the cache
    folder, so other labels, another split and more files reuse them. `announce` prints the plan on stderr.
    `options` are the fields of `FitOptions`. The head and its tokens are chosen by labels that each fit
    leaves out, and a temperature corrects its probabilities (Guo et al. 2017, section 4.2).

    Return the run folder, the model and its evaluation. Raises DataError, OptionError, RunError,
    StorageError.

    Example:

        >>> import os
        >>> from unittest.mock import patch
        >>> from kakera import InputSpec, ViT, open_data
        >>> from kakera.formats.bundle import Pretrained
        >>> encoder = ViT("nano", channels=1, image_size=28)
        >>> Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))).save("run")
        >>> data = open_data("demo").take(range(0, 9500, 50))
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     result = fit(data, init_from="run", out="runs/fit", announce=False, baselines=False)
        >>> result.evaluation.count, len(result.saved.classes)
        (30, 10)
    """
    found = fit_run(data, {**options, "init_from": str(init_from), "out": str(out)}, announce=announce)
    from kakera.commands.result import TrainResult
    from kakera.formats.bundle import require_token_classifier
    from kakera.formats.native import load_model

    saved = require_token_classifier(load_model(found.folder))
    return TrainResult(found.folder, saved, found.evaluation)


def plan_fit(
    data: str | Path | Dataset, *, init_from: str | Path, out: str | Path, **options: Unpack[FitArgs]
) -> FitPlan:
    """Return the plan of `fit` with the same arguments: files, missing tokens, heads, time.

    The time is measured on a few files. Nothing is written. Raises DataError, OptionError, RunError.
    """
    setup = _setup(data, {**options, "init_from": str(init_from), "out": str(out)})
    absent = missing(setup)
    each = seconds_per_file(setup) if sum(absent) else 0.0
    limit = duration.seconds(setup.options.time) if setup.options.time != AUTO else LIMIT
    finished = (Path(setup.options.out) / "model.safetensors").exists()
    return FitPlan(setup, absent, each, limit, finished)


def fit_run(data: str | Path | Dataset, given: Mapping[str, Any], *, announce: bool) -> FitResult:
    """Do the work of `fit` without importing torch, if the cache has all tokens. `given` are the options.

    Raises the errors of `fit`.
    """
    began = duration.started()
    setup = _setup(data, given)
    options = setup.options
    limit = duration.seconds(options.time) if options.time != AUTO else LIMIT if announce else 0.0
    config, folder = configuration(setup), Path(options.out)
    finished = open_folder(setup, config)
    evaluated = not len(setup.test) or (folder / EVALUATION).exists()
    if finished and evaluated and (folder / REPORT).exists():
        if announce:
            note = f"{folder} is a finished run, so nothing is trained; for a new run add --out {folder}-2"
            print(f"note: {note}", file=sys.stderr)
        return FitResult(folder, setup, read_evaluation(folder))
    absent = missing(setup)
    shorter, note = within_time(setup, absent, limit, time.monotonic() - began)
    absent = missing(shorter) if note else absent
    if announce and not is_follower():
        plan = FitPlan(shorter, absent, limit=limit, note=note)
        print("\n".join(plan.lines()), file=sys.stderr, flush=True)
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        return _fitted(shorter, absent, began)


def _setup(data: str | Path | Dataset, given: Mapping[str, Any]) -> FitSetup:
    start = given.get("init_from", "")

    def loaded() -> Pretrained:
        from kakera.formats.load import load
        from kakera.training.notes import noted

        return noted(load(start), start)

    return open_setup(data, given, loaded)


def _fitted(setup: FitSetup, absent: tuple[int, int], began: float) -> FitResult:
    """Compute tokens, fit the head, and write all files; the weights are the last file of the model."""
    folder, tokens = Path(setup.options.out), tokens_of(setup, absent)
    setup = only_readable(setup, tokens)
    assert setup.train.labels is not None
    if setup.options.head == "attentive":
        from kakera.commands.fitting.attentive import attentive_head

        head, tokens = attentive_head(setup, tokens, setup.train.labels)
    else:
        head = fit_head(setup, tokens.train, setup.train.labels)
    rejection = fit_rejection(tokens.train[setup.rejection_pooling], setup.options.seed)
    facts: dict[str, Any] = {"head": head.kind, "pool": head.pool, "temperature": head.temperature}
    facts |= {"tried": list(head.tried), "tokens_computed": tokens.computed}
    facts |= {"token_seconds": round(tokens.seconds, 3)}
    sentences = [head.sentence()]
    evaluation = predictions = None
    if len(setup.test):
        predictions, evaluation = predicted(
            head, setup.test, tokens.test[head.pool], np.arange(len(setup.test))
        )
        cold = predicted(head, setup.test, tokens.test[head.pool], np.arange(len(setup.test)), cold=True)[1]
        if evaluation.calibration_error is not None:
            before, after = cold.calibration_error, evaluation.calibration_error
            facts["calibration_error"] = {"before": before, "after": after}
    facts["rejection"], said = _rejected(rejection, setup, tokens)
    sentences += [said] if said else []
    write_model(setup, head, rejection, facts, tokens.unreadable)
    if evaluation is not None:
        write_json(folder / EVALUATION, evaluation.to_json())
    facts["seconds"] = round(time.monotonic() - began, 3)
    _write_page(setup, head, facts, evaluation, predictions)
    return FitResult(folder, setup, evaluation, tuple(sentences))


def _rejected(
    rejection: Rejection | None, setup: FitSetup, tokens: FitTokens
) -> tuple[dict[str, Any] | None, str]:
    """Return figures about "none of these" on the test files, and a sentence."""
    if rejection is None or setup.dataset.regression:
        return None, ""
    held = len(rejection.distances)
    facts: dict[str, Any] = {"held_out": held, "rate": RATE}
    if 1 / (held + 1) > RATE or not len(setup.test):
        return facts, ""
    alarms = rejection.typical(tokens.test[setup.rejection_pooling]) <= RATE
    facts |= {"test_files": len(alarms), "test_alarms": int(alarms.sum())}
    return facts, (
        f"none of these: kakera predict --reject {RATE:g} would reject {100 * alarms.mean():.1f} % of the "
        f"test files (its limit is from {held:,} held-out training files)"
    )


def _write_page(
    setup: FitSetup,
    head: FittedHead,
    facts: Mapping[str, Any],
    evaluation: Evaluation | None,
    predictions: Any,
) -> None:
    from kakera.commands.pages.fit import fit_page

    write_page(Path(setup.options.out), lambda: fit_page(setup, head, facts, evaluation, predictions))
