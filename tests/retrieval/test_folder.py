"""An index in a folder: it grows without a loss, and what an interruption leaves is found again."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kakera.commands.indexing.setup import check_out
from kakera.errors import OptionError
from kakera.retrieval import folder as folders
from kakera.retrieval.blocks import Block, Blocks, read_blocks
from kakera.retrieval.folder import read_folder, write_folder
from kakera.retrieval.index import IndexInfo, empty_rows

INPUTS = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
INFO = IndexInfo("0f", "runs/mae", "sounds", "/", "recordings", "mean", True, INPUTS, (2, 2))
WIDTH = 4


def keys_of(files: int) -> NDArray[np.uint8]:
    return np.arange(1, files + 1, dtype="<u8").repeat(2).view(np.uint8).reshape(files, 16)


def add_windows(place: Path, counts: list[int], first: int = 0) -> None:
    """Write an index of recordings with so many windows; the vectors of window w of recording r are r, w."""
    blocks = Blocks(read_blocks(place / "vectors", "0f"))
    file = np.repeat(np.arange(first, len(counts)), counts[first:])
    window = np.concatenate([np.arange(count) for count in counts[first:]]).astype(np.float64)
    vectors = np.stack([file, window, file, window], axis=1).astype(np.float32)
    key = keys_of(len(counts))
    blocks.add(Block(key[file], window, window + 1, np.zeros(len(file), np.int32), values=vectors))
    own, block, row = blocks.places(key)
    rows = empty_rows(len(own)) | {"key": key[own], "content": key[own]}
    rows["file"] = np.array([f"{number}.wav" for number in own])
    rows["start"] = blocks.gather("start", block, row)
    write_folder(place, INFO, rows | {"block": block, "row": row}, blocks, "0f")


@pytest.mark.parametrize("many", [1, 64], ids=["merged", "not merged"])
def test_no_window_is_lost_where_a_full_block_ends_within_a_recording(
    many: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LARGE", 10 * WIDTH * 4)
    monkeypatch.setattr(folders, "MANY", many)
    counts = [3] * 9 + [25] + [4] * 9 + [1] * 20
    for first, last in ((0, 15), (15, 17), (17, 30), (30, len(counts))):
        add_windows(tmp_path, counts[:last], first)
        found = read_folder(tmp_path)
        expected = [(file, window) for file in range(last) for window in range(counts[file])]
        assert [*map(tuple, found.vectors[:, :2].astype(int).tolist())] == expected
        sizes = [len(block) for block in read_blocks(tmp_path / "vectors", "0f")]
        assert max(sizes) == 25
        assert sorted(sizes)[-2] <= 10


def test_what_a_killed_command_leaves_is_resumed_and_deleted(tmp_path: Path) -> None:
    left = ["rows-0123456789abcdef.npz", ".rows-0123456789abcdef.npz.0f0f0f0f", ".index.json.0f0f0f0f"]
    add_windows(tmp_path, [2, 2])
    (tmp_path / "index.json").unlink()
    for name in left:
        (tmp_path / name).write_bytes(b"PK")
    assert check_out(tmp_path) == tmp_path
    add_windows(tmp_path, [2, 2, 2], 2)
    assert len(read_folder(tmp_path)) == 6
    assert not [name for name in left if (tmp_path / name).exists()]


@pytest.mark.parametrize("name", ["rows-0123456789abcdef.npz", "rows-my.npz", "vectors/my.npz", "vectors/a"])
def test_a_folder_with_files_of_another_program_is_refused_and_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(OptionError, match="a folder with other files, expected an index, or a new folder"):
        check_out(tmp_path)
    assert (tmp_path / name).read_bytes() == b"mine"


def test_an_index_says_that_its_graphs_are_wanted_until_they_are_written(tmp_path: Path) -> None:
    rows = empty_rows(1)
    fields = (rows[name] for name in ("key", "start", "end", "columns"))
    blocks = Blocks([Block(*fields, values=np.ones((1, WIDTH), np.float32))])
    rows |= {"block": np.zeros(1, np.int64), "row": np.zeros(1, np.int64)}
    for graph, expected in ((True, {"graph": None}), (False, {})):
        write_folder(tmp_path, INFO, rows, blocks, "0f", graph=graph)
        content = json.loads((tmp_path / "index.json").read_text())
        assert {name: content[name] for name in content if name == "graph"} == expected
