from dataclasses import replace

import torch

from kakera.data.batch import Batch
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.resnet import ResNet, resnet_shape
from kakera.sound.logmel import log_mel
from kakera.sound.spec import SoundSpec
from kakera.training.view import View

SPEC = SoundSpec(rate=8_000, bins=16)  # frames of 200 samples, every 80
INPUTS = InputSpec(1, 16, 20, (-5.0,), (3.0,), scale=1.0, axes=("frequency", "time"), sound=SPEC)
VIEW = View(INPUTS, Grid(2, 5), 4)


def batch(lengths: list[int]) -> Batch:
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(len(lengths), SPEC.samples(20), generator=generator)
    for wave, length in zip(waves, lengths, strict=True):
        wave[length:] = 0
    return Batch(waves, None, torch.arange(len(lengths)), 0, 0, lengths=torch.tensor(lengths))


def test_frames_are_those_of_the_recording_alone_and_the_rest_is_the_mean() -> None:
    found = VIEW.stored(batch([1_720, 1_000]))
    alone = log_mel(batch([1_720, 1_000]).pictures[1:, :1_000], SPEC)
    assert alone.shape[-1] == 11  # 1 + (1000 − 200) // 80
    torch.testing.assert_close(found[1:, ..., :11], alone)
    assert (found[1, ..., 11:] == -5.0).all()
    assert not VIEW.pictures(batch([1_000]))[..., 11:].any()


def test_patches_are_absent_from_the_first_that_has_no_frame() -> None:
    absent = VIEW.absent(batch([1_720, 1_000, 200]))
    assert absent is not None
    assert absent.reshape(3, 2, 5)[:, 0].sum(dim=1).tolist() == [0, 2, 4]


def test_nothing_is_absent_from_whole_windows_or_from_pictures() -> None:
    assert VIEW.absent(batch([1_720, 1_720])) is None
    pictures = Batch(torch.zeros(1, 1, 16, 20, dtype=torch.uint8), None, torch.zeros(1), 0, 0)
    assert View(InputSpec(1, 16, 20, (0.0,), (1.0,)), Grid(2, 5), 4).absent(pictures) is None


def test_what_is_blank_is_looked_at_where_the_model_was_trained_so() -> None:
    view = View(replace(INPUTS, blank=0.0), Grid(2, 5), 4)
    found = view.stored(batch([1_720, 1_000]))
    assert (found[1, ..., 11:] == 0.0).all()
    assert view.absent(batch([1_720, 1_000])) is None


def test_the_cells_of_a_cnn_are_absent_where_its_patches_would_be() -> None:
    model = ResNet(resnet_shape("resnet-nano"), channels=1, classes=2)
    absent = View.of(model, INPUTS).absent(batch([1_720, 1_000, 200]))
    assert absent is not None
    maps = model.maps(torch.zeros(1, 1, *INPUTS.size)).shape[-2:]
    assert absent.reshape(3, *maps)[:, 0].sum(dim=1).tolist() == [0, 2, 4]
