"""Finished runs, and runs that are still in training."""

import shutil
from pathlib import Path

import pytest
import torch

from kakera.commands.opened_run import open_run
from kakera.errors import RunError
from kakera.formats.native import load_model
from kakera.training.run import Run
from kakera.web import models as module
from kakera.web.errors import UnknownError
from kakera.web.models import Models
from tests.web.runs import autoencoder, three_runs


def in_training(folder: Path, *steps: int) -> Run:
    """A run with a checkpoint of other weights for each step."""
    run = Run(folder, {"verb": "pretrain"})
    run.describe(autoencoder())
    for step in steps:
        checkpoint(run, step)
    return run


def checkpoint(run: Run, step: int) -> None:
    model = autoencoder(seed=step).model
    run.save_checkpoint(step, model, torch.optim.AdamW(model.parameters()))


@pytest.fixture(autouse=True)
def looking_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.0)


def test_a_run_in_training_is_shown_as_its_newest_checkpoint_has_it(tmp_path: Path) -> None:
    in_training(tmp_path / "run", 10, 20)
    state = Models([tmp_path / "run"]).state("run")
    assert (state.step, state.describe().finished) == (20, False)
    torch.testing.assert_close(state.saved.encoder.class_token, autoencoder(20).encoder.class_token)


def test_a_newer_checkpoint_appears_by_itself_and_then_the_finished_run(tmp_path: Path) -> None:
    run = in_training(tmp_path / "run", 10)
    opened = Models([tmp_path / "run"])
    before = opened.state("run")
    checkpoint(run, 30)
    after = opened.state("run")
    assert (before.step, after.step) == (10, 30)
    assert before.key != after.key
    from kakera.formats.native import save_model

    save_model(tmp_path / "run", autoencoder(40))
    run.drop_checkpoints()
    assert opened.state("run").step is None
    torch.testing.assert_close(
        opened.state("run").saved.encoder.class_token, autoencoder(40).encoder.class_token
    )


def test_a_checkpoint_that_cannot_be_read_leaves_the_one_before(tmp_path: Path) -> None:
    run = in_training(tmp_path / "run", 10)
    opened = Models([tmp_path / "run"])
    (run.folder / "checkpoints" / "step-000000020.safetensors").write_bytes(b"half a file")
    assert opened.state("run").step == 10


def test_the_moving_average_is_taken_where_there_is_one(tmp_path: Path) -> None:
    run = in_training(tmp_path / "run")
    model, average = autoencoder(1).model, autoencoder(2).model
    run.save_checkpoint(5, model, torch.optim.AdamW(model.parameters()), average=average)
    saved, step = open_run(tmp_path / "run")
    assert step == 5
    torch.testing.assert_close(saved.encoder.class_token, average.encoder.class_token)


def test_a_run_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    in_training(tmp_path / "run")
    with pytest.raises(RunError, match="name a finished run"):
        Models([tmp_path / "run"])


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    first, *_ = three_runs(tmp_path / "one")
    second = shutil.copytree(first, tmp_path / "two" / first.name)
    found = [state.describe() for state in Models([first, second]).states()]
    assert [answer.id for answer in found] == ["mae", "mae-2"]
    assert found[0].name != found[1].name


def test_an_unknown_model_is_refused_and_the_known_ones_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownError, match="model: got x, expected mae, classifier, cnn"):
        Models(three_runs(tmp_path)).state("x")


def test_the_weights_are_those_of_the_folder(tmp_path: Path) -> None:
    run = three_runs(tmp_path)[1]
    state = Models([run]).state("classifier")
    for name, tensor in load_model(run).model.state_dict().items():
        assert torch.equal(tensor, state.saved.model.state_dict()[name])
