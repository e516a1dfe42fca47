import numpy as np
import pytest
import torch

from kakera.data.batch import Batch
from kakera.training.batch_augment import distort, mix, mix_waves
from kakera.training.options import FinetuneOptions

PLAIN = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0.0, "random_erasing": 0.0}


def options(**given: float) -> FinetuneOptions:
    return FinetuneOptions(data="", **{**PLAIN, **given})


def batch(count: int = 6, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(count, channels, 12, 16, generator=generator)
    return pictures, torch.eye(count)


def test_nothing_asked_for_changes_nothing() -> None:
    pictures, targets = batch()
    assert torch.equal(distort(pictures, options(), 0), pictures)
    mixed, soft = mix(pictures, targets, options(), 0)
    assert torch.equal(mixed, pictures)
    assert torch.equal(soft, targets)


def test_mixup_mixes_pictures_and_targets_by_the_same_share() -> None:
    pictures, targets = batch()
    mixed, soft = mix(pictures, targets, options(mixup=0.8), 3)
    share = soft[0, 0]
    assert 0 < share < 1
    torch.testing.assert_close(mixed, share * pictures + (1 - share) * pictures.flip(0))
    torch.testing.assert_close(soft, share * targets + (1 - share) * targets.flip(0))


@pytest.mark.parametrize("step", range(8))
def test_cutmix_keeps_the_share_of_pixels_that_the_target_says(step: int) -> None:
    pictures, targets = batch()
    mixed, soft = mix(pictures, targets, options(cutmix=1.0), step)
    own = (mixed == pictures).all(dim=1).float().mean(dim=(1, 2))
    torch.testing.assert_close(own, soft.diagonal())
    foreign = mixed != pictures
    assert torch.equal(mixed[foreign], pictures.flip(0)[foreign])


def test_both_are_used_in_turn() -> None:
    pictures, targets = batch()
    kinds = {
        bool((mix(pictures, targets, options(mixup=0.8, cutmix=1.0), step)[0] == pictures).any())
        for step in range(20)
    }
    assert kinds == {True, False}


def test_targets_still_sum_to_one() -> None:
    pictures, targets = batch()
    for step in range(10):
        soft = mix(pictures, targets, options(mixup=0.8, cutmix=1.0), step)[1]
        torch.testing.assert_close(soft.sum(dim=1), torch.ones(6))


def test_a_step_draws_the_same_every_time_and_leaves_the_global_generator_alone() -> None:
    pictures, _ = batch()
    chosen = options(randaugment=9.0, random_erasing=1.0)
    before = torch.random.get_rng_state()
    first = distort(pictures, chosen, 5)
    torch.rand(7)
    torch.random.set_rng_state(before)
    np.random.default_rng().random()
    assert torch.equal(first, distort(pictures, chosen, 5))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.equal(first, distort(pictures, chosen, 6))


@pytest.mark.parametrize("channels", [1, 3])
def test_distortion_keeps_shape_and_range(channels: int) -> None:
    pictures, _ = batch(channels=channels)
    for step in range(5):
        found = distort(pictures, options(randaugment=9.0, random_erasing=0.5), step)
        assert found.shape == pictures.shape
        assert 0 <= found.min() <= found.max() <= 1


def test_erasing_with_certainty_changes_every_picture_within_a_third() -> None:
    pictures, _ = batch()
    found = distort(pictures, options(random_erasing=1.0), 0)
    share = (found != pictures).any(dim=1).float().mean(dim=(1, 2))
    assert (share > 0).all()
    assert (share <= 0.45).all()  # of the area, up to rounding to whole pixels


def test_waveforms_are_mixed_and_a_mixture_lasts_as_long_as_the_longer() -> None:
    waves, targets = torch.rand(4, 50, generator=torch.Generator().manual_seed(0)), torch.eye(4)
    lengths = torch.tensor([50, 20, 30, 10])
    for wave, length in zip(waves, lengths, strict=True):
        wave[length:] = 0
    given = Batch(waves, None, torch.arange(4), 0, 3, lengths=lengths)
    mixed, soft = mix_waves(given, targets, options(mixup=0.8))
    share = soft[0, 0]
    assert 0 < share < 1
    torch.testing.assert_close(mixed.pictures, share * waves + (1 - share) * waves.flip(0))
    torch.testing.assert_close(soft, share * targets + (1 - share) * targets.flip(0))
    assert mixed.lengths is not None
    assert mixed.lengths.tolist() == [50, 30, 30, 50]
    same, kept = mix_waves(given, targets, options())
    assert same is given
    assert kept is targets
