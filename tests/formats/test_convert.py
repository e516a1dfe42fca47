"""Conversions: what is written gives the same outputs, and nothing is written that does not."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kakera.cli.main import main
from kakera.errors import RunError
from kakera.formats import convert as module
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import drawn

SHAPE = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4))
INPUTS = InputSpec(2, 12, 12, (0.1, 0.2), (0.3, 0.4))


def encoder() -> ViT:
    return ViT(SHAPE, channels=2, image_size=(12, 12))


def models() -> dict[str, Pretrained]:
    return {
        "encoder": Pretrained(encoder(), INPUTS),
        "classifier": Pretrained(Classifier(encoder(), 2, "class"), INPUTS, ("ant", "bee")),
        "autoencoder": Pretrained(MAE(encoder(), SHAPE.decoder, norm_pix_loss=False), INPUTS),
    }


def run(saved: Pretrained, folder: Path) -> Path:
    drawn(saved.model)
    save_model(folder, saved)
    return folder


@pytest.mark.parametrize("saved", models().values(), ids=models())
def test_through_both_formats_and_back_no_bit_changes(saved: Pretrained, tmp_path: Path) -> None:
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
    model = MAE(encoder(), SHAPE.decoder, hog_target=True)
    start = run(Pretrained(model, INPUTS), tmp_path / "run")
    with pytest.raises(RunError, match="gradients"):
        convert(start, tmp_path / "hf", to="transformers")
    assert convert(start, tmp_path / "hf", to="transformers", encoder=True).difference < 1e-5
    assert isinstance(load(tmp_path / "hf").model, ViT)


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
        ("both", "timm", "timm", "a head with class and mean pooling"),
        ("run", "run", "transformers", "a path that already exists"),
        ("run", "file.bin", "mae", "a new .pth file"),
        ("none", "hf", "transformers", "none"),
        ("run", "hf", "onyx", "invalid choice"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    source: str, target: str, to: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(models()["classifier"], tmp_path / "run")
    run(Pretrained(Classifier(encoder(), 2, "class and mean"), INPUTS, ("ant", "bee")), tmp_path / "both")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert main(["convert", str(tmp_path / source), str(tmp_path / target), "--to", to]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["encoder", "classifier"])
def test_through_timm_and_back_no_bit_changes(kind: str, tmp_path: Path) -> None:
    start = run(models()[kind], tmp_path / "run")
    assert convert(start, tmp_path / "timm", to="timm").difference < 1e-5
    found, first = load(tmp_path / "timm"), load(start)
    assert (found.inputs, found.classes, found.multi_label) == (
        first.inputs,
        first.classes,
        first.multi_label,
    )
    before, after = first.model.state_dict(), found.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_size_and_other_channels_are_written(tmp_path: Path) -> None:
    start = run(models()["classifier"], tmp_path / "run")
    words = ["--to", "transformers", "--image-size", "16", "24", "--channels", "1"]
    assert main(["convert", str(start), str(tmp_path / "hf"), *words]) == 0
    inputs = load(tmp_path / "hf").inputs
    assert (inputs.size, inputs.channels) == ((16, 24), 1)


def test_of_a_model_that_pipelines_cannot_feed_it_is_said_what_to_do(tmp_path: Path) -> None:
    start = run(models()["classifier"], tmp_path / "run")
    assert "--channels 3" in convert(start, tmp_path / "two", to="transformers").lines()[-1]
    assert not convert(start, tmp_path / "three", to="transformers", channels=3).hint
    assert not convert(start, tmp_path / "timm", to="timm").hint


@pytest.mark.parametrize("kind", ["encoder", "classifier"])
def test_grey_pictures_are_written_for_colour_and_judged_by_the_grey_model(kind: str, tmp_path: Path) -> None:
    inside = ViT(SHAPE, channels=1, image_size=(12, 12))
    model = inside if kind == "encoder" else Classifier(inside, 2, "mean")
    inputs, classes = InputSpec(1, 12, 12, (0.2,), (0.4,)), () if kind == "encoder" else ("ant", "bee")
    found = convert(
        run(Pretrained(model, inputs, classes), tmp_path / "run"), tmp_path / "hf", to="transformers"
    )
    assert (found.source.inputs.channels, found.judge) == (1, "transformers")
    assert found.difference < 1e-5
    assert "brightness" in found.lines()[-1]
    assert "brightness" in (tmp_path / "hf" / "README.md").read_text()
    assert load(tmp_path / "hf").inputs.channels == 3


def refused_by_timm() -> dict[str, tuple[Pretrained, str]]:
    other = replace(SHAPE, block=BlockConfig(epsilon=1e-12))
    overlapping = replace(SHAPE, stride=(2, 2))
    return {
        "autoencoder": (models()["autoencoder"], r"a masked autoencoder \(--encoder"),
        "epsilon": (Pretrained(ViT(other, channels=2, image_size=(12, 12)), INPUTS), "an epsilon of 1e-12"),
        "overlap": (
            Pretrained(ViT(overlapping, channels=2, image_size=(12, 12)), INPUTS),
            "patches that overlap",
        ),
        "head": (
            Pretrained(Classifier(encoder(), 2, "class and mean"), INPUTS, ("ant", "bee")),
            "class and mean",
        ),
    }


@pytest.mark.parametrize("kind", refused_by_timm())
def test_what_timm_cannot_say_is_refused_with_the_reason(kind: str, tmp_path: Path) -> None:
    saved, reason = refused_by_timm()[kind]
    with pytest.raises(RunError, match=reason) as caught:
        convert(run(saved, tmp_path / "run"), tmp_path / "out", to="timm")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
