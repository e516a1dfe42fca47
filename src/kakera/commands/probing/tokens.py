"""The tokens of a probe: their kinds, and the number of files whose tokens the cache lacks."""

from __future__ import annotations

import numpy as np

from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.probing.plan import ProbePlan
from kakera.formats.bundle import Pretrained
from kakera.formats.tokens.encoder import encoder_of
from kakera.formats.tokens.store import Kind
from kakera.training.options import ProbeOptions
from kakera.training.stored_features import missing_files


def kinds_of(options: ProbeOptions) -> list[Kind]:
    """Return each layer with each pooling.

    Example:

        >>> kinds_of(ProbeOptions("demo", layers=(-1,)))
        [(-1, 'class'), (-1, 'mean')]
    """
    return [(layer, pool) for layer in options.layers for pool in options.pools]


def missing_tokens(plan: ProbePlan, saved: Pretrained) -> int:
    """Return the number of files of a probe whose tokens are not in the cache. See `plan_probe`."""
    dataset = plan.prepared.dataset
    rows = np.unique(np.concatenate([draw.rows for draw in plan.draws]))
    parts = labelled_part(dataset, "train").take(rows), held_out(dataset)[1]
    return sum(len(missing_files(encoder_of(saved), part, kinds_of(plan.options))) for part in parts)
