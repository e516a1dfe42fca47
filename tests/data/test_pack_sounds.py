"""Recordings in shards are the recordings of the folder, to the sample."""

import csv
import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

import kakera
from kakera.cli.main import main
from kakera.data.dataset import Dataset
from kakera.data.pack import pack
from kakera.data.sounds import Sounds
from kakera.data.sources import open_dataset
from kakera.errors import DataError, UnreadableFileError
from tests.data.recordings import KINDS, chirp, record
from tests.training.songs import PRETRAIN, songs


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source") / "recordings"
    for number, kind in enumerate(KINDS):
        for label in ("low", "high"):
            record(root / label / f"{number}.{kind}", chirp(16_000, 0.5 + 0.1 * number, 1 + number % 2))
    return root


def heard(dataset: Dataset) -> Sounds:
    assert dataset.sounds is not None
    return dataset.sounds


def require_same(one: Dataset, other: Dataset) -> None:
    assert (len(one), one.classes) == (len(other), other.classes)
    assert one.labels is not None
    assert other.labels is not None
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.split, other.split)
    for index in range(len(one)):
        a, b = heard(one), heard(other)
        assert a.length(index) == b.length(index)
        assert (a.header(index).rate, a.header(index).channels) == (
            b.header(index).rate,
            b.header(index).channels,
        )
        assert np.array_equal(a.read(index), b.read(index))
        assert np.array_equal(a.piece(index, 777, 2_000), b.piece(index, 777, 2_000))
        assert np.array_equal(np.concatenate([*a.blocks(index)]), np.concatenate([*b.blocks(index)]))


def test_every_kind_is_heard_to_the_sample(every_kind: Path, tmp_path: Path) -> None:
    packed = pack(every_kind, tmp_path / "shards", shard_size=5, workers=2)
    assert (packed.kind, packed.count, packed.shards) == ("recordings", 2 * len(KINDS), 3)
    folder, shards = open_dataset(every_kind), open_dataset(tmp_path / "shards")
    require_same(folder, shards)
    names = [Path(heard(one).name(0)).name for one in (folder, shards)]
    assert names[0] == names[1]
    for tar in (tmp_path / "shards").glob("*.tar"):
        with tarfile.open(tar) as file:
            for member in file:
                if Path(member.name).suffix[1:] in KINDS:
                    reader = file.extractfile(member)
                    assert reader is not None
                    number = int(Path(member.name).stem)
                    assert reader.read() == Path(heard(folder).name(number)).read_bytes()


def test_what_goes_to_another_process_is_small(every_kind: Path, tmp_path: Path) -> None:
    pack(every_kind, tmp_path / "shards", workers=1)
    dataset = open_dataset(tmp_path / "shards")
    before = [heard(dataset).read(index) for index in range(len(dataset))]
    carried = pickle.dumps(dataset)
    assert len(carried) < sum(path.stat().st_size for path in (tmp_path / "shards").glob("*.tar")) / 10
    after = pickle.loads(carried)
    assert all(np.array_equal(values, heard(after).read(index)) for index, values in enumerate(before))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_a_span_is_kept_alone_and_without_loss(subtype: str, tmp_path: Path) -> None:
    record(tmp_path / "long.wav", chirp(22_050, 8.0, 2), 22_050, subtype=subtype)
    table = tmp_path / "spans.csv"
    table.write_text("file,label,start,end\nlong.wav,a,0.5,1.25\nlong.wav,b,7.5,\nlong.wav,a|b,2,2.1\n")
    pack(table, tmp_path / "shards", workers=1)
    require_same(open_dataset(table), open_dataset(tmp_path / "shards"))
    size = (tmp_path / "shards" / "000000.tar").stat().st_size
    assert size < (tmp_path / "long.wav").stat().st_size / 2 or subtype == "ULAW"  # floats of 4 bytes


def test_training_from_shards_ends_at_the_same_weights(tmp_path: Path) -> None:
    pack(songs(tmp_path / "songs"), tmp_path / "shards", shard_size=7, workers=2)
    weights = []
    for source in ("songs", "shards"):
        kakera.pretrain(tmp_path / source, out=tmp_path / f"from-{source}", **PRETRAIN)
        weights.append((tmp_path / f"from-{source}" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_the_number_of_processes_changes_no_byte_and_again_keeps_all(tmp_path: Path) -> None:
    source = songs(tmp_path / "songs", count=5)
    for workers in (1, 3):
        pack(source, tmp_path / str(workers), shard_size=3, workers=workers)
    for path in sorted((tmp_path / "1").iterdir()):
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes(), path.name
    (tmp_path / "1" / "000001.tar").unlink()
    again = pack(source, tmp_path / "1", shard_size=3, workers=1)
    assert (again.kept, again.shards) == (3, 4)
    assert (tmp_path / "1" / "000001.tar").read_bytes() == (tmp_path / "3" / "000001.tar").read_bytes()


def test_unreadable_ones_are_listed_and_damage_is_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = songs(tmp_path / "songs", count=3)
    (source / "low" / "0.wav").write_bytes(b"")
    (source / "high" / "x.flac").write_bytes(b"fLaC and no more")
    assert main(["pack", str(source), str(tmp_path / "shards"), "--workers", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{tmp_path / 'shards'}: 5 recordings in 1 shard, ")
    with (tmp_path / "shards" / "unreadable.csv").open(newline="") as file:
        assert {Path(row[0]).name for row in csv.reader(file)} == {"file", "0.wav", "x.flac"}
    tar = tmp_path / "shards" / "000000.tar"
    content = bytearray(tar.read_bytes())
    content[content.index(b"RIFF") + 300] ^= 1
    tar.write_bytes(content)
    dataset, broken = open_dataset(tmp_path / "shards"), []
    for index in range(len(dataset)):
        try:
            heard(dataset).read(index)
        except UnreadableFileError as error:
            broken.append(str(error))
    assert len(broken) == 1
    assert f"got a damaged recording in {tar}, expected the packed bytes; " in broken[0]
    tar.write_bytes(content[:1024])
    with pytest.raises(DataError, match=r"000000\.tar: got 1024 bytes, expected a shard of \d+ bytes; "):
        open_dataset(tmp_path / "shards")


@pytest.mark.parametrize("words", [["--side", "64"], ["--store", "pixels"]])
def test_what_is_for_pictures_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = songs(tmp_path / "songs", count=2)
    assert main(["pack", str(source), str(tmp_path / "shards"), *words]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"kakera: {words[0]}: got {words[1]} for recordings, expected pictures: ")
    assert "\n" not in said
    assert not (tmp_path / "shards").exists()


def members(path: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_shards_of_others_hold_recordings_too(tmp_path: Path) -> None:
    files = [record(tmp_path / f"{n}.flac", chirp(8_000, 0.5 + n), 8_000) for n in range(4)]
    content = {}
    for number, path in enumerate(files):
        content[f"{number:03d}.flac"] = path.read_bytes()
        content[f"{number:03d}.json"] = json.dumps({"label": ("cat", "dog")[number % 2]}).encode()
    dataset = open_dataset(members(tmp_path / "theirs.tar", content))
    assert dataset.classes == ("cat", "dog")
    assert [heard(dataset).header(n).samples for n in range(4)] == [4_000, 12_000, 20_000, 28_000]
    content["9.png"] = b"\x89PNG"
    with pytest.raises(DataError) as caught:
        open_dataset(members(tmp_path / "mixed.tar", content))
    assert "\n" not in str(caught.value)
    assert "pictures" in str(caught.value)
    assert "recordings" in str(caught.value)
