"""The results in a JSON file, which is written after each point, so that a stopped comparison resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kakera.bench import machine
from kakera.errors import OptionError
from kakera.storage import write_atomically

BENCHMARK = "time to accuracy"


@dataclass
class Record:
    """The measured points and paces, and the machine. `file` is None if nothing is written.

    Example:

        >>> record = Record(Path("found.json"))
        >>> record.add("points", {"contender": "kakera", "budget": 60}, {"seconds": 58.0})
        >>> Record.open(Path("found.json")).find("points", {"contender": "kakera", "budget": 60})["seconds"]
        58.0
    """

    file: Path | None = None
    machine: dict[str, Any] = field(default_factory=machine.describe)
    quick: bool = False
    settings: list[dict[str, Any]] = field(default_factory=list)
    paces: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, file: Path | None, *, quick: bool = False) -> Record:
        """Read the file if it exists.

        Raises OptionError if it has the results of another benchmark or of another processor.
        """
        record = cls(file, quick=quick)
        if file is None or not file.exists():
            return record
        try:
            found = json.loads(file.read_text())
        except (OSError, ValueError):
            found = {}
        if not isinstance(found, dict) or found.get("benchmark") != BENCHMARK or found["quick"] != quick:
            got = "another file, or results with other sizes"
            raise OptionError(
                str(file), got=got, expected=f"results of {BENCHMARK}", do="choose another file"
            )
        here, there = (each["processor"] for each in (record.machine, found["machine"]))
        if here != there:
            raise OptionError(str(file), got=f"results of {there}", expected=here, do="choose another file")
        names = ("settings", "paces", "points")
        return cls(file, found["machine"], quick, *(found[name] for name in names))

    def find(self, name: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the entry of `settings`, `paces` or `points` that contains all values of `key`."""
        expected = json.loads(json.dumps(dict(key)))
        for entry in getattr(self, name):
            if all(entry.get(each) == value for each, value in expected.items()):
                return entry
        return None

    def add(self, name: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Add an entry, or replace that of the same key, and write the file. Raises StorageError."""
        before = self.find(name, key)
        if before is not None:
            getattr(self, name).remove(before)
        getattr(self, name).append(json.loads(json.dumps({**key, **values})))
        if self.file is not None:
            write_atomically(self.file, json.dumps(self.to_json(), indent=1).encode() + b"\n")

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "benchmark": BENCHMARK,
            "machine": self.machine,
            "quick": self.quick,
            "settings": self.settings,
            "paces": self.paces,
            "points": self.points,
        }
