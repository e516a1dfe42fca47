"""Killed in the middle of an epoch and started again: the same weights, bit for bit."""

from pathlib import Path

import pytest

from tests.training.commands import FINETUNE, PRETRAIN, finish, some_npz, start, wait_for_a_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_npz(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(("verb", "options"), [("pretrain", PRETRAIN), ("finetune", FINETUNE)])
def test_a_killed_run_ends_with_the_same_weights(
    verb: str, options: list[str], data: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(verb, data, whole, options))
    process = start(verb, data, killed, options)
    wait_for_a_checkpoint(process, killed)
    process.kill()
    process.communicate()
    assert not (killed / "model.safetensors").exists(), "killed too late to show anything"
    finish(start(verb, data, killed, options, workers=2))
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()
