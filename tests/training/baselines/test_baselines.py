import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from kakera.commands.finetune import finetune
from kakera.data.dataset import Dataset
from kakera.data.folders.media import files_below, opened
from kakera.data.holders import ArrayPictures
from kakera.data.sources.open import open_dataset
from kakera.sound.logmel import log_mel
from kakera.training.baselines import baselines
from kakera.training.baselines.baselines import (
    BALANCED,
    FROZEN,
    MAJORITY,
    NAMES,
    NEAREST,
    Baselines,
    measure_baselines,
)
from kakera.training.baselines.frozen import some
from kakera.training.baselines.simple_features import colours, picture_features, sound_features
from tests.small import QUICK, pictures
from tests.training.songs import songs


def parts(dataset: Dataset) -> tuple[Dataset, Dataset]:
    return dataset.part("train"), dataset.part("test")


@pytest.fixture(scope="module")
def found() -> Baselines:
    return measure_baselines(*parts(pictures(200, 100)))


def named(found: Baselines, name: str) -> baselines.Baseline:
    return next(one for one in found.found if one.name == name)


def test_the_majority_class_is_scikit_learns_dummy(found: Baselines) -> None:
    train, test = parts(pictures(200, 100))
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((200, 1)), train.labels)
    guesses = dummy.predict(np.zeros((100, 1)))
    assert named(found, MAJORITY).accuracy == np.mean(guesses == test.labels)
    assert named(found, MAJORITY).balanced_accuracy == balanced_accuracy_score(test.labels, guesses)


def test_the_nearest_neighbour_is_scikit_learns(found: Baselines) -> None:
    train, test = parts(pictures(200, 100))
    seen, unseen = (picture_features(part)[0]["pixels"] for part in (train, test))
    guesses = KNeighborsClassifier(1).fit(seen, train.labels).predict(unseen)
    assert named(found, NEAREST["pixels"]).accuracy == np.mean(guesses == test.labels)


def test_the_linear_map_is_scikit_learns_ridge_with_the_penalty_that_it_chooses(found: Baselines) -> None:
    train, test = parts(pictures(200, 100))
    seen, unseen = (picture_features(part)[0]["pixels"].astype(float) for part in (train, test))
    varies = seen.std(axis=0) > 0
    mean, std = seen.mean(axis=0)[varies], seen.std(axis=0)[varies]
    seen, unseen = (seen[:, varies] - mean) / std, (unseen[:, varies] - mean) / std
    spread = np.linalg.svd(seen, compute_uv=False) ** 2
    alphas = baselines.GRID[::4] * spread[spread > 1e-10 * spread[0]].mean()
    model = RidgeCV(alphas, gcv_mode="svd").fit(seen, 2 * np.eye(10)[train.labels] - 1)
    guesses = model.predict(unseen).argmax(axis=1)
    assert named(found, NAMES["pixels"]).accuracy == np.mean(guesses == test.labels)


def test_colours_and_edges_with_balanced_classes_are_scikit_learns_logistic_regression() -> None:
    data = pictures(260, 100)
    assert data.labels is not None
    kept = np.flatnonzero((data.labels != 3) | (np.arange(360) % 5 == 0))  # class 3 is rare
    train, test = parts(data.take(kept))
    found = measure_baselines(train, test)
    seen, unseen = (picture_features(part)[0]["histograms"] for part in (train, test))
    assert train.labels is not None
    weights = len(train) / (10 * np.bincount(train.labels))
    scaler = StandardScaler().fit(seen)
    model = LogisticRegression(C=baselines.STRENGTH, class_weight=dict(enumerate(weights)), max_iter=2000)
    guesses = model.fit(scaler.transform(seen), train.labels).predict(scaler.transform(unseen))
    assert abs(named(found, BALANCED).accuracy - np.mean(guesses == test.labels)) <= 0.01


def test_a_class_without_a_training_file_is_never_guessed_by_the_logistic_regression() -> None:
    seen = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    scores = baselines.balanced_logistic(seen, np.array([0, 2] * 10), seen, 3)
    assert np.all(scores[:, 1] == 0)
    assert np.allclose(scores.sum(axis=1), 1)


def test_hits_say_which_files_were_right(found: Baselines) -> None:
    for one in found.found:
        assert len(one.hits) == len(found.rows) == 100
        assert one.hits.count("1") / 100 == one.accuracy


def test_small_pixels_are_means_of_blocks() -> None:
    values = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    data = Dataset("d", ArrayPictures(values), 3, np.array(["train"] * 2))
    expected = values.reshape(2, 16, 3, 16, 3, 3).mean(axis=(2, 4)).reshape(2, -1)
    assert np.allclose(picture_features(data)[0]["pixels"], expected)


def test_colours_are_counted() -> None:
    red, white = np.array([255, 0, 0], np.uint8), np.array([255, 255, 255], np.uint8)
    picture = np.stack([red] * 3 + [white])[None, None]
    shares = colours(picture)[0] ** 2
    assert shares.shape == (64,)
    assert sorted(shares[shares > 0]) == pytest.approx([0.25, 0.75])


def test_of_a_large_part_a_fixed_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST", 30)
    monkeypatch.setattr(some, "__defaults__", (30,))
    first, second = (measure_baselines(*parts(pictures(60, 40))) for _ in range(2))
    assert (first.train, first.train_of, len(first.rows), first.test_of) == (30, 60, 30, 40)
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)


def test_files_that_may_have_several_labels_are_measured_by_average_precision() -> None:
    data = pictures(100, 60)
    hot = np.eye(10, dtype=bool)[data.labels]
    hot[:, 0] |= np.arange(160) % 2 == 0
    found = measure_baselines(*parts(replace(data, labels=hot)))
    prior = np.tile(hot[:100].mean(axis=0), (60, 1))
    expected = average_precision_score(hot[100:], prior)
    assert named(found, MAJORITY).mean_average_precision == pytest.approx(expected)
    assert all(one.accuracy is None and one.hits == "" for one in found.found)


def test_recordings_are_told_apart_by_their_mean_spectrum(tmp_path: Path) -> None:
    data = open_dataset(songs(tmp_path / "songs"))
    found = measure_baselines(*parts(data))
    assert {one.name for one in found.found} == {MAJORITY, NAMES["spectrum"], NEAREST["spectrum"]}
    assert named(found, NAMES["spectrum"]).accuracy == 1.0


def test_the_mean_spectrum_is_that_of_the_spectrogram(tmp_path: Path) -> None:
    data = open_dataset(songs(tmp_path / "songs", count=2))
    assert data.sounds is not None
    wave = torch.from_numpy(np.array(data.sounds.read(0)))
    bands = log_mel(wave[None], data.sounds.spec)[0, 0].numpy()
    expected = np.concatenate([bands.mean(axis=1), bands.std(axis=1)])
    assert np.allclose(sound_features(data)[0]["spectrum"][0], expected, atol=1e-5)


def test_what_cannot_be_read_is_left_out_on_both_sides(tmp_path: Path) -> None:
    from tests.small import folder

    root = folder(tmp_path / "d", count=6)
    (root / "bag" / "1.png").write_bytes(b"nonsense")
    files = files_below(root, {".png"})
    found, _ = opened(files, 3)
    labels = np.array([path.parent.name == "boot" for path in files]).astype(np.int64)
    split = np.array(["train", "test"] * 6)
    baseline = measure_baselines(*parts(Dataset("d", found, 3, split, ("bag", "boot"), labels)))
    broken = [path.name for path in files].index("1.png")
    assert split[broken] == "test"
    assert (baseline.train, baseline.test_of, len(baseline.rows)) == (6, 6, 5)


def test_the_frozen_start_is_ridge_on_its_tokens_or_a_note_why_not(tmp_path: Path) -> None:
    data = pictures(60, 40)
    saved = finetune(data, out=tmp_path / "run", baselines=False, **QUICK).saved
    whole = measure_baselines(*parts(data), start=lambda: saved)
    assert named(whole, FROZEN).accuracy is not None
    short = measure_baselines(*parts(data), start=lambda: saved, frozen=10)
    assert FROZEN not in {one.name for one in short.found}
    assert "more than a tenth of the training's time" in short.notes[0]


def test_what_is_stored_is_what_was_measured(found: Baselines) -> None:
    assert Baselines.from_json(json.loads(json.dumps(found.to_json()))) == found
