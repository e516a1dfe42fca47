import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import kakera
from kakera.errors import RunError, UnreadableFileError
from kakera.training.run import Run


def trained(steps: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for _ in range(steps):
        model(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def test_the_configuration_is_written_down(tmp_path: Path) -> None:
    Run(tmp_path / "run", {"seed": 1})
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert written == {"version": kakera.__version__, "seed": 1}


def test_the_same_configuration_goes_on(tmp_path: Path) -> None:
    for _ in range(2):
        Run(tmp_path / "run", {"seed": 1, "pair": (1, 2)})


def test_another_configuration_is_refused_and_named(tmp_path: Path) -> None:
    Run(tmp_path / "run", {"seed": 1, "batch_size": 2})
    with pytest.raises(RunError, match="seed 1 in the run, 2 now") as caught:
        Run(tmp_path / "run", {"seed": 2, "batch_size": 2})
    assert "\n" not in str(caught.value)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 1


def test_workers_and_device_may_change(tmp_path: Path) -> None:
    Run(tmp_path / "run", {"workers": 0, "device": "cpu"})
    Run(tmp_path / "run", {"workers": 2, "device": "auto"})


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="expected a new folder"):
        Run(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="expected a new folder"):
        Run(tmp_path / "file", {})


def test_a_damaged_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match="expected a configuration"):
        Run(tmp_path, {})


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    run = Run(tmp_path, {})
    model, optimizer = trained(3)
    run.save_checkpoint(3, model, optimizer, average=copy.deepcopy(model))
    other, other_optimizer = trained(0)
    average, _ = trained(0)
    assert run.load_checkpoint(other, other_optimizer, average=average) == 3
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), average.parameters(), strict=True))
    ours, theirs = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
    assert ours.keys() == theirs.keys() == {0, 1}
    for number, values in ours.items():
        assert all(torch.equal(value, theirs[number][name]) for name, value in values.items())


def test_without_a_checkpoint_it_starts_at_zero(tmp_path: Path) -> None:
    assert Run(tmp_path, {}).load_checkpoint(*trained(0)) == 0


def test_two_checkpoints_are_kept_and_the_newest_is_taken(tmp_path: Path) -> None:
    run = Run(tmp_path, {})
    for step in (9, 10, 11):
        run.save_checkpoint(step, *trained(1))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    assert run.load_checkpoint(*trained(0)) == 11


def test_metrics_of_steps_to_be_repeated_are_dropped_and_a_cut_line_too(tmp_path: Path) -> None:
    run = Run(tmp_path, {})
    for step in (10, 20, 30):
        run.log({"step": step, "loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1')
    run.truncate_log(20)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20]


def test_unreadable_files_are_listed_once_with_their_reasons(tmp_path: Path) -> None:
    run = Run(tmp_path, {})
    run.list_unreadable([UnreadableFileError("b, c.png", "empty")])
    run.list_unreadable([UnreadableFileError("a.png", "cut"), UnreadableFileError("b, c.png", "empty")])
    assert (tmp_path / "unreadable.csv").read_text().split() == [
        "file,reason",
        "a.png,cut",
        '"b,',
        'c.png",empty',
    ]


def test_nothing_unreadable_leaves_no_list(tmp_path: Path) -> None:
    Run(tmp_path, {}).list_unreadable([])
    assert not (tmp_path / "unreadable.csv").exists()
