"""Conversions: what is written gives the same outputs, and nothing is written that does not."""

from pathlib import Path

import pytest
import torch

from kakera.cli.main import main
from kakera.errors import RunError
from kakera.formats import convert as module
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.formats.native import Saved, save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.sizes import DecoderShape, VitShape
from tests.formats.test_transformers import drawn

SHAPE = VitShape(24, 2, 3, (4, 4), DecoderShape(16, 1, 4))
INPUTS = InputSpec(2, 12, 12, (0.1, 0.2), (0.3, 0.4))


def encoder() -> Encoder:
    return Encoder(SHAPE, channels=2, size=(12, 12))


def models() -> dict[str, Saved]:
    return {
        "encoder": Saved(encoder(), INPUTS),
        "classifier": Saved(Classifier(encoder(), 2, "class"), INPUTS, ("ant", "bee")),
        "autoencoder": Saved(MaskedAutoencoder(encoder(), SHAPE.decoder, normalised=False), INPUTS),
    }


def run(saved: Saved, folder: Path) -> Path:
    drawn(saved.model)
    save_model(folder, saved)
    return folder


@pytest.mark.parametrize("saved", models().values(), ids=models())
def test_through_both_formats_and_back_no_bit_changes(saved: Saved, tmp_path: Path) -> None:
    start = run(saved, tmp_path / "run")
    there = convert(start, tmp_path / "hf", to="transformers")
    assert there.judge == "transformers"
    assert there.difference < 1e-5
    back = convert(tmp_path / "hf", tmp_path / "back.pth", to="mae")
    assert back.difference == 0
    found, first = load(tmp_path / "back.pth").model.state_dict(), load(start).model.state_dict()
    assert found.keys() == first.keys()
    assert all(torch.equal(found[name], first[name]) for name in first)


def test_an_encoder_goes_where_its_decoder_cannot(tmp_path: Path) -> None:
    model = MaskedAutoencoder(encoder(), SHAPE.decoder, gradients=True)
    start = run(Saved(model, INPUTS), tmp_path / "run")
    with pytest.raises(RunError, match="gradients"):
        convert(start, tmp_path / "hf", to="transformers")
    assert convert(start, tmp_path / "hf", to="transformers", encoder=True).difference < 1e-5
    assert isinstance(load(tmp_path / "hf").model, Encoder)


def test_outputs_that_differ_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = run(models()["classifier"], tmp_path / "run")
    monkeypatch.setattr(module, "MOST", 0.0)
    with pytest.raises(RunError, match="outputs that differ"):
        convert(start, tmp_path / "hf", to="transformers")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_command_says_what_was_read_and_the_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = run(models()["classifier"], tmp_path / "run")
    assert main(["convert", str(start), str(tmp_path / "hf"), "--to", "transformers"]) == 0
    said = capsys.readouterr().out
    assert "classifier: 2 layers of 24 with 3 heads" in said
    assert "2 classes from the class token" in said
    assert "largest difference of the outputs" in said
    assert "run by transformers" in said


@pytest.mark.parametrize(
    ("source", "target", "to", "said"),
    [
        ("mean", "hf", "transformers", "a classifier of the mean"),
        ("run", "run", "transformers", "something there already"),
        ("run", "file.bin", "mae", "a new .pth file"),
        ("none", "hf", "transformers", "none"),
        ("run", "hf", "onyx", "invalid choice"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    source: str, target: str, to: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(models()["classifier"], tmp_path / "run")
    run(Saved(Classifier(encoder(), 2, "mean"), INPUTS, ("ant", "bee")), tmp_path / "mean")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert main(["convert", str(tmp_path / source), str(tmp_path / target), "--to", to]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
