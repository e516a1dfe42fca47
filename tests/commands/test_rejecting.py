"""'None of these' wherever a model goes: fine-tuning, copies, ONNX, other sizes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kakera
from kakera.cli.main import main
from kakera.commands.finetune import finetune
from kakera.errors import KakeraError
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.features import features
from kakera.formats.load import load
from kakera.formats.onnx.export import graph
from kakera.formats.onnx.model import open_onnx
from kakera.formats.rejection import FILE, rejection_of
from kakera.inputs import InputSpec
from tests.small import QUICK, pictures
from tests.training.songs import songs

QUIET: dict[str, Any] = {"announce": False, "baselines": False}
NOISE = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
NONE = ("none of these",)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    network = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(tmp_path / "start")
    kakera.fit(pictures(200, 40), init_from=tmp_path / "start", out=tmp_path / "run", head="ridge", **QUIET)
    return tmp_path / "run"


def test_a_fine_tuned_model_measures_validation_files_from_its_training_files(tmp_path: Path) -> None:
    data = pictures(200, 60)
    run = finetune(data, out=tmp_path / "run", model="nano", val_share=0.2, baselines=False, **QUICK).folder
    from kakera.commands.validation import with_validation
    from kakera.training.options import FinetuneOptions

    parts = with_validation(data, FinetuneOptions("demo", val_share=0.2))
    saved = load(run)
    pool = "class and mean"
    seen, held = (features(saved, parts.part(name), [-1], [pool])[0][-1, pool] for name in ("train", "val"))
    wanted = rejection_of(seen, held)
    assert wanted is not None
    assert saved.rejection is not None
    np.testing.assert_allclose(saved.rejection.distances, wanted.distances, rtol=1e-4)
    found = kakera.predict(run, NOISE, reject=0.1)
    assert sum(one.labels == NONE for one in found) >= 18
    assert sum(one.labels != NONE for one in kakera.predict(run, data.part("test"), reject=0.1)) > 0


def test_without_validation_files_a_fine_tuned_model_says_what_is_missing(tmp_path: Path) -> None:
    run = finetune(pictures(), out=tmp_path / "run", model="nano", baselines=False, **QUICK).folder
    assert not (run / FILE).exists()
    with pytest.raises(KakeraError, match=r"of kakera finetune with --val-share; fit one, or leave out"):
        kakera.predict(run, NOISE, reject=0.1)


def test_a_saved_copy_rejects_the_same_files(fitted: Path, tmp_path: Path) -> None:
    load(fitted).save(tmp_path / "copy")
    for one, other in zip(
        kakera.predict(fitted, NOISE, reject=0.1),
        kakera.predict(load(tmp_path / "copy"), NOISE, reject=0.1),
        strict=True,
    ):
        assert one.typical == other.typical
        assert one.labels == other.labels == NONE


def test_a_head_on_two_tokens_tells_how_timm_can_have_it(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(KakeraError, match="class and mean pooling, .*; fit the head again with --pool class"):
        convert(fitted, tmp_path / "timm", to="timm")


def test_another_size_or_another_encoder_has_other_tokens_and_no_rejection(fitted: Path) -> None:
    assert load(fitted).rejection is not None
    assert load(fitted, image_size=32).rejection is None
    with pytest.raises(KakeraError, match="without distances from its training files"):
        kakera.predict(load(fitted, image_size=32), NOISE, reject=0.1)


def test_a_damaged_file_of_distances_is_told_and_leaves_the_model_usable(fitted: Path) -> None:
    content = bytearray((fitted / FILE).read_bytes())
    content[-1] ^= 1
    (fitted / FILE).write_bytes(content)
    saved = load(fitted)
    assert any("checksum" in note for note in saved.notes)
    assert len(kakera.predict(saved, NOISE)) == len(NOISE)
    with pytest.raises(KakeraError, match="checksum"):
        kakera.predict(fitted, NOISE, reject=0.1)


@pytest.mark.parametrize("kind", ["pictures", "recordings"])
def test_an_onnx_graph_rejects_what_its_run_rejects(kind: str, fitted: Path, tmp_path: Path) -> None:
    run: Path = fitted
    if kind == "pictures":
        files: Any = [*NOISE[:5], *(pictures(0, 20).pictures.read(row) for row in range(20))]
    else:
        data = songs(tmp_path / "songs", 30)
        recipe: dict[str, Any] = {"sound": "speech,rate=8000,bins=32", "seconds": 0.8, "patch": (8, 8)}
        start = finetune(
            data, out=tmp_path / "sound", model="nano", baselines=False, recipe="audio-micro", epochs=0.5,
            min_steps=1, batch_size=8, **recipe,
        ).folder  # fmt: skip
        run = kakera.fit(data, init_from=start, out=tmp_path / "heard", **QUIET).folder
        files = data
    convert(run, tmp_path / "onnx", to="onnx")
    ours, theirs = (kakera.predict(model, files, reject=0.2) for model in (run, tmp_path / "onnx"))
    step = 1 / (len(open_onnx(tmp_path / "onnx").rejection.distances) + 1)  # pyright: ignore[reportOptionalMemberAccess]
    for one, other in zip(ours, theirs, strict=True):
        assert one.typical is not None
        assert one.typical == pytest.approx(other.typical, abs=step + 1e-9)
    assert np.mean([one.labels == other.labels for one, other in zip(ours, theirs, strict=True)]) > 0.95


def test_the_graph_itself_says_how_typical_a_picture_is(fitted: Path, tmp_path: Path) -> None:
    convert(fitted, tmp_path / "onnx", to="onnx")
    data = pictures(0, 30)
    stack = np.stack([data.pictures.read(row) for row in range(30)]).transpose(0, 3, 1, 2)
    model = open_onnx(tmp_path / "onnx")
    assert model.rejection is not None
    found, pooled = model.session.run(["typical", "pooled"], {"pictures": stack.astype(np.float32)})
    far = model.rejection.distances[None] >= model.rejection.distance(pooled)[:, None]
    wanted = (1 + far.sum(axis=1)) / (far.shape[1] + 1)
    np.testing.assert_allclose(found, wanted, atol=1.01 / (far.shape[1] + 1))
    assert np.mean(np.isclose(found, wanted)) > 0.9
    description = json.loads((tmp_path / "onnx" / "config.json").read_text())
    assert description["output_names"] == ["logits", "probabilities", "pooled", "typical"]
    assert "`typical` is the share" in (tmp_path / "onnx" / "README.md").read_text()


def test_distances_of_another_graph_are_refused(fitted: Path, tmp_path: Path) -> None:
    convert(fitted, tmp_path / "onnx", to="onnx")
    description = json.loads((tmp_path / "onnx" / "config.json").read_text())
    description["weights"] = "0" * 64
    (tmp_path / "onnx" / "config.json").write_text(json.dumps(description))
    with pytest.raises(KakeraError, match="a graph of other weights"):
        open_onnx(tmp_path / "onnx")


def test_a_graph_with_damaged_distances_predicts_and_refuses_only_to_reject(
    fitted: Path, tmp_path: Path
) -> None:
    convert(fitted, tmp_path / "onnx", to="onnx")
    (tmp_path / "onnx" / FILE).write_bytes(b"")
    assert len(kakera.predict(tmp_path / "onnx", NOISE)) == len(NOISE)
    with pytest.raises(KakeraError, match="expected a whole file"):
        kakera.predict(tmp_path / "onnx", NOISE, reject=0.1)


def test_a_damaged_file_of_distances_is_one_line(
    fitted: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (fitted / FILE).write_bytes(b"")
    assert main(["predict", str(fitted), "demo", "--reject", "0.1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "rejection.safetensors" in line


def test_a_graph_of_another_run_beside_the_distances_is_refused(fitted: Path, tmp_path: Path) -> None:
    convert(fitted, tmp_path / "onnx", to="onnx")
    saved = load(fitted)
    with torch.no_grad():
        next(saved.model.parameters()).mul_(2)
    (tmp_path / "onnx" / "model.onnx").write_bytes(graph(saved))
    with pytest.raises(KakeraError, match="graph of other weights, expected that of config.json; copy model"):
        open_onnx(tmp_path / "onnx")
