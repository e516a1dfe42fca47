from dataclasses import replace

import torch
from torch import Tensor

from kakera.frontend import FrontEnd
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.configs import resnet_config
from kakera.model.resnet import ResNet
from kakera.sound.logmel import log_mel
from kakera.sound.spec import SoundSpec

SPEC = SoundSpec(rate=8_000, bins=16)  # frames of 200 samples, every 80
INPUTS = InputSpec(1, 16, 20, (-5.0,), (3.0,), scale=1.0, axes=("frequency", "time"), sound=SPEC)
FRONT = FrontEnd(INPUTS, Grid(2, 5), 4)


def batch(lengths: list[int]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(len(lengths), SPEC.samples(20), generator=generator)
    for wave, length in zip(waves, lengths, strict=True):
        wave[length:] = 0
    return waves, torch.tensor(lengths)


def test_frames_are_those_of_the_recording_alone_and_the_rest_is_the_mean() -> None:
    found = FRONT.stored(*batch([1_720, 1_000]))
    alone = log_mel(batch([1_720, 1_000])[0][1:, :1_000], SPEC)
    assert alone.shape[-1] == 11  # 1 + (1000 − 200) // 80
    torch.testing.assert_close(found[1:, ..., :11], alone)
    assert (found[1, ..., 11:] == -5.0).all()
    assert not FRONT.pixels(*batch([1_000]))[..., 11:].any()


def test_patches_are_absent_from_the_first_that_has_no_frame() -> None:
    absent = FRONT(*batch([1_720, 1_000, 200]))[1]
    assert absent is not None
    assert absent.reshape(3, 2, 5)[:, 0].sum(dim=1).tolist() == [0, 2, 4]


def test_nothing_is_absent_from_whole_windows_or_from_pictures() -> None:
    assert FRONT(*batch([1_720, 1_720]))[1] is None
    pictures = torch.full((1, 1, 16, 20), 51, dtype=torch.uint8)
    pixels, padding = FrontEnd(InputSpec(1, 16, 20, (0.1,), (0.5,)), Grid(2, 5), 4)(pictures)
    assert padding is None
    torch.testing.assert_close(pixels, torch.full((1, 1, 16, 20), 0.2))  # (51 / 255 − 0.1) / 0.5


def test_what_is_blank_is_looked_at_where_the_model_was_trained_so() -> None:
    front = FrontEnd(replace(INPUTS, blank=0.0), Grid(2, 5), 4)
    found = front.stored(*batch([1_720, 1_000]))
    assert (found[1, ..., 11:] == 0.0).all()
    assert front(*batch([1_720, 1_000]))[1] is None


def test_the_cells_of_a_cnn_are_absent_where_its_patches_would_be() -> None:
    model = ResNet(resnet_config("resnet-nano"), channels=1, classes=2)
    absent = FrontEnd.of(model, INPUTS)(*batch([1_720, 1_000, 200]))[1]
    assert absent is not None
    maps = model.maps(torch.zeros(1, 1, *INPUTS.size)).shape[-2:]
    assert absent.reshape(3, *maps)[:, 0].sum(dim=1).tolist() == [0, 2, 4]


def test_the_spectrogram_keeps_float32_where_the_model_computes_in_less() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = FRONT.stored(*batch([1_720]))
    assert torch.equal(found, FRONT.stored(*batch([1_720])))


def test_without_a_network_each_column_is_a_cell() -> None:
    padding = FrontEnd(INPUTS)(*batch([1_000, 1_720]))[1]
    assert padding is not None
    assert padding.sum(dim=1).tolist() == [20 - 11, 0]
