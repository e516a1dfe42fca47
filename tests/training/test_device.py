"""Which device a name stands for; what is named and not there is refused in one line."""

from pathlib import Path

import pytest
import torch
from torch import nn

from kakera.cli.main import main
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.training import device
from kakera.training.device import device_of, moved_to_device
from tests.small import folder

INPUTS = InputSpec(1, 28, 28, (0.3,), (0.35,))
NOT_HERE = [name for name, here in (("cuda", torch.cuda.is_available()), ("mps", False)) if not here]


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, name in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert device_of("auto").type == name


@pytest.mark.parametrize("name", [*NOT_HERE, "tpu", "cuda:7", ""])
def test_a_device_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(RunError, match=f"device: got {name}, expected an available device; try --device cpu"):
        device_of(name)


def test_a_model_is_put_back_also_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "device_of", lambda _: torch.device("meta"))
    model = nn.Linear(1, 1)
    moves: list[torch.device] = []
    monkeypatch.setattr(model, "to", moves.append)
    saved = Pretrained(model, INPUTS)
    with pytest.raises(ZeroDivisionError), moved_to_device(saved, "auto"):
        1 / 0  # noqa: B018  # what it is does not matter
    assert moves == [torch.device("meta"), torch.device("cpu")]
    assert saved.device.type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_every_verb_refuses_it_in_one_line(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(tmp_path / "data", count=2)
    capsys.readouterr()
    for words in (
        ["predict", classifier, data],
        ["probe", data, "--init-from", classifier],
        ["pretrain", data, "--out", tmp_path / "a", "--recipe", "demo"],
        ["finetune", data, "--out", tmp_path / "b", "--recipe", "demo"],
        ["bench", "mae-step", "--quick"],
    ):
        assert main([*map(str, words), "--device", "cuda"]) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said == "kakera: device: got cuda, expected an available device; try --device cpu"
