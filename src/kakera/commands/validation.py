"""The validation part of a fine-tuning: carved from the labelled files, or that of the data."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np

from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.pages.history import History
from kakera.data.dataset import Dataset
from kakera.data.split import few, stratified
from kakera.errors import OptionError
from kakera.formats.bundle import WithHead
from kakera.progress import is_follower
from kakera.training.best_epoch import BestEpoch
from kakera.training.losses import require_loss
from kakera.training.options import FinetuneOptions
from kakera.training.plan import TrainingPlan


def uses_validation(options: FinetuneOptions) -> bool:
    """Return True if the validation accuracy decides which weights are kept.

    Example:

        >>> uses_validation(FinetuneOptions("demo")), uses_validation(FinetuneOptions("demo", patience=5))
        (False, True)
    """
    return options.keep == "best" or options.patience > 0


def with_validation(dataset: Dataset, options: FinetuneOptions) -> Dataset:
    """Return the data set with the validation part of `val_share`, stratified by class.

    It is carved from the labelled training files, or from `labels` of them, so that training and validation
    together never use more labels. The other training files are left out, or stay without a label for
    `unlabelled`. Raises OptionError if the data have a val part, or if the options need one and there is
    none.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> options = FinetuneOptions("demo", labels=100, val_share=0.2)
        >>> found = with_validation(open_dataset("demo"), options)
        >>> [len(found.part(name)) for name in ("train", "val", "test")]
        [80, 20, 1500]
    """
    there = len(labelled_part(dataset, "val"))
    if options.val_share and there:
        got, do = f"{options.val_share:g} beside a val part of {there} files", "leave it out"
        raise OptionError("val_share", got=got, expected="0 for these data", do=do)
    if uses_validation(options) and not there and not options.val_share:
        name = "keep" if options.keep == "best" else "patience"
        got, expected = "no validation files", "some labelled files for validation"
        raise OptionError(name, got=got, expected=expected, do="add --val-share 0.1, or a val part")
    if not options.val_share:
        return dataset
    assert dataset.labels is not None
    rows = np.intersect1d(np.flatnonzero(dataset.split == "train"), dataset.labelled)
    if options.labels:
        chosen = few(dataset.labels[rows], options.labels, options.label_seed)
        rows = rows[chosen]
    parts = stratified(dataset.labels[rows], {"val": options.val_share}, options.label_seed)
    if not (parts == "val").any():
        got, do = f"{options.val_share:g} of {len(rows)} labelled files, which is none", "use a larger share"
        raise OptionError("val_share", got=got, expected="at least one validation file", do=do)
    split = dataset.split.copy()
    split[rows] = parts
    others = dataset.split != "train"
    if options.unlabelled:  # they stay, without their labels
        labels = np.full_like(dataset.labels, -1)
        known = np.union1d(rows, np.flatnonzero(others))
        labels[known] = dataset.labels[known]
        return replace(dataset, split=split, labels=labels)
    return replace(dataset, split=split).take(np.union1d(rows, np.flatnonzero(others)))


def measured_on_chosen(dataset: Dataset, options: FinetuneOptions) -> bool:
    """Return True if the files that choose the epoch are also those of the evaluation.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> measured_on_chosen(open_dataset("demo"), FinetuneOptions("demo", keep="best"))
        False
    """
    return uses_validation(options) and held_out(dataset)[0] == "val"


def require_compatible(
    options: FinetuneOptions, *, scratch: bool, multi_label: bool = False, attention: bool = True
) -> None:
    """Raise OptionError for options that do not go together.

    `scratch` is True without a model to start from; `attention` is False for a CNN.

    Example:

        >>> require_compatible(FinetuneOptions("demo", patience=3), scratch=True)
    """
    if options.freeze and scratch:
        got, expected = f"{options.freeze} without init_from", "0, because new weights must be trained"
        raise OptionError("freeze", got=got, expected=expected, do="add --init-from, or leave it out")
    require_loss(options, multi_label=multi_label)
    _require_sampler(options, multi_label=multi_label)
    if options.lora_rank:
        _require_lora(options, scratch=scratch, attention=attention)
    if options.unlabelled and multi_label:
        got, expected = "yes for files with several labels", "no for these data"
        raise OptionError("unlabelled", got=got, expected=expected, do="leave it out")
    if (uses_validation(options) or options.unlabelled) and options.strategy == "fsdp":
        got, expected = "fsdp together with keep, patience or unlabelled", "ddp"
        raise OptionError("strategy", got=got, expected=expected, do="leave one of them out")


def _require_sampler(options: FinetuneOptions, *, multi_label: bool) -> None:
    if options.sampler == "random":
        return
    if multi_label:
        got, do = "balanced for files with several labels", "use --class-weight, or a --loss"
        raise OptionError("sampler", got=got, expected="random for these data", do=do)
    for name in ("class_weight", "class_balance"):
        if getattr(options, name):
            got = f"{getattr(options, name):g} with the sampler balanced"
            expected = "0, because the classes are equally frequent"
            raise OptionError(name, got=got, expected=expected, do="leave one of them out")


def _require_lora(options: FinetuneOptions, *, scratch: bool, attention: bool) -> None:
    """Raise OptionError if no low-rank update can be learned."""
    if scratch:
        got, expected = f"{options.lora_rank} without init_from", "0, because new weights must be trained"
        raise OptionError("lora_rank", got=got, expected=expected, do="add --init-from, or leave it out")
    if not attention:
        got, do = f"{options.lora_rank} for a CNN", "leave it out, or start from a Transformer"
        raise OptionError("lora_rank", got=got, expected="0 without attention", do=do)
    if options.freeze:
        got, expected = f"{options.lora_rank} together with freeze", "one of them: both freeze layers"
        raise OptionError("lora_rank", got=got, expected=expected, do="leave one of them out")


def require_waves(options: FinetuneOptions) -> None:
    """Raise OptionError for augmentations that work for pictures only.

    Example:

        >>> require_waves(FinetuneOptions("fillets", mixup=0.2, cutmix=0, randaugment=0, random_erasing=0))
    """
    for name in ("randaugment", "random_erasing", "cutmix"):
        if getattr(options, name):
            raise OptionError(
                name,
                got=f"{getattr(options, name):g}",
                expected="0 for recordings",
                do="use the recipe audio-micro, or the options mixup and stripes",
            )


def report_kept(
    best: BestEpoch[WithHead] | None, plan: TrainingPlan | None, *, regression: bool = False
) -> None:
    """Print which epoch's weights are kept, if the validation accuracy decided it.

    Example:

        >>> report_kept(None, None)
    """
    if best is None or plan is None or not best.kept or is_follower():
        return
    epochs = math.ceil(plan.steps / plan.steps_per_epoch)
    early = f"; stopped early, of {epochs} epochs" if best.exhausted else f" of {epochs}"
    value = float(best.accuracy)
    measure = f"error {_share(-value)}" if regression else f"accuracy {100 * value:.1f} %"
    print(f"finetune: kept the weights of epoch {best.kept}{early}: validation {measure}", file=sys.stderr)


def kept_sentence(options: FinetuneOptions, data: Dataset, history: History) -> str:
    """Return a sentence about the epoch whose weights are kept, if the validation files decided it.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> kept_sentence(FinetuneOptions("demo"), open_dataset("demo"), History(()))
        ''
    """
    measured = [record for record in history.records if "val_loss" in record]
    if not uses_validation(options) or not measured:
        return ""
    if data.regression:
        best = min(measured, key=lambda record: (record["val_error"], record["val_loss"]))
        which = f"lowest error ({_share(best['val_error'])})"
    else:
        best = max(measured, key=lambda record: (record["val_accuracy"], -record["val_loss"]))
        which = f"best accuracy ({100 * best['val_accuracy']:.1f} %)"
    return (
        f" The weights are those of epoch {best['epoch']:g}, which had the {which} on "
        f"{len(labelled_part(data, 'val'))} validation files; the last epoch was "
        f"{history.records[-1]['epoch']:g}."
    )


def _share(error: float) -> str:
    return f"{100 * error:.1f} % of the standard deviation"
