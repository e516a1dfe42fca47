"""Preparation of a training: open the data set, choose the options, set the input of the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from kakera import duration
from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.reading import chosen_kind, label_options, require_same_kind
from kakera.data.batch import Augmentation
from kakera.data.checks.leaks import leaks
from kakera.data.dataset import Dataset
from kakera.data.images import value_range
from kakera.data.images.crop import CenterCrop
from kakera.data.sources.numbers import with_task
from kakera.data.sources.open import open_dataset
from kakera.errors import OptionError
from kakera.inputs import InputSpec
from kakera.machine import this_machine, usable_cores
from kakera.model.configs import ViTConfig
from kakera.option_fields import AUTO, Auto, or_none
from kakera.sound.spec import preset
from kakera.training.configuration import stored_choices
from kakera.training.launch import processes
from kakera.training.options import (
    DataOptions,
    FinetuneOptions,
    LearningOptions,
    PretrainOptions,
    ProbeOptions,
    SoundOptions,
)
from kakera.training.planning.facts import facts_of
from kakera.training.planning.rules import LARGE, SMALL, Recommendation, choose
from kakera.training.prepared import Prepared, no_training
from kakera.training.recipes import build, options_from, pair, read_recipe, verb_of
from kakera.training.regression import regression_options

Options = TypeVar("Options", bound=DataOptions)


def prepare(
    kind: type[Options],
    data: str | Path | Dataset,
    recipe: str,
    given: dict[str, Any],
    start: InputSpec | None = None,
) -> tuple[Options, Prepared]:
    """Return the options, and the data set, loaded into memory if it is small; see `resolve`."""
    options, prepared = resolve(kind, data, recipe, given, start)
    return options, prepared.preloaded()


def resolve(
    kind: type[Options],
    data: str | Path | Dataset,
    recipe: str,
    given: dict[str, Any],
    start: InputSpec | None = None,
) -> tuple[Options, Prepared]:
    """Return the options and the data set, after reading only a few headers.

    `kind` is the option class, `given` are the passed options, and `start` is the input of the model to
    start from. Without a recipe, rules choose the other options (`rules.choose`); a started run keeps the
    options that the rules chose first. Raises DataError, OptionError.
    """
    name = data.name if isinstance(data, Dataset) else str(data)
    given = {name: value for name, value in given.items() if value not in (None, AUTO)} | {"data": name}
    options = options_from(kind, recipe, given) if recipe else build(kind, given)
    channels = start.channels if start and not start.sound else or_none(options.channels)
    if isinstance(options, FinetuneOptions) and options.channels != AUTO:
        channels = options.channels  # the model to start from is adapted to this number
    bits, bounds = or_none(options.bits) or 0, or_none(options.value_range) or ()
    ranges = value_range.range_from_options(bits, bounds) or (start.values if start else ())
    labels = label_options(options, data)
    dataset = (
        data
        if isinstance(data, Dataset)
        else open_dataset(
            data,
            channels=channels,
            seed=options.seed,
            kind=chosen_kind(options, str(data), start),
            ranges=ranges,
            **labels,
        )
    )
    if isinstance(data, Dataset):
        dataset = with_task(data, labels["task"])
    if ranges and isinstance(data, Dataset):
        known = {kind for kind, *_ in ranges}
        dataset = dataset.with_ranges((*ranges, *(one for one in data.ranges if one[0] not in known)))
    if start:
        require_same_kind(dataset, start)
    if not len(dataset.part("train")):
        raise no_training(dataset)
    if dataset.sounds is None and channels:
        dataset = dataset.with_channels(channels)
    machine = this_machine(getattr(options, "device", "auto"), measure=_alone(options))
    facts = facts_of(dataset, options.labels if isinstance(options, FinetuneOptions) else 0)
    choice = Recommendation("")
    if not recipe and isinstance(options, PretrainOptions | FinetuneOptions):
        span = duration.seconds(options.time) if options.time != AUTO else 0.0
        choice = choose(verb_of(options), facts, machine, span, given)
        if start and isinstance(options, PretrainOptions):  # the encoder to start from has its own
            values, reasons = (
                {name: each for name, each in table.items() if name not in ("model", "patch", "image_size")}
                for table in (choice.values, choice.reasons)
            )
            choice = Recommendation(choice.recipe, values, reasons)
    before = stored_choices(kind, getattr(options, "out", ""), recipe)
    if before is not None and not isinstance(options, ProbeOptions):
        choice = Recommendation(choice.recipe, before, choice.reasons)
    if choice.recipe or choice.values:
        options = options_from(kind, recipe or choice.recipe, {**choice.values, **given})
    if isinstance(options, FinetuneOptions) and dataset.regression:
        own = read_recipe(verb_of(options), recipe) if recipe.endswith(".toml") else {}
        options = regression_options(options, {*given, *own})
    dataset = _with_sound_spec(dataset, options, start)
    side = max(start.size) if start else max(facts.size)
    side = side if start or side <= SMALL else LARGE
    found = Prepared(dataset, side, _workers(options), facts, machine, choice.reasons)
    ruled = frozenset(set(choice.values) - set(given))
    crop = CenterCrop.of(start) if start and not start.sound and "crop_pct" not in given else None
    found = replace(found, crop=crop, crop_pct=options.crop_pct)
    if isinstance(options, FinetuneOptions | ProbeOptions):
        found = replace(found, leaks=leaks(labelled_part(dataset, "train"), held_out(dataset)[1]))
    return options, replace(
        found, chosen_by_rules=ruled, workers_chosen_automatically=options.workers == AUTO
    )


def _alone(options: DataOptions) -> bool:
    """Return True if one process trains; each of several processes would measure another speed."""
    return not isinstance(options, LearningOptions) or processes(options) == (1, 1)


def augmentation(options: PretrainOptions | FinetuneOptions) -> Augmentation:
    """Return the random changes of pictures or recordings, drawn again in each epoch.

    Example:

        >>> augmentation(PretrainOptions("pictures", flip=False)).flip
        False
    """
    return Augmentation(
        crop=(options.crop_min_scale, 1.0),
        shift=options.shift,
        flip=options.flip,
        time_shift=options.time_shift,
        gain=options.gain,
        noise=options.noise,
    )


def require_patches(
    shape: ViTConfig, patch: tuple[int, ...] | Auto, stride: tuple[int, ...] = ()
) -> ViTConfig:
    """Return the configuration with the requested patch size and stride. Raises OptionError.

    Example:

        >>> from kakera.model.configs import vit_config
        >>> require_patches(vit_config("nano"), (8,)).patch
        (8, 8)
    """
    sides = pair("patch", patch) or shape.patch
    return shape.with_patch(sides, pair("stride", stride))


def _with_sound_spec(dataset: Dataset, options: DataOptions, start: InputSpec | None) -> Dataset:
    """Return recordings with the spectrogram settings of `start` or of the options; pictures unchanged."""
    if dataset.sounds is None:
        return dataset
    if options.image_size != AUTO:
        got, do = options.image_size, "use --seconds instead"
        raise OptionError("image_size", got=got, expected="auto for recordings", do=do)
    if start is not None and start.sound is not None:
        spec = start.sound
    else:
        assert isinstance(options, SoundOptions)
        spec = preset(options.sound)
    return replace(dataset, pictures=dataset.sounds.with_spec(spec))


def _workers(options: DataOptions) -> int:
    """Return the number of reading processes: one per CPU core, divided by the training processes here."""
    if options.workers != AUTO:
        return options.workers
    together = processes(options)[0] if isinstance(options, LearningOptions) else 1
    return max(1, usable_cores() // together)
