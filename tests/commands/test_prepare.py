from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.commands.labelled import held_out, require_classes
from kakera.commands.prepare import prepare
from kakera.commands.pretrain import plan_pretrain
from kakera.commands.reading import chosen_kind
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.images.crop import CenterCrop
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from kakera.inputs import InputSpec
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.recipes import build
from tests.data.files import NOISE, encoded
from tests.data.odd_recordings import with_data_size
from tests.data.recordings import chirp, record
from tests.small import folder, pictures


def arrays(side: int, channels: int = 1, count: int = 4) -> Dataset:
    values = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return Dataset("arrays", ArrayPictures(values), channels, np.full(count, "train"))


@pytest.mark.parametrize(("side", "patch"), [(28, "auto"), (40, "auto"), (41, (8,)), (64, (8,))])
def test_small_pictures_are_taken_as_they_are_and_with_the_recipe_for_them(
    side: int, patch: tuple[int, ...] | str
) -> None:
    options, prepared = prepare(PretrainOptions, arrays(side), "", {"epochs": 9})
    assert prepared.inputs(options.image_size, (4, 4)).size == (-(-side // 4) * 4,) * 2
    same = {"epochs": 9, "patch": patch}
    assert options == prepare(PretrainOptions, arrays(side), "micro", same)[0]


def test_few_large_pictures_are_made_small() -> None:
    options, prepared = prepare(PretrainOptions, arrays(65), "", {})
    assert (options.model, options.image_size, options.patch) == ("micro", 64, (8,))
    assert prepared.reasons["model"].endswith("4 pictures are too few for a larger network")


def test_a_recipe_that_is_named_is_the_papers_at_224_pixels() -> None:
    options, prepared = prepare(PretrainOptions, arrays(65), "paper", {})
    assert (options.model, options.batch_size) == ("base", 4096)
    assert prepared.inputs(options.image_size, (16, 16)).size == (224, 224)


def test_the_size_is_rounded_up_to_the_patch() -> None:
    _, prepared = prepare(PretrainOptions, arrays(30), "micro", {})
    assert prepared.inputs(0, (4, 4)).size == (32, 32)


def test_mean_and_deviation_are_the_data_s_own() -> None:
    data = arrays(28, 3)
    values = np.stack([data.pictures.read(i) for i in range(4)]).reshape(-1, 3) / 255
    inputs = prepare(PretrainOptions, data, "micro", {})[1].inputs(0, (4, 4))
    assert inputs.mean == pytest.approx(values.mean(axis=0))
    assert inputs.std == pytest.approx(values.std(axis=0))


def test_only_the_train_part_is_measured() -> None:
    values = np.zeros((4, 8, 8, 1), np.uint8)
    values[:2] = 100
    data = Dataset("d", ArrayPictures(values), 1, np.array(["train", "train", "test", "test"]))
    assert prepare(PretrainOptions, data, "micro", {})[1].inputs(0, (4, 4)).mean == pytest.approx(
        (100 / 255,)
    )


def test_files_are_decoded_once_and_read_without_workers(tmp_path: Path) -> None:
    _, prepared = prepare(PretrainOptions, folder(tmp_path / "d"), "", {})
    assert isinstance(prepared.dataset.pictures, ArrayPictures)
    assert prepared.workers == 0


def test_the_start_of_a_run_says_how_to_read(tmp_path: Path) -> None:
    start = InputSpec(1, 56, 56, (0.5,), (0.5,))
    _, prepared = prepare(FinetuneOptions, folder(tmp_path / "d"), "", {}, start)
    assert prepared.dataset.channels == 1
    assert prepared.side == 56


def test_a_part_without_a_picture_for_training_is_refused() -> None:
    with pytest.raises(DataError, match="got no training pictures"):
        prepare(PretrainOptions, pictures(0, 5), "", {})


def test_one_class_is_not_enough_to_tell_apart(tmp_path: Path) -> None:
    _, prepared = prepare(FinetuneOptions, folder(tmp_path / "d", classes=("bag",)), "", {})
    with pytest.raises(DataError, match="got 1 class and .* expected at least two classes"):
        require_classes(prepared.dataset)


def test_the_test_part_is_measured_on_before_the_val_part() -> None:
    data = pictures(6, 6)
    assert held_out(data)[0] == "test"
    val = Dataset(data.name, data.pictures, 1, np.array(["val"] * 12), data.classes, data.labels)
    name, found = held_out(val)
    assert (name, len(found)) == ("val", 12)


def test_a_line_of_every_training_counts_what_was_taken_and_what_was_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
        for number in range(3):
            values = np.full((8, 8), 40 * number + ord(name), np.uint8)
            suffix = "png" if name != "c" else "cr2"
            Image.fromarray(values).save(tmp_path / name / f"{number}.{suffix}", "PNG")
    (tmp_path / "a" / "broken.jpg").write_bytes(b"no picture")
    prepare(FinetuneOptions, tmp_path, "micro", {"out": str(tmp_path / "run")})
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"{tmp_path}: ")]
    assert len(lines) == 1
    assert "6 pictures (6 .png); not read: 3 .cr2 (a camera raw file)" in lines[0]
    assert "class without readable files: c" in lines[0]
    assert "unreadable: 1 (" in lines[0]
    assert "broken.jpg: got a text file" in lines[0]


def test_the_range_and_the_crop_of_a_start_are_kept(tmp_path: Path) -> None:
    start = InputSpec(
        1, 16, 16, (0.5,), (0.5,), resize=(18,), interpolation="bilinear", values=(("uint16", 0, 1023),)
    )
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            values = np.full((8, 8), 1000 + number + ord(name), np.uint16)
            Image.fromarray(values).save(tmp_path / name / f"{number}.png")
    _, prepared = prepare(FinetuneOptions, tmp_path, "micro", {"init_from": "x"}, start)
    assert prepared.dataset.ranges == start.values
    assert prepared.center_crop((16, 16)) == CenterCrop.of(start)
    _, other = prepare(
        FinetuneOptions, tmp_path, "micro", {"init_from": "x", "bits": 12, "crop_pct": 1.0}, start
    )
    assert other.dataset.ranges[0] == ("uint16", 0, 4095)
    assert other.center_crop((16, 16)) == CenterCrop((16, 16))


@pytest.mark.parametrize(("asked", "kind"), [("any", "pictures"), ("recordings", "recordings")])
def test_of_two_kinds_the_one_that_the_start_takes_in_unless_another_is_asked_for(
    asked: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(encoded(NOISE))
    for number in range(3):
        (tmp_path / "a" / f"{number}.wav").write_bytes(b"")
    options = build(PretrainOptions, {"data": str(tmp_path), "kind": asked})
    start = InputSpec(1, 16, 16, (0.5,), (0.5,))
    chosen = chosen_kind(options, str(tmp_path), start)
    assert chosen == kind
    assert open_dataset(tmp_path, kind=chosen).kind == kind
    assert chosen_kind(options, "demo", start) == asked


def test_a_line_says_what_is_trained_on_and_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            values = np.roll(NOISE, number + ord(name), axis=0)
            (tmp_path / name / f"{number}.png").write_bytes(encoded(values))
    (tmp_path / "a" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "song.wav").write_bytes(b"")
    prepare(PretrainOptions, tmp_path, "micro", {"out": str(tmp_path / "run")})
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"{tmp_path}: 6")]
    assert len(lines) == 1
    assert "6 pictures (6 .png); not read: 1 .wav (use --kind recordings to read these): " in lines[0]
    assert "unreadable: 1 (" in lines[0]


def test_the_line_counts_recordings_that_are_read_though_unusual(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        record(tmp_path / f"{number}.wav", chirp(16_000, 0.5))
    odd = tmp_path / "1.wav"
    odd.write_bytes(with_data_size(odd.read_bytes(), 0xFFFFFFFF))
    prepare(PretrainOptions, tmp_path, "audio-micro", {"out": str(tmp_path / "run")})
    line = next(one for one in capsys.readouterr().err.splitlines() if one.startswith(f"{tmp_path}: 3"))
    assert f"read, but unusual: 1 ({odd}: {0xFFFFFFFF} bytes of samples in the header" in line


def test_a_plan_says_what_the_data_are_made_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "d", count=20)
    (tmp_path / "d" / "notes.txt").write_text("x")
    plan_pretrain(tmp_path / "d", out=tmp_path / "run", recipe="micro", image_size=28, patch=14)
    assert "40 pictures (40 .png); not read: 1 .txt" in capsys.readouterr().err
