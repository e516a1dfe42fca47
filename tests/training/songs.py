"""Small recordings to learn from: two kinds of tones, of different lengths."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.data.recordings import record

RATE = 8_000
# Differences from the recipes that make a training end in about a second.
QUICK: dict[str, Any] = {
    "recipe": "audio-micro",
    "sound": "speech,rate=8000,bins=32",
    "seconds": 0.8,
    "epochs": 2.0,
    "batch_size": 8,
}
PRETRAIN = QUICK | {"model": "nano", "patch": (8, 8)}
SCRATCH = QUICK | {"model": "nano", "patch": (8, 8), "min_steps": 1}
FINETUNE: dict[str, Any] = {"recipe": "audio-micro", "epochs": 2.0, "batch_size": 8, "min_steps": 1}


def tone(pitch: float, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """A tone with some noise, (samples,)."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * noise).astype(np.float32)


def songs(root: Path, count: int = 12) -> Path:
    """A folder of WAV files, one sub-folder a class, from 0.3 to 1.4 seconds."""
    for label, name in enumerate(("low", "high")):
        for number in range(count):
            wave = tone(300 + 1500 * label + 10 * number, 0.3 + 0.1 * number, seed=number)
            record(root / name / f"{number}.wav", wave, RATE)
    return root
