import torch
from torch import nn

from kakera.training.ema import EMA


def linear(value: float) -> nn.Linear:
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, value)
    nn.init.constant_(model.bias, value)
    return model


def test_the_average_is_the_weighted_sum_of_all_weights() -> None:
    model = linear(1.0)
    average = EMA(model, 0.9)
    for value in (2.0, 3.0):
        nn.init.constant_(model.weight, value)
        average.update(model)
    assert average.model is not None
    # 0.9 · (0.9 · 1 + 0.1 · 2) + 0.1 · 3
    torch.testing.assert_close(average.model.get_parameter("weight"), torch.full((1, 2), 1.29))


def test_counts_of_batches_are_copied() -> None:
    model = nn.BatchNorm1d(2)
    average = EMA(model, 0.9)
    model.get_buffer("num_batches_tracked").fill_(7)
    average.update(model)
    assert average.model is not None
    assert int(average.model.get_buffer("num_batches_tracked")) == 7


def test_without_a_decay_there_is_none() -> None:
    average = EMA(linear(1.0), 0.0)
    average.update(linear(2.0))
    assert average.model is None
    assert average.state == {}
