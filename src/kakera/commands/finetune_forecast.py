"""The forecast of a fine-tuning: cost, memory and text for the plan, from headers alone."""

from __future__ import annotations

from kakera.commands.initial_classifier import scratch_shape
from kakera.commands.job import TrainingJob, described
from kakera.commands.labelled import labelled_part, require_labels
from kakera.commands.validation import (
    require_waves,
)
from kakera.formats.bundle import Pretrained
from kakera.model.configs import RESNETS, resnet_config
from kakera.model.resnet import ResNet
from kakera.option_fields import AUTO, or_none
from kakera.training.options import FinetuneOptions
from kakera.training.planning.costs import StepCost, classifier_cost, resnet_cost
from kakera.training.planning.forecast import Forecast
from kakera.training.planning.frozen_layers import lora_text, trained_cost


def forecast_of(job: TrainingJob[FinetuneOptions], before: Pretrained | None) -> Forecast:
    """Return the forecast from headers alone. Raises DataError if the data have no classes, OptionError."""
    chosen, dataset = job.options, job.prepared.dataset
    require_labels(dataset)
    if dataset.sounds is not None:
        require_waves(chosen)
    count = len(labelled_part(dataset, "train"))
    count = min(chosen.labels, count) or count
    classes, channels = len(dataset.classes), 1 if dataset.sounds is not None else dataset.channels
    if before is not None and isinstance(before.model, ResNet):
        cnn, size = before.model.config, before.inputs.size
    elif before is None and chosen.model in RESNETS:
        cnn = resnet_config(chosen.model)
        size = job.prepared.size(chosen.image_size, (1, 1), chosen.seconds)
    else:
        shape = before.encoder.config if before else scratch_shape(chosen)
        own = before.inputs.size if before else (0, 0)
        if before is None or (dataset.sounds is not None and chosen.seconds != AUTO):
            own = job.prepared.size(chosen.image_size, shape.patch, chosen.seconds)
        side = or_none(chosen.image_size)
        size = (side, side) if before and side else own
        whole = classifier_cost(shape, size, channels, classes)
        frozen = job.frozen_layers(shape, whole.tokens - 1, count)
        cost = _whole_cost(trained_cost(whole, shape, chosen, classes, frozen), chosen)
        name = f"from {chosen.init_from}" if before else f"{chosen.model}, from scratch"
        text = f"Vision Transformer {name}, {described(cost, size, shape)}{lora_text(cost, chosen)}"
        return job.forecast(cost, text, size, train=count, frozen=frozen)
    cost = _whole_cost(resnet_cost(cnn, size, channels, classes), chosen)
    name = chosen.model if before is None else f"ResNet from {chosen.init_from}"
    text = f"{name}, {size[0]} x {size[1]} pixels"
    return job.forecast(cost, text, size, divisible=False, train=count)


def _whole_cost(cost: StepCost, options: FinetuneOptions) -> StepCost:
    return cost.with_unlabelled(options.unlabelled_ratio) if options.unlabelled else cost
