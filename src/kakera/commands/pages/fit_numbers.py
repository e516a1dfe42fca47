"""The part of the page of a fit about numbers to predict."""

from __future__ import annotations

import numpy as np

from kakera.commands.fitting.baselines import number_baselines
from kakera.commands.fitting.head import FittedHead
from kakera.commands.fitting.setup import FitSetup
from kakera.commands.pages.regression import compared_numbers, worst_numbers
from kakera.formats.target_scale import TargetScale
from kakera.training.baselines.number_verdict import judge_numbers
from kakera.training.baselines.verdict import Verdict
from kakera.training.metrics_report import Evaluation
from kakera.training.predictions import Predictions


def number_parts(
    setup: FitSetup, head: FittedHead, evaluation: Evaluation, predictions: Predictions
) -> tuple[Verdict, list[str], list[str]]:
    """Return the verdict, the table of errors beside the baselines, and plots with the worst mistakes."""
    scale = TargetScale(head.mean, head.std)
    baselines = number_baselines(setup, scale) if setup.options.baselines else None
    assert predictions.values is not None
    verdict = judge_numbers(setup.test, setup.part, predictions, baselines, scale)
    below = worst_numbers(setup.test, predictions, setup.inputs, scale)
    assert np.isfinite(predictions.values).all()
    return verdict, compared_numbers(evaluation, baselines), below
