"""Free memory is the least of what the system, a container and ulimit leave."""

import resource
import subprocess
import sys
from pathlib import Path

from kakera.machine import free_memory, this_machine, usable_cores


def proc(root: Path, available: int) -> Path:
    root.mkdir(parents=True)
    (root / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {available} kB\n")
    return root


def test_the_system_says_what_is_available(tmp_path: Path) -> None:
    assert free_memory(proc(tmp_path / "proc", 2048), tmp_path / "none") == 2 << 20


def test_a_container_leaves_less(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert free_memory(proc(tmp_path / "proc", 2048), tmp_path) == 600_000


def test_a_container_without_a_limit_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert free_memory(proc(tmp_path / "proc", 2048), tmp_path) == 2 << 20


def test_version_1_of_cgroups_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("900000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("100000\n")
    assert free_memory(proc(tmp_path / "proc", 2048), tmp_path) == 800_000


def test_ulimit_leaves_less_than_it_says_since_some_is_in_use() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "from kakera.machine import free_memory; print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30


def test_this_machine_has_cores_memory_and_a_rate() -> None:
    machine = this_machine("cpu")
    assert machine.cores == usable_cores() >= 1
    assert machine.gflops > 0.1
    assert not machine.gpu
    assert machine.training_memory == machine.memory > resource.getpagesize()
