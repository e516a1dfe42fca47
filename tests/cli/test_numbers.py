"""The commands for a model that predicts numbers: what they print, and what they refuse."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from kakera.cli.main import main
from kakera.commands.predict import predict
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.formats.target_scale import TargetScale
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.resnet import ResNet
from kakera.web.models import Opened
from tests.small import folder

INPUTS = InputSpec(1, 28, 28, (0.5,), (0.25,))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    network = Classifier("nano", 2, channels=1, image_size=28, seed=0).eval()
    save_model(tmp_path / "ages", Pretrained(network, INPUTS, ("age", "weight"), targets=scale()))
    folder(Path("things"), count=2)
    return "ages"


def scale() -> TargetScale:
    return TargetScale((40.0, 70.0), (10.0, 15.0))


def output(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main([*words]) == 0
    return capsys.readouterr().out


def test_predictions_are_in_the_units_of_the_targets(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A new head has outputs near 0, which are the means of the targets."""
    rows = list(csv.DictReader(io.StringIO(output(capsys, "predict", model, "things", "--csv"))))
    assert [*rows[0]] == ["file", "age", "weight", "unreadable"]
    assert [float(row["age"]) for row in rows] == pytest.approx([40.0] * 4, abs=0.1)
    found = json.loads(output(capsys, "predict", model, "things", "--json"))
    assert [*found[0]] == ["file", "unreadable", "values"]
    assert found[0]["values"]["weight"] == pytest.approx(70, abs=0.1)
    table = output(capsys, "predict", model, "things")
    assert table.count("things/") >= 4
    assert "weight" in table


def test_a_page_of_predictions_has_their_range(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "predict", model, "things", "--page", "page.html")
    page = Path("page.html").read_text()
    assert "Highest number first" in page
    assert "<th>lowest</th>" in page


def test_python_gives_the_same_numbers(model: str) -> None:
    saved = load(model)
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8))
    values = saved.predict_values(pictures)
    found = predict(saved, pictures)
    assert [one.values for one in found] == [{"age": row[0], "weight": row[1]} for row in values.tolist()]
    assert all(not one.labels and not one.probabilities for one in found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["predict", "ages", "things", "--engine", "int8"],
            "expected a model of classes; use --engine torch",
        ),
        (
            ["predict", "ages", "things", "--engine", "auto"],
            "expected a model of classes; use --engine torch",
        ),
        (["predict", "ages", "things", "--top", "2"], "--top: got 2, expected a model of classes"),
        (["convert", "ages", "out", "--to", "transformers"], "add --encoder to convert its encoder"),
        (["convert", "ages", "out", "--to", "onnx"], "add --encoder to convert its encoder"),
        (["explain", "ages", "things", "--target", "age"], "class: got age"),
    ],
)
def test_what_needs_classes_is_refused_in_one_line(
    words: list[str], said: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(words) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not Path("out").exists()


def test_explain_and_the_explorer_show_the_encoder(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["explain", model, "things/bag/0.png", "--out", "explained"]) == 0
    assert "the page shows its encoder" in capsys.readouterr().err
    described = Opened(Path(model), "ages", "1").state().describe()
    assert (described.predicts, described.has_attention) == (False, True)


def test_a_cnn_predicts_numbers_too(tmp_path: Path) -> None:
    network = ResNet("resnet-nano", channels=1, classes=2, seed=0).eval()
    save_model(tmp_path / "cnn", Pretrained(network, INPUTS, ("age", "weight"), targets=scale()))
    assert load(tmp_path / "cnn").predict_values(np.zeros((28, 28), np.uint8)).shape == (1, 2)


@pytest.mark.parametrize(
    "targets", [{"mean": [1.0], "std": [1.0, 2.0]}, {"mean": [1.0, 2.0], "std": [1.0, 0.0]}, {"mean": 1}, 5]
)
def test_a_damaged_description_is_refused(
    targets: object, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(model) / "kakera.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "targets": targets}))
    capsys.readouterr()
    assert main(["predict", model, "things"]) == 2
    assert "kakera.json" in capsys.readouterr().err
