import numpy as np
import pytest
import torch

from kakera.explain.receptive import ReceptiveFields, cnn_fields, transformer_fields
from kakera.model.configs import ResNetConfig
from kakera.model.resnet import ResNet
from tests.model.models import drawn, encoder, pictures, seeded


def cnn(stem: str = "small") -> ResNet:
    shape = ResNetConfig((1, 1), (4, 4), bottleneck=False, stem=stem)
    model = ResNet(shape, channels=3, classes=2)
    model.reset_parameters(seeded(0))
    return model.double().eval()


@pytest.mark.parametrize("stem", ["small", "large"])
def test_pixels_outside_the_theoretical_field_get_nothing_and_those_within_all(stem: str) -> None:
    batch = pictures(2, 3, (64, 64))
    found = cnn_fields(cnn(stem), batch)
    assert found.maps.shape == (3, 64, 64)
    assert np.allclose(found.maps.sum(axis=(1, 2)), 1)
    # Each 3 × 3 convolution adds its stride so far on each side; the large stem is 7 × 7 and a pool of 3.
    reach = {"small": [1, 3, 3 + 1 + 2], "large": [3 + 2, 5 + 8, 13 + 4 + 8]}[stem]
    for field, place, most in zip(found.maps, found.places, reach, strict=True):
        rows, cols = np.nonzero(field)
        assert np.abs(rows - place[0]).max() == np.abs(cols - place[1]).max() == most


def test_the_field_of_a_plain_average_is_even() -> None:
    model = cnn()
    stem = model.stem.conv
    assert isinstance(stem, torch.nn.Conv2d)
    stem.weight.data.fill_(1.0)
    field = cnn_fields(model, 9 + pictures(1, 3, (16, 16))).maps[0]  # bright, so that no ReLU closes
    assert np.allclose(field[7:10, 7:10], 1 / 9)
    assert field.sum() == pytest.approx(field[7:10, 7:10].sum())


def test_before_any_layer_a_token_sees_its_own_patch_and_after_one_everything() -> None:
    found = transformer_fields(encoder(), pictures())
    rows, cols = np.nonzero(found.maps[0])
    assert (set(rows), set(cols)) == ({4, 5}, {6, 7, 8})  # patch (2, 2) of 2 × 3 pixels
    assert tuple(found.places[0]) == (4.5, 7.0)
    assert (found.maps[1:] > 0).all()


def test_the_slope_is_that_of_small_steps() -> None:
    model, batch = encoder(), pictures(1)
    field = transformer_fields(model, batch).maps[2]
    slopes = np.zeros((8, 15))
    for row, col in np.ndindex(8, 15):
        for channel in range(3):
            step = torch.zeros_like(batch)
            step[0, channel, row, col] = 1e-5
            up, down = (model.tokens(batch + s)[0, 1 + 12].sum().item() for s in (step, -step))
            slopes[row, col] += abs(up - down)
    assert np.abs(field - slopes / slopes.sum()).max() < 1e-6


def test_distance_is_the_mean_way_of_the_mass_from_the_unit() -> None:
    maps = np.zeros((2, 5, 5))
    maps[0, 2, 2] = 1
    maps[1, 2, 4] = maps[1, 0, 2] = 0.25
    maps[1, 2, 2] = 0.5
    assert ReceptiveFields(maps, np.full((2, 2), 2.0)).distances().tolist() == [0, 1]


def test_no_gradient_is_left_behind() -> None:
    model = drawn(encoder())
    with torch.no_grad():
        transformer_fields(model, pictures())
    assert all(parameter.grad is None for parameter in model.parameters())
