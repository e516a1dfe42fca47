"""Low-rank adaptation: what is learned, what stays, and what is stored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kakera.commands.finetune import finetune, plan_finetune
from kakera.commands.opened_run import open_run
from kakera.errors import OptionError
from kakera.formats.load import load
from kakera.model.classifier import Classifier
from kakera.model.linear import Linear
from kakera.training.lora import LowRankLinear, count_trained, merged, with_lora
from kakera.training.options import FinetuneOptions
from kakera.training.parameters import parameter_groups
from tests.small import QUICK, pictures
from tests.training import commands
from tests.training.interrupted import interrupt, with_changes

TUNED: dict[str, Any] = {**QUICK, "baselines": False, "base_lr": 1e-2, "lora_rank": 4}
PICTURES = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def classifier(pool: Any = "mean") -> Classifier:
    model = Classifier("nano", 10, pool, channels=1, image_size=28, seed=0)
    nn.init.normal_(model.head.weight, std=0.1)
    return model.eval()


def learned(model: nn.Module) -> None:
    """Updates that are not 0, as after some training."""
    for part in model.modules():
        if isinstance(part, LowRankLinear):
            nn.init.normal_(part.lora_b, std=0.3)


@pytest.mark.parametrize("maps", [1, 3])
def test_each_map_is_w_plus_b_a_times_alpha_by_rank(maps: int) -> None:
    torch.manual_seed(0)
    base, rank, alpha = Linear(5, 6 * maps), 2, 3.0
    update = LowRankLinear(base, rank=rank, scale=alpha / rank, maps=maps)
    learned(nn.Sequential(update))
    a, b, x = update.lora_a.detach().numpy(), update.lora_b.detach().numpy(), np.random.randn(4, 7, 5)
    whole = base.weight.detach().numpy().copy()
    for row in range(6 * maps):  # the row belongs to the map row // 6, which has its own rows of A
        whole[row] += alpha / rank * b[row] @ a[rank * (row // 6) :][:rank]
    expected = x @ whole.T + base.bias.detach().numpy()
    found = update(torch.from_numpy(x).float()).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    some = update.rows(torch.from_numpy(x).float(), slice(2, 5)).detach().numpy()
    np.testing.assert_allclose(some, expected[..., 2:5], atol=1e-5)
    assert np.linalg.matrix_rank(whole[:6] - base.weight.detach().numpy()[:6], tol=1e-6) == rank


@pytest.mark.parametrize("pool", ["mean", "class", "class and mean"])
@pytest.mark.parametrize("targets", ["attention", "all"])
@torch.no_grad()
def test_the_network_is_at_first_the_start_and_merged_the_learned_one(pool: Any, targets: Any) -> None:
    model, pixels = classifier(pool).double(), PICTURES.double()
    options = FinetuneOptions("", lora_rank=4, lora_targets=targets)
    names = {name: type(part) for name, part in model.named_modules()}
    model.requires_grad_(False)  # PyTorch chooses another product for frozen weights, even without gradients
    before, start = list(model.state_dict()), model(pixels)
    with with_lora(model, options):
        assert torch.equal(model(pixels), start)
        learned(model)
        found = model(pixels)
        assert not torch.allclose(found, start, atol=1e-2)
        torch.testing.assert_close(merged(model)(pixels), found)
    assert {name: type(part) for name, part in model.named_modules()} == names
    assert list(model.state_dict()) == before
    torch.testing.assert_close(model(pixels), found)


def test_without_merging_the_start_is_back_and_trainable_as_before() -> None:
    model = classifier()
    trainable = {name: each.requires_grad for name, each in model.named_parameters()}
    start = model(PICTURES)
    with with_lora(model, FinetuneOptions("", lora_rank=4)):
        learned(model)
    assert torch.equal(model(PICTURES), start)
    assert {name: each.requires_grad for name, each in model.named_parameters()} == trainable


@pytest.mark.parametrize("targets", ["attention", "all"])
def test_updates_and_head_are_in_the_groups_of_their_depth_and_all_else_is_frozen(targets: Any) -> None:
    model = classifier()
    options = FinetuneOptions("", lora_rank=4, lora_targets=targets)
    counted = count_trained(model, options)
    with with_lora(model, options):
        groups = parameter_groups(model, weight_decay=0.05, lr=1.0, layer_decay=0.5)
    found = {name: group for group in groups for name in group["names"]}
    assert all(".lora_" in name or name.startswith("head.") for name in found)
    assert len(found) == 2 + 3 * 2 * (2 if targets == "attention" else 4)
    for name, group in found.items():
        top_down = 0 if name.startswith("head.") else 3 - int(name.split(".")[2])  # of three layers
        assert group["lr_scale"] == 0.5**top_down
        assert group["weight_decay"] == (0.0 if name == "head.bias" else 0.05)
        if "qkv" in name:
            assert group["maps"] == 3
    assert counted == sum(each.numel() for group in groups for each in group["params"])


@pytest.mark.parametrize(
    "changes", [{}, {"ema_decay": 0.5, "keep": "best", "val_share": 0.25}, {"optimizer": "muon"}]
)
def test_the_stored_model_is_ordinary_and_differs_from_the_start_by_low_rank(
    changes: dict[str, Any], mae: Path, tmp_path: Path
) -> None:
    finetune(pictures(120), out=tmp_path / "run", init_from=mae, **with_changes(TUNED, changes))
    found, before = load(tmp_path / "run").model.state_dict(), load(mae).model.state_dict()
    for name, value in found.items():
        if name.endswith(("qkv.weight", "out.weight")):
            moved = (value - before[name]).reshape(-1, 64, 64).numpy()  # queries, keys, values
            assert (np.linalg.matrix_rank(moved, tol=1e-5) == 4).all(), name
        elif not name.startswith("head"):
            assert torch.equal(value, before[name]), name
    assert "LoRA of rank 4 trained 0.01 million" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    "changes", [{"ema_decay": 0.9, "keep": "best", "val_share": 0.25, "optimizer": "muon"}]
)
def test_an_interrupted_run_ends_with_the_same_bits_and_can_be_opened_before(
    changes: dict[str, Any], mae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {**TUNED, **changes, "epochs": 5.0, "init_from": mae}
    data, whole, killed = pictures(64), tmp_path / "whole", tmp_path / "killed"
    finetune(data, out=whole, **options)
    interrupt(data, killed, monkeypatch, **options)
    opened, step = open_run(killed)
    assert step
    assert opened.model.state_dict().keys() == load(whole).model.state_dict().keys()
    assert not torch.equal(
        opened.model.state_dict()["encoder.layers.2.attention.qkv.weight"],
        load(mae).model.state_dict()["encoder.layers.2.attention.qkv.weight"],
    )
    finetune(data, out=killed, **options)
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"init_from": ""}, "lora_rank: got 4 without init_from"),
        ({"freeze": 1}, "lora_rank: got 4 together with freeze"),
        ({"lora_rank": 65}, "lora_rank: got 65, expected at most the width of 64"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    changes: dict[str, Any], said: str, mae: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {**TUNED, "model": "nano", "init_from": mae, **changes}
    with pytest.raises(OptionError, match=said):
        finetune(pictures(), out=tmp_path / "run", **options)


def test_a_cnn_has_no_attention_to_adapt(cnn: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="lora_rank: got 4 for a CNN"):
        finetune(pictures(), out=tmp_path / "run", init_from=cnn, **TUNED)


def test_the_plan_counts_the_trained_weights(mae: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {**TUNED, "init_from": mae}
    plan = plan_finetune(pictures(), out=tmp_path / "plan", **options)
    model = finetune(pictures(), out=tmp_path / "run", **options).saved.model
    chosen = plan.plan.options
    assert isinstance(chosen, FinetuneOptions)
    assert plan.cost.trained == count_trained(model, chosen)
    assert "LoRA of rank 4 trains 0.01 million" in "\n".join(plan.lines())


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(mae: Path, tmp_path: Path) -> None:
    words = [*commands.FINETUNE, "--epochs", "20", "--init-from", str(mae), "--lora-rank", "4"]
    commands.require_same_weights_after_a_kill("finetune", commands.some_npz(tmp_path), tmp_path, words)
