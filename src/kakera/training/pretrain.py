"""`kakera pretrain`: a masked autoencoder from pictures without labels."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kakera import chance
from kakera.data.dataset import Dataset
from kakera.data.digest import LABELS
from kakera.explain.picture import png, sheet, upright
from kakera.explain.reconstruct import reconstructions
from kakera.formats.native import Saved, generator
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.masking import MASKINGS, kept
from kakera.model.sizes import shape_of
from kakera.storage import write_atomically
from kakera.training.device import whereabouts
from kakera.training.engine import engine
from kakera.training.loop import train
from kakera.training.options import PretrainOptions
from kakera.training.plan import Plan
from kakera.training.prepare import Prepared, augmentation, prepare, require_patches
from kakera.training.run import Run
from kakera.training.shown import shown
from kakera.training.tasks import Pretraining
from kakera.training.team import Team
from kakera.training.trained import Trained, finish, reopen
from kakera.training.view import View

SHOWN = 12  # pictures on a sheet of reconstructions
DRAWN = 10  # sheets of a run, about evenly spaced over the epochs


def pretrain(data: str | Path | Dataset, *, out: str | Path, recipe: str = "", **options: Any) -> Trained:
    """Learn from pictures by guessing hidden patches; the run folder `out` gets model and pictures.

    `recipe` is "paper", a name that ships with kakera, or a TOML file; `options` are the fields of
    `PretrainOptions` and win over it. Called again with the same arguments it goes on where it stopped.
    Raises DataError, OptionError, RunError, StorageError.
    """
    given = {**options, "out": str(out)}
    chosen, prepared = prepare(PretrainOptions, data, recipe, given)
    shape = require_patches(shape_of(chosen.size), chosen.patch)
    inputs = prepared.inputs(chosen.image, shape.patch, chosen.seconds)
    encoder = Encoder(shape, channels=inputs.channels, size=inputs.size)
    kept(encoder.grid.count, chosen.hide)  # refuses a share that leaves nothing to see
    decoder = replace(shape.decoder, cross=chosen.decoder == "cross")
    model = MaskedAutoencoder(encoder, decoder, normalised=chosen.normalised, gradients=chosen.gradients)
    pictures = prepared.dataset.part("train")
    config = {"verb": "pretrain", **asdict(chosen), "inputs": inputs.to_json(), "pictures": len(pictures)}
    config["digest"] = {name: value for name, value in prepared.digest.items() if name != LABELS}
    run = Run(out, config, Team(engine(chosen)))
    if run.finished:
        return reopen(run)
    with run.held():
        model.initialise(generator(chosen.seed))
        saved = Saved(model, inputs)
        run.describe(saved)
        task = Pretraining(model, inputs, chosen)
        plan = Plan(
            train=pictures,
            size=inputs.size,
            augmentation=augmentation(chosen),
            options=chosen,
            seed=chosen.seed,
            workers=prepared.workers,
        )
        samples = _samples(prepared)
        every = max(1, round(chosen.epochs / DRAWN))

        def draw(epoch: int, model: nn.Module) -> None:
            if run.team.leads and (epoch % every == 0 or epoch >= chosen.epochs):
                assert isinstance(model, MaskedAutoencoder)
                path = run.folder / "pictures" / f"reconstructions-{epoch:04d}.png"
                write_atomically(path, reconstruction_sheet(replace(saved, model=model), samples, chosen))

        trained = train(task, plan, run, verb="pretrain", each_epoch=draw)
        assert isinstance(trained, MaskedAutoencoder)
        return finish(run, replace(saved, model=trained))


def reconstruction_sheet(saved: Saved, pictures: Dataset, options: PretrainOptions) -> bytes:
    """A PNG of some pictures: original, masked, predicted; the same masks at every call."""
    model = saved.model
    assert isinstance(model, MaskedAutoencoder)
    grid = model.encoder.grid
    looked = shown(pictures, saved.inputs)
    absent = View.of(model, saved.inputs).absent(looked.batch)
    noise = chance.uniform(options.seed, 0, looked.batch.samples.numpy(), "shown mask", grid.count)
    gone = None if absent is None else absent.numpy()
    hidden = torch.from_numpy(MASKINGS[options.masking](noise, grid, options.hide, gone))
    device = whereabouts(saved)
    absent = None if absent is None else absent.to(device)
    model.eval()
    rows = reconstructions(model, saved.inputs, looked.pictures.to(device), hidden.to(device), absent)
    return png(
        sheet(upright(rows, saved.inputs), across=4 if saved.inputs.width <= saved.inputs.height else 1)
    )


def _samples(prepared: Prepared) -> Dataset:
    """A few pictures to look at, the same in every run: unseen ones where there are any."""
    dataset = prepared.dataset
    unseen = dataset.part("test")
    dataset = unseen if len(unseen) else dataset
    return dataset.take(chance.order(0, 0, len(dataset), "shown")[:SHOWN])
