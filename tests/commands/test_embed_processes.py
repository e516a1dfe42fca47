"""`kakera embed` by several processes: the index of one process, and each file computed once."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from kakera import InputSpec, ViT
from kakera.formats.bundle import Pretrained
from kakera.retrieval.files import read_file
from kakera.retrieval.folder import read_folder
from kakera.retrieval.index import Index
from tests.small import folder
from tests.training.forks import ended, fabric, forked, free_port, slurm, torchrun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Environment = Callable[[int, int, int], Mapping[str, str]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encoder, 13 pictures of which two are equal, and one that cannot be read."""
    monkeypatch.chdir(tmp_path)
    data = folder(tmp_path / "pictures", count=6)
    (data / "bag" / "copy.png").write_bytes((data / "bag" / "0.png").read_bytes())
    (data / "boot" / "broken.png").write_bytes(b"no picture")
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save("encoder")
    return tmp_path


def embedded(
    world: Path, out: str, size: int, env: Environment, monkeypatch: pytest.MonkeyPatch, *more: str
) -> tuple[str, list[int]]:
    """What the processes said, and their exit codes; each run has a cache of its own."""
    monkeypatch.setenv("KAKERA_CACHE", str(world / f"cache of {out}"))
    port, log = free_port(), world / f"{out}.log"
    words = ["embed", "pictures", "--init-from", "encoder", "--out", out, "--workers", "0", "--device", "cpu"]
    numbers = [
        forked([*words, *more], log, {} if size == 1 else env(rank, size, port)) for rank in range(size)
    ]
    codes = [ended(number) for number in numbers]
    return log.read_text(), codes


def rows(index: Index) -> dict[str, np.ndarray]:
    names = index.rows["file"].tolist()
    return {name: index.vectors[row] for row, name in enumerate(names)}


@pytest.mark.parametrize(
    ("size", "env", "more"),
    [(2, torchrun, []), (3, slurm, ["--tokens"]), (2, fabric, ["--devices", "2"])],
    ids=["torchrun", "slurm, patch tokens", "devices"],
)
def test_the_index_is_that_of_one_process_and_only_one_process_speaks(
    size: int, env: Environment, more: list[str], world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = [word for word in more if word == "--tokens"]
    _, codes = embedded(world, "alone", 1, env, monkeypatch, *kind)
    said, others = embedded(world, "together", size, env, monkeypatch, *more)
    assert (codes, others) == ([2], [2] * size), said
    assert said.count("together: 13 vectors of 13 files, 12 computed now") == 1, said
    assert said.count("broken.png") == 1
    alone, together = rows(read_folder(world / "alone")), rows(read_folder(world / "together"))
    assert list(alone) == list(together)
    for name, vector in alone.items():
        np.testing.assert_allclose(together[name], vector, rtol=0, atol=1e-6)


def test_a_file_grows_by_several_processes(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded(world, "index.npz", 2, torchrun, monkeypatch)
    (world / "pictures" / "bag" / "copy.png").unlink()
    (world / "pictures" / "boot" / "5.png").rename(world / "pictures" / "boot" / "new.png")
    said, _ = embedded(world, "index.npz", 2, torchrun, monkeypatch)
    assert "12 vectors of 12 files, 0 computed now" in said
    assert len(read_file(world / "index.npz").vectors) == 12
    assert not list(world.glob("*unfinished*"))


def test_what_the_first_process_refuses_ends_all_with_one_line(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, codes = embedded(world, "index", 2, torchrun, monkeypatch, "--kind", "recordings")
    assert codes == [2, 2]
    assert said.count("kakera: ") == 1
