"""Every block of code in the README and the docs is run, in a world like the one it speaks of."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from kakera.cli.main import main
from kakera.data.sources.idx import read_idx
from tests import warm
from tests.data.files import write_idx
from tests.hub import small_hub
from tests.small import folder
from tests.training.songs import songs

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "src" / "kakera" / "data" / "demo"
SMALL = ["--model", "nano", "--seeds", "1", "--pretrain-epochs", "0.01"]
SMALL += ["--finetune-epochs", "0.01", "--finetune-min-steps", "1"]  # recordings have a recipe of their own
TINY = ["--recipe", "demo", *SMALL]
MASK_RATIO = [*TINY, "--mask-ratios", "0.5", "0.75"]
DATA_SIZE = [*TINY, "--rates", "1", "--shifts", "1", "--scratch-epochs", "0.01", "--scratch-min-steps", "1"]
DATA_SIZE += ["--max-steps", "1"]
# The commands stay as they are, but for how long they train.
SHORT = {
    "bench": ["--quick", "--rounds", "1"],
    "pretrain": ["--epochs", "0.01"],
    "finetune": ["--epochs", "0.01", "--min-steps", "1"],
    "probe": ["--no-finetune", "--seeds", "1", "--probes", "ridge"],
    "study mask-ratio": MASK_RATIO,
    "study mask-ratio recordings": [*SMALL, "--mask-ratios", "0.5", "0.75"],
    "study mask-ratio fashion-mnist": [*MASK_RATIO, "--labels", "20", "--probe-labels", "20"],
    "study data-size": DATA_SIZE,
    "study encoders": ["--seeds", "2"],
    "study data-size fashion-mnist": [*DATA_SIZE, "--sizes", "20", "100"],
}
# The same in Python.
SHORTER = """
from functools import partial
import kakera

kakera.pretrain = partial(kakera.pretrain, epochs=0.01)
kakera.finetune = partial(kakera.finetune, epochs=0.01, min_steps=1)
kakera.study_mask_ratio = partial(kakera.study_mask_ratio, finetune_epochs=0.01, finetune_min_steps=1)
"""


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        found = re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
        yield from ((str(path.relative_to(ROOT)), text) for text in found)


def commands() -> dict[str, list[list[str]]]:
    """Of each page its lines, as words, without `kakera demo`, which `.ci/run` runs by `make demo`."""
    found: dict[str, list[list[str]]] = {}
    for page, text in blocks("bash"):
        lines = (shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines())
        found.setdefault(page, []).extend(words for words in lines if words and words[1:] != ["demo"])
    return found


def shortened(words: list[str]) -> list[str]:
    verb = " ".join(words[1:3]) if words[1] == "study" else words[1]
    short = SHORT.get(" ".join(words[1:4]), SHORT.get(verb, []))
    return [*words[1:], *(short if words[-len(short) :] != short else [])]


def tagged(root: Path) -> None:
    """A table of pictures with one or two labels."""
    files = sorted(path.relative_to(root) for path in folder(root, count=20).rglob("*.png"))
    rows = [f"{file},{file.parts[0]}{'|new' if number % 2 else ''}" for number, file in enumerate(files)]
    (root / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")


def part_of_the_demo(root: Path) -> Path:
    """Its first pictures of each class: enough for the docs' most labels, and few to measure on."""
    for part, count in (("train", 110), ("t10k", 10)):
        images, labels = (
            read_idx(DEMO / f"{part}-{name}-ubyte.gz", dimensions)
            for name, dimensions in (("images-idx3", 3), ("labels-idx1", 1))
        )
        few = np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)])
        write_idx(root, part, images[few], labels[few])
    return root


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of, and runs/mae and runs/classifier, which most of them begin with."""
    root = tmp_path_factory.mktemp("world")
    folder(root / "pictures", count=20)
    folder(root / "new_pictures", count=2)
    tagged(root / "tagged")
    folder(root / "graded", count=20, classes=("bad", "fair", "good"))
    songs(root / "recordings", count=8)
    part_of_the_demo(root / "idx")
    files = sorted((root / "pictures").rglob("*.png"))
    table = {"image": [file.read_bytes() for file in files], "label": [file.parent.name for file in files]}
    parquet.write_table(pyarrow.table(table), root / "pictures.parquet")
    rows = [
        f"{path.relative_to(root)},{number}.5" for number, path in enumerate(root.glob("pictures/*/*.png"))
    ]
    (root / "angles.csv").write_text("\n".join(["file,angle", *rows]))
    words = {tuple(words[1:3]): words for words in COMMANDS["README.md"] if "runs/mae" in words}
    for verb in ("pretrain", "finetune"):
        warm.run(*shortened(words[verb, "pictures"]), cwd=root, check=True)
    return root


COMMANDS = commands()


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) > 8
    assert all(words[0] == "kakera" for lines in COMMANDS.values() for words in lines)


@pytest.mark.slow
@pytest.mark.timeout(900)  # of the README some twenty commands
@pytest.mark.parametrize("page", COMMANDS)
def test_every_shell_block_of_a_page_runs(
    page: str,
    things: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in things.iterdir():
        if path.name != "runs" or page != "README.md":  # which makes them
            (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_FASHION_MNIST", str(tmp_path / "idx"))
    for words in dict.fromkeys(tuple(shortened(words)) for words in COMMANDS[page]):
        if any(word.startswith("facebook/") for word in words):  # in this process, which has a hub
            small_hub(tmp_path / "hub", monkeypatch)
            assert main(words) == 0, f"{words}: {capsys.readouterr().err}"
        else:
            done = warm.run(*words)
            assert done.returncode == 0, f"{words}: {done.stderr}"


@pytest.mark.slow
def test_every_python_block_runs(tmp_path: Path) -> None:
    folder(tmp_path / "pictures", count=6)
    script = "\n".join([SHORTER, *(text for _, text in blocks("python"))])
    (tmp_path / "blocks.py").write_text(script)
    done = warm.run(tmp_path / "blocks.py", what=warm.script, cwd=tmp_path)
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
