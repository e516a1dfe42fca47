"""Measure the growth of time and memory with the number of files and classes: `python -m benchmarks.growth`.

    python -m benchmarks.growth                    # up to 100 000 files and 1 000 classes, two minutes
    python -m benchmarks.growth --all --json found.json
    python -m benchmarks.growth --stages split digest --files 1000 1000000

Each stage is measured once at each size, in a new process. Files are empty or missing, so nothing is decoded.
Created files are in memory (/dev/shm) if there is enough space.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth.measured import measured
from benchmarks.growth.stages import STAGES
from benchmarks.growth.table import Measures, table

QUICK_FILES, QUICK_CLASSES = (10_000, 100_000), (10, 1000)  # fewer files are too fast to measure
ALL_FILES, ALL_CLASSES = tuple(10**digits for digits in range(3, 8)), (10, 100, 1000, 20_000)
ON_DISK = 1_000_000  # largest number of created files without --all
MEMORY = Path("/dev/shm")
BESIDE = (1000, 100_000)  # classes in the table over files; files in that over classes
Found = dict[str, dict[int, Measures]]
Points = tuple[list[tuple[int, int]], list[tuple[int, int]]]


def points(
    name: str,
    files: Sequence[int],
    classes: Sequence[int],
    *,
    beside: tuple[int, int] = BESIDE,
    on_disk: int = ON_DISK,
    slow: bool = True,
) -> Points:
    """Return the files and classes of both tables; the first has slow stages only if `slow`."""
    stage = STAGES[name]
    limit = min(stage.most, on_disk) if stage.on_disk else stage.most
    over_files = [(count, beside[0]) for count in files if count <= limit and (slow or not stage.few)]
    over_classes = [(stage.few or beside[1], count) for count in classes if stage.of_classes]
    return over_files, over_classes


def apart(name: str, files: int, classes: int, scratch: Path) -> dict[str, Any]:
    """Measure in a new process; if it fails, return the last line of its stderr."""
    command = [sys.executable, "-m", "benchmarks.growth", "--one", name, "--scratch", str(scratch)]
    command += ["--files", str(files), "--classes", str(classes)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    if done.returncode:
        return {"failed": (done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout)


def sweep(chosen: Mapping[str, Points], scratch: Path) -> tuple[Found, Found]:
    """Return the measures of each stage over files and over classes; a size in both is measured once."""
    over_files: Found = {}
    over_classes: Found = {}
    for name, (by_files, by_classes) in chosen.items():
        known: dict[tuple[int, int], Measures] = {}
        for point in dict.fromkeys((*by_files, *by_classes)):
            known[point] = apart(name, *point, scratch)
            print(f"{name}, {point[0]} files, {point[1]} classes: {summary(known[point])}", file=sys.stderr)
        if by_files:
            over_files[name] = {point[0]: known[point] for point in by_files}
        if by_classes:
            over_classes[name] = {point[1]: known[point] for point in by_classes}
    return over_files, over_classes


def room(files: int) -> Path | None:
    """Return where to create the files: in memory if there is enough space, else None (temporary files)."""
    try:
        return MEMORY if os.statvfs(MEMORY).f_favail > 3 * files else None
    except (OSError, AttributeError):
        return None


def summary(found: Measures) -> str:
    return f"failed, {found['failed']}" if "failed" in found else f"{found['seconds']:.3f} s"


def report(over_files: Found, over_classes: Found, beside: tuple[int, int] = BESIDE) -> str:
    """Return both tables."""
    few = {STAGES[name].few: name for name in over_classes if STAGES[name].few}
    less = "".join(f" ({name}: {count})" for count, name in few.items())
    found = [
        ("files", f"{beside[0]} classes", over_files),
        ("classes", f"{beside[1]} files{less}", over_classes),
    ]
    return "\n\n".join(table(over, what, rows) for over, what, rows in found if rows)


def stored(rows: Mapping[str, Mapping[int, Measures]]) -> dict[str, dict[str, Measures]]:
    return {name: {str(size): found for size, found in row.items()} for name, row in rows.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 1 if a stage failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--all", action="store_true", help="up to 10^7 files and 20 000 classes")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), metavar="STAGE")
    parser.add_argument("--files", type=int, nargs="+", help="numbers of files")
    parser.add_argument("--classes", type=int, nargs="*", help="numbers of classes")
    parser.add_argument("--beside", type=int, nargs=2, default=BESIDE, metavar=("CLASSES", "FILES"))
    parser.add_argument(
        "--on-disk",
        type=int,
        default=0,
        help="largest number of created files (default: 10^6; with --all 10^7)",
    )
    parser.add_argument("--scratch", type=Path, help="a permanent folder for the files; default: temporary")
    parser.add_argument("--one", choices=STAGES, help="measure in this process (used by each measurement)")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    files = given.files or (ALL_FILES if given.all else QUICK_FILES)
    classes = (ALL_CLASSES if given.all else QUICK_CLASSES) if given.classes is None else given.classes
    on_disk = given.on_disk or (max(ALL_FILES) if given.all else ON_DISK)
    with tempfile.TemporaryDirectory(dir=room(min(max(files), on_disk))) as temporary:
        scratch = given.scratch or Path(temporary)
        if given.one:
            print(json.dumps(measured(given.one, files[0], classes[0], scratch)))
            return 0
        beside: tuple[int, int] = tuple(given.beside)
        slow = given.all or given.files is not None
        chosen = {
            name: points(name, files, classes, beside=beside, on_disk=on_disk, slow=slow)
            for name in given.stages
        }
        over_files, over_classes = sweep(chosen, scratch)
    print(report(over_files, over_classes, beside))
    if given.json:
        found = {
            "beside": {"classes": beside[0], "files": beside[1]},
            "over files": stored(over_files),
            "over classes": stored(over_classes),
        }
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    every = [one for rows in (over_files, over_classes) for row in rows.values() for one in row.values()]
    return int(any("failed" in one for one in every))


if __name__ == "__main__":
    sys.exit(main())
