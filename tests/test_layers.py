"""Arrows point down: who may import whom."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "kakera"
GROUND = {"errors", "grid", "inputs", "seeding", "storage", "progress", "duration", "machine"}
GROUND |= {"contention", "out_of_memory", "option_fields"}
BASE = GROUND | {"sound"}
BELOW = {
    **dict.fromkeys(GROUND, GROUND),
    "sound": GROUND - {"inputs"},
    "inputs": GROUND | {"sound"},
    "model": GROUND,
    "data": BASE,
    "formats": BASE | {"model", "data"},
    "explain": BASE | {"model"},
    "reports": GROUND - {"inputs"},
    "training": BASE | {"model", "data", "formats", "explain", "reports"},
    "commands": BASE | {"model", "data", "formats", "explain", "reports", "training"},
    "study": BASE | {"model", "data", "formats", "explain", "reports", "training", "commands"},
    "web": BASE | {"model", "data", "formats", "explain", "reports", "training", "commands"},
    "bench": BASE | {"model", "data", "formats", "explain", "reports", "training", "commands", "study"},
    "cli": BASE
    | {"model", "data", "formats", "explain", "reports", "training", "commands", "study", "web", "bench"},
}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("kakera.")}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_arrows_point_down(path: Path) -> None:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    own = parts[0]
    if own in ("__init__", "__main__"):
        return
    for name in imports(path):
        assert room(name) == own or room(name) in BELOW[own] | {"__version__"}, (
            f"{own} must not import {name}"
        )


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms <= set(BELOW)


def test_the_model_knows_nothing_of_audio() -> None:
    for path in (SOURCE / "model").rglob("*.py"):
        assert "audio" not in path.read_text().lower(), path


def test_the_model_knows_nothing_of_sound() -> None:
    for path in (SOURCE / "model").rglob("*.py"):
        assert "sound" not in path.read_text().lower(), path
