import csv
import hashlib
import io
import json
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.cli.main import main
from kakera.data.packing.job import PackingJob
from kakera.data.packing.pack import pack
from kakera.data.packing.workers import pack_shards
from kakera.data.packing.writer import bounded
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, StorageError
from tests.data.files import NOISE, encoded
from tests.data.recordings import chirp, record
from tests.small import folder
from tests.warm import Process


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("source") / "pictures", count=6, side=24)


def digests(data: Path) -> list[str]:
    """Of the values of each picture, with its shape, class and name."""
    dataset = open_dataset(data)
    assert dataset.labels is not None
    found = []
    for number in range(len(dataset)):
        values = dataset.pictures.read(number)
        name = Path(dataset.pictures.name(number)).name
        found.append(
            hashlib.sha256(
                values.tobytes() + repr((values.shape, dataset.labels[number], name)).encode()
            ).hexdigest()
        )
    return found


@pytest.mark.parametrize(("shape", "wanted"), [((40, 80, 3), (20, 40, 3)), ((90, 30, 1), (60, 20, 1))])
def test_the_shorter_side_is_bounded_by_pillow_s_antialiased_bicubic(
    shape: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = bounded(values, 20)
    image = Image.fromarray(values.squeeze()).resize((wanted[1], wanted[0]), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(image).reshape(wanted))


@pytest.mark.parametrize("side", [0, 40, 41])
def test_smaller_ones_stay(side: int) -> None:
    values = np.zeros((40, 80, 3), np.uint8)
    assert bounded(values, side) is values


def test_the_number_of_processes_changes_no_byte(pictures: Path, tmp_path: Path) -> None:
    for workers in (1, 3):
        pack(pictures, tmp_path / str(workers), side=16, shard_size=5, workers=workers)
    for path in sorted((tmp_path / "1").iterdir()):
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes(), path.name


def test_unreadable_ones_are_skipped_counted_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(tmp_path / "pictures", count=4)
    (source / "bag" / "0.png").write_bytes(b"")
    (source / "boot" / "x.jpg").write_bytes(b"\xff\xd8 and no more")
    assert main(["pack", str(source), str(tmp_path / "shards"), "--shard-size", "3", "--workers", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{tmp_path / 'shards'}: 7 pictures in 3 shards, ")
    assert said[1] == f"2 unreadable files skipped: see {tmp_path / 'shards' / 'unreadable.csv'}"
    assert said[2] == f"next: kakera pretrain {tmp_path / 'shards'} --out runs/pretrain-shards"
    with (tmp_path / "shards" / "unreadable.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [Path(row[0]).name for row in rows] == ["file", "0.png", "x.jpg"]
    assert "an empty file" in rows[1][1]
    assert len(open_dataset(tmp_path / "shards").unreadable) == 2


def test_again_keeps_what_is_whole_and_only_that(pictures: Path, tmp_path: Path) -> None:
    target = tmp_path / "shards"
    assert pack(pictures, target, shard_size=4, workers=1).kept == 0
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    assert pack(pictures, target, shard_size=4, workers=1).kept == 3
    changed = bytearray(before["000001.tar"])
    changed[700] ^= 255
    (target / "000001.tar").write_bytes(changed)  # of the same size
    (target / "000002.index.npz").unlink()
    (target / "shards.json").unlink()
    assert pack(pictures, target, shard_size=4, workers=1).kept == 1
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_another_plan_needs_another_folder(pictures: Path, tmp_path: Path) -> None:
    pack(pictures, tmp_path / "shards", side=16, workers=1)
    with pytest.raises(OptionError, match="got shards packed with another side, expected the same"):
        pack(pictures, tmp_path / "shards", side=17, workers=1)
    with pytest.raises(OptionError, match="packed with another pictures, source, classes"):
        pack(folder(tmp_path / "p", count=3, classes=("a", "b")), tmp_path / "shards", side=16, workers=1)


REFUSED = [
    (["--side", "-1"], "--side: got -1, expected 0 or more; "),
    (["--shard-size", "0"], "--shard-size: got 0, expected 1 or more; "),
    (["--store", "files", "--side", "9"], "--side: got 9 with --store files, expected --store pixels; "),
    (["--store", "both"], "argument --store: invalid choice"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_a_wrong_option_is_one_line(
    words: list[str], said: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pack", str(pictures), str(tmp_path / "s"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_arrays_have_no_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--store: got files of demo, expected pixels"):
        pack("demo", tmp_path / "s", store="files")


def test_another_folder_and_a_file_are_left_alone(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="got a folder with other files, expected a new or empty folder"):
        pack(pictures, tmp_path)
    with pytest.raises(DataError, match="got a file, expected a folder for the shards"):
        pack(pictures, tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["notes.txt"]


def test_nothing_readable_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(b"text")
    with pytest.raises(
        DataError, match=r"got 1 unreadable files \(got a text file.*\), expected at least one"
    ):
        pack(tmp_path / "p", tmp_path / "s", workers=1)


def test_what_stops_a_process_stops_all_with_its_line(pictures: Path, tmp_path: Path) -> None:
    job = PackingJob(
        open_dataset(pictures), tmp_path / "file", divided=False, side=0, files=False, shard_size=4
    )
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"000000\.tar: got .*, expected room to write"):
        pack_shards(job, [0, 1, 2], 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pixels", "files", "recordings"])
def test_killed_at_random_instants_nothing_is_lost_and_nothing_repeated(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    for number in range(200 if kind == "recordings" else 0):
        record(source / "xy"[number % 2] / f"{number}.flac", chirp(16_000, 1 + number / 100))
    if kind != "recordings":
        folder(source, count=100, side=64)
    store = ["--store", kind] if kind != "recordings" else []
    words = [str(source), str(tmp_path / "shards"), "--shard-size", "8", "--workers", "2", *store]
    chance, kills = random.Random(1), 0
    for _ in range(60):
        started = time.monotonic()
        process = Process("pack", *words)
        shards, wanted = len(list((tmp_path / "shards").glob("*.tar"))), chance.randrange(1, 4)
        while process.poll() is None and time.monotonic() - started < 60:
            if kills < 5 and len(list((tmp_path / "shards").glob("*.tar"))) >= shards + wanted:
                process.kill()  # the parent alone: its processes must notice
                kills += 1
                break
            time.sleep(0.001)
        said = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
    assert kills >= 3
    assert digests(tmp_path / "shards") == digests(source)
    assert not list((tmp_path / "shards").glob(".0*"))


@pytest.mark.filterwarnings("ignore")  # webdataset's own
def test_files_of_mixed_kinds_have_one_suffix_and_are_read_by_webdataset(tmp_path: Path) -> None:
    import webdataset

    (tmp_path / "d").mkdir()
    written = {}
    for number, kind in enumerate(("PNG", "JPEG", "PNG", "WEBP", "PNG")):
        name = f"{number}.{kind.lower()}"
        written[name] = encoded(np.roll(NOISE, number, axis=0), kind)
        (tmp_path / "d" / name).write_bytes(written[name])
    pack(tmp_path / "d", tmp_path / "s", store="files", workers=1)
    shard = str(tmp_path / "s" / "000000.tar")
    samples = list(webdataset.WebDataset(shard, shardshuffle=False))
    assert {json.loads(sample["json"])["name"]: sample["png"] for sample in samples} == written
    decoded = {
        sample["json"]["name"]: np.asarray(sample["png"])
        for sample in webdataset.WebDataset(shard, shardshuffle=False).decode("pil")
    }
    for name, content in written.items():
        assert np.array_equal(decoded[name], np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def test_what_is_not_packed_is_said(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=3)
    (root / "notes.txt").write_text("notes")
    lines = pack(root, tmp_path / "s", workers=1).lines()
    assert f"not read: 1 .txt: {root}/notes.txt" in lines
