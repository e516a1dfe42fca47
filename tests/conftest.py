"""Shapes and types of the model are checked under test: the hook must stand before the first import."""

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

from tests import left_out  # noqa: E402  # after the hook

# Two threads of small sums on a busy machine wait for each other longer than one computes.
torch.set_num_threads(1)
threadpoolctl.threadpool_limits(1)
# A busy machine is slow, not wrong.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The file that takes longest first, so that no process is left with it alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_documents.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out and why, so that nobody takes a skipped test for one that holds."""
    for line in left_out.lines(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line)
