"""`kakera finetune`: a classifier, from a pretrained encoder or from scratch."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kakera import chance
from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.errors import OptionError, sentence
from kakera.formats.adapt import adapt
from kakera.formats.load import load
from kakera.formats.native import Saved, generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.cnn import RESNETS, ResNet, resnet_shape
from kakera.model.encoder import Encoder
from kakera.model.sizes import SIZES, shape_of
from kakera.training.engine import engine
from kakera.training.head import start_from_ridge
from kakera.training.loop import train
from kakera.training.notes import noted
from kakera.training.options import FinetuneOptions
from kakera.training.plan import Plan
from kakera.training.prepare import (
    Prepared,
    augmentation,
    held_out,
    labelled_part,
    prepare,
    require_classes,
    require_patches,
)
from kakera.training.run import Run
from kakera.training.spectrograms import frames
from kakera.training.tasks import Classification
from kakera.training.team import Team
from kakera.training.trained import Trained, finish, reopen


def finetune(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    start: str | Path = "",
    recipe: str = "",
    **options: Any,
) -> Trained:
    """Train a classifier on the labelled pictures of the train part and measure it on the test part.

    `start` is a run to take the encoder from; without one, `model` names a size of the Vision
    Transformer or a ResNet, trained from scratch. `options` are the fields of `FinetuneOptions`.
    Raises DataError, OptionError, RunError, StorageError.
    """
    before = noted(load(start), start) if start else None
    given = {**options, "out": str(out), "start": str(start)}
    chosen, prepared = prepare(FinetuneOptions, data, recipe, given, before.inputs if before else None)
    require_classes(prepared.dataset)
    if prepared.dataset.sounds is not None:
        _require_waves(chosen)
    pictures = labelled_part(prepared.dataset, "train")
    assert pictures.labels is not None
    if chosen.labels:
        pictures = pictures.take(few(pictures.labels, chosen.labels, chosen.label_seed))
    saved = _model(prepared, chosen, before)
    inputs = saved.inputs
    config = {"verb": "finetune", **asdict(chosen), "inputs": inputs.to_json(), "pictures": len(pictures)}
    run = Run(out, {**config, "classes": list(saved.classes)}, Team(engine(chosen)))
    if run.finished:
        return reopen(run)
    with run.held():
        run.describe(saved)
        assert isinstance(saved.model, Classifier | ResNet)
        if before and chosen.head == "ridge" and isinstance(saved.model, Classifier) and not run.begun():
            start_from_ridge(saved, pictures, workers=prepared.workers, team=run.team, device=chosen.device)
        plan = Plan(
            train=pictures,
            size=inputs.size,
            augmentation=augmentation(chosen),
            options=chosen,
            seed=chosen.seed,
            workers=prepared.workers,
            layer_decay=chosen.layer_decay if before else 1.0,
            ema=chosen.ema,
        )
        task = Classification(saved.model, inputs, chosen, several=saved.several)
        model = train(task, plan, run, verb="finetune")
        assert isinstance(model, Classifier | ResNet)
        return finish(
            run, replace(saved, model=model), held_out(prepared.dataset)[1], prepared.workers, chosen.device
        )


def _model(prepared: Prepared, options: FinetuneOptions, before: Saved | None) -> Saved:
    """The classifier to train, initialised; the encoder of `before` where there is one."""
    dataset = prepared.dataset
    draws = generator(chance.key(options.seed, "weights"))
    count = len(dataset.classes)
    if before is None:
        model, inputs = _from_scratch(prepared, options, count)
        model.initialise(draws)
    elif isinstance(before.model, ResNet):
        adapt(before, channels=dataset.channels)
        model, inputs = (
            ResNet(before.model.shape, channels=before.model.channels, classes=count),
            before.inputs,
        )
        weights = {k: v for k, v in before.model.state_dict().items() if not k.startswith("head.")}
        model.load_state_dict(weights, strict=False)
        model.initialise_head(draws)
    else:
        inputs = before.inputs
        size = (options.image, options.image) if options.image else inputs.size
        if inputs.sound is not None and options.seconds:
            size = (inputs.height, frames(options.seconds, inputs.sound, before.encoder.shape.patch))
            if before.resampling != "cut":  # another end, where a picture gets another size
                before.encoder.recut(size)
                before = replace(before, inputs=replace(inputs, height=size[0], width=size[1]))
        channels = dataset.channels if inputs.sound is None else None
        before = adapt(before, size=size, channels=channels)
        model, inputs = Classifier(before.encoder, count, options.pool), before.inputs
        model.initialise_head(draws)
    return Saved(model, inputs, dataset.classes, dataset.several)


def _require_waves(options: FinetuneOptions) -> None:
    """Raises OptionError for what changes pictures only."""
    for name in ("randaugment", "erasing", "cutmix"):
        if getattr(options, name):
            raise OptionError(
                sentence(
                    name,
                    got=f"{getattr(options, name):g}",
                    expected="0 for recordings",
                    do="choose the recipe audio-micro, or mixup and stripes instead",
                )
            )


def _from_scratch(
    prepared: Prepared, options: FinetuneOptions, classes: int
) -> tuple[Classifier | ResNet, InputSpec]:
    if options.model in RESNETS:
        inputs = prepared.inputs(options.image, (1, 1), options.seconds)
        return ResNet(resnet_shape(options.model), channels=inputs.channels, classes=classes), inputs
    if options.model not in SIZES:
        names = ", ".join([*SIZES, *RESNETS])
        raise OptionError(sentence("model", got=options.model, expected=names, do="choose one of these"))
    shape = require_patches(shape_of(options.model), options.patch, options.stride)
    inputs = prepared.inputs(options.image, shape.patch, options.seconds)
    encoder = Encoder(shape, channels=inputs.channels, size=inputs.size)
    return Classifier(encoder, classes, options.pool), inputs
