"""The result of a packing, and its lines in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kakera.data.checks.findings import skipped_words
from kakera.data.folders.tree import left_lines

UNREADABLE = "unreadable.csv"


@dataclass(frozen=True)
class PackResult:
    """The result of `pack`: the content of the folder. `kept` shards come from an earlier run.

    `count` is the number of pictures or recordings, `size` is in bytes, `unreadable` are (name, reason).
    See `kakera.data.packing.pack.pack`.
    """

    folder: Path
    kind: str
    """"pictures" or "recordings"."""
    count: int
    shards: int
    kept: int
    size: int
    unreadable: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...] = ()
    """Skipped files of the source, and the reason."""
    noun: str = "shard"
    """The word for one of the written files: "shard" or "Parquet file"."""

    def lines(self) -> list[str]:
        """Return the lines of a report, one fact per line."""
        before = f", {self.kept} of them from an earlier run" if self.kept else ""
        what = f"{self.count} {self.kind} in {self.shards} {self.noun}{'' if self.shards == 1 else 's'}"
        found = [f"{self.folder}: {what}{before}, {self.size / 1e6:.1f} MB"]
        found += left_lines(self.left_out, ())
        if self.unreadable:
            words = skipped_words([reason for _, reason in self.unreadable])
            found.append(f"{words} skipped: see {self.folder / UNREADABLE}")
        return found
