"""Two hosts train one run; one is cut off, the other says so and stops; the same command goes on."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.commands import finish, some_npz, start
from tests.training.hosts import plug, started, two_hosts

pytestmark = pytest.mark.slow

OPTIONS = ["--epochs", "30", "--crop-min-scale", "0.5", "--checkpoint-seconds", "0"]
COMMON = ["--recipe", "demo", "--batch-size", "16", "--device", "cpu", "--workers", "0", "--timeout", "20"]


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    try:
        joined = two_hosts()
        names = joined.__enter__()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")
    yield names
    joined.__exit__(None, None, None)


@pytest.mark.timeout(900)
def test_a_host_that_is_cut_off_stops_the_run_and_the_same_command_goes_on(
    hosts: tuple[str, str], tmp_path: Path
) -> None:
    data, out = some_npz(tmp_path, 64, 0), tmp_path / "run"
    words = ["pretrain", str(data), "--out", str(out), *COMMON, *OPTIONS]
    logs = [tmp_path / f"{number}.log" for number in range(2)]
    processes = [started(host, number, words, logs[number]) for number, host in enumerate(hosts)]
    while len(list((out / "checkpoints").glob("step-*"))) < 2:
        assert all(process.poll() is None for process in processes), [log.read_text() for log in logs]
        time.sleep(0.01)
    plug(hosts[1], out=True)
    codes = [process.wait(timeout=300) for process in processes]
    assert not (out / "model.safetensors").exists(), "cut off too late to show anything"
    assert codes == [2, 2]
    for log in logs:
        assert "no answer from another" in log.read_text()
        assert "run the same command on all machines to resume from the last checkpoint" in log.read_text()
        assert "Traceback" not in log.read_text()

    plug(hosts[1], out=False)
    again = [started(host, number, words, logs[number]) for number, host in enumerate(hosts)]
    assert [process.wait(timeout=300) for process in again] == [0, 0], [log.read_text() for log in logs]
    finish(start("pretrain", data, tmp_path / "alone", OPTIONS))
    alone, together = (load_file(run / "model.safetensors") for run in (tmp_path / "alone", out))
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=0, atol=1e-3)
