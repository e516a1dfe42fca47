"""Shapes and types of the model are checked under test: the hook must stand before the first import."""

import os

from jaxtyping import install_import_hook

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start, too

install_import_hook(["kakera.model", "kakera.explain"], "beartype.beartype")

import hypothesis  # noqa: E402
import numpy  # noqa: E402, F401  # its threads can be limited once it is there
import pytest  # noqa: E402
import scipy.linalg  # noqa: E402, F401
import threadpoolctl  # noqa: E402
import torch  # noqa: E402

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
