"""Predictions that may be "none of these": probabilities and tokens from one pass of the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained, require_token_classifier
from kakera.formats.rejection import Rejection, read_rejection, rejection_pool
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, pool_tokens
from kakera.model.token_index import visible_index


@dataclass(frozen=True, eq=False)
class WithTokens:
    """A classifier whose rows are probabilities, then the token of class and mean, for `each_file`.

    Example:

        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network.eval(), InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> WithTokens(saved).probabilities(torch.zeros(3, 1, 28, 28, dtype=torch.uint8)).shape
        torch.Size([3, 130])
    """

    saved: Pretrained[Classifier]

    @property
    def inputs(self) -> InputSpec:
        """The input specification of the classifier."""
        return self.saved.inputs

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, then a name for each number of the token."""
        config = self.saved.encoder.config
        width = (2 if config.class_tokens else 1) * config.width
        return (*self.saved.classes, *(f"token {number}" for number in range(width)))

    @torch.inference_mode()
    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b columns"]:
        """Return probabilities and tokens (b, classes + e) of stored pictures or waveforms, on the CPU."""
        saved, model = self.saved, self.saved.model
        pixels, padding = saved.front_end(values.to(saved.device), lengths)
        chosen = visible_index(None, padding, saved.device)
        tokens = model.encoder.tokens(pixels.to(model.encoder.reference.dtype), chosen)
        pooled = pool_tokens(model.encoder, tokens, model.pool, chosen)
        logits = model.head(pooled if model.head_norm is None else model.head_norm(pooled)).float()
        likely = logits.sigmoid() if saved.multi_label else logits.softmax(dim=1)
        pool = rejection_pool(model.encoder.config.class_tokens)
        return torch.cat([likely, pool_tokens(model.encoder, tokens, pool, chosen).float()], dim=1).cpu()


def rejection_for(model: Any, saved: Any, rate: float, engine: str) -> Rejection:
    """Return the rejection of the run `model`, loaded as `saved`, for a rate of false alarms.

    Raises OptionError for a rate that its held-out files do not allow, a loaded model, an ONNX folder,
    another engine than torch, and a model of numbers; RunError for a run without rejection.

    Example:

        >>> try:
        ...     rejection_for("no-run", None, 0.05, "int8")
        ... except OptionError as error:
        ...     print(error)
        reject: got the engine int8, expected torch; leave out --engine
    """
    do = "pass the folder of a run of kakera fit"
    if engine != "torch":
        got, do = f"the engine {engine}", "leave out --engine"
        raise OptionError("reject", got=got, expected="torch", do=do)
    if not isinstance(model, str | Path):
        raise OptionError("reject", got="a loaded model", expected="a run folder", do=do)
    if not isinstance(saved, Pretrained):
        raise OptionError("reject", got="an ONNX graph, which has no tokens", expected="a run folder", do=do)
    if saved.regression:
        got, do = "a model of numbers", "leave it out"
        raise OptionError("reject", got=got, expected="a model of classes", do=do)
    found = read_rejection(model)
    require_token_classifier(saved)
    found.require_rate(rate)
    return found
