"""One preparation: what `prepare` returns is what prediction and evaluation give to the network."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from kakera.commands.evaluation import measure
from kakera.commands.predict import predict
from kakera.data.loader import evaluation_batches
from kakera.data.preload.preload import preload
from kakera.data.sources.open import open_dataset
from kakera.errors import UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import vit_config
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec
from tests.data.files import encoded, tagged
from tests.small import folder
from tests.training.songs import songs, tone

NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
OPACITY = np.linspace(0, 255, NOISE[..., 0].size).reshape(90, 120).astype(np.uint8)
PICTURES = {
    "large": encoded(NOISE),
    "on its side": encoded(NOISE, "JPEG", exif=tagged(6)),
    "transparent": encoded(np.dstack([NOISE, OPACITY])),
    "16 bits": encoded((NOISE[..., 0].astype(np.uint16) << 8) + NOISE[..., 1]),
    "grey": encoded(NOISE[..., 0]),
    "small": encoded(NOISE[:9, :7]),
}


def classifier(inputs: InputSpec) -> Pretrained:
    encoder = ViT(vit_config("nano").with_patch((8, 8)), channels=inputs.channels, image_size=inputs.size)
    model = Classifier(encoder, 2)
    model.reset_parameters(seeded_generator(0))
    return Pretrained(model.eval(), inputs, ("a", "b"))


def taken_in(saved: Pretrained, run: Callable[[], Any]) -> Tensor:
    """Everything that the network receives while `run` runs."""
    found: list[Tensor] = []
    assert isinstance(saved.model, Classifier)
    patches = saved.model.encoder.tokens

    def tokens(pictures: Tensor, *rest: Any, **words: Any) -> Any:
        found.append(pictures.clone())
        return patches(pictures, *rest, **words)

    saved.model.encoder.tokens = tokens
    try:
        run()
    finally:
        del saved.model.encoder.tokens
    return torch.cat(found)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (96, 96), (32, 48)])
@pytest.mark.parametrize("kind", PICTURES)
def test_prediction_takes_in_what_prepare_returns(
    kind: str, size: tuple[int, int], channels: int, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(PICTURES[kind])
    saved = classifier(InputSpec(channels, *size, (0.4,) * channels, (0.3,) * channels))
    expected = taken_in(saved, lambda: predict(saved, tmp_path / "a.png"))
    image = Image.open(io.BytesIO(PICTURES[kind]))
    for given in (tmp_path / "a.png", str(tmp_path), PICTURES[kind], [image]):
        assert torch.equal(saved.prepare(given), expected)
    assert expected.shape == (1, channels, *size)


def test_evaluation_takes_in_what_prepare_returns(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=4, side=40)
    data = open_dataset(root)
    saved = classifier(InputSpec(3, 32, 32, (0.4,) * 3, (0.3,) * 3))
    expected = saved.prepare(root)
    assert torch.equal(taken_in(saved, lambda: measure(saved, data)), expected)
    (batch,) = evaluation_batches(data, (32, 32), batch=8)
    assert torch.equal(saved.inputs.normalize(batch.pictures), expected)


def test_pictures_kept_smaller_for_training_are_evaluated_as_prepare_returns_them(tmp_path: Path) -> None:
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 256, (120 + 30 * number, 200, 3), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    kept = preload(open_dataset(tmp_path), shorter=48, size=(32, 32))
    assert min(kept.pictures.read(0).shape[:2]) == 48
    saved = classifier(InputSpec(3, 32, 32, (0.4,) * 3, (0.3,) * 3))
    (batch,) = evaluation_batches(kept, (32, 32), batch=8)
    assert torch.equal(saved.inputs.normalize(batch.pictures), saved.prepare(tmp_path))


def test_a_picture_is_cut_resized_and_normalised_as_written_out_here() -> None:
    saved = classifier(InputSpec(3, 96, 96, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))
    side = 90  # the shorter one, of which the middle is taken
    box = ((120 - side) / 2, (90 - side) / 2, (120 + side) / 2, (90 + side) / 2)
    cut = Image.fromarray(NOISE).resize((96, 96), Image.Resampling.BICUBIC, box=box)
    expected = (np.asarray(cut) / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]
    found = saved.prepare(NOISE)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_recordings_are_prepared_as_they_are_predicted(tmp_path: Path) -> None:
    spec = SoundSpec(rate=8000, bins=32)
    saved = classifier(InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec))
    root = songs(tmp_path / "d", count=12)
    expected = taken_in(saved, lambda: predict(saved, root))
    assert torch.equal(saved.prepare(root), expected)
    assert len(expected) > 24  # windows
    wave = tone(500, 0.3)
    one = taken_in(saved, lambda: predict(saved, (wave, 8000)))
    assert torch.equal(saved.prepare((wave, 8000)), one)


def test_what_cannot_be_read_is_raised_and_nothing_is_an_empty_batch() -> None:
    saved = classifier(InputSpec(3, 32, 32, (0.4,) * 3, (0.3,) * 3))
    with pytest.raises(UnreadableFileError, match=r"picture\[1\]: got a text file"):
        saved.prepare([NOISE, b"no picture"])
    assert saved.prepare([]).shape == (0, 3, 32, 32)
