"""Every block of code in the README and the docs is run, in a world like the one it speaks of."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kakera.cli.main import main
from kakera.data.sources.idx import read_idx
from tests.data.files import write_idx
from tests.hub import small_hub
from tests.small import folder
from tests.training.songs import songs

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "src" / "kakera" / "data" / "demo"
TINY = ["--recipe", "demo", "--seeds", "1", "--pretrain-epochs", "0.01"]
TINY += ["--finetune-epochs", "0.01", "--finetune-min-steps", "1"]
SMALL = ["--model", "nano", *TINY[2:]]  # of recordings, which have a recipe of their own
# The commands stay as they are, but for how long they train.
SHORT = {
    "demo": ["--quick"],
    "bench": ["--quick", "--rounds", "1"],
    "pretrain": ["--epochs", "0.01"],
    "finetune": ["--epochs", "0.01", "--min-steps", "1"],
    "probe": ["--no-finetune", "--seeds", "1", "--probes", "ridge"],
    "study mask-ratio": [*TINY, "--mask-ratios", "0.5", "0.75"],
    "study mask-ratio recordings": [*SMALL, "--mask-ratios", "0.5", "0.75"],
    "study data-size": [
        *TINY,
        "--rates",
        "1",
        "--shifts",
        "1",
        "--scratch-epochs",
        "0.01",
        "--scratch-min-steps",
        "1",
        "--max-steps",
        "1",
    ],
}


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        found = re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
        yield from ((path.name, text) for text in found)


def part_of_the_demo(root: Path) -> Path:
    """Its first pictures of each class: enough for the docs' most labels, and few to measure on."""
    for part, count in (("train", 320), ("t10k", 10)):
        images, labels = (
            read_idx(DEMO / f"{part}-{name}-ubyte.gz", dimensions)
            for name, dimensions in (("images-idx3", 3), ("labels-idx1", 1))
        )
        few = np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)])
        write_idx(root, part, images[few], labels[few])
    return root


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    folder(root / "pictures", count=20)
    folder(root / "new_pictures", count=2)
    songs(root / "recordings", count=8)
    return root


@pytest.mark.timeout(900)  # some fifty commands
def test_every_shell_block_runs(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_hub(world / "hub", monkeypatch)
    monkeypatch.chdir(world)
    monkeypatch.setenv("KAKERA_FASHION_MNIST", str(part_of_the_demo(world / "idx")))
    ran = 0
    for name, text in blocks("bash"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            assert words[0] == "kakera", line
            verb = " ".join(words[1:3]) if words[1] == "study" else words[1]
            short = SHORT.get(" ".join(words[1:4]), SHORT.get(verb, []))
            code = main([*words[1:], *short])
            assert code == 0, f"{name}: {line}: {capsys.readouterr().err}"
            ran += 1
    assert ran >= 6


def test_every_python_block_runs(world: Path, tmp_path: Path) -> None:
    folder(tmp_path / "pictures", count=6)
    script = "\n".join(text for _, text in blocks("python"))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout


def test_what_sets_up_a_machine_names_targets_extras_and_files_that_exist() -> None:
    readme, make = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    sh_blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = [line for text in sh_blocks for line in text.splitlines()]
    targets = [line.split()[1] for line in lines if line.startswith("make ")]
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", make, re.M) for target in targets)
    assert "test -x $(BIN)/pip ||" in make  # what was installed into .venv before is kept
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"'(?:kakera|\.)\[(\w+)\]'", readme)) <= set(extras)
    assert set(re.findall(r" -c (\S+)", readme)) == {"constraints.txt"}
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.M)


def test_every_link_leads_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_readme_reaches_what_the_docs_say() -> None:
    rows = re.findall(r"^\|.* ± .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    page = (ROOT / "docs" / "fashion-mnist.md").read_text()
    assert rows
    for row in rows:
        assert row in re.sub(r" \([\d., ]+\)", "", page)


def test_the_readme_is_short_and_shows_code_early() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) < 200
    assert lines.index("```python") < 25


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 60
