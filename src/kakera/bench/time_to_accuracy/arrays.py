"""The training part as arrays in one file, for libraries that read no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kakera.bench.time_to_accuracy.setting import Setting
from kakera.data.dataset import Dataset
from kakera.data.images.augment import is_whole
from kakera.grid import Grid
from kakera.model.positions import sincos
from kakera.sound.logmel import log_mel


def write_arrays(setting: Setting, file: Path) -> None:
    """Write the arrays of the training part, and the position tables, into an .npz file.

    `values` are all pictures or spectrograms one after another, `sizes` (n, 2) their heights and widths.
    Pictures are decoded: centre crops at the size of the input, or with random crops as kakera keeps them.
    Spectrograms (float32) are those of whole recordings. `positions` and `decoder_positions` are the sine and
    cosine tables.

    Example:

        >>> write_arrays(Setting.of("demo", {"model": "nano"}, labels=(10,), draws=1), Path("demo.npz"))
        >>> np.load("demo.npz")["sizes"].shape
        (8000, 2)
    """
    train = setting.prepared.dataset.part("train")
    found = _pictures(setting, train) if train.sounds is None else _spectrograms(setting, train)
    grid, shape = Grid.cover(setting.inputs.size, setting.shape.patch), setting.shape
    np.savez(
        file,
        values=np.concatenate([each.reshape(-1) for each in found]),
        sizes=np.array([each.shape[-2:] for each in found]),
        positions=sincos(grid, shape.width).numpy(),
        decoder_positions=sincos(grid, shape.decoder.width).numpy(),
        mean=np.array(setting.inputs.mean, np.float32),
        std=np.array(setting.inputs.std, np.float32),
    )


def _pictures(setting: Setting, train: Dataset) -> list[NDArray[Any]]:
    rows, crop = range(len(train)), setting.prepared.center_crop(setting.inputs.size)
    if is_whole((setting.options.crop_min_scale, 1.0)):
        return [train.pictures.center_crop(row, crop) for row in rows]
    return [np.ascontiguousarray(train.pictures.read(row).transpose(2, 0, 1)) for row in rows]


def _spectrograms(setting: Setting, train: Dataset) -> list[NDArray[Any]]:
    sounds, spec = train.sounds, setting.inputs.sound
    assert sounds is not None
    assert spec is not None
    found: list[NDArray[Any]] = []
    for row in range(len(train)):
        wave = np.asarray(sounds.read(row), np.float32)
        wave = np.pad(wave, (0, max(0, spec.frame_samples - len(wave))))
        found.append(log_mel(torch.from_numpy(wave)[None], spec)[0].numpy())
    return found
