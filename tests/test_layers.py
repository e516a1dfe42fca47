"""Arrows point down: who may import whom."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "kakera"
GROUND = {"errors", "grid", "inputs", "seeding", "storage", "progress", "duration", "machine", "matrix_rate"}
GROUND |= {"contention", "out_of_memory", "masking", "option_fields"}
BASE = GROUND | {"sound"}
FORMATS = BASE | {"model", "frontend", "data", "explain"}
TRAINING = FORMATS | {"formats", "reports", "retrieval"}
BELOW = {
    **dict.fromkeys(GROUND, GROUND),
    "sound": GROUND - {"inputs"},
    "inputs": GROUND | {"sound"},
    "model": GROUND,
    "frontend": BASE | {"model"},
    "data": BASE,
    "explain": BASE | {"model"},
    "formats": FORMATS,
    "reports": GROUND - {"inputs"},
    "retrieval": FORMATS | {"formats"},
    "training": TRAINING,
    "commands": TRAINING | {"training"},
    "sklearn": TRAINING | {"training", "commands"},
    "study": TRAINING | {"training", "commands"},
    "web": TRAINING | {"training", "commands"},
    "bench": TRAINING | {"training", "commands", "study"},
    "cli": TRAINING | {"training", "commands", "study", "web", "bench"},
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


DATA = SOURCE / "data"
FLOORS = (  # of data/: each may use those before it
    ("names", "mapped", "download", "quiet", "split", "order"),
    ("images",),
    ("pictures", "blocks"),
    ("sounds", "holders"),
    ("dataset", "batch"),
    ("audio", "workers"),
    ("folders", "preload"),
    ("shards",),
    ("arrow",),
    ("sources",),
    ("checks",),
    ("packing", "loader"),
    ("any_shape",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def data_room(module: str) -> str:
    """The room inside data/ that a module lies in, or the name of a file directly in it."""
    return module.split(".")[2] if module.startswith("kakera.data.") else ""


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.py")), ids=lambda p: str(p.relative_to(DATA)))
def test_arrows_inside_data_point_down(path: Path) -> None:
    own = path.relative_to(DATA).with_suffix("").parts[0]
    if own == "__init__":
        return
    for name in imports(path):
        other = data_room(name)
        if other and other != own:
            assert FLOOR[other] < FLOOR[own], f"data/{own} must not import {name}"


def test_every_room_and_file_of_data_has_a_floor() -> None:
    found = {path.stem for path in DATA.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set(FLOOR)


def test_a_data_set_knows_neither_recordings_nor_shards_nor_decoders() -> None:
    above = {"audio", "shards", "preload", "holders", "sources"}
    for name in ("pictures", "sounds", "dataset"):
        found = imports(DATA / f"{name}.py")
        assert not {data_room(module) for module in found} & above
        assert not any(module.startswith("kakera.data.images.decode") for module in found)
