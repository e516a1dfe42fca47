"""The front end of a network: normalise pictures, and turn recordings into spectrograms with a padding mask.

Training, prediction, feature extraction, ONNX export and its check all use this module.
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
    """A module that turns stored pictures or waveforms into model inputs and a padding mask.

    Stored pictures are (b, c, H, W), waveforms (b, samples). `grid` and `step` (in pixels across) describe
    the patches of a network, or the cells of its feature maps. Without them, each column of the picture is a
    cell.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> pixels, padding_mask = FrontEnd(inputs)(torch.full((2, 1, 8, 8), 255))
        >>> pixels.shape, float(pixels[0, 0, 0, 0]), padding_mask
        (torch.Size([2, 1, 8, 8]), 2.0, None)
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
        """Return model inputs (b, c, H, W) and the padding mask (b, n), True = padding.

        `lengths` (b,) are the lengths of recordings in samples. Spectrogram frames beyond the end of a
        recording are 0 after normalisation (the mean), or `inputs.blank` if that is set. The padding mask is
        None if there is no padding, for pictures, and if `inputs.blank` is set.
        """
        return self.pixels(values, lengths), self.padding(self.widths(lengths))

    def pixels(self, values: Tensor, lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b c H W"]:
        """Return the model inputs (b, c, H, W): the first result of `forward`."""
        return self.inputs.normalize(self.stored(values, lengths))

    def stored(self, values: Tensor, lengths: Int[Tensor, " b"] | None = None) -> Num[Tensor, "b c H W"]:
        """Return values before normalisation: pictures (0 … scale) unchanged, or log-mel spectrograms."""
        if self.log_mel is None or self.inputs.sound is None or lengths is None:
            return values
        widths = self.inputs.sound.frames_within(lengths).clamp(min=1)
        blank = self.inputs.mean[0] if self.inputs.blank is None else self.inputs.blank
        return blank_after(self._spectrograms(self.log_mel, values), widths, blank)

    def widths(self, lengths: Int[Tensor, " b"] | None) -> Int[Tensor, " b"] | None:
        """Return the number of frames (pixels across) of each recording (b,), or None for pictures.

        With `inputs.whole_patches` it is rounded down to whole patches, at least one.
        """
        if self.inputs.sound is None or lengths is None:
            return None
        frames = self.inputs.sound.frames_within(lengths).clamp(min=1)
        return (frames // self.step).clamp(min=1) * self.step if self.inputs.whole_patches else frames

    def padding(self, widths: Int[Tensor, " b"] | None) -> Bool[Tensor, "b n"] | None:
        """Return the padding mask (b, n): True for cells that begin after the end of their picture.

        `widths` (b,) are in pixels. Returns None if there is no padding, and if `inputs.blank` is set,
        because the model then uses the blank cells. With `widths` on the CPU, the call does not wait for a
        GPU.
        """
        if widths is None or self.inputs.sound is None or self.inputs.blank is not None:
            return None
        mask = padding_patches(widths, self.grid, self.step)
        # The structure of an exported graph must not depend on the values of its inputs.
        return mask if torch.compiler.is_exporting() or bool(mask.any()) else None

    def _spectrograms(self, log_mel: LogMel, waveforms: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return log_mel(waveforms)
        if log_mel.window.device != waveforms.device:
            log_mel.to(waveforms.device)
        # Spectrograms need float32, also if the model uses a lower precision (autocast).
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            return log_mel.in_parts(waveforms)
