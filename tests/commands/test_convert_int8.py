"""Tests of int8 graphs: the lost accuracy is measured on pictures outside of training and calibration."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import transformers as hf
from PIL import Image

from kakera.cli.main import main
from kakera.commands.finetune import finetune
from kakera.commands.predict import predict
from kakera.data.loader import evaluation_batches
from kakera.errors import DataError, OptionError
from kakera.formats.convert import convert
from kakera.formats.inference import predict_proba
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.formats.onnx.int8 import quantise
from kakera.formats.verify import session_of
from tests.formats.exported import exported_once  # noqa: F401  # of all tests here
from tests.small import pictures


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on the demo's pictures with its recipe, shortened for a test."""
    place = tmp_path_factory.mktemp("runs") / "classifier"
    options = {
        "recipe": "demo",
        "model": "nano",
        "epochs": 6.0,
        "min_steps": 60,
        "batch_size": 64,
    }
    return finetune(pictures(600, 200), out=place, **options).folder


def test_the_pipeline_of_transformers_gives_the_same_labels_and_probabilities(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test the model of the demo: one channel, pool mean."""
    assert main(["convert", str(trained), str(tmp_path / "hf"), "--to", "transformers"]) == 0
    said = capsys.readouterr().out
    assert "run by transformers" in said
    assert "written with three channels" in said
    test = pictures(0, 40).part("test")
    files: list[Path] = []
    for number in range(len(test)):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(test.pictures.read(number)[..., 0]).save(files[-1])
    ours = predict(trained, files)
    pipeline = hf.pipeline("image-classification", model=str(tmp_path / "hf"), top_k=10)
    for mine, theirs in zip(ours, pipeline([str(file) for file in files]), strict=True):
        assert mine.labels[0] == theirs[0]["label"]
        assert {each["label"] for each in theirs} == set(mine.probabilities)
        for each in theirs:
            assert mine.probabilities[each["label"]] == pytest.approx(each["score"], abs=1e-5)


def test_a_picture_in_colour_gets_there_what_its_grey_gets_here(trained: Path, tmp_path: Path) -> None:
    convert(trained, tmp_path / "hf", to="transformers")
    values = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "colour.png")
    ours = predict(trained, [tmp_path / "colour.png"])[0].probabilities
    for each in hf.pipeline("image-classification", str(tmp_path / "hf"), top_k=10)(
        str(tmp_path / "colour.png")
    ):
        assert ours[each["label"]] == pytest.approx(each["score"], abs=0.01)  # grey is rounded to 8 bits


def test_one_channel_is_written_where_it_is_asked_for(trained: Path, tmp_path: Path) -> None:
    found = convert(trained, tmp_path / "hf", to="transformers", channels=1)
    assert (found.judge, found.difference < 1e-5) == ("transformers", True)
    assert "--channels 3" in found.hint
    back, first = load(tmp_path / "hf"), load(trained)
    assert back.inputs.channels == 1
    before, after = first.model.state_dict(), back.model.state_dict()
    differ = [name for name in before if not torch.equal(before[name], after[name])]
    assert all(name.endswith("qkv.bias") for name in differ)


def test_onnx_runtime_gives_the_same_labels_and_probabilities(trained: Path, tmp_path: Path) -> None:
    assert main(["convert", str(trained), str(tmp_path / "out"), "--to", "onnx"]) == 0
    saved, test = load(trained), pictures(0, 200).part("test")
    before, _, _ = predict_proba(saved, test)
    batch = next(evaluation_batches(test, saved.inputs.size, batch=len(test)))
    session = session_of(tmp_path / "out" / "model.onnx")
    given = {"pictures": batch.pictures.numpy().astype(np.float32)}
    after = session.run(["probabilities"], given)[0]
    assert np.abs(before - after).max() < 1e-5
    assert (before.argmax(1) == after.argmax(1)).all()


def test_int8_is_written_with_what_it_costs(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(trained), str(tmp_path / "out"), "--to", "onnx", "--int8", "--calibrate", "demo"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "calibrated on 128" in said
    assert "points lost" in said
    lost = float(said.split(" points lost")[0].split()[-1])
    assert abs(lost) < 1.5  # a network of 64 numbers, trained for a minute
    assert "points lost" in (tmp_path / "out" / "README.md").read_text()
    graph = (tmp_path / "out" / "model.onnx").read_bytes()
    assert b"DequantizeLinear" in graph
    weights = [onnx.numpy_helper.to_array(each) for each in onnx.load_from_string(graph).graph.initializer]
    matrices = [each.astype(int) for each in weights if each.dtype == np.int8 and each.ndim == 2]
    assert len(matrices) >= 4
    assert max(np.abs(each).max() for each in matrices) <= 64  # 7 bits: 255 * 64 * 2 < 2**15, on every CPU
    labels = json.loads((tmp_path / "out" / "config.json").read_text())["id2label"]
    assert list(labels.values()) == list(load(trained).classes)


@pytest.mark.slow
def test_a_cnn_goes_to_onnx_runtime_in_float32_and_in_int8(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"recipe": "demo", "model": "resnet-nano", "epochs": 6.0, "min_steps": 40, "batch_size": 64}
    start = finetune(pictures(600, 200), out=tmp_path / "cnn", **options).folder
    words = ["convert", str(start), str(tmp_path / "single"), "--to", "onnx"]
    assert main(words) == 0
    assert "CNN: 3 blocks, 1 channel of 28 × 28, 10 classes" in capsys.readouterr().out
    words = ["convert", str(start), str(tmp_path / "eight"), "--to", "onnx", "--int8", "--calibrate", "demo"]
    assert main(words) == 0
    assert abs(float(capsys.readouterr().out.split(" points lost")[0].split()[-1])) < 1.5
    test = pictures(0, 200).part("test")
    batch = next(evaluation_batches(test, (28, 28), batch=len(test)))
    given = {"pictures": batch.pictures.numpy().astype(np.float32)}
    before, _, _ = predict_proba(load(start), test)
    single, eight = (
        session_of(tmp_path / name / "model.onnx").run(["probabilities"], given)[0]
        for name in ("single", "eight")
    )
    assert np.abs(before - single).max() < 1e-5
    assert 0 < np.abs(before - eight).max() < 0.2
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in ("single", "eight")]
    assert sizes[1] < 0.5 * sizes[0]  # convolutions too


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "onnx", "--int8"], "with --calibrate DATA"),
        (["--to", "mae", "--int8", "--calibrate", "demo"], "with --to onnx"),
        (["--to", "onnx", "--calibrate", "demo"], "with --int8"),
        (["--to", "mae", "--image-size", "1", "2", "3"], "one number, or height and width"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    words: list[str], said: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(trained), str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_model_without_classes_is_refused(trained: Path, tmp_path: Path) -> None:
    from kakera.commands.convert_int8 import convert_int8

    saved = load(trained)
    save_model(tmp_path / "encoder", type(saved)(saved.encoder, saved.inputs))
    with pytest.raises(OptionError, match="expected a classifier"):
        convert_int8(tmp_path / "encoder", tmp_path / "out", calibrate="demo")


def test_without_inputs_there_is_nothing_to_calibrate_on(trained: Path, tmp_path: Path) -> None:
    convert(trained, tmp_path / "out", to="onnx")
    with pytest.raises(DataError, match="no inputs"):
        quantise((tmp_path / "out" / "model.onnx").read_bytes(), [])
    assert torch.is_grad_enabled()
