"""What is sent to be heard: WAV files in 16 bits."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

FULL = 32_767


def wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """One channel, 1 at full scale; what lies beyond is cut off."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(samples, -1, 1) * FULL).astype("<i2").tobytes())
    return buffer.getvalue()
