"""Killed in the middle of an epoch and started again: the same weights, bit for bit."""

from pathlib import Path

import pytest

from tests.training.commands import FINETUNE, PRETRAIN, finish, start, wait_for_a_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def data(whole: Path) -> Path:
    return whole.parent / "some.npz"


@pytest.mark.parametrize(("verb", "options"), [("pretrain", PRETRAIN), ("finetune", FINETUNE)])
def test_a_killed_run_ends_with_the_same_weights(
    verb: str, options: list[str], whole: Path, data: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    if verb == "finetune":
        whole = tmp_path / "whole"
        finish(start(verb, data, whole, options))
    process = start(verb, data, killed, options)
    wait_for_a_checkpoint(process, killed)
    process.kill()
    process.communicate()
    assert not (killed / "model.safetensors").exists(), "killed too late to show anything"
    finish(start(verb, data, killed, options, workers=2))
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()
