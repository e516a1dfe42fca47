"""Folders that kakera 0.1.0 wrote, with its names of options, load, predict and are gone on with."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

import kakera
from kakera.cli.main import main
from kakera.formats.inference import probabilities
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.training.configuration import AUTOMATIC, NAMES, read_config

FILE = Path(__file__).parent / "files" / "version-0.1.0.tar.xz"
SMALL = ("classifier", "several", "encoder", "mae", "recordings", "recordings-mae")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version-0.1.0")
    with tarfile.open(FILE) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("name", [*(f"small/{name}" for name in SMALL), "finetune"])
def test_a_model_of_an_earlier_version_loads(old: Path, name: str) -> None:
    assert all(p.isfinite().all() for p in kakera.load(old / name).model.parameters())


def test_the_target_of_an_autoencoder_is_what_it_was(old: Path) -> None:
    written = json.loads((old / "small" / "mae" / "kakera.json").read_text())
    model = kakera.load(old / "small" / "mae").model
    assert isinstance(model, MAE)
    assert (model.norm_pix_loss, model.hog_target) == (written["normalised"], written["gradients"])


@pytest.mark.parametrize("name", ["classifier", "several"])
def test_a_classifier_of_an_earlier_version_gives_the_probabilities_it_gave(old: Path, name: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), np.uint8)
    expected = json.loads((old / "small" / "probabilities.json").read_text())[name]
    model = kakera.load(old / "small" / name)
    found = probabilities(model, model.inputs.normalize(torch.from_numpy(values)))
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-6)


def test_a_finished_finetuning_of_an_earlier_version_predicts(old: Path) -> None:
    saved = kakera.load(old / "finetune")
    assert isinstance(saved.model, Classifier)
    (found,) = kakera.predict(saved, np.zeros((28, 28), np.uint8))
    assert set(found.probabilities) == set(saved.classes)


@pytest.mark.parametrize("name", ["pretrain-stopped", "finetune"])
def test_a_configuration_of_an_earlier_version_is_read_in_todays_words(old: Path, name: str) -> None:
    path = old / name / "config.json"
    before, now = json.loads(path.read_text()), read_config(path)
    assert set(NAMES) & set(before)
    assert not set(NAMES) & set(now)
    for name, value in before.items():
        today = NAMES.get(name, name)
        if today != "chosen":
            automatic = today in AUTOMATIC and value == AUTOMATIC[today]
            assert now[today] == ("auto" if automatic else value)


def test_a_stopped_pretraining_of_an_earlier_version_goes_on_to_its_end(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(old)
    path = old / "pretrain-stopped" / "config.json"
    path.write_text(path.read_text().replace('"epochs": 40.0', '"epochs": 1.4'))  # 40 take minutes
    command = ["pretrain", "demo", "--model", "nano", "--epochs", "1.4", "--out", "pretrain-stopped"]
    assert main(command) == 2  # the recipe has changed since; the message names what to give
    message = capsys.readouterr().err.splitlines()[-1]
    for field in ("base_lr 0.008 in the run", "batch_size 128 in the run"):
        assert field in message
    own = "--batch-size 128 --base-lr 8e-3 --mask-ratio 0.75 --global-target 0 --decoded 1 --warmup-epochs 1"
    assert main([*command, *own.split()]) == 0
    log = [json.loads(line) for line in (path.parent / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in log] == [62, 87]  # it stopped after step 75
    assert json.loads(path.read_text())["version"] == kakera.__version__
    assert isinstance(kakera.load(path.parent).model, MAE)
