import importlib.util
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from kakera.cli.main import main
from tests.web.runs import three_runs


def test_it_answers_until_it_is_stopped(tmp_path: Path) -> None:
    runs = map(str, three_runs(tmp_path))
    command = [sys.executable, "-m", "kakera", "serve", *runs, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    assert address is not None
    with urllib.request.urlopen(address[0], timeout=60) as answer:
        assert b"kakera explorer" in answer.read()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(three_runs(tmp_path)[0])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", run, "--port", port]) == 2
    said = capsys.readouterr().err
    assert f"address: got 127.0.0.1, port {port}" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "expected a run, a folder or file of weights"),
        (["RUN", "--port", "70000"], "port: got 70000, expected a number from 0 to 65535"),
        (["RUN", "--host", "no.such.host.invalid"], "expected a free port of this machine"),
        (["RUN", "--pictures", "nothing"], "nothing: got no readable picture"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(three_runs(tmp_path)[0])
    assert main(["serve", *(run if word == "RUN" else word for word in words)]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else find(name))
    assert main(["serve", "run"]) == 2
    assert "pip install 'kakera[web]'" in capsys.readouterr().err
