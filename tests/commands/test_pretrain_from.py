"""Pretraining that starts from another encoder: what it keeps, and whether it helped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler

from kakera.cli.main import main
from kakera.commands.pretrain import plan_pretrain, pretrain
from kakera.commands.token_comparison import TokenComparison, compare_tokens, read_comparison
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.load import load
from kakera.formats.native import load_model
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.small import QUICK, folder, pictures

STILL = {"recipe": "demo", "epochs": 1.0, "min_steps": 1, "batch_size": 16, "base_lr": 0.0}
ONCE = {"recipe": "few", "epochs": 1.0, "min_steps": 1, "warmup_epochs": 0.0}


def test_without_learning_encoder_positions_and_decoder_are_those_of_the_start(
    mae: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = pretrain(pictures(), out=tmp_path / "on", init_from=mae, **STILL)
    before, after = load_model(mae).model, trained.saved.model
    assert isinstance(before, MAE)
    for part in ("encoder", "decoder"):
        theirs, ours = (getattr(model, part).state_dict() for model in (before, after))
        assert theirs.keys() == ours.keys()
        assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    found = read_comparison(trained.folder)
    assert found is not None
    assert found.before == found.after
    assert (found.labels, found.files, found.verdict) == (40, 20, "doubt")
    assert "It made no clear difference" in capsys.readouterr().err
    assert "It made no clear difference" in (trained.folder / "report.html").read_text()


def test_another_target_or_decoder_gets_new_decoder_weights(mae: Path, tmp_path: Path) -> None:
    changes = {"norm_pix_loss": True, "hog_target": False, "decoder": "cross"}
    after = pretrain(pictures(), out=tmp_path / "on", init_from=mae, **{**STILL, **changes}).saved.model
    before = load_model(mae).model
    assert torch.equal(
        after.encoder.patches.project.weight, before.get_parameter("encoder.patches.project.weight")
    )
    assert after.decoder.config.cross
    assert after.norm_pix_loss


def test_training_changes_the_weights_and_a_second_call_finds_the_run_finished(
    mae: Path, tmp_path: Path
) -> None:
    first = pretrain(pictures(), out=tmp_path / "on", init_from=mae, **QUICK)
    weights = (first.folder / "model.safetensors").read_bytes()
    assert not torch.equal(first.saved.model.encoder.class_token, load_model(mae).encoder.class_token)
    (first.folder / "report.html").unlink()
    pretrain(pictures(), out=tmp_path / "on", init_from=mae, **QUICK)
    assert (first.folder / "model.safetensors").read_bytes() == weights
    assert "on 20 held-out files" in (first.folder / "report.html").read_text()


def test_an_encoder_of_transformers_with_registers_is_trained_further_at_its_own_size(tmp_path: Path) -> None:
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_register_tokens": 3}
    config = hf.Dinov2WithRegistersConfig(**shape, image_size=28, patch_size=14)
    torch.manual_seed(0)
    hf.Dinov2WithRegistersModel(config).save_pretrained(tmp_path / "dino")
    hf.BitImageProcessor(size={"shortest_edge": 28}, crop_size=28).save_pretrained(tmp_path / "dino")
    data = folder(tmp_path / "data", side=40)
    after = pretrain(data, out=tmp_path / "on", init_from=tmp_path / "dino", batch_size=4, **ONCE)
    encoder = after.saved.model.encoder
    assert (encoder.config.registers, encoder.config.patch, after.saved.inputs.size) == (
        3,
        (14, 14),
        (28, 28),
    )
    assert encoder.positions.requires_grad
    assert np.isfinite(
        [json.loads(line)["loss"] for line in (after.folder / "metrics.jsonl").read_text().splitlines()]
    ).all()
    again = load(after.folder)
    assert torch.equal(again.encoder.registers, encoder.registers)  # type: ignore[arg-type]


def test_the_decoder_never_sees_registers() -> None:
    shape = replace(vit_config("nano"), registers=4)
    model = MAE(ViT(shape, channels=1, image_size=28, seed=0), seed=1)
    seen: list[torch.Tensor] = []
    model.decoder.embed.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    hidden = torch.zeros(2, 49, dtype=torch.bool)
    hidden[:, 10:] = True
    model(torch.rand(2, 1, 28, 28), hidden)
    assert seen[0].shape[1] == 1 + 10


def test_recordings_and_pictures_do_not_mix(
    mae: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pretrain", "fillets", "--init-from", str(mae), "--out", str(tmp_path / "on")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert not (tmp_path / "on").exists()


@pytest.mark.parametrize(("name", "value"), [("model", "tiny"), ("patch", 8)])
def test_a_network_beside_a_start_is_refused(name: str, value: object, mae: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"{name}: got {value} together with init_from"):
        pretrain(pictures(), out=tmp_path / "on", init_from=mae, **{**QUICK, name: value})


def test_the_plan_names_the_start(mae: Path, tmp_path: Path) -> None:
    plan = plan_pretrain(pictures(), out=tmp_path / "on", init_from=mae)
    assert any(f"masked autoencoder from {mae}" in line for line in plan.lines())


def test_the_comparison_is_that_of_scikit_learn_and_its_interval_holds_the_difference() -> None:
    inputs = InputSpec(1, 28, 28, (0.5,), (0.5,))
    first, second = (
        Pretrained(ViT("nano", channels=1, image_size=28, seed=seed).eval(), inputs) for seed in (0, 1)
    )
    data = pictures(300, 200)
    found = compare_tokens(first, second, data, device="cpu")
    assert isinstance(found, TokenComparison)
    train, test = data.part("train"), data.part("test")
    scores: list[float] = []
    for saved in (first, second):
        rows = [
            saved.embed([part.pictures.read(i)[..., 0] for i in range(len(part))], pool="class and mean")
            for part in (train, test)
        ]
        scale = StandardScaler().fit(rows[0])
        best = 0.0
        for penalty in np.logspace(-1, 5, 7):  # the penalty is chosen in another way: near, not equal
            oracle = RidgeClassifier(penalty).fit(scale.transform(rows[0]), train.labels)
            best = max(best, oracle.score(scale.transform(rows[1]), test.labels))
        scores.append(best)
    assert found.before == pytest.approx(scores[0], abs=0.06)
    assert found.after == pytest.approx(scores[1], abs=0.06)
    assert found.low <= found.after - found.before <= found.high


def test_without_enough_labels_there_is_a_sentence_and_no_comparison(mae: Path, tmp_path: Path) -> None:
    saved = load(mae)
    found = compare_tokens(saved, saved, pictures(12, 0), device="cpu")
    assert found == "The tokens before and after are not compared, because there are too few labels."
    assert require_mae(saved).model.reconstructs
