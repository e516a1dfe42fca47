"""The plan of a probe: estimated from headers, then timed with a few real steps and fits."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kakera.commands.job import WORTH, described
from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.probing.plan import ProbePlan, estimated
from kakera.commands.probing.tuning import tunings_of
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.training.options import ProbeOptions
from kakera.training.planning.costs import classifier_cost
from kakera.training.prepared import Prepared
from kakera.training.probes.costs import fit_seconds, seconds_of_all
from kakera.training.probes.draws import draws_of
from kakera.training.probes.probes import FOLDS, PROBES


def with_fits(plan: ProbePlan, files: Dataset, tokens: NDArray[np.float32]) -> ProbePlan:
    """Return the plan with the time of the fits, scaled by one measured fit of logistic regression.

    `tokens` (m, d) are those of `files`. The plan stays as it is if it has no logistic regression, or if
    there are too few files for the cross-validation.
    """
    classes, labels = len(files.classes), files.labels
    assert labels is not None
    if "logistic" not in plan.options.probes or len(files) < FOLDS * classes:
        return plan
    began = time.monotonic()
    PROBES["logistic"](tokens, labels, tokens, classes=classes, seed=0)
    took, width = time.monotonic() - began, tokens.shape[1]
    hardness = took / fit_seconds("logistic", len(files), len(files), width, classes)
    counts, tested = [draw.labels for draw in plan.draws], len(held_out(plan.prepared.dataset)[1])
    seconds = seconds_of_all(plan.options, counts, tested, plan.cost.width, classes, hardness)
    return replace(plan, fit_seconds=seconds)


def estimate(
    chosen: ProbeOptions, prepared: Prepared, saved: Pretrained, before: ProbePlan | None = None
) -> ProbePlan:
    """Return the plan from headers alone; the time limit and the spent time are those of `before`."""
    train, (_, test) = labelled_part(prepared.dataset, "train"), held_out(prepared.dataset)
    inputs, shape = saved.inputs, saved.encoder.config
    cost = classifier_cost(shape, inputs.size, inputs.channels, len(prepared.dataset.classes))
    windows, draws = 1.0, draws_of(train, chosen)
    if inputs.sound is not None:
        windows = max(1.0, prepared.facts.seconds / inputs.sound.seconds(inputs.sound.samples(inputs.width)))
    model = f"{chosen.init_from}, {described(cost, inputs.size, shape)}"
    plan = estimated(chosen, prepared, cost, model, draws, len(test), windows)
    if chosen.finetune:
        plan = replace(plan, tunings=tunings_of(chosen, prepared, draws, saved, len(train)))
    return plan if before is None else replace(plan, limit=before.limit, spent=before.spent)


def timed(plan: ProbePlan, prepared: Prepared, *, always: bool = False) -> ProbePlan:
    """Return the plan with the time of a few real fine-tuning steps, and fine-tunings cut to the time limit.

    By default, steps are measured only if all fine-tunings take over 20 s; `always` measures them anyway.
    """
    began, left = time.monotonic(), [tuning for tuning in plan.tunings if not tuning.done]
    if left and (always or sum(tuning.seconds for tuning in left) > WORTH):
        rate = max(left, key=lambda tuning: tuning.labels).measured(prepared)
        plan = replace(plan, tunings=tuple(tuning.at(rate) for tuning in plan.tunings), measured=True)
    return replace(plan, spent=plan.spent + time.monotonic() - began).shorter()
