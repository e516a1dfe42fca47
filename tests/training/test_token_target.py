"""The tokens of the frozen start as a target: whose tokens, at which places, and with which loss."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kakera.cli.main import main
from kakera.commands.pretrain import plan_pretrain, pretrain
from kakera.data.batch import Batch
from kakera.errors import OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.token_head import frozen_tokens
from kakera.model.token_index import MaskIndex
from kakera.model.vit import ViT
from kakera.training.frozen_start import digest
from kakera.training.options import PretrainOptions
from kakera.training.tasks import Pretraining
from tests.small import QUICK, pictures

INPUTS = InputSpec(1, 28, 28, (0.5,), (0.5,))
PICTURES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def encoder(seed: int = 0, registers: int = 0) -> ViT:
    return ViT(replace(vit_config("nano"), registers=registers), channels=1, image_size=28, seed=seed)


def hidden(count: int = 3, ratio: float = 0.5) -> MaskIndex:
    drawn = torch.Generator().manual_seed(1)
    return MaskIndex.random(count, encoder().grid, ratio, drawn, torch.device("cpu"))


def normalised(tokens: Tensor, epsilon: float) -> np.ndarray[Any, Any]:
    values = tokens.detach().double().numpy()
    centred = values - values.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(values.var(axis=-1, keepdims=True) + epsilon)


@pytest.mark.parametrize("registers", [0, 3])
def test_targets_are_the_normalised_tokens_of_the_whole_picture_at_the_hidden_places(registers: int) -> None:
    frozen, index = encoder(registers=registers), hidden()
    found = frozen_tokens(frozen, PICTURES, index).numpy()
    whole = normalised(frozen.tokens(PICTURES), 1e-6)[:, 1 + registers :]
    for row in range(3):
        np.testing.assert_allclose(found[row], whole[row, index.predicted.ids[row]], atol=1e-5)


def test_only_the_pictures_of_the_decoder_are_read() -> None:
    frozen, rows = encoder(), torch.tensor([0, 2])
    index = hidden()
    seen: list[int] = []
    frozen.patches.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    found = frozen_tokens(frozen, PICTURES, index.decoded(rows))
    torch.testing.assert_close(found, frozen_tokens(frozen, PICTURES, index)[rows])
    assert seen == [2, 3]


def test_the_tokens_of_a_recording_do_not_depend_on_its_padding() -> None:
    frozen, padding = encoder(), torch.zeros(2, 49, dtype=torch.bool)
    padding[:, 42:] = True
    covered = torch.zeros(2, 49, dtype=torch.bool)
    covered[0, :20], covered[1, 5:25] = True, True
    index, noise = MaskIndex.of(covered, padding), PICTURES[:2].clone()
    noise[:, :, 24:] = torch.rand(2, 1, 4, 28)
    torch.testing.assert_close(
        frozen_tokens(frozen, noise, index), frozen_tokens(frozen, PICTURES[:2], index)
    )


@pytest.mark.parametrize("decoded", [False, True])
def test_the_loss_adds_the_weighted_mean_squared_error_of_the_tokens(decoded: bool) -> None:
    model, index = MAE(encoder(), token_target=0.7, seed=1), hidden()
    if decoded:
        index = index.decoded(torch.tensor([1]), torch.tensor(1.5))
    tokens = torch.rand(1 if decoded else 3, index.predicted.ids.shape[1], 64)
    head, latent = model.token_head, model.encoder.norm(model.encoder.tokens(PICTURES, index.visible))
    assert head is not None
    latent = latent[index.rows] if index.rows is not None else latent
    predicted = head.predict(model.decoder.tokens(latent, index.for_decoder())).detach().numpy()
    expected = 0.7 * ((predicted - tokens.numpy()) ** 2).mean() * (1.5 if decoded else 1)
    both, pixels = model(PICTURES, index, tokens=tokens), model(PICTURES, index)
    assert (both - pixels).item() == pytest.approx(expected, rel=1e-4)


def test_a_target_changes_no_other_weight_at_the_start() -> None:
    with_tokens, without = (
        MAE("nano", channels=1, image_size=28, token_target=1.0, seed=0),
        MAE("nano", channels=1, image_size=28, seed=0),
    )
    ours, theirs = with_tokens.state_dict(), without.state_dict()
    assert ours.keys() - theirs.keys() == {"token_head.predict.weight", "token_head.predict.bias"}
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def batch() -> Batch:
    values = (255 * PICTURES).to(torch.uint8)
    return Batch(values, None, torch.arange(3), epoch=0, step=0)


def test_the_targets_stay_those_of_the_start_while_the_encoder_learns() -> None:
    model = MAE(encoder(), token_target=1.0, seed=1)
    task = Pretraining(model, INPUTS, PretrainOptions("", mask_ratio=0.5, device="cpu"))
    index = hidden()
    assert task.frozen is not None
    before, sum_before = task.frozen.tokens(PICTURES, index), digest(task.frozen.encoder)
    task.loss(model, batch()).backward()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.1)
    assert torch.equal(task.frozen.tokens(PICTURES, index), before)
    assert digest(task.frozen.encoder) == sum_before != digest(model.encoder)
    assert all(value.grad is None for value in task.frozen.encoder.parameters())
    assert model.token_head is not None
    assert model.token_head.predict.weight.grad is not None


def test_the_frozen_start_reads_the_view_that_the_network_reads() -> None:
    model = MAE(encoder(), token_target=1.0, seed=1)
    task, seen = Pretraining(model, INPUTS, PretrainOptions("", mask_ratio=0.5, device="cpu")), list[Tensor]()
    assert task.frozen is not None
    for each in (model.encoder, task.frozen.encoder):
        each.patches.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    task.loss(model, batch())
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], INPUTS.normalize(batch().pictures))


def test_a_model_with_the_target_is_what_was_saved(tmp_path: Path) -> None:
    saved = Pretrained(MAE(encoder(), token_target=0.5, seed=1), INPUTS)
    save_model(tmp_path, saved)
    again = load(tmp_path).model
    assert again.describe() == saved.model.describe()
    assert again.describe()["token_target"] == 0.5
    ours, theirs = saved.model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_finished_run_is_a_plain_autoencoder_and_its_report_names_the_target(
    mae: Path, tmp_path: Path
) -> None:
    trained = pretrain(pictures(), out=tmp_path / "run", init_from=mae, token_target=0.5, **QUICK)
    again = load(tmp_path / "run").model
    assert again.describe() == trained.saved.model.describe() == load(mae).model.describe()
    assert "predict the tokens of the frozen start" in (tmp_path / "run" / "report.html").read_text()


def test_without_a_start_the_target_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OptionError, match=r"token_target: got 1.0 without init_from"):
        pretrain(pictures(), out=tmp_path / "run", token_target=1.0, **QUICK)
    words = ["pretrain", "demo", "--token-target", "1", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_resume_with_another_start(tmp_path: Path) -> None:
    start = tmp_path / "start"
    for seed in (0, 1):
        save_model(start, Pretrained(encoder(seed), INPUTS))
        if seed:
            with pytest.raises(RunError, match="init_from_digest"):
                pretrain(pictures(), out=tmp_path / "run", init_from=start, token_target=1.0, **QUICK)
        else:
            pretrain(pictures(), out=tmp_path / "run", init_from=start, token_target=1.0, **QUICK)
            assert "init_from_digest" in json.loads((tmp_path / "run" / "config.json").read_text())


def test_the_plan_counts_the_frozen_start(mae: Path, tmp_path: Path) -> None:
    plain, both = (
        plan_pretrain(pictures(), out=tmp_path / "plan", init_from=mae, token_target=weight, **QUICK)
        for weight in (0.0, 1.0)
    )
    width, depth, n = 64, 3, 49
    forward = depth * (1 + n) * (24 * width**2 + 4 * (1 + n) * width) + 2 * n * 16 * width
    decoder = load(mae).model
    assert isinstance(decoder, MAE)
    head = 3 * 2 * n * decoder.decoder.config.width * width
    share = both.plan.options.decoded  # type: ignore[attr-defined]
    assert both.cost.flops - plain.cost.flops == pytest.approx(share * (forward + head))
    assert both.cost.frozen > 0
    assert any("the frozen start reads whole pictures" in line for line in both.lines())
    assert not any("frozen" in line for line in plain.lines())


def test_a_run_that_ended_in_the_middle_ends_with_the_same_weights(
    mae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {**QUICK, "init_from": mae, "token_target": 1.0, "checkpoint_seconds": 0.0, "epochs": 3.0}
    whole = pretrain(pictures(), out=tmp_path / "whole", announce=False, **more)
    ordinary = Pretraining.loss

    def ends(self: Pretraining, model: nn.Module, given: Batch) -> Tensor:
        if given.step == 4:
            raise RuntimeError("ends here")
        return ordinary(self, model, given)

    monkeypatch.setattr(Pretraining, "loss", ends)
    with pytest.raises(RuntimeError, match="ends here"):
        pretrain(pictures(), out=tmp_path / "run", announce=False, **more)
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
    monkeypatch.setattr(Pretraining, "loss", ordinary)
    resumed = pretrain(pictures(), out=tmp_path / "run", announce=False, **more)
    files = [(each.folder / "model.safetensors").read_bytes() for each in (whole, resumed)]
    assert files[0] == files[1]
