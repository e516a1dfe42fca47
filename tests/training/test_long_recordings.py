"""An hour is read in pieces, never whole."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model, seeded_generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import vit_config
from kakera.model.vit import ViT
from kakera.sound.spec import preset

RATE, HOUR = 16_000, 3600
LIMIT = 500  # MB, of which torch itself takes about half


def test_an_hour_is_predicted_in_under_500_mb(tmp_path: Path) -> None:
    spec, size = preset("speech"), (80, 1024)
    encoder = ViT(vit_config("nano").with_patch((16, 32)), channels=1, image_size=size)
    model = Classifier(encoder, 2)
    model.reset_parameters(seeded_generator(0))
    inputs = InputSpec(1, *size, (-6.0,), (4.0,), scale=1.0, axes=("frequency", "time"), sound=spec)
    save_model(tmp_path / "model", Pretrained(model, inputs, ("a", "b")))
    second = (0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", RATE, 1, "PCM_16") as file:
        for _ in range(HOUR):
            file.write(second)
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.hour", str(tmp_path / "model"), str(tmp_path / "hour.wav")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    count, megabytes = done.stdout.split()
    assert int(count) == -(-(HOUR * RATE - spec.samples(1024)) // spec.samples(1024)) + 1
    assert float(megabytes) < LIMIT
