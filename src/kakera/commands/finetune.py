"""`kakera finetune`: train a classifier, from a pretrained encoder or from scratch."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Unpack

from kakera import duration
from kakera.commands.finetune_forecast import forecast_of
from kakera.commands.finetune_rejection import with_rejection
from kakera.commands.initial_classifier import initial_classifier
from kakera.commands.job import TrainingJob
from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.pages.finetune import FinetunePage
from kakera.commands.pages.regression import RegressionPage
from kakera.commands.prepare import augmentation
from kakera.commands.result import TrainResult, finish, reopen
from kakera.commands.ridge_head import start_from_ridge
from kakera.commands.thresholds import chooses_thresholds, with_thresholds
from kakera.commands.validation import (
    report_kept,
    require_compatible,
    uses_validation,
    with_validation,
)
from kakera.commands.watch import AccuracyMonitor
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.split import few
from kakera.formats.bundle import Pretrained, WithHead, require_classifier, require_token_classifier
from kakera.formats.load import load
from kakera.formats.target_scale import TargetScale
from kakera.training.best_epoch import BestEpoch
from kakera.training.distributed import Distributed
from kakera.training.engine import engine
from kakera.training.freezing import frozen, mark_trainable
from kakera.training.frozen_tokens import frozen_tokens
from kakera.training.loop import train
from kakera.training.lora import merged, with_lora
from kakera.training.notes import noted
from kakera.training.option_args import FinetuneArgs
from kakera.training.options import FinetuneOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.forecast import Forecast
from kakera.training.planning.situation import situation_of
from kakera.training.prepared import Prepared
from kakera.training.recipes import read_recipe
from kakera.training.run import Run
from kakera.training.semi_supervised import DECAY, SemiSupervised, task_of


def finetune(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    init_from: str | Path = "",
    recipe: str = "",
    announce: bool = True,
    **options: Unpack[FinetuneArgs],
) -> TrainResult[WithHead]:
    """Train a classifier on the labelled training files, and evaluate it on the test files (or else val).

    `data` is a folder, a table, the name of a built-in data set, or a `Dataset`. `out` is the run folder; a
    second call with the same arguments resumes an unfinished run, or opens a finished one. `init_from` is
    the run folder of the encoder to start from. Without it the classifier trains from scratch, and the
    option `model` chooses a size of the Vision Transformer or a ResNet. Options that are not passed follow
    the recipe, or without a recipe the rules of docs/defaults.md. `recipe` is "micro", "paper", another
    recipe of kakera, or a TOML file. `announce` prints the plan on stderr. `options` are the fields of
    `FinetuneOptions`, and override the recipe.

    Return the run folder, the model and its evaluation. Raises DataError, OptionError, RunError,
    StorageError.

    Example:

        >>> from kakera import open_data
        >>> data = open_data("demo").take(range(0, 9500, 50))
        >>> options = {"model": "nano", "epochs": 1, "min_steps": 1, "baselines": False, "workers": 0}
        >>> run = finetune(data, out="runs/classifier", announce=False, **options)
        >>> run.evaluation.count, len(run.saved.classes)
        (30, 10)
    """
    job, before = _job(
        data, recipe, {**options, "out": str(out), "init_from": str(init_from)}, announce=announce
    )
    forecast = forecast_of(job, before)
    job.show(forecast)
    prepared = job.prepared.preloaded(forecast.plan.size, job.options.crop_min_scale)
    return finetune_result(forecast, job, prepared, before)


def finetune_result(
    forecast: Forecast, job: TrainingJob[FinetuneOptions], prepared: Prepared, before: Pretrained | None
) -> TrainResult[WithHead]:
    """Train the classifier of a forecast on loaded data; `before` is the model to start from, or None.

    The weights of `before` are changed, because its encoder becomes part of the classifier.
    """
    prepared = replace(prepared, dataset=with_validation(prepared.dataset, _options(forecast)))
    chooses_thresholds(prepared.dataset, _options(forecast))
    saved, plan, forecast, dist = prepare_finetuning(job, forecast, prepared, before)
    chosen, inputs, pictures = _options(forecast), saved.inputs, plan.train
    config = {"verb": "finetune", **asdict(chosen), "inputs": inputs.to_json(), "pictures": len(pictures)}
    config |= {"classes": list(saved.classes), "digest": prepared.digest, "chosen": forecast.chosen()}
    run = Run(chosen.out, config, dist, job.prepared.dataset)
    fresh = (
        (lambda: initial_classifier(prepared, chosen, load(chosen.init_from))) if chosen.init_from else None
    )
    situation = situation_of(job.prepared.dataset, chosen.data, side=max(prepared.facts.size))
    leaked = tuple(job.prepared.leak_warning())
    parts = (prepared.dataset, pictures, chosen, prepared.workers, fresh, situation)
    page = (RegressionPage if saved.regression else FinetunePage)(*parts, job.given, leaked)
    measured = (held_out(prepared.dataset)[1], prepared.workers, chosen.device, page)
    if run.finished:
        return reopen(run, require_classifier, *measured)
    with run.locked():
        run.describe(saved)
        if before and chosen.head == "ridge" and saved.model.has_attention and not run.has_started():
            classifier, device = require_token_classifier(saved), chosen.device
            start_from_ridge(classifier, pictures, workers=prepared.workers, dist=run.dist, device=device)
        task = task_of(saved, plan)
        watch = AccuracyMonitor(saved, prepared.dataset, plan, run, decides=uses_validation(chosen))
        stored = closing(plan.frozen) if plan.frozen else nullcontext()
        with frozen(saved.model, chosen.freeze), with_lora(saved.model, chosen), stored:
            best = BestEpoch[WithHead](saved.model, chosen.patience) if uses_validation(chosen) else None
            model = merged(train(task, plan, run, verb="finetune", each_epoch=watch, best=best))
        mark_trainable(model, saved.model)
        report_kept(best, plan, regression=saved.regression)
        last = (prepared.dataset, chosen, prepared.workers, dist)
        found = with_thresholds(replace(saved, model=model), *last)
        found = with_rejection(found, pictures, *last)
        return finish(run, found, *measured)


def plan_finetune(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    init_from: str | Path = "",
    recipe: str = "",
    **options: Unpack[FinetuneArgs],
) -> Forecast:
    """Return the plan of `finetune` with the same arguments: steps, time, memory, files.

    The time is measured on a few real steps. Nothing is written. Raises DataError, OptionError, RunError.
    """
    job, before = _job(data, recipe, {**options, "out": str(out), "init_from": str(init_from)}, announce=True)
    forecast = forecast_of(job, before)
    return prepare_finetuning(job, forecast, job.sample(forecast.plan.size), before, always=True)[2]


def _job(
    data: str | Path | Dataset, recipe: str, given: dict[str, Any], *, announce: bool
) -> tuple[TrainingJob[FinetuneOptions], Pretrained | None]:
    """Return the options with the data, and the model to start from, or None."""
    began, start = duration.started(), given["init_from"]
    before = noted(load(start), start) if start else None
    own = before and before.inputs
    if before is not None:
        given = with_pool(given, recipe, before)
    return TrainingJob.resolve(
        FinetuneOptions, data, recipe, given, own, announce=announce, started=began
    ), before


def with_pool(given: dict[str, Any], recipe: str, before: Pretrained) -> dict[str, Any]:
    """Return the options with the pool "mean" for an encoder without class token, which our recipes read.

    A pool that the user or the user's recipe passed is not changed.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> with_pool({"epochs": 1.0}, "few", saved)
        {'epochs': 1.0}
    """
    own = recipe.endswith(".toml") and "pool" in read_recipe("finetune", recipe)
    if "pool" in given or own or not before.model.has_attention or before.encoder.config.class_tokens:
        return given
    return {**given, "pool": "mean"}


def prepare_finetuning(
    job: TrainingJob[FinetuneOptions],
    forecast: Forecast,
    prepared: Prepared,
    before: Pretrained | None,
    *,
    always: bool = False,
) -> tuple[Pretrained[WithHead], TrainingPlan, Forecast, Distributed]:
    """Return the classifier to train, its training plan, the forecast and the processes.

    The plan is shortened to keep the time limit. `always` measures a few steps in any case, for `--plan`;
    then `prepared` may be a sample of the data.
    """
    chosen = _options(forecast)
    pictures = labelled_part(prepared.dataset, "train")
    assert pictures.labels is not None
    if chosen.labels:
        fewer = always or chosen.val_share  # a sample, or the rest of a validation part
        count = min(chosen.labels, len(pictures)) if fewer else chosen.labels
        pictures = pictures.take(few(pictures.labels, count, chosen.label_seed))
    attention = before is None or before.model.has_attention
    several = prepared.dataset.multi_label
    require_compatible(chosen, scratch=before is None, multi_label=several, attention=attention)
    saved = initial_classifier(prepared, chosen, before)
    if pictures.labels is not None and prepared.dataset.regression:
        saved = replace(saved, targets=TargetScale.of(pictures.labels, saved.classes, pictures.name))
    dist = Distributed(engine(chosen))
    plan = TrainingPlan(
        train=pictures,
        size=saved.inputs.size,
        augmentation=augmentation(chosen),
        options=chosen,
        seed=chosen.seed,
        workers=prepared.workers,
        layer_decay=chosen.layer_decay if before else 1.0,
        ema=chosen.ema_decay or (DECAY if chosen.unlabelled else 0.0),
        unlabelled=prepared.dataset.part("train") if chosen.unlabelled else None,
        unlabelled_ratio=chosen.unlabelled_ratio,
        balanced=chosen.sampler == "balanced",
        crop=CenterCrop.of(saved.inputs),
        frozen=frozen_tokens(saved.model, chosen, len(pictures), forecast.frozen),
    )
    task = task_of(saved, plan)
    forecast = job.once_measured(forecast, task, plan, dist, always=always)
    if isinstance(task, SemiSupervised):
        task.teacher = saved.model  # for the measurement of a step
    with frozen(saved.model, chosen.freeze), with_lora(saved.model, chosen):
        forecast = job.timed(forecast, task, plan, prepared, dist, always=always)
    plan = forecast.plan
    plan = plan if plan.steps > plan.steps_per_epoch else replace(plan, frozen=None)  # reads each file once
    return saved, plan, forecast, dist


def _options(forecast: Forecast) -> FinetuneOptions:
    assert isinstance(forecast.plan.options, FinetuneOptions)
    return forecast.plan.options
