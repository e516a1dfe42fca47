"""Shapes and types of the model are checked under test: the hook must stand before the first import."""

import functools
import os

from jaxtyping import install_import_hook

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start, too
# Without AMX float32 is chosen, so that tests compute alike on every processor; oneDNN reads it once.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")

install_import_hook(["kakera.model", "kakera.explain"], "beartype.beartype")

import hypothesis  # noqa: E402  # after the hook, as all of these
import numpy  # noqa: E402, F401  # only to be there: then its threads can be limited
import pytest  # noqa: E402  # after the hook
import scipy.linalg  # noqa: E402, F401  # only to be there, as numpy
import threadpoolctl  # noqa: E402  # after the hook
import torch  # noqa: E402  # after the hook

import kakera.machine  # noqa: E402  # after the hook
import kakera.matrix_rate  # noqa: E402  # after the hook
from tests import left_out, processor_time  # noqa: E402  # after the hook

# Two threads of small sums on a busy machine wait for each other longer than one computes.
torch.set_num_threads(1)
threadpoolctl.threadpool_limits(1)
# How fast this machine multiplies is measured once a process; each training here would do it again.
kakera.matrix_rate.matrix_rate = functools.cache(kakera.matrix_rate.matrix_rate)
kakera.machine.matrix_rate = kakera.matrix_rate.matrix_rate
# A busy machine is slow, not wrong.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


pytest_plugins = ("tests.shelf",)
WATCH = pytest.StashKey[processor_time.Watch]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--keep-seconds`: what each file took becomes the order of later runs."""
    parser.addoption("--keep-seconds", action="store_true", help="write tests/seconds.json")


def pytest_configure(config: pytest.Config) -> None:
    """Count processor time."""
    config.stash[WATCH] = processor_time.Watch(config)
    config.pluginmanager.register(config.stash[WATCH])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first."""
    processor_time.longest_first(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the run cost, and what was left out and why: a skipped test is not one that holds."""
    stats = terminalreporter.stats
    watch = terminalreporter.config.stash[WATCH]
    terminalreporter.write_line(watch.line(report for reports in stats.values() for report in reports))
    for line in left_out.lines(stats.get("skipped", [])):
        terminalreporter.write_line(line)
