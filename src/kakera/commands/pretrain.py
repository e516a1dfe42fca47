"""`kakera pretrain`: train a masked autoencoder, without labels."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from kakera import duration, seeding
from kakera.commands.job import TrainingJob, described
from kakera.commands.pages.history import warn_if_stalled
from kakera.commands.pages.pretrain import PretrainPage
from kakera.commands.prepare import augmentation, require_patches
from kakera.commands.result import TrainResult, finish, reopen
from kakera.data.checks.digest import LABELS
from kakera.data.dataset import Dataset
from kakera.data.images.resize import visible
from kakera.data.preload.statistics import chosen as chosen_samples
from kakera.explain.picture import png, sheet, upright
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.looking import sheet_rows
from kakera.formats.native import seeded_generator
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.masking import num_visible
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.option_fields import Auto
from kakera.training.distributed import Distributed
from kakera.training.engine import engine
from kakera.training.loop import train
from kakera.training.option_args import PretrainArgs
from kakera.training.options import PretrainOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.costs import mae_cost
from kakera.training.planning.forecast import Forecast
from kakera.training.planning.situation import situation_of
from kakera.training.prepared import Prepared
from kakera.training.preview import preview
from kakera.training.run import Run
from kakera.training.tasks import Pretraining

SHOWN = 12  # number of pictures on a sheet of reconstructions
FITTED = 2048  # pictures that define the components of a global target
READ = 256  # of these pictures at a time, to save memory
DRAWN = 10  # number of sheets in a run, about evenly spaced over the epochs


def pretrain(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    recipe: str = "",
    announce: bool = True,
    **options: Unpack[PretrainArgs],
) -> TrainResult[MAE]:
    """Train a masked autoencoder to predict hidden patches of pictures or spectrograms, without labels.

    `data` is a folder, a table, the name of a built-in data set, or a `Dataset`. `out` is the run folder,
    which receives the model, the report and sheets of reconstructions. A second call with the same arguments
    resumes an unfinished run, or opens a finished one. `recipe` is "paper", another recipe of kakera, or a
    TOML file; without a recipe the rules of docs/defaults.md choose. `options` are the fields of
    `PretrainOptions`, and override the recipe and the rules. `announce` prints the plan on stderr before
    training.

    Return the run folder and the model. Raises DataError, OptionError, RunError, StorageError.

    Example:

        >>> from kakera import open_data
        >>> data = open_data("demo").take(range(0, 9500, 50))
        >>> run = pretrain(data, out="runs/mae", model="nano", epochs=1, min_steps=1, announce=False)
        >>> (run.folder / "report.html").exists(), run.saved.model.reconstructs
        (True, True)
    """
    given = {**options, "out": str(out)}
    job = TrainingJob.resolve(
        PretrainOptions, data, recipe, given, started=duration.started(), announce=announce
    )
    forecast = _forecast(job)
    job.show(forecast)
    prepared = job.prepared.preloaded(forecast.plan.size, job.options.crop_min_scale)
    chosen, inputs = _options(forecast), prepared.inputs(*_inputs_of(forecast))
    model = _model(chosen, inputs)
    dist = Distributed(engine(chosen))
    task = Pretraining(model, inputs, chosen)
    fit_global_head(task, prepared.dataset.part("train"))
    plan = _plan(chosen, prepared, inputs.size, task)
    forecast = job.timed(forecast, task, plan, prepared, dist)
    chosen, plan = _options(forecast), forecast.plan
    config = {"verb": "pretrain", **asdict(chosen), "inputs": inputs.to_json(), "pictures": len(plan.train)}
    config["digest"] = {name: value for name, value in prepared.digest.items() if name != LABELS}
    run = Run(out, {**config, "chosen": forecast.chosen()}, dist, job.prepared.dataset)
    situation = situation_of(job.prepared.dataset, chosen.data, side=max(prepared.facts.size))
    page = PretrainPage(plan.train, chosen, situation)
    if run.finished:
        return reopen(run, require_mae, page=page)
    with run.locked():
        saved = Pretrained(model, inputs)
        run.describe(saved)
        task = Pretraining(model, inputs, chosen)
        samples = _samples(prepared)
        every = max(1, round(chosen.epochs / DRAWN))

        def draw(epoch: int, model: MAE) -> None:
            warn_if_stalled(run, epoch, plan.steps / plan.steps_per_epoch)
            if run.dist.is_main and (epoch % every == 0 or epoch >= chosen.epochs):
                sheet = reconstruction_sheet(replace(saved, model=model), samples, chosen)
                run.write_file(f"pictures/reconstructions-{epoch:04d}.png", sheet)

        trained = train(task, plan, run, verb="pretrain", each_epoch=draw)
        return finish(run, replace(saved, model=trained), page=page)


def plan_pretrain(
    data: str | Path | Dataset, *, out: str | Path, recipe: str = "", **options: Unpack[PretrainArgs]
) -> Forecast:
    """Return the plan of `pretrain` with the same arguments: steps, time, memory, files.

    The time is measured on a few real steps. Nothing is written. Raises DataError, OptionError, RunError.
    """
    given = {**options, "out": str(out)}
    job = TrainingJob.resolve(PretrainOptions, data, recipe, given, started=duration.started(), announce=True)
    forecast = _forecast(job)
    prepared = job.sample(forecast.plan.size)
    chosen, inputs = _options(forecast), prepared.inputs(*_inputs_of(forecast))
    model = _model(chosen, inputs)
    task, dist = Pretraining(model, inputs, chosen), Distributed(engine(chosen))
    plan = _plan(chosen, prepared, inputs.size, task)
    return job.timed(forecast, task, plan, prepared, dist, always=True)


def _forecast(job: TrainingJob[PretrainOptions]) -> Forecast:
    """Return the forecast from headers alone."""
    chosen, prepared = job.options, job.prepared
    shape = require_patches(vit_config(chosen.model), chosen.patch)
    size = prepared.size(chosen.image_size, shape.patch, chosen.seconds)
    num_visible(
        Grid.cover(size, shape.patch).count, chosen.mask_ratio
    )  # raises OptionError for a mask ratio that leaves no visible patch
    channels = 1 if prepared.dataset.sounds is not None else prepared.dataset.channels
    gradients = chosen.hog_target or bool(chosen.global_target)
    cost = mae_cost(shape, size, channels, chosen.mask_ratio, hog_target=gradients, decoded=chosen.decoded)
    name = chosen.model
    return job.forecast(cost, f"masked autoencoder {name}, {described(cost, size, shape)}", size)


def _options(forecast: Forecast) -> PretrainOptions:
    assert isinstance(forecast.plan.options, PretrainOptions)
    return forecast.plan.options


def _inputs_of(forecast: Forecast) -> tuple[int | Auto, tuple[int, int], float | Auto]:
    chosen = _options(forecast)
    return chosen.image_size, require_patches(vit_config(chosen.model), chosen.patch).patch, chosen.seconds


def _model(chosen: PretrainOptions, inputs: InputSpec) -> MAE:
    shape = require_patches(vit_config(chosen.model), chosen.patch)
    draws = seeded_generator(chosen.seed)
    encoder = ViT(shape, channels=inputs.channels, image_size=inputs.size, seed=draws)
    decoder = replace(shape.decoder, cross=chosen.decoder == "cross")
    target = {"norm_pix_loss": chosen.norm_pix_loss, "hog_target": chosen.hog_target}
    components = chosen.global_target
    return MAE(encoder, decoder, mask_ratio=chosen.mask_ratio, **target, global_target=components, seed=draws)


def fit_global_head(task: Pretraining, pictures: Dataset) -> None:
    """Compute the components of the global target from some evenly spaced pictures, if the model has one.

    Example:

        >>> from kakera.data.sources.open import open_dataset
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


def reconstruction_sheet(saved: Pretrained[MAE], pictures: Dataset, options: PretrainOptions) -> bytes:
    """Return a PNG of some pictures: original, masked, predicted; the masks are the same in each call.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> config, files = vit_config("nano"), open_dataset("demo").take(range(2))
        >>> model = MAE(ViT(config, channels=1, image_size=28), config.decoder)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> reconstruction_sheet(saved, files, PretrainOptions("demo"))[1:4]
        b'PNG'
    """
    looked = preview(pictures, saved.front_end)
    saved.model.eval()
    samples, chosen = looked.batch.samples.numpy(), (options.mask_ratio, options.seed, options.masking)
    rows = sheet_rows(saved, looked.pictures, looked.padding, samples, *chosen)
    return png(
        sheet(
            visible(upright(rows, saved.inputs)), across=4 if saved.inputs.width <= saved.inputs.height else 1
        )
    )


def _samples(prepared: Prepared) -> Dataset:
    """Return a few pictures for the sheets, the same in each run; test pictures if the data have some."""
    dataset = prepared.dataset
    unseen = dataset.part("test")
    dataset = unseen if len(unseen) else dataset
    return dataset.take(seeding.permutation(0, 0, len(dataset), "shown")[:SHOWN])
