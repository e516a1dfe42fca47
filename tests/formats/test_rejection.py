from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.covariance import LedoitWolf

from kakera.errors import OptionError, RunError
from kakera.formats.rejection import FILE, Rejection, fit_rejection, read_rejection, write_rejection
from kakera.formats.tokens.arrays import write_arrays


def tokens(count: int, seed: int = 0, width: int = 8, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(size=(width, width))
    return (rng.standard_t(5, size=(count, width)) @ mix + shift).astype(np.float32)


def test_the_distance_is_that_of_mahalanobis_with_the_covariance_of_ledoit_and_wolf() -> None:
    seen = tokens(500)
    found = fit_rejection(seen)
    assert found is not None
    from kakera import seeding

    order = seeding.permutation(0, 0, 500, "rejection")[100:]
    rows = seen[order].astype(np.float64)
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    other = LedoitWolf(assume_centered=True).fit((rows - mean) / std)
    fresh = tokens(50, seed=1)
    assert np.allclose(found.distance(fresh), other.mahalanobis((fresh - mean) / std) / 8, rtol=1e-3)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_false_alarms_keep_their_rate_within_the_binomial_interval(rate: float) -> None:
    """Over many draws of held-out and new files together, each new file is a false alarm with the rate."""
    alarms = total = 0
    for seed in range(40):
        found = fit_rejection(tokens(200, seed=seed), seed=seed)
        assert found is not None
        alarms += int((found.typical(tokens(50, seed=1000 + seed)) <= rate).sum())
        total += 50
    # 40 limits, each of 40 held-out files: the rate of a limit varies by its beta distribution as well
    spread = np.sqrt(rate * (1 - rate) * (1 / total + 1 / (40 * 42)))
    assert alarms / total <= rate + 1.96 * spread
    assert alarms >= binom.ppf(0.001, total, rate / 2)


def test_far_files_are_detected() -> None:
    found = fit_rejection(tokens(400))
    assert found is not None
    assert (found.typical(tokens(100, seed=3, shift=40.0)) <= 0.05).mean() > 0.95


def test_the_share_counts_the_file_itself() -> None:
    found = Rejection(
        np.zeros(1, np.float32), np.eye(1, dtype=np.float32), np.array([1.0, 4.0, 9.0], np.float32)
    )
    assert found.typical(np.array([[0.0], [2.0], [2.5], [4.0]])).tolist() == [1.0, 0.75, 0.5, 0.25]


def test_a_rate_that_the_held_out_files_cannot_state_is_refused() -> None:
    found = fit_rejection(tokens(100))  # 20 held out
    assert found is not None
    found.require_rate(0.05)
    with pytest.raises(OptionError, match="20 files were held out"):
        found.require_rate(0.01)


def test_few_files_have_no_rejection() -> None:
    assert fit_rejection(tokens(39)) is None


def test_constant_tokens_are_no_reason_to_reject_or_to_fail() -> None:
    seen = tokens(100)
    seen[:, 2] = 5.0
    found = fit_rejection(seen)
    assert found is not None
    assert np.isfinite(found.distance(seen)).all()


def test_a_rejection_of_other_weights_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    found = fit_rejection(tokens(100))
    assert found is not None
    seal = write_arrays(tmp_path / "model.safetensors", {"bias": np.zeros(2, np.float32)})
    write_rejection(tmp_path, found, seal)
    assert np.array_equal(read_rejection(tmp_path).distances, found.distances)
    write_arrays(tmp_path / "model.safetensors", {"bias": np.ones(2, np.float32)})
    with pytest.raises(RunError, match="distances of other weights"):
        read_rejection(tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[-1] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RunError, match="checksum"):
        read_rejection(tmp_path)
