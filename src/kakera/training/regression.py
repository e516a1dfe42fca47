"""The regression task: mean squared error on standardised targets, and the options that fit it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError
from kakera.formats.target_scale import TargetScale
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.resnet import ResNet
from kakera.option_fields import AUTO
from kakera.training.options import FinetuneOptions
from kakera.training.tasks import Classification

ONLY_CLASSES: Mapping[str, Any] = {  # options that have a meaning for classes only, and their value
    **dict.fromkeys(("label_smoothing", "class_balance", "class_weight"), 0.0),
    "unlabelled": False,
    "loss": "cross-entropy",
    "sampler": "random",
    "thresholds": AUTO,
}
UNCHANGING: Mapping[
    str, Any
] = {  # by default nothing is drawn that may change an angle, a size or a loudness
    **dict.fromkeys(("mixup", "cutmix", "randaugment", "gain"), 0.0),
    "crop_min_scale": 1.0,
    "shift": 0,
    "flip": False,
}


class Regression(Classification):
    """The regression task: the mean squared error of standardised targets.

    The mean squared error fits the parts around it: the start of the head by ridge regression minimises it,
    R² is computed from it, and for targets mixed by mixup its best prediction is the mean. `scale` are mean
    and standard deviation of the targets of all training files. Without standardised targets the learning
    rate would depend on their unit.

    Example:

        >>> import torch
        >>> from kakera.data.loader import Batch
        >>> inputs, options = InputSpec(1, 8, 8, (0.5,), (0.5,)), FinetuneOptions("pictures", **UNCHANGING)
        >>> model = Classifier("nano", 1, channels=1, image_size=8, seed=0)
        >>> task = Regression(model, inputs, options, TargetScale((30.0,), (10.0,)))
        >>> targets = torch.tensor([[40.0], [20.0]])
        >>> batch = Batch(torch.zeros(2, 1, 8, 8), targets, torch.arange(2), epoch=0, step=0)
        >>> round(task.loss(model, batch).item(), 2)
        1.0
    """

    def __init__(
        self, model: Classifier | ResNet, inputs: InputSpec, options: FinetuneOptions, scale: TargetScale
    ) -> None:
        super().__init__(model, inputs, options, multi_label=False)
        self.scale = scale

    def loss_of(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error of outputs (b, t) for standardised targets (b, t)."""
        return functional.mse_loss(logits.float(), targets)

    def targets(self, labels: Tensor) -> Tensor:
        """Return the standardised targets (b, t) of numbers (b, t)."""
        return self.scale.standardised(labels)


def regression_options(options: FinetuneOptions, given: Collection[str]) -> FinetuneOptions:
    """Return the options for numbers to predict; `given` are the names of those that the user chose.

    The others do not change the number that belongs to a file: see `UNCHANGING`. The head of a pretrained
    Transformer starts from ridge regression. Raises OptionError for options that are for classes only.

    Example:

        >>> found = regression_options(FinetuneOptions("photos", mixup=0.2), given={"mixup"})
        >>> found.mixup, found.cutmix, found.flip
        (0.2, 0.0, False)
    """
    for name, without in ONLY_CLASSES.items():
        value = getattr(options, name)
        if value != without and (name in given or name == "unlabelled"):
            got, expected = f"{value} for numbers to predict", f"{without}, or classes"
            do = "leave it out, or name no recipe for classes" if name not in given else "leave it out"
            raise OptionError(name, got=got, expected=expected, do=do)
    head = {"head": "ridge"} if options.init_from else {}
    values = {**ONLY_CLASSES, **UNCHANGING, **head}
    return replace(options, **{name: value for name, value in values.items() if name not in given})
