"""Fine-tuning that also learns from files without a label, by the predictions of an averaged teacher.

The teacher is the moving average of the weights (Tarvainen and Valpola 2017). It sees a file with weak
augmentation, and the network learns the teacher's class from the same file with strong augmentation, if the
teacher is sure enough (Sohn et al. 2020, FixMatch, eq. 3 and 4). Semi-ViT (Cai et al. 2022) trains Vision
Transformers in this way after fine-tuning. The teacher's probabilities are first divided by their mean over
the files and multiplied by the classes' shares among the labels (Berthelot et al. 2020, ReMixMatch,
Sec. 3.1), so that no class takes over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kakera.data.batch import Batch
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.resnet import ResNet
from kakera.training.batch_augment import distort, time_freq_masked
from kakera.training.class_shares import log_prior
from kakera.training.options import FinetuneOptions
from kakera.training.ordinal import ORDINAL, class_ranks
from kakera.training.plan import TrainingPlan
from kakera.training.regression import Regression
from kakera.training.tasks import Classification

DECAY = 0.998  # of the teacher's average, if the options have none
STRONG = {"randaugment": 9.0, "random_erasing": 0.25}  # of the network's view, if the options have less
STRIPES = {"time_mask": 0.2, "freq_mask": 24}  # the same for recordings
RISE = 0.15  # share of the steps in which the weight of the unlabelled files rises to 1


class SemiSupervised(Classification):
    """The classification task with a loss for unlabelled files (`Batch.unlabelled`).

    `steps` is the length of the training. `teacher` is set by the training loop.

    Example:

        >>> inputs, options = InputSpec(1, 8, 8, (0.5,), (0.5,)), FinetuneOptions("", mixup=0, cutmix=0)
        >>> model = Classifier("nano", 3, channels=1, image_size=8, seed=0)
        >>> other = Batch(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), None, torch.arange(4), epoch=0, step=50)
        >>> batch = Batch(torch.zeros(2, 1, 8, 8), torch.tensor([0, 2]), torch.arange(2), epoch=0, step=50)
        >>> task = SemiSupervised(model, inputs, options, labels=None, steps=100)
        >>> task.teacher = model
        >>> task.loss(model, replace(batch, unlabelled=other)).shape
        torch.Size([])
    """

    def __init__(
        self,
        model: Classifier | ResNet,
        inputs: InputSpec,
        options: FinetuneOptions,
        *,
        labels: NDArray[Any] | None,
        steps: int,
    ) -> None:
        super().__init__(model, inputs, options, multi_label=False, labels=labels)
        self.teacher: nn.Module | None = None
        self.rise = max(1.0, RISE * steps)
        shares = torch.full((self.classes,), 1 / self.classes)
        self.shares = shares if labels is None else log_prior(labels, self.classes).exp()
        more = STRONG if inputs.sound is None else STRIPES
        changes: dict[str, Any] = {name: max(getattr(options, name), value) for name, value in more.items()}
        self.strong = replace(options, **changes)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of the labelled files, plus that of the unlabelled ones."""
        other = batch.unlabelled
        if other is None or self.teacher is None:
            return super().loss(model, batch)
        chosen, sure = self.pseudo_labels(other)
        pixels, padding, drop_path, targets = self.inputs_of(batch)
        more, more_padding, more_drop = self.strong_inputs(other)
        logits = model(
            torch.cat([pixels, more]),
            None if drop_path is None or more_drop is None else torch.cat([drop_path, more_drop], dim=2),
            padding_mask=_joined(padding, more_padding, (len(pixels), len(more))),
        )
        own, others = logits[: len(pixels)], logits[len(pixels) :]
        each = functional.cross_entropy(others, chosen, reduction="none")
        weight = min(1.0, batch.step / self.rise)
        return self.loss_of(own, targets) + weight * (each * sure).mean()

    @torch.no_grad()
    def pseudo_labels(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the teacher's classes (b,), and 1 for those above `confidence`, else 0 (b,)."""
        assert self.teacher is not None
        self.teacher.eval()
        pixels, padding = self.front(batch.pictures, batch.lengths)
        found = self.teacher(pixels, padding_mask=padding).float().softmax(dim=1)
        found = found * (self.shares.to(found.device) / found.mean(dim=0))
        most, chosen = (found / found.sum(dim=1, keepdim=True)).max(dim=1)
        return chosen, (most >= self.options.confidence).float()

    def strong_inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return pixels, padding mask and stochastic depth of the strongly augmented files."""
        if self.inputs.sound is None:
            scale, step = self.inputs.scale, -1 - batch.step  # other draws than for the labelled files
            pictures = distort(batch.pictures / scale, self.strong, step, batch.places)
            pixels, padding = self.inputs.normalize(pictures * scale), None
        else:
            frames = round(self.strong.time_mask * 1000 / self.inputs.sound.hop)
            pixels, padding = self.front(batch.pictures, batch.lengths)
            bands = self.strong.freq_mask
            pixels = time_freq_masked(pixels, batch, self.options.seed, bands=bands, frames=frames)
        return pixels, *self.dropped(batch, pixels, padding)


def task_of(saved: Pretrained[Classifier | ResNet], plan: TrainingPlan) -> Classification:
    """Return the learning task of a fine-tuning: numbers, labels alone, or labels and unlabelled files.

    Example:

        >>> from kakera.data.batch import Augmentation
        >>> from kakera.data.sources.open import open_dataset
        >>> model = Classifier("nano", 10, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> plan = TrainingPlan(open_dataset("demo"), (28, 28), Augmentation(), FinetuneOptions("demo"), 0, 0)
        >>> type(task_of(saved, plan)).__name__
        'Classification'
    """
    options, labels = plan.options, plan.train.labels
    assert isinstance(options, FinetuneOptions)
    if plan.unlabelled is not None:
        task = SemiSupervised(saved.model, saved.inputs, options, labels=labels, steps=plan.steps)
    elif saved.targets is not None:
        task = Regression(saved.model, saved.inputs, options, saved.targets)
    else:
        several = saved.multi_label
        task = Classification(saved.model, saved.inputs, options, multi_label=several, labels=labels)
    if options.loss == ORDINAL:
        task.ranks = class_ranks(saved.classes, options.class_order)
    task.stored_layers = 0 if plan.frozen is None else plan.frozen.layers
    return task


def _joined(first: Tensor | None, second: Tensor | None, rows: tuple[int, int]) -> Tensor | None:
    """Return two padding masks as one; None is a part of `rows` samples without padding."""
    known = first if first is not None else second
    if known is None:
        return None
    parts = zip((first, second), rows, strict=True)
    return torch.cat([known.new_zeros((n, known.shape[1])) if mask is None else mask for mask, n in parts])
