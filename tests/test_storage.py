import subprocess
import sys
from pathlib import Path

import pytest

from kakera.errors import StorageError
from kakera.storage import write_atomically


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="expected room to write"):
        write_atomically(tmp_path / "file" / "below", b"content")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "here"
    path.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(StorageError):
        write_atomically(path, b"content")
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_a_file_too_large_for_the_disk_is_one_line_and_leaves_the_old_one(tmp_path: Path) -> None:
    # A limit on the size of files fails in the same call as a full disk does.
    script = (
        "import resource, signal, sys, pathlib\n"
        "from kakera.storage import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(pathlib.Path(sys.argv[1]), b'x' * 100_000)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, str(error))\n"
    )
    target = tmp_path / "weights"
    target.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", script, target], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StorageError ")
    assert done.stdout.count("\n") == 1
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("weights", b"old")]


def test_others_may_read_what_the_umask_lets_them_read(tmp_path: Path) -> None:
    write_atomically(tmp_path / "ours", b"content")
    (tmp_path / "plain").write_bytes(b"content")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "plain"]
