"""Ordered classes (ordinal regression): soft targets for near classes, and measures in ranks.

A grade that is wrong by one is a smaller mistake than one that is wrong by three. The cross entropy of hard
labels does not know that. Here the target of a file gives the neighbours of its class a share too. The
network, its head and all formats are those of a classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kakera.errors import OptionError
from kakera.training.metrics_report import Evaluation

ORDINAL = "ordinal"
WHERE = "class_order"


def class_ranks(classes: Sequence[str], order: Sequence[str]) -> tuple[int, ...]:
    """Return the rank of each class, 0 for the lowest. `order` are all classes, lowest first.

    An empty `order` stands for classes whose names are numbers, by value. Raises OptionError if the names are
    not all numbers, or if `order` does not have each class once.

    Example:

        >>> class_ranks(("high", "low", "middle"), ("low", "middle", "high"))
        (2, 0, 1)
        >>> class_ranks(("1", "10", "2"), ())
        (0, 2, 1)
    """
    if not order:
        try:
            order = sorted(classes, key=float)
        except ValueError as error:
            got, do = "none for classes whose names are not numbers", "add --class-order LOWEST … HIGHEST"
            raise OptionError(WHERE, got=got, expected="all classes, lowest first", do=do) from error
    if sorted(order) != sorted(classes):
        missing, unknown = ([*dict.fromkeys(a)] for a in (_without(classes, order), _without(order, classes)))
        parts = [f"no {', '.join(missing)}"] if missing else []
        parts += [f"unknown {', '.join(unknown)}"] if unknown else []
        got = "; ".join(parts) or "a class twice"
        raise OptionError(WHERE, got=got, expected=f"each of {', '.join(classes)} once", do="correct it")
    return tuple(order.index(name) for name in classes)


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in others]


def ordinal_targets(labels: Int[Tensor, " b"], ranks: Sequence[int]) -> Float[Tensor, "b classes"]:
    """Return the soft targets of labels (b,) of ordered classes (Díaz & Marathe 2019, Sec. 3).

    They are the softmax of minus the distance in ranks. `ranks` are those of the classes. Each row sums to 1
    and is largest at the label.

    Example:

        >>> ordinal_targets(torch.tensor([0]), (0, 1, 2))
        tensor([[0.6652, 0.2447, 0.0900]])
    """
    place = torch.tensor(ranks, device=labels.device)
    return (-(place[labels][:, None] - place).abs().float()).softmax(dim=1)


def with_rank_measures(
    evaluation: Evaluation, config: Mapping[str, Any], classes: Sequence[str]
) -> Evaluation:
    """Return the evaluation with the measures in ranks, if `config` is that of a run with ordered classes.

    `rank_error` is the mean distance in ranks between predicted and true class. `quadratic_kappa` is Cohen's
    kappa with quadratic weights (Cohen 1968): 1 is perfect, 0 is chance; None if all files have one class and
    are predicted so.

    Example:

        >>> evaluation = Evaluation(4, 0, (), accuracy=0.5, confusion=((1, 1, 0), (0, 1, 0), (1, 0, 0)))
        >>> config = {"loss": "ordinal", "class_order": ["a", "b", "c"]}
        >>> with_rank_measures(evaluation, config, ("a", "b", "c")).rank_error
        0.75
    """
    if config.get("loss") != ORDINAL or evaluation.confusion is None:
        return evaluation
    ranks = np.array(class_ranks(classes, config.get(WHERE) or ()))
    counts, apart = np.array(evaluation.confusion, np.float64), np.abs(ranks[:, None] - ranks)
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    by_chance = float((chance * apart**2).sum())
    kappa = 1 - float((counts * apart**2).sum()) / by_chance if by_chance else None
    return replace(evaluation, rank_error=float((counts * apart).sum() / counts.sum()), quadratic_kappa=kappa)
