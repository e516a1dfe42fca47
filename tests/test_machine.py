"""Free memory is the least of what the system, a container and ulimit leave."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kakera import matrix_rate
from kakera.machine import busy_cores, free_memory, this_machine, usable_cores


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


def test_a_batch_system_sets_its_limits_further_down(tmp_path: Path) -> None:
    host = proc(tmp_path / "proc", 1 << 30)
    (host / "self").mkdir()
    (host / "self" / "cgroup").write_text("0::/system.slice/job_7/step_0\n")
    job = tmp_path / "groups" / "system.slice" / "job_7"
    (job / "step_0").mkdir(parents=True)
    (job / "memory.max").write_text("900000\n")
    (job / "memory.current").write_text("100000\n")
    (job / "step_0" / "memory.max").write_text("max\n")
    (job / "cpu.max").write_text("100000 100000\n")
    (job / "step_0" / "cpu.max").write_text("max 100000\n")
    assert free_memory(host, tmp_path / "groups") == 800_000
    assert usable_cores(host, tmp_path / "groups") == 1


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    host = proc(tmp_path / "proc", 1 << 30)
    (host / "self").mkdir()
    (host / "self" / "cgroup").write_text(
        "5:cpu,cpuacct:/slurm/job_7\n4:memory:/slurm/job_7\n1:name=systemd:/x\n"
    )
    memory, cpu = (tmp_path / "groups" / name / "slurm" / "job_7" for name in ("memory", "cpu,cpuacct"))
    memory.mkdir(parents=True)
    cpu.mkdir(parents=True)
    (memory / "memory.limit_in_bytes").write_text("700000\n")
    (memory / "memory.usage_in_bytes").write_text("100000\n")
    (cpu / "cpu.cfs_quota_us").write_text("150000\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    assert free_memory(host, tmp_path / "groups") == 600_000
    assert usable_cores(host, tmp_path / "groups") == 1


@pytest.mark.parametrize("text", ["max 100000", "", "x y", "100000", "100000 0", "99900000 100000"])
def test_a_limit_of_time_that_is_none_leaves_all_cores(tmp_path: Path, text: str) -> None:
    (tmp_path / "cpu.max").write_text(text)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path / "proc", tmp_path) == len(os.sched_getaffinity(0))


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


class Ticking:
    """A /proc/stat of one core for each that there is: idle ticks, and `busy` busy seconds more each time."""

    def __init__(self, busy: float) -> None:
        self.busy, self.looks = busy, 0

    def read_text(self) -> str:
        ticks = round(self.looks * self.busy * os.sysconf("SC_CLK_TCK"))
        self.looks += 1
        first, *others = sorted(os.sched_getaffinity(0))
        lines = [f"cpu{first} {ticks} 0 0 {500 * self.looks} {70 * self.looks} 0 0 0 0 0"]
        lines += [f"cpu{other} 0 0 0 100 0 0 0 0 0 0" for other in others]
        return "\n".join(
            ["cpu 1 1 1 1 1 1 1 1 1 1", *lines, "cpu9999 77 0 0 0 0 0 0 0 0 0", "intr 1 2 3", ""]
        )


def test_a_cpu_slow_in_bf16_never_multiplies_large_matrices_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []  # a product of 1024 rows takes 2 s in bf16 on a core with AVX2, 70 times as long as in float32
    monkeypatch.setattr(matrix_rate, "matrix_rate", lambda *args: asked.append(args) or 1.0)
    assert not matrix_rate.is_fast_in_bf16(90.0)
    assert asked == [("cpu", "bfloat16", 256)]


def test_cores_that_others_use_are_seconds_at_work_over_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    found = busy_cores(Ticking(0.06), 0.1)  # type: ignore[arg-type]  # all that is asked of a path
    assert 0.3 < found <= 0.6  # 0.06 s of 0.1 s, or a little more where this process is late


def test_what_this_process_computes_itself_is_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter([1.0, 1.06])
    monkeypatch.setattr(time, "process_time", lambda: next(spent))
    assert busy_cores(Ticking(0.06), 0.1) == pytest.approx(0.0, abs=0.01)  # type: ignore[arg-type]


def test_without_a_count_of_ticks_the_load_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.75, 0.0, 0.0))
    assert busy_cores(tmp_path / "stat") == 0.75
    monkeypatch.setattr(os, "getloadavg", lambda: (1e6, 0.0, 0.0))
    assert busy_cores(tmp_path / "stat") == usable_cores()


def test_an_unmeasured_machine_is_taken_to_be_quiet() -> None:
    assert this_machine("cpu", measure=False).busy == 0.0
