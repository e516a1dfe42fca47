"""An ONNX classifier that returns its pooled tokens beside the probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kakera.formats.onnx.model import OnnxModel, feeds
from kakera.formats.with_tokens import with_token_names
from kakera.inputs import InputSpec


@dataclass(frozen=True, eq=False)
class OnnxWithTokens:
    """An ONNX classifier whose rows are probabilities, then the pooled tokens, for `each_file`."""

    saved: OnnxModel

    @property
    def inputs(self) -> InputSpec:
        """The input specification of the classifier."""
        return self.saved.inputs

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, then a name for each value of the tokens."""
        assert self.saved.rejection is not None
        return with_token_names(self.saved.classes, len(self.saved.rejection.mean))

    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b columns"]:
        """Return probabilities and tokens (b, classes + e) of stored pictures or waveforms."""
        found = self.saved.session.run(["probabilities", "pooled"], feeds(values, lengths))
        return torch.cat([torch.from_numpy(each) for each in found], dim=1)
