"""Sing, learn from it, look inside: the pictures of docs/sound.md, from synthesised voices.

python examples/sound_pictures.py
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

import kakera

DOCS = Path(__file__).parents[1] / "docs" / "pictures"
RATE = 16_000
# Vowels by their first formants in hertz (Peterson and Barney 1952, men).
VOWELS = {"ah": (730, 1090, 2440), "ee": (270, 2290, 3010), "oo": (300, 870, 2240)}
WIDTH = 120  # hertz: of a formant
HEARD = {"recipe": "audio-micro", "sound": "speech,bins=64", "seconds": 1.6, "batch_size": 32, "seed": 0}


def sung(vowel: str, seed: int) -> NDArray[np.float32]:
    """Two or three notes that slide into one another, on a vowel: 0.9 to 1.6 seconds."""
    draws = np.random.default_rng(seed)
    seconds = draws.uniform(0.9, 1.6)
    time = np.arange(round(seconds * RATE)) / RATE
    notes = 110 * 2 ** (draws.integers(0, 15, 3) / 12)
    pitch = np.interp(time, np.linspace(0, seconds, 6), notes.repeat(2)) * (1 + 0.01 * np.sin(33 * time))
    turn = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = np.zeros(len(time))
    for number in range(1, 40):
        hertz = number * pitch
        strength = sum(1 / (1 + ((hertz - formant) / WIDTH) ** 2) for formant in VOWELS[vowel])
        wave += np.where(hertz < RATE / 2, strength, 0) * np.sin(number * turn)
    fade = np.minimum(1, np.minimum(time, seconds - time) / 0.05)
    return (0.1 * wave * fade + 0.002 * draws.standard_normal(len(time))).astype(np.float32)


def choir(root: Path, count: int) -> Path:
    """A folder of recordings, one sub-folder a vowel."""
    for vowel in VOWELS:
        (root / vowel).mkdir(parents=True)
        for number in range(count):
            soundfile.write(root / vowel / f"{number}.wav", sung(vowel, number), RATE)
    return root


def draw(root: Path, count: int, epochs: float, out: Path) -> None:
    """Learn in a folder, and copy figures out of it."""
    data, mae, named = choir(root / "choir", count), root / "mae", root / "named"
    size = {"model": "nano", "patch": (16, 8)}
    kakera.pretrain(data, out=mae, epochs=epochs, warmup_epochs=epochs / 10, **HEARD, **size)
    kakera.finetune(
        data, init_from=mae, out=named, recipe="audio-micro", epochs=epochs / 4, min_steps=60, batch_size=32
    )
    clip = data / "ah" / "0.wav"
    for run, figure in ((mae, "reconstruction"), (named, "summary")):
        kakera.explain_files(run, [clip], out=str(root / "out"), masking="cross", mask_ratio=0.5, samples=2)
        with Image.open(root / "out" / f"01-0-{figure}.png") as image:
            image.convert("RGB").quantize(256).save(out / f"sound-{figure}.png", optimize=True)


def main(words: list[str] | None = None) -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="recordings of each vowel")
    parser.add_argument("--epochs", type=float, default=40)
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), given.count, given.epochs, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
