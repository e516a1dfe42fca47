import pytest

from kakera.training.launch import processes
from kakera.training.options import PretrainOptions
from tests.training.forks import slurm, torchrun

OURS = PretrainOptions(data="x")


def test_alone_there_is_one_process() -> None:
    assert processes(OURS, {}) == (1, 1)


def test_what_is_asked_for_counts() -> None:
    assert processes(PretrainOptions(data="x", devices=8, nodes=4), {}) == (8, 4)


def test_torchrun_says_how_many() -> None:
    env = torchrun(0, 4, 1) | {"WORLD_SIZE": "12"}
    assert processes(OURS, env) == (4, 3)


def test_slurm_says_how_many() -> None:
    env = slurm(0, 4, 1) | {"SLURM_NTASKS": "16", "SLURM_NNODES": "4"}
    assert processes(OURS, env) == (4, 4)


@pytest.mark.parametrize("name", ["bash", "interactive"])
def test_in_a_shell_of_slurm_s_there_is_one_process(name: str) -> None:
    assert processes(OURS, slurm(0, 4, 1) | {"SLURM_JOB_NAME": name}) == (1, 1)
