from pathlib import Path

import numpy as np
import pytest
import torch

from kakera.commands.finetune import finetune
from kakera.formats.bundle import Pretrained
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.configs import resnet_config
from kakera.model.resnet import ResNet
from kakera.study.data_size.shift_test import difference, moved, shifted
from tests.small import QUICK, pictures


def test_pictures_move_and_zeros_come_in() -> None:
    picture = torch.arange(1, 10).reshape(1, 1, 3, 3)
    down, left = shifted(picture, 1, (1, 0))[0, 0], shifted(picture, 2, (0, -1))[0, 0]
    assert down.tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert left.tolist() == [[3, 0, 0], [6, 0, 0], [9, 0, 0]]
    assert torch.equal(shifted(picture, 0, (0, 0)), picture)


def test_moving_there_and_back_keeps_the_middle() -> None:
    picture = torch.rand(2, 3, 8, 8)
    for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        back = shifted(shifted(picture, 2, direction), -2, direction)
        assert torch.equal(back[..., 2:-2, 2:-2], picture[..., 2:-2, 2:-2])


def test_a_difference_is_0_for_the_same_and_1_for_strangers() -> None:
    rows = torch.randn(4000, 16, generator=seeded_generator(0))
    others = torch.randn(4000, 16, generator=seeded_generator(1))
    assert difference(rows, rows) == 0.0
    assert difference(rows, others) == pytest.approx(1.0, abs=0.02)
    # What all rows share says nothing about how alike they are.
    assert difference(rows + 100, others + 100) == pytest.approx(difference(rows, others), rel=1e-3)


def test_a_cnn_s_maps_move_with_the_picture() -> None:
    model = ResNet(resnet_config("resnet-nano"), channels=1, classes=10)
    model.reset_parameters(seeded_generator(0))
    model.eval()
    spec = InputSpec(1, 28, 28, (0.0,), (1.0,))
    data = pictures(0, 20)
    found = moved(Pretrained(model, spec, data.classes), data, (4,))
    assert found["cell"] == 4
    assert found["maps"] < 0.2 < found["features"]["4"] + 0.2
    assert set(found["scores"]) == {"4"}


def test_a_picture_that_is_not_moved_keeps_its_score(tmp_path: Path) -> None:
    data = pictures(40, 20)
    trained = finetune(data, out=tmp_path / "run", **QUICK)
    assert trained.evaluation is not None
    found = moved(trained.saved, data.part("test"), (0, 27))
    assert found["scores"]["0"] == pytest.approx(trained.evaluation.accuracy)
    assert found["features"]["0"] == 0.0
    assert found["features"]["27"] > 0.3
    assert np.isfinite(found["maps"])
    assert found["cell"] == 4
