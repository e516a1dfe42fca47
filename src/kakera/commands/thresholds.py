"""The thresholds of a fine-tuned multi-label model, chosen on the validation part."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from kakera.commands.evaluation import predict_part
from kakera.commands.labelled import held_out, labelled_part
from kakera.data.dataset import Dataset
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained, WithHead
from kakera.formats.classes import HALF
from kakera.training.distributed import Distributed
from kakera.training.metrics import evaluate
from kakera.training.metrics_report import Evaluation
from kakera.training.options import FinetuneOptions
from kakera.training.predictions import Predictions
from kakera.training.thresholds import LEAST, best_thresholds


def chooses_thresholds(dataset: Dataset, options: FinetuneOptions) -> bool:
    """Return True if the thresholds of the classes are chosen on the validation part of `dataset`.

    They never are if the evaluation is on the same part. Raises OptionError if the options need them and the
    data do not allow them.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> chooses_thresholds(open_dataset("demo"), FinetuneOptions("demo", val_share=0.1))
        False
    """
    reason = do = ""
    if not dataset.multi_label:
        reason, do = "files with one label", "leave it out"
    elif not len(labelled_part(dataset, "val")):
        reason, do = "no validation files", "add --val-share 0.1, or a val part"
    elif held_out(dataset)[0] == "val":
        reason, do = "validation files that are also those of the evaluation", "add a test part"
    if options.thresholds == "f1" and reason:
        got, expected = f"f1 for {reason}", "several labels, and validation files beside test files"
        raise OptionError("thresholds", got=got, expected=expected, do=do)
    return options.thresholds != "0.5" and not reason


def with_thresholds(
    saved: Pretrained[WithHead],
    dataset: Dataset,
    options: FinetuneOptions,
    workers: int = 0,
    dist: Distributed | None = None,
) -> Pretrained[WithHead]:
    """Return the model with the thresholds that maximise the F1 of each class on the validation part.

    Return `saved` itself if the options or the data do not allow it. One line tells the F1 on these files.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> with_thresholds(saved, open_dataset("demo"), FinetuneOptions("demo")).thresholds
        ()
    """
    if not chooses_thresholds(dataset, options):
        return saved
    dist, part = dist or Distributed(), labelled_part(dataset, "val")
    found = predict_part(saved, part, workers, dist, options.device)
    assert part.labels is not None
    labels, probabilities = part.labels[found.numbers], found.probabilities
    assert probabilities is not None
    if not len(probabilities) or not np.isfinite(probabilities).all():
        return saved
    thresholds = best_thresholds(probabilities, labels)
    if dist.is_main:
        before, after = (evaluate(probabilities, labels, saved.classes, each) for each in ((), thresholds))
        print(
            f"finetune: thresholds of {len(thresholds)} classes are chosen on {len(labels)} validation "
            f"files: macro F1 {_percent(after.macro_f1)} instead of {_percent(before.macro_f1)} there",
            file=sys.stderr,
        )
    return replace(saved, thresholds=thresholds)


def thresholds_sentence(saved: Pretrained, data: Dataset, unseen: Dataset, found: Predictions) -> str:
    """Return sentences about the thresholds and what they change on the evaluated files; "" without them.

    `data` is the whole data set, `unseen` its evaluated part and `found` the predictions for this part.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> thresholds_sentence(saved, open_dataset("demo"), open_dataset("demo"), None)
        ''
    """
    if not saved.thresholds or found.probabilities is None or unseen.labels is None:
        return ""
    labels = unseen.labels[found.numbers]
    before, after = (
        evaluate(found.probabilities, labels, saved.classes, each) for each in ((), saved.thresholds)
    )
    return (
        "A class is predicted if its probability is at least its threshold. The thresholds maximise the F1 "
        f"on {len(labelled_part(data, 'val'))} validation files; classes with fewer than {LEAST} of them "
        f"share one. On the evaluated files F1 is {_f1(after)}, and with {HALF} for each class {_f1(before)}."
    )


def _f1(evaluation: Evaluation) -> str:
    return f"{_percent(evaluation.micro_f1)} micro and {_percent(evaluation.macro_f1)} macro"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
