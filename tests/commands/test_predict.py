from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kakera.commands.predict import iter_predict, predict
from kakera.data.holders import FilePictures
from kakera.data.packing.pack import pack
from kakera.data.sources.files import open_files
from kakera.errors import DataError, RunError
from kakera.formats import preparation
from kakera.formats.native import load_model, save_model
from tests.formats.test_inference import classifier
from tests.small import folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_model(tmp_path / "model", classifier())
    return tmp_path / "model"


def test_files_and_folders_are_predicted_in_the_order_given(model: Path, tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=2)
    found = predict(model, [root / "boot" / "1.png", root])
    names = [str(Path(p.file).relative_to(root)) for p in found]
    assert names == ["boot/1.png", "bag/0.png", "bag/1.png", "boot/0.png", "boot/1.png"]
    assert found[0] == found[4]


def test_the_likeliest_class_comes_first_and_is_the_label(model: Path, tmp_path: Path) -> None:
    path = folder(tmp_path / "d", count=1) / "bag" / "0.png"
    (found,) = predict(model, [path])
    with Image.open(path) as image:
        values = torch.from_numpy(np.array(image.convert("L")))[None, None]
    saved = load_model(model)
    with torch.inference_mode():
        logits = saved.model(saved.inputs.normalize(values))
    assert isinstance(logits, torch.Tensor)
    expected = logits.softmax(1)[0].tolist()
    assert list(found.probabilities.values()) == sorted(expected, reverse=True)
    assert found.labels == (next(iter(found.probabilities)),)
    assert found.probabilities["a"] == pytest.approx(expected[0])


def test_several_labels_are_those_likelier_than_not(tmp_path: Path) -> None:
    found = predict(classifier(multi_label=True), [folder(tmp_path / "d", count=1)])
    for prediction in found:
        assert set(prediction.labels) == {n for n, p in prediction.probabilities.items() if p >= 0.5}


def test_an_unreadable_file_says_why_and_the_others_are_predicted(model: Path, tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=1)
    (root / "bag" / "0.png").write_text("no picture")
    found = predict(model, [root, tmp_path / "nowhere.png"])
    assert [bool(prediction.labels) for prediction in found] == [False, True, False]
    assert found[0].unreadable.startswith("got a text file, expected a JPEG")
    assert "no file of this name" in found[2].unreadable


def test_the_same_file_twice_is_predicted_twice(model: Path, tmp_path: Path) -> None:
    path = folder(tmp_path / "d", count=1) / "bag" / "0.png"
    assert len(predict(model, [path, path])) == 2


def test_an_empty_folder_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="got no picture"):
        predict(model, [tmp_path / "empty"])


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        predict(tmp_path, [tmp_path])


def test_packed_pictures_are_predicted_and_a_damaged_one_says_why(model: Path, tmp_path: Path) -> None:
    pack(folder(tmp_path / "pictures", count=3), tmp_path / "shards", workers=1)
    tar = tmp_path / "shards" / "000000.tar"
    content = bytearray(tar.read_bytes())
    content[700] ^= 1
    tar.write_bytes(content)
    found = predict(model, [str(tmp_path / "shards")])
    assert len(found) == 6
    (broken,) = (prediction for prediction in found if prediction.unreadable)
    assert broken.unreadable == "got a damaged picture, expected the packed bytes"


def test_a_folder_bytes_an_image_and_an_array_are_predicted_alike(model: Path, tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=1, classes=("bag",))
    path = root / "bag" / "0.png"
    expected = predict(model, str(root))[0]
    with Image.open(path) as image:
        given = [path.read_bytes(), image, np.array(image), path]
        found = predict(model, (one for one in given))
    assert [one.probabilities for one in found] == [found[-1].probabilities] * 4
    assert found[0].probabilities == pytest.approx(expected.probabilities, abs=1e-5)  # another batch
    assert [one.file for one in found] == ["picture[0]", str(path), "picture[2]", str(path)]


def test_bytes_that_cannot_be_read_say_why_under_their_place(model: Path) -> None:
    found = predict(model, [np.zeros((9, 9), np.uint8), b"no picture", b""])
    assert [one.unreadable[:15] for one in found] == ["", "got a text file", "got an empty fi"]
    assert [one.file for one in found] == ["picture[0]", "picture[1]", "picture[2]"]


def test_floats_below_zero_are_named_and_the_others_predicted(model: Path, tmp_path: Path) -> None:
    values = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8)
    names = [f"{number}.tif" for number in range(3)]
    for name in names:
        Image.fromarray(values).save(tmp_path / name)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "good.png")
    found = predict(model, [*(tmp_path / name for name in names), tmp_path / "good.png"])
    assert [Path(one.file).name for one in found if one.unreadable] == names
    assert all("-3 to 5" in one.unreadable for one in found[:3])
    assert found[3].labels


@pytest.mark.parametrize("workers", [0, 1])
def test_values_outside_of_the_model_s_range_are_counted(workers: int, model: Path, tmp_path: Path) -> None:
    saved = load_model(model)
    saved = replace(saved, inputs=replace(saved.inputs, values=(("uint16", 0, 1023),)))
    values = np.arange(2000, dtype=np.uint16).reshape(40, 50)
    Image.fromarray(values).save(tmp_path / "x.png")
    dataset = open_files([tmp_path / "x.png"], saved.inputs)
    predict(saved, dataset, workers=workers)
    assert isinstance(dataset.pictures, FilePictures)
    assert dataset.pictures.clipped == {str(tmp_path / "x.png"): int((values > 1023).sum())}


def test_predictions_come_before_the_last_file_is_read(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "PIXELS", 2 * 28 * 28)
    root = folder(tmp_path / "d", count=4)
    found = iter_predict(model, root, workers=0)
    first = next(found)
    for path in sorted(root.rglob("*.png"))[4:]:
        path.write_text("no picture any more")
    rest = list(found)
    assert first.labels
    assert [bool(each.unreadable) for each in rest] == [False] * 3 + [True] * 4


def test_the_likeliest_classes_alone_are_kept_where_asked(model: Path, tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=2)
    for few, all_of_them in zip(predict(model, root, top=3), predict(model, root), strict=True):
        assert list(few.probabilities.items()) == list(all_of_them.probabilities.items())[:3]
        assert few.labels == all_of_them.labels


def test_an_engine_gives_the_same_labels_and_auto_says_what_it_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    saved, root = classifier(), folder(tmp_path / "things", count=4)
    expected = predict(saved, root)
    assert predict(saved, root, engine="torch") == expected
    for engine in ("bf16", "auto"):
        found = predict(saved, root, engine=engine)
        assert [each.labels for each in found] == [each.labels for each in expected]
    said = [line for line in capsys.readouterr().err.splitlines() if "engine" in line]
    assert len(said) == 1
    assert said[0].startswith("kakera: engine ")
