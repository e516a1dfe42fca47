"""The accuracy of frozen tokens: one function for the networks of all contenders."""

from __future__ import annotations

import numpy as np

from kakera.bench.time_to_accuracy.setting import Setting
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.training.metrics import evaluate
from kakera.training.probes.ridge import ridge


def accuracies(setting: Setting, saved: Pretrained) -> dict[str, list[float]]:
    """Return the test accuracies in per cent, by number of labels, one for each draw.

    The class token and the mean of the patches after the final norm, concatenated, are read by ridge
    regression in closed form. In a multi-label data set the result is the mean average precision.

    Example:

        >>> from kakera.model.vit import ViT
        >>> setting = Setting.of("demo", {"model": "nano"}, labels=(20,), draws=2)
        >>> found = accuracies(setting, Pretrained(ViT("nano", channels=1, image_size=28), setting.inputs))
        >>> len(found["20"])
        2
    """
    train, test = setting.train, setting.test
    rows = np.unique(np.concatenate([draw.rows for draw in setting.draws]))
    (seen, kept), (unseen, numbers) = (
        features(saved, part, [-1], ["class and mean"]) for part in (train.take(rows), test)
    )
    rows, known, tokens = rows[kept], seen[-1, "class and mean"], unseen[-1, "class and mean"]
    assert train.labels is not None
    assert test.labels is not None
    labels, truth, classes = train.labels[rows], test.labels[numbers], train.classes
    found: dict[str, list[float]] = {}
    for draw in setting.draws:
        mine = np.isin(rows, draw.rows)
        scores = ridge(known[mine], labels[mine], tokens, classes=len(classes), seed=draw.seed)
        result = evaluate(scores, truth, classes)
        score = result.mean_average_precision if train.multi_label else result.accuracy
        assert score is not None
        found.setdefault(str(draw.labels), []).append(round(100 * score, 3))
    return found
