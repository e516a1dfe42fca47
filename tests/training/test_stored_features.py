from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kakera
from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from kakera.formats import features as module
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.formats.tokens.encoder import encoder_of
from kakera.formats.tokens.store import Kind
from kakera.inputs import InputSpec
from kakera.training import stored_features as stored
from kakera.training.stored_features import missing_files, stored_features
from tests.small import folder, pictures
from tests.training.songs import songs

KINDS: list[Kind] = [(-1, "mean"), (-1, "class and mean"), (1, "class")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def saved() -> Pretrained:
    return Pretrained(
        kakera.ViT("nano", channels=1, image_size=28, seed=0).eval(), InputSpec(1, 28, 28, (0.3,), (0.3,))
    )


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of files in each batch whose tokens are computed."""
    counts: list[int] = []
    plain = module.each_features

    def counting(*words: Any, **named: Any) -> Iterator[Any]:
        for found in plain(*words, **named):
            counts.append(len(found[0]))
            yield found

    monkeypatch.setattr(module, "each_features", counting)
    return counts


def test_tokens_are_those_of_the_encoder_whether_they_are_computed_or_read() -> None:
    data, model = pictures(), saved()
    expected, rows = features(model, data, [-1, 1], ["mean", "class and mean", "class"])
    for _ in range(2):
        found, numbers = stored_features(encoder_of(model), data, KINDS)
        assert np.array_equal(numbers, rows)
        for kind in KINDS:
            assert np.array_equal(found[kind], expected[kind])


def test_new_files_alone_are_computed_and_labels_and_parts_change_nothing(computed: list[int]) -> None:
    data = pictures()
    encoder = encoder_of(saved())
    stored_features(encoder, data.part("train"), KINDS)
    assert computed == [40]
    stored_features(encoder, data, KINDS)
    assert computed == [40, 20]
    assert data.labels is not None
    other = Dataset("other", data.pictures, 1, data.split[::-1], data.classes, data.labels[::-1])
    stored_features(encoder, other.take(np.arange(60)[::-1]), KINDS)
    assert computed == [40, 20]
    assert not len(missing_files(encoder, other, KINDS))


def test_files_of_equal_content_are_computed_once(computed: list[int]) -> None:
    data = pictures().take([0, 1, 0, 0])
    found, numbers = stored_features(encoder_of(saved()), data, KINDS)
    assert computed == [2]
    assert numbers.tolist() == [0, 1, 2, 3]
    assert np.array_equal(found[-1, "mean"][0], found[-1, "mean"][3])


def test_a_stopped_first_pass_keeps_its_blocks_and_goes_on_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, computed: list[int]
) -> None:
    data = open_dataset("demo").take(range(1200))  # several batches
    expected = features(saved(), data, [-1], ["mean"])[0][-1, "mean"]
    plain, seen = module.each_features, [0]

    def stopping(*words: Any, **named: Any) -> Iterator[Any]:
        for found in plain(*words, **named):
            seen[0] += 1
            if seen[0] == 3:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(module, "each_features", stopping)
    with pytest.raises(KeyboardInterrupt):
        stored_features(encoder_of(saved()), data, [(-1, "mean")])
    monkeypatch.setattr(module, "each_features", plain)
    left = len(missing_files(encoder_of(saved()), data, [(-1, "mean")]))
    assert left == 1200 - sum(computed[:2])
    found, _ = stored_features(encoder_of(saved()), data, [(-1, "mean")])
    assert np.array_equal(found[-1, "mean"], expected)


def test_an_unreadable_file_is_named_each_time_and_left_out(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path / "some"), channels=1)
    Path(data.pictures.name(4)).write_bytes(b"no picture")
    for _ in range(2):
        broken: list[Any] = []
        found, numbers = stored_features(encoder_of(saved()), data, [(-1, "mean")], unreadable=broken)
        assert 4 not in numbers
        assert len(found[-1, "mean"]) == len(data) - 1
        assert [error.path for error in broken] == [data.pictures.name(4)]


def test_unreadable_files_of_the_same_content_are_all_named(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path / "some"), channels=1)
    names = [data.pictures.name(row) for row in (2, 4, 5)]
    for name in names:
        Path(name).write_bytes(b"no picture")
    broken: list[Any] = []
    stored_features(encoder_of(saved()), data, [(-1, "mean")], unreadable=broken)
    assert [error.path for error in broken] == names


def test_tokens_that_are_not_finite_are_refused_with_the_file_and_never_stored(cache: Path) -> None:
    model = saved()
    next(model.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(DataError, match=r"tokens that are not finite"):
        stored_features(encoder_of(model), pictures(), [(-1, "mean")])
    assert not [*cache.rglob("*.tokens")]


def test_a_folder_that_cannot_be_written_changes_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "file"))
    found, _ = stored_features(encoder_of(saved()), pictures(), [(-1, "mean")])
    assert np.array_equal(found[-1, "mean"], features(saved(), pictures(), [-1], ["mean"])[0][-1, "mean"])
    assert "tokens are not stored" in capsys.readouterr().err


def test_recordings_have_the_mean_of_their_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from kakera.sound.spec import preset

    songs(tmp_path)
    spec = preset("speech,rate=8000,bins=32")
    data = open_dataset(tmp_path)
    assert data.sounds is not None
    data = replace(data, pictures=data.sounds.with_spec(spec))
    inputs = InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec)
    model = Pretrained(
        kakera.ViT("nano", channels=1, image_size=(32, 40), patch=(8, 8), seed=0).eval(), inputs
    )
    monkeypatch.setattr(stored, "BLOCK", 3)
    expected, rows = features(model, data, [-1], ["mean"])
    for _ in range(2):
        found, numbers = stored_features(encoder_of(model), data, [(-1, "mean")])
        assert np.array_equal(numbers, rows)
        assert np.array_equal(found[-1, "mean"], expected[-1, "mean"])
