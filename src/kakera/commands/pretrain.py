"""`kakera pretrain`: train a masked autoencoder, without labels."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor

from kakera import duration
from kakera.commands.initial_autoencoder import (
    initial_autoencoder,
    require_no_shape,
    require_start,
    shape_of,
    size_of,
)
from kakera.commands.job import TrainingJob, described
from kakera.commands.pages.history import warn_if_stalled
from kakera.commands.pages.pretrain import PretrainPage
from kakera.commands.prepare import augmentation
from kakera.commands.reconstruction_sheet import reconstruction_sheet, sheet_samples
from kakera.commands.result import TrainResult, finish, reopen
from kakera.commands.token_comparison import COMPARISON, compare_tokens, to_bytes
from kakera.data.checks.digest import LABELS
from kakera.data.dataset import Dataset
from kakera.data.preload.statistics import chosen as chosen_samples
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.masking import num_visible
from kakera.model.mae import MAE
from kakera.training.distributed import Distributed
from kakera.training.engine import engine
from kakera.training.frozen_start import digest
from kakera.training.loop import train
from kakera.training.notes import noted
from kakera.training.option_args import PretrainArgs
from kakera.training.options import PretrainOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.costs import mae_cost, with_token_target
from kakera.training.planning.forecast import Forecast
from kakera.training.planning.situation import situation_of
from kakera.training.prepared import Prepared
from kakera.training.preview import preview
from kakera.training.run import Run
from kakera.training.tasks import Pretraining

FITTED = 2048  # pictures that define the components of a global target
READ = 256  # of these pictures at a time, to save memory
DRAWN = 10  # number of sheets in a run, about evenly spaced over the epochs


def pretrain(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    init_from: str | Path = "",
    recipe: str = "",
    announce: bool = True,
    **options: Unpack[PretrainArgs],
) -> TrainResult[MAE]:
    """Train a masked autoencoder to predict hidden patches of pictures or spectrograms, without labels.

    `data` is a folder, a table, the name of a built-in data set, or a `Dataset`. `out` is the run folder,
    which receives the model, the report and sheets of reconstructions. A second call with the same arguments
    resumes an unfinished run, or opens a finished one. `init_from` is a run folder, or weights of another
    library, whose encoder is trained further; then the frozen tokens before and after are compared on the
    labels of the data, if there are any. Without it, the weights are new. `recipe` is "paper", another recipe
    of kakera, or a TOML file; without a recipe the rules of docs/defaults.md choose. `options` are the fields
    of `PretrainOptions`, and override the recipe and the rules. `announce` prints the plan on stderr before
    training.

    Return the run folder and the model. Raises DataError, OptionError, RunError, StorageError.

    Example:

        >>> from kakera import open_data
        >>> data = open_data("demo").take(range(0, 9500, 50))
        >>> run = pretrain(data, out="runs/mae", model="nano", epochs=1, min_steps=1, announce=False)
        >>> (run.folder / "report.html").exists(), run.saved.model.reconstructs
        (True, True)
    """
    given = {**options, "out": str(out), "init_from": str(init_from)}
    job, before = _job(data, recipe, given, announce=announce)
    forecast = _forecast(job, before)
    job.show(forecast)
    prepared = job.prepared.preloaded(forecast.plan.size, job.options.crop_min_scale)
    chosen = _options(forecast)
    model, inputs = initial_autoencoder(prepared, chosen, before)
    dist = Distributed(engine(chosen))
    task = Pretraining(model, inputs, chosen)
    fit_global_head(task, prepared.dataset.part("train"))
    plan = _plan(chosen, prepared, inputs.size, task)
    forecast = job.timed(forecast, task, plan, prepared, dist)
    chosen, plan = _options(forecast), forecast.plan
    config = {"verb": "pretrain", **asdict(chosen), "inputs": inputs.to_json(), "pictures": len(plan.train)}
    if task.frozen is not None:
        config["init_from_digest"] = digest(task.frozen.encoder)
    config["digest"] = {name: value for name, value in prepared.digest.items() if name != LABELS}
    run = Run(out, {**config, "chosen": forecast.chosen()}, dist, job.prepared.dataset)
    situation = situation_of(job.prepared.dataset, chosen.data, side=max(prepared.facts.size))
    page = PretrainPage(plan.train, chosen, situation)
    if run.finished:
        return reopen(run, require_mae, page=page)
    with run.locked():
        saved = Pretrained(model, inputs)
        saved = replace(saved, license=before.license, resampling=before.resampling) if before else saved
        run.describe(saved)
        task = Pretraining(model, inputs, chosen)
        samples = sheet_samples(prepared)
        every = max(1, round(chosen.epochs / DRAWN))

        def draw(epoch: int, model: MAE) -> None:
            warn_if_stalled(run, epoch, plan.steps / plan.steps_per_epoch)
            if run.dist.is_main and (epoch % every == 0 or epoch >= chosen.epochs):
                sheet = reconstruction_sheet(replace(saved, model=model), samples, chosen)
                run.write_file(f"pictures/reconstructions-{epoch:04d}.png", sheet)

        saved = replace(saved, model=train(task, plan, run, verb="pretrain", each_epoch=draw))
        saved.model.token_head = None  # of no use without the frozen start
        if chosen.init_from:
            dist.on_rank_zero(lambda: write_comparison(run, saved, prepared, chosen))
        return finish(run, saved, page=page)


def write_comparison(run: Run, after: Pretrained[MAE], prepared: Prepared, options: PretrainOptions) -> None:
    """Compare the frozen tokens with those of the start, write the result into the run, and print it."""
    before, inputs = initial_autoencoder(prepared, options, load(options.init_from))
    found = compare_tokens(
        Pretrained(before.encoder.eval(), inputs),
        after,
        prepared.dataset,
        workers=prepared.workers,
        device=options.device,
    )
    if not isinstance(found, str):
        run.write_file(COMPARISON, to_bytes(found))
    print(f"pretrain: {found if isinstance(found, str) else found.text}", file=sys.stderr)


def plan_pretrain(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    init_from: str | Path = "",
    recipe: str = "",
    **options: Unpack[PretrainArgs],
) -> Forecast:
    """Return the plan of `pretrain` with the same arguments: steps, time, memory, files.

    The time is measured on a few real steps. Nothing is written. Raises DataError, OptionError, RunError.
    """
    given = {**options, "out": str(out), "init_from": str(init_from)}
    job, before = _job(data, recipe, given, announce=True)
    forecast = _forecast(job, before)
    prepared = job.sample(forecast.plan.size)
    chosen = _options(forecast)
    model, inputs = initial_autoencoder(prepared, chosen, before)
    task, dist = Pretraining(model, inputs, chosen), Distributed(engine(chosen))
    plan = _plan(chosen, prepared, inputs.size, task)
    return job.timed(forecast, task, plan, prepared, dist, always=True)


def _job(
    data: str | Path | Dataset, recipe: str, given: dict[str, Any], *, announce: bool
) -> tuple[TrainingJob[PretrainOptions], Pretrained | None]:
    """Return the options with the data, and the model to start from, or None."""
    began, start = duration.started(), given["init_from"]
    require_start(given)
    before = noted(load(start), start) if start else None
    if before is not None:
        require_no_shape(given, start)
    own = before and before.inputs
    job = TrainingJob.resolve(PretrainOptions, data, recipe, given, own, announce=announce, started=began)
    return job, before


def _forecast(job: TrainingJob[PretrainOptions], before: Pretrained | None) -> Forecast:
    """Return the forecast from headers alone."""
    chosen, prepared = job.options, job.prepared
    shape, size = shape_of(chosen, before), size_of(chosen, before, prepared)
    num_visible(
        Grid.cover(size, shape.patch).count, chosen.mask_ratio
    )  # raises OptionError for a mask ratio that leaves no visible patch
    channels = 1 if prepared.dataset.sounds is not None else prepared.dataset.channels
    gradients = chosen.hog_target or bool(chosen.global_target)
    cost = mae_cost(shape, size, channels, chosen.mask_ratio, hog_target=gradients, decoded=chosen.decoded)
    name, more = f"from {chosen.init_from}" if before else chosen.model, ""
    if chosen.token_target:
        cost = with_token_target(cost, shape, size, channels, decoded=chosen.decoded)
        more = "; the frozen start reads whole pictures for --token-target"
    return job.forecast(cost, f"masked autoencoder {name}, {described(cost, size, shape)}{more}", size)


def _options(forecast: Forecast) -> PretrainOptions:
    assert isinstance(forecast.plan.options, PretrainOptions)
    return forecast.plan.options


def fit_global_head(task: Pretraining, pictures: Dataset) -> None:
    """Compute the components of the global target from some evenly spaced pictures, if the model has one.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.inputs import InputSpec
        >>> model = MAE("nano", channels=1, image_size=28, global_target=4, seed=0)
        >>> task = Pretraining(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), PretrainOptions("demo"))
        >>> fit_global_head(task, open_dataset("demo").take(range(40)))
        >>> bool(model.global_head.projection.any())
        True
    """
    head = task.model.global_head
    if head is None:
        return
    numbers = chosen_samples(len(pictures), FITTED)
    features: list[Tensor] = []
    for start in range(0, len(numbers), READ):
        looked = preview(pictures.take(numbers[start : start + READ]), task.front)
        gradients = task.model.gradients(task.front.inputs.normalize(looked.pictures))
        features.append(head.features(gradients))
    head.fit(torch.cat(features))


def _plan(
    chosen: PretrainOptions, prepared: Prepared, size: tuple[int, int], task: Pretraining
) -> TrainingPlan:
    return TrainingPlan(
        train=prepared.dataset.part("train"),
        size=size,
        augmentation=augmentation(chosen),
        options=chosen,
        seed=chosen.seed,
        workers=prepared.workers,
        crop=prepared.center_crop(size),
        masks=task.masks,
    )
