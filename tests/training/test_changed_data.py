"""The same command on data that changed: one line, not the old result."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kakera.commands.finetune import finetune
from kakera.commands.pretrain import pretrain
from kakera.commands.result import TrainResult
from kakera.errors import RunError
from kakera.formats.native import WEIGHTS
from tests.small import QUICK, folder

Tune = Callable[[Path], TrainResult]
ROWS = [(f"{name}/{number}.png", name) for name in ("bag", "boot") for number in range(8)]


def write(root: Path, rows: list[tuple[str, str]], tested: tuple[int, ...] = (6, 7, 14, 15)) -> Path:
    """A table that brings its split."""
    parts = ["test" if number in tested else "train" for number in range(len(rows))]
    lines = [f"{file},{label},{part}" for (file, label), part in zip(rows, parts, strict=True)]
    (root / "d.csv").write_text("\n".join(["file,label,split", *lines]))
    return root / "d.csv"


def tuned(data: Path, **options: Any) -> TrainResult:
    return finetune(data, out=data.parent / "run", **{**QUICK, "epochs": 0.1, **options})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A run of these data is finished."""
    folder(tmp_path, count=8)
    path = write(tmp_path, ROWS)
    tuned(path)
    return path


def test_the_same_data_give_the_old_result(table: Path) -> None:
    before = (table.parent / "run" / WEIGHTS).stat().st_mtime_ns
    tuned(table, workers=1)
    assert (table.parent / "run" / WEIGHTS).stat().st_mtime_ns == before


def relabelled(table: Path) -> None:
    write(table.parent, [(ROWS[0][0], "boot"), *ROWS[1:]])


def divided_otherwise(table: Path) -> None:
    write(table.parent, ROWS, (5, 7, 14, 15))


def swapped(table: Path) -> None:
    bag, boot = (table.parent / name / "0.png" for name in ("bag", "boot"))
    one, other = bag.read_bytes(), boot.read_bytes()
    bag.write_bytes(other)
    boot.write_bytes(one)


def without_one(table: Path) -> None:
    write(table.parent, ROWS[:-1])


def renamed(table: Path) -> None:
    shutil.copy(table.parent / "bag" / "0.png", table.parent / "bag" / "9.png")
    write(table.parent, [("bag/9.png", "bag"), *ROWS[1:]])


def reordered(table: Path) -> None:
    write(table.parent, [ROWS[1], ROWS[0], *ROWS[2:]])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (relabelled, "1 label"),
        (divided_otherwise, "2 files in another part"),
        (swapped, "2 files with another size"),
        (without_one, "1 file removed"),
        (renamed, "1 file removed, 1 file added"),
        (reordered, "files in another order"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_data_that_changed_are_named_in_one_line(
    change: Callable[[Path], None], named: str, finished: bool, table: Path
) -> None:
    if not finished:
        (table.parent / "run" / WEIGHTS).unlink()
    change(table)
    with pytest.raises(RunError) as caught:
        tuned(table)
    assert str(caught.value) == (
        f"{table.parent / 'run'}: got data that changed since the run started ({named}), expected the "
        "same configuration and data, to resume the run; use the same options and data, or choose another "
        f"--out, such as --out {table.parent / 'run'}-2"
    )


def test_labels_may_change_while_nothing_learns_from_them(tmp_path: Path) -> None:
    folder(tmp_path, count=8)
    out = tmp_path / "run"
    pretrain(write(tmp_path, ROWS), out=out, **{**QUICK, "epochs": 0.1})
    pretrain(write(tmp_path, [(ROWS[0][0], "boot"), *ROWS[1:]]), out=out, **{**QUICK, "epochs": 0.1})
    with pytest.raises(RunError, match=r"\(2 files in another part\)"):
        pretrain(write(tmp_path, ROWS, (5, 7, 14, 15)), out=out, **{**QUICK, "epochs": 0.1})


def test_a_run_goes_on_with_a_copy_elsewhere(table: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path, tmp_path / "far", ignore=shutil.ignore_patterns("run"))
    out = tmp_path / "run"
    options = {**QUICK, "epochs": 0.1}
    assert finetune(tmp_path / "far" / "d.csv", out=out, **options).folder == out


def test_a_run_from_before_there_were_digests_goes_on(table: Path) -> None:
    path = table.parent / "run" / "config.json"
    config = json.loads(path.read_text())
    del config["digest"]
    path.write_text(json.dumps(config))
    assert tuned(table).folder == table.parent / "run"
