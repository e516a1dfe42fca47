"""What stands before a network: pictures are normalised, recordings become spectrograms that may end early.

Training, prediction, features, the graphs of ONNX and their check all use this one module.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor, nn

from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.network import Network
from kakera.model.token_index import padding_patches
from kakera.sound.logmel import LogMel, blank_after


class FrontEnd(nn.Module):
    """Stored pictures (b, c, H, W) or waveforms (b, samples) to pixels in the model's units, and padding.

    `grid` and `step`, in pixels across, are those of a network's patches, or of the cells of its maps;
    without them each column of the picture is a cell.
    """

    def __init__(self, inputs: InputSpec, grid: Grid | None = None, step: int = 1) -> None:
        super().__init__()
        self.inputs, self.grid, self.step = inputs, grid or Grid(1, inputs.width), step
        self.log_mel = LogMel(inputs.sound) if inputs.sound is not None else None

    @classmethod
    def of(cls, model: Network, inputs: InputSpec) -> FrontEnd:
        """Return the front end of a network with these inputs."""
        return cls(inputs, model.grid_for(inputs.size), model.step)

    def forward(
        self, values: Tensor, lengths: Int[Tensor, " b"] | None = None
    ) -> tuple[Float[Tensor, "b c H W"], Bool[Tensor, "b n"] | None]:
        """Return pixels in the model's units, and the cells that are padding (True), or None.

        `lengths` are those of recordings, in samples; where they lie, there the padding is. What lies beyond
        the end of a recording is 0, the mean, or what `blank` says.
        """
        return self.pixels(values, lengths), self.padding(self.widths(lengths))

    def pixels(self, values: Tensor, lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b c H W"]:
        """Return what the network sees: the first half of `forward`."""
        return self.inputs.normalize(self.stored(values, lengths))

    def stored(self, values: Tensor, lengths: Int[Tensor, " b"] | None = None) -> Num[Tensor, "b c H W"]:
        """Return stored values (0 … scale, or log-mel), before they are normalised: pictures as they are."""
        widths = self.widths(lengths)
        if self.log_mel is None or widths is None:
            return values
        blank = self.inputs.mean[0] if self.inputs.blank is None else self.inputs.blank
        return blank_after(self._spectrograms(self.log_mel, values), widths, blank)

    def widths(self, lengths: Int[Tensor, " b"] | None) -> Int[Tensor, " b"] | None:
        """Return how many frames, pixels across, each recording has; None of pictures."""
        if self.inputs.sound is None or lengths is None:
            return None
        return self.inputs.sound.frames_within(lengths).clamp(min=1)

    def padding(self, widths: Int[Tensor, " b"] | None) -> Bool[Tensor, "b n"] | None:
        """Return the cells that begin where pictures of these widths, in pixels, have ended.

        None where there are none, and where `blank` ones are looked at. On the CPU no device is waited for.
        """
        if widths is None or self.inputs.sound is None or self.inputs.blank is not None:
            return None
        found = padding_patches(widths, self.grid, self.step)
        # A graph may not depend on what enters it.
        return found if torch.compiler.is_exporting() or bool(found.any()) else None

    def _spectrograms(self, log_mel: LogMel, waveforms: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return log_mel(waveforms)
        if log_mel.window.device != waveforms.device:
            log_mel.to(waveforms.device)
        # It keeps float32 where the model computes in less.
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            return log_mel.in_parts(waveforms)
