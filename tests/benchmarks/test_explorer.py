"""The benchmark runs, on its smallest case."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_times_every_case() -> None:
    command = [sys.executable, str(BENCHMARKS / "explorer.py"), "--models", "demo", "--rounds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "hover, 8 clients" in done.stdout, done.stderr
