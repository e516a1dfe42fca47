"""What no study of encoders can use is refused in one line, before anything is computed; and odd data."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kakera
from kakera.errors import DataError, InputError, OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.study.encoders.study import study_encoders
from tests.small import folder, pictures
from tests.study.encoders.cells import some
from tests.training.listeners import autoencoder, cnn
from tests.training.songs import songs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kakera.study.encoders.tokens.SECONDS", 0.0)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("encoders")
    network = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(root / "start")
    return str(root / "start")


def named(place: str, tmp_path: Path) -> str:
    """An encoder that cannot be used, by what is wrong with it."""
    path = tmp_path / place
    if place == "sound":
        save_model(path, autoencoder())
    elif place == "cnn":
        save_model(path, cnn())
    elif place == "broken":
        path.mkdir()
        (path / "config.json").write_text("{")
    elif place == "damaged":
        network = kakera.ViT("nano", channels=1, image_size=28, seed=3)
        Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(path)
        weights = path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
    return str(path)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "got no such file or folder"),
        ("broken", "config.json"),
        ("damaged", "model.safetensors"),
        ("cnn", "got a CNN, expected a Vision Transformer"),
        ("sound", "which is for recordings, expected encoders of pictures"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_named_before_anything_is_computed(
    place: str, said: str, start: str, tmp_path: Path, cache: Path
) -> None:
    other = named(place, tmp_path)
    with pytest.raises(OptionError) as caught:
        study_encoders(some(), out=tmp_path / "s", encoders=[start, other])
    assert other in str(caught.value)
    assert said in str(caught.value)
    assert str(caught.value).startswith("encoders: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()
    assert not (cache / "tokens").exists()


def test_an_encoder_of_pictures_is_refused_for_recordings(start: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pictures"):
        study_encoders(songs(tmp_path / "songs"), out=tmp_path / "s", encoders=[start])
    save_model(tmp_path / "sound", autoencoder())
    with pytest.raises(OptionError, match=r"start, which is for pictures, expected encoders of recordings"):
        study_encoders(tmp_path / "songs", out=tmp_path / "s", encoders=[str(tmp_path / "sound"), start])


def test_the_same_weights_are_refused_under_any_name(start: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(start)
    shutil.copytree(start, tmp_path / "copy")
    for other in (start, start + "/", str(tmp_path / "link")):
        with pytest.raises(OptionError, match="twice, expected different encoders"):
            study_encoders(some(), out=tmp_path / "s", encoders=[start, other])
    with pytest.raises(OptionError, match="copy, which are equal, expected different encoders"):
        study_encoders(some(), out=tmp_path / "s", encoders=[start, str(tmp_path / "copy")])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"encoders": []}, "encoders: got nothing, expected at least one encoder"),
        ({"encoders": "pixels"}, "encoders: got pixels, expected at least one encoder"),
        ({"labels": 9}, "labels: got 9, expected at least 10, one for each class"),
        ({"labels": 81}, "labels: got 81, expected at most 80, the labelled training pictures"),
        ({"labels": -1}, "labels: got -1, expected a number from 0"),
        ({"labels": ()}, "labels: got nothing"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"budget": "soon"}, "budget: got 'soon'"),
        ({"budget": "0.01s"}, "budget: got 0.01s"),
        ({"image_size": 32}, "image_size: got 32, expected nothing: each encoder has its own"),
        ({"channels": 3}, "channels: got 3"),
        ({"crop_pct": 0.9}, "crop_pct: got 0.9"),
        ({"colour": 1}, "options: got colour"),
        ({"target_column": "age"}, "target_column: got age"),
        ({"device": "mps"}, "device: got mps"),
        ({"recipe": "grand", "encoders": ["mae"]}, "recipe grand: got"),
    ],
)
def test_options_that_no_study_can_use_are_refused(
    options: dict[str, Any], said: str, start: str, tmp_path: Path
) -> None:
    with pytest.raises((OptionError, RunError)) as caught:
        study_encoders(some(), out=tmp_path / "s", **{"encoders": [start], **options})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_without_labels_test_part_or_second_class_are_refused(start: str, tmp_path: Path) -> None:
    words: dict[str, Any] = {"out": tmp_path / "s", "encoders": [start]}
    with pytest.raises(DataError, match="0 labelled pictures for training"):
        study_encoders(replace(some(), labels=None), **words)
    with pytest.raises(DataError, match="no labelled test pictures, expected at least one; add a test part"):
        study_encoders(pictures(40, 0), **words)
    one = some()
    assert one.labels is not None
    with pytest.raises(DataError, match="80 training labels, all of class"):
        study_encoders(replace(one, labels=np.zeros_like(one.labels)), **words)
    assert not (tmp_path / "s").exists()


def test_without_a_test_part_the_val_part_is_used(start: str, tmp_path: Path) -> None:
    data = some()
    data = replace(data, split=np.where(data.split == "test", "val", data.split))
    found = study_encoders(data, out=tmp_path / "s", encoders=start, labels=20, seeds=2)
    assert found.answer.part == "val"
    assert "val accuracy" in (tmp_path / "s" / "report.html").read_text()


def test_a_class_with_one_label_and_unreadable_files_are_no_obstacle(start: str, tmp_path: Path) -> None:
    data = folder(tmp_path / "my data/train", count=9, classes=("bag", "boot", "cap")).parent
    folder(tmp_path / "my data/test", count=8, classes=("bag", "boot", "cap"))
    for number in range(1, 9):
        (data / "train" / "cap" / f"{number}.png").unlink()
    (data / "train" / "bag" / "0.png").write_bytes(b"nothing")
    (data / "test" / "bag" / "0.png").write_bytes(b"nothing")
    study_encoders(data, out=tmp_path / "s", encoders=start, labels=0)
    heads = [json.loads(path.read_text()) for path in tmp_path.glob("s/units/head-*/result.json")]
    assert {head["labels"] for head in heads} == {18}
    assert all(head["files"].count("-") == 1 and len(head["files"]) == 24 for head in heads)
    tokens = [json.loads(path.read_text()) for path in tmp_path.glob("s/units/tokens-*/result.json")]
    assert [facts["unreadable"] for facts in tokens] == [2, 2]


def test_a_run_that_was_fine_tuned_on_the_files_is_named(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(tmp_path / "things", count=20)
    words: dict[str, Any] = {"epochs": 0.01, "min_steps": 1, "baselines": False, "announce": False}
    kakera.finetune(data, out=tmp_path / "tuned", init_from=start, recipe="demo", **words)
    study_encoders(data, out=tmp_path / "s", encoders=[start, str(tmp_path / "tuned")], labels=0)
    said = f"warning: {tmp_path / 'tuned'} was fine-tuned on files of this data set and has seen labels"
    assert said in capsys.readouterr().err
    assert "was fine-tuned on files" in (tmp_path / "s" / "report.html").read_text()


def test_recordings_are_compared_with_their_mean_spectrum(tmp_path: Path) -> None:
    save_model(tmp_path / "sound", autoencoder())
    words: dict[str, Any] = {"encoders": str(tmp_path / "sound"), "labels": 8, "seeds": 2}
    found = study_encoders(songs(tmp_path / "songs"), out=tmp_path / "s", **words)
    assert {*found.answer.scores} == {str(tmp_path / "sound"), "spectrum"}
    assert found.answer.value("spectrum", 8).mean == 1.0  # two kinds of tones
    words["encoders"] = [words["encoders"], "pixels"]
    with pytest.raises(OptionError, match="pixels, which is for pictures, expected encoders of recordings"):
        study_encoders(tmp_path / "songs", out=tmp_path / "t", **words)


def test_without_a_cache_the_study_still_ends(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "file" / "cache"))
    study_encoders(some(), out=tmp_path / "s", encoders=start, labels=20, seeds=2)
    assert "tokens are not stored" in capsys.readouterr().err
