"""All commands with published encoders of recordings that are not a plain ViT: EAT, Dasheng and BEATs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kakera.cli.main import main
from kakera.commands.embed import embed
from kakera.commands.explain import explain_files
from kakera.commands.finetune import finetune
from kakera.commands.predict import predict
from kakera.commands.pretrain import pretrain
from kakera.commands.probe import probe
from kakera.errors import OptionError
from kakera.explain.relevance import relevance
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.model.classifier import Classifier, default_pool, pool_tokens
from tests.data.recordings import record
from tests.formats.foreign import beats_files as beats
from tests.formats.foreign import test_dasheng as dasheng
from tests.formats.foreign import test_eat as eat
from tests.small import folder
from tests.sound.waves import noise, tone

RATE = 16_000
NAMES = ("EAT", "Dasheng", "BEATs")
STEPS: dict[str, Any] = {
    "recipe": "demo",
    "epochs": 0.01,
    "min_steps": 1,
    "batch_size": 4,
    "baselines": False,
}


def encoder(name: str, place: Path) -> Path:
    """A folder or file as it is published, for windows of 48 frames."""
    if name == "Dasheng":
        return dasheng.saved(dasheng.weights(12), "hub", place)
    if name == "BEATs":  # its files have no length
        found = load(beats.saved(beats.weights(), "BEATs", place.with_suffix(".pt")), image_size=(128, 48))
        found.save(place)
        return place
    return eat.saved(eat.weights(times=3), "hub", place, img_size=[48, 128])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six recordings, of 0.3 to 0.9 seconds."""
    root = tmp_path_factory.mktemp("sounds")
    for number in range(6):
        seconds = 0.3 + 0.1 * number
        record(root / "high" / f"{number}.wav", tone(RATE, seconds, 900 + 40 * number), RATE)
        record(root / "hiss" / f"{number}.wav", noise(RATE, seconds, seed=number), RATE)
    return root


@pytest.mark.parametrize("name", NAMES)
def test_it_is_probed(name: str, sounds: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"labels": (0,), "seeds": 1, "probes": ("ridge",), "finetune": False}
    report = probe(sounds, init_from=encoder(name, tmp_path / "start"), workers=0, **options)
    assert {result.pool for result in report.results} == ({"class", "mean"} if name == "EAT" else {"mean"})


@pytest.mark.parametrize("name", NAMES)
def test_it_is_tuned_predicts_and_gives_the_same_in_a_graph(name: str, sounds: Path, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    trained = finetune(sounds, out=tmp_path / "run", init_from=start, **STEPS)
    assert trained.saved.encoder.config == load(start).encoder.config
    assert trained.saved.inputs == load(start).inputs
    result = convert(tmp_path / "run", tmp_path / "graph", to="onnx")
    assert result.difference < 1e-3
    files = sounds / "high"
    assert [each.labels for each in predict(tmp_path / "graph", files)] == [
        each.labels for each in predict(tmp_path / "run", files)
    ]
    eight = predict(tmp_path / "run", files, engine="int8")
    assert len(list(eight)) == 6


@pytest.mark.parametrize("name", NAMES)
def test_frozen_layers_and_low_rank_updates_work(name: str, sounds: Path, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    frozen = finetune(sounds, out=tmp_path / "frozen", init_from=start, freeze=1, **STEPS).saved.encoder
    before = load(start).encoder
    assert torch.equal(frozen.layers[0].norm2.weight, before.layers[0].norm2.weight)  # type: ignore[union-attr]
    assert not torch.equal(frozen.layers[1].norm2.weight, before.layers[1].norm2.weight)  # type: ignore[union-attr]
    for path, part in before.named_parameters():
        if not path.startswith(("layers.1.", "layers.2.", "norm.")):
            assert torch.equal(frozen.get_parameter(path), part), path
    finetune(sounds, out=tmp_path / "lora", init_from=start, lora_rank=2, **STEPS)


@pytest.mark.parametrize("name", NAMES)
def test_the_embedding_of_a_window_is_its_pooled_output(name: str, sounds: Path, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    saved, one = load(start), sounds / "hiss" / "5.wav"
    with torch.inference_mode():
        pixels = saved.prepare(one)
        tokens = saved.encoder.tokens(pixels[:1])
        pooled = pool_tokens(saved.encoder, tokens, default_pool(saved.encoder.config))
    assert len(pixels) > 1
    first = record(tmp_path / "first.wav", noise(RATE, 0.9, seed=5)[: saved.inputs.sound.samples(48)], RATE)  # type: ignore
    np.testing.assert_allclose(embed(start, first).vectors, pooled.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_explain_is_drawn_and_relevance_is_of_its_layers(
    name: str, sounds: Path, tmp_path: Path
) -> None:
    found = load(encoder(name, tmp_path / "start"))
    model = Classifier(found.encoder, 2, "mean", seed=0).eval()
    saved = Pretrained(model, found.inputs, ("high", "hiss"))
    result = explain_files(saved, [sounds / "high" / "0.wav"], out=tmp_path / "page")
    assert ("model-positions.png" in result.written) == (name != "BEATs")
    torch.nn.init.normal_(model.head.weight)
    shares = relevance(model, found.inputs, torch.randn(1, *found.inputs.size), 1)
    assert shares.shape == (found.encoder.grid.rows, found.encoder.grid.cols)
    assert shares.max() > 0


def test_pretraining_goes_on_from_one_class_token(sounds: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"recipe": "few", "epochs": 1.0, "min_steps": 1, "warmup_epochs": 0.0}
    start = encoder("EAT", tmp_path / "start")
    after = pretrain(sounds, out=tmp_path / "on", init_from=start, **options)
    assert after.saved.encoder.config == load(start).encoder.config
    assert load(tmp_path / "on").inputs == load(start).inputs
    with pytest.raises(OptionError, match="expected one class token"):
        pretrain(sounds, out=tmp_path / "no", init_from=encoder("Dasheng", tmp_path / "other"), **options)


@pytest.mark.parametrize("name", NAMES)
def test_another_window_keeps_the_positions(name: str, sounds: Path, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    tuned = finetune(sounds, out=tmp_path / "run", init_from=start, seconds=0.2, **STEPS).saved.encoder
    before = load(start).encoder
    assert tuned.grid.cols < before.grid.cols
    if name == "BEATs":
        assert tuned.positions is before.positions is None
        return
    assert tuned.positions is not None
    assert before.positions is not None
    rows, cols = before.grid.rows, tuned.grid.cols
    ours = tuned.positions[-tuned.grid.count :].unflatten(0, (rows, -1))
    theirs = before.positions[-before.grid.count :].unflatten(0, (rows, -1))
    torch.testing.assert_close(
        ours, theirs[:, :cols], atol=1e-3, rtol=0
    )  # Dasheng's are trained for one step


@pytest.mark.parametrize("command", ["probe", "finetune", "pretrain", "embed"])
def test_pictures_for_it_are_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, files = str(encoder("EAT", tmp_path / "start")), str(folder(tmp_path / "files", count=2))
    words = {
        "probe": ["probe", files, "--init-from", start],
        "finetune": ["finetune", files, "--init-from", start, "--out", str(tmp_path / "run")],
        "pretrain": ["pretrain", files, "--init-from", start, "--out", str(tmp_path / "run")],
        "embed": ["predict", start, files],
    }[command]
    assert main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert not any("Traceback" in line for line in said)
    assert "recording" in said[-1] or "sound" in said[-1]
