import torch

from kakera.bench.memory import child
from kakera.bench.networks import _mae, vit


def test_a_larger_step_takes_more_memory_in_its_own_process() -> None:
    held = torch.ones(2**26)  # 256 MiB of this process are not the other's
    small, large = (child("kakera", "nano", 4, 64, batch)() for batch in (16, 64))
    assert small < large < held.nbytes


def test_the_step_holds_what_its_tensors_take() -> None:
    # 4 values a parameter: weight, gradient, two moments.
    model = _mae(vit("tiny", 16), 32, cross=False)
    weights = sum(part.numel() for part in model.parameters()) * 16
    assert child("kakera", "tiny", 16, 32, 1)() > 0.9 * weights
