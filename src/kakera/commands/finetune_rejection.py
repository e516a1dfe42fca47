"""Distances of validation files from the training files of a fine-tuned model, for "none of these"."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.commands.labelled import labelled_part
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained, WithHead
from kakera.formats.features import features
from kakera.formats.rejection import LEAST_HELD, Rejection, rejection_of, rejection_pool
from kakera.training.device import moved_to_device
from kakera.training.distributed import Distributed
from kakera.training.options import FinetuneOptions

SEEN, HELD = 2000, 1000  # most training and validation files to use: a small part of the time of a training


def with_rejection(
    saved: Pretrained[WithHead],
    trained: Dataset,
    dataset: Dataset,
    options: FinetuneOptions,
    workers: int = 0,
    dist: Distributed | None = None,
) -> Pretrained[WithHead]:
    """Return the model with the distances of validation files of `dataset` from the files `trained`.

    The network has been trained on its training files, so only files outside of them tell how far new files
    are. Return `saved` itself for fewer than 8 validation files, a CNN, and a regression model.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> data = open_dataset("demo")  # has no validation part
        >>> with_rejection(saved, data.part("train"), data, FinetuneOptions("demo")).rejection is None
        True
    """
    part, dist = labelled_part(dataset, "val"), dist or Distributed()
    if len(part) < LEAST_HELD or saved.regression or not saved.model.has_attention:
        return saved
    pool = rejection_pool(saved.encoder.config.class_tokens)

    def tokens(files: Dataset, most: int) -> NDArray[np.float32]:
        rows = np.sort(seeding.permutation(options.seed, 0, len(files), "rejection")[:most])
        return features(saved, files.take(rows), [-1], [pool], workers=workers, unreadable=[])[0][-1, pool]

    def measured() -> Rejection | None:
        with moved_to_device(saved, options.device):
            seen, held = tokens(trained, SEEN), tokens(part, HELD)
        finite = np.isfinite(seen).all() and np.isfinite(held).all()
        return rejection_of(seen, held) if finite else None

    found = dist.on_rank_zero(measured)
    if found is not None and dist.is_main:
        count = len(found.distances)
        print(
            f"finetune: kakera predict --reject tells files that are unlike the training files; the smallest "
            f"rate of false alarms is {1 / (count + 1):.2g}, from {count:,} validation files",
            file=sys.stderr,
        )
    return replace(saved, rejection=found)
