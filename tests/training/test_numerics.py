"""What decides the last digits is stored with a checkpoint, and a change is said where a run goes on."""

from pathlib import Path

import pytest
import torch

from kakera.training.distributed import Distributed
from kakera.training.numerics import describe_change, numerics
from kakera.training.run import Run
from tests.training.faults import model_at


def test_it_names_threads_and_instructions_of_a_cpu() -> None:
    found = numerics(Distributed(), {"precision": "32-true", "grad_accum": 2})
    assert found["threads"] == str(torch.get_num_threads())
    assert found["capability"] == torch.backends.cpu.get_cpu_capability()
    assert (found["device"], found["torch"]) == ("cpu", torch.__version__)
    assert (found["precision"], found["processes"], found["grad_accum"]) == ("32-true", "1", "2")


@pytest.mark.parametrize("before", ["", "{", "{}", '{"threads": "2"}', '{"gone": "1", "threads": "2"}'])
def test_what_is_equal_or_unknown_is_not_said(before: str) -> None:
    assert describe_change(before, {"threads": "2", "torch": "2.12.0"}) == ""


def test_a_checkpoint_of_other_threads_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, {"grad_accum": 1})
    run.save_checkpoint(3, *model_at(3))
    run.load_checkpoint(*model_at(0))
    assert capsys.readouterr().err == ""
    run.config["grad_accum"] = 4
    assert run.load_checkpoint(*model_at(0)) == 3
    said = capsys.readouterr().err
    assert said == (
        f"kakera: {tmp_path}: was trained with grad_accum 1 and resumes with grad_accum 4: the weights will "
        "differ in the last digits from an uninterrupted run\n"
    )
    run.save_checkpoint(4, *model_at(4))
    run.load_checkpoint(*model_at(0))
    assert capsys.readouterr().err == ""


def test_a_training_that_goes_on_with_other_threads_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(tmp_path, {}).save_checkpoint(3, *model_at(3))
    before = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    Run(tmp_path, {}).load_checkpoint(*model_at(0))
    said = capsys.readouterr().err
    assert f"was trained with threads {before} and resumes with threads 64" in said
