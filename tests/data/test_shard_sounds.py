"""Packed recordings are those of the folder: heard, labelled, split and batched the same."""

import csv
import io
import json
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from kakera.cli.main import main
from kakera.data import download
from kakera.data.audio.recordings import ArraySounds, FileSounds, Sounds
from kakera.data.batch import Augmentation
from kakera.data.checks.inspect import inspect_dataset
from kakera.data.checks.inspect_sounds import SoundInspection
from kakera.data.dataset import Dataset
from kakera.data.loader import evaluation_batches, training_batches
from kakera.data.packing.pack import pack
from kakera.data.sources.files import open_recordings
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.sound.spec import SoundSpec
from tests.data.files import NOISE, encoded
from tests.data.recordings import KINDS, chirp, record
from tests.data.shards.test_tar import require_one_line_each, tar
from tests.data.sources.test_builtin import served

RATES = {"wav": 44_100, "flac": 22_050, "ogg": 16_000, "mp3": 24_000, "opus": 48_000, "aiff": 11_025}
AUGMENTED = Augmentation(time_shift=0.1, gain=6.0, noise=0.1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of every kind; a table of spans of them; both packed."""
    root = tmp_path_factory.mktemp("world")
    rows = ["file,label,split,start,end"]
    for number, kind in enumerate([*KINDS, *KINDS]):
        name = f"{'xy'[number // 6]}/{number}.{kind}"
        record(root / "folder" / name, chirp(RATES[kind], 1.0 + 0.1 * number, 1 + number % 2), RATES[kind])
        for start, end in (("", 0.4), (0.3333, 0.9), (0.7, "")):
            rows.append(
                f"{name},{'a|b' if number % 3 else 'a'},{['train', 'test'][number % 2]},{start},{end}"
            )
    (root / "folder" / "spans.csv").write_text("\n".join(rows) + "\n")
    pack(root / "folder", root / "shards", shard_size=5, workers=1)
    pack(root / "folder" / "spans.csv", root / "spans", shard_size=10, workers=1)
    return root


def sounds(dataset: Dataset) -> Sounds:
    assert dataset.sounds is not None
    return dataset.sounds


def pair(world: Path, kind: str) -> tuple[Dataset, Dataset]:
    source = world / "folder" if kind == "shards" else world / "folder" / "spans.csv"
    return open_dataset(source, seed=3), open_dataset(world / kind, seed=3)


@pytest.mark.parametrize("kind", ["shards", "spans"])
def test_the_same_samples_names_labels_and_split_in_the_same_order(world: Path, kind: str) -> None:
    wanted, found = pair(world, kind)
    assert (found.channels, found.classes, found.multi_label) == (1, wanted.classes, wanted.multi_label)
    assert np.array_equal(found.labels, wanted.labels)
    assert np.array_equal(found.split, wanted.split)
    assert isinstance(found.pictures, FileSounds)
    for index in range(len(wanted)):
        for spec in (SoundSpec(), SoundSpec(rate=22_050, channel=0)):
            theirs, ours = sounds(wanted).with_spec(spec), sounds(found).with_spec(spec)
            assert ours.length(index) == theirs.length(index)
            np.testing.assert_array_equal(ours.read(index), theirs.read(index))
            np.testing.assert_array_equal(ours.piece(index, 3_001, 2_000), theirs.piece(index, 3_001, 2_000))
        assert wanted.pictures.name(index).endswith(found.pictures.name(index))


def test_members_are_the_files_or_wavs_as_long_as_the_span(world: Path) -> None:
    for shards, name in (("shards", "000000"), ("spans", "000000")):
        with tarfile.open(world / shards / f"{name}.tar") as file:
            members = {member.name: file.extractfile(member).read() for member in file}
        for key, content in members.items():
            if key.endswith(".json"):
                told, stem = json.loads(content)["name"], key.removesuffix(".json")
                (own,) = (
                    name for name in members if name.startswith(stem) and name[-4:] not in ("json", ".cls")
                )
                if shards == "shards":
                    assert Path(own).suffix == Path(told).suffix
                    assert members[own] == (world / "folder" / told).read_bytes()
                else:
                    assert own.endswith(".wav")
                    assert soundfile.info(io.BytesIO(members[own])).duration < 1.6


@pytest.mark.filterwarnings("ignore")
def test_webdataset_finds_the_same_files_and_labels(world: Path) -> None:
    import webdataset

    wanted = open_dataset(world / "folder")
    seen = 0
    pattern = str(world / "shards" / "{000000..000002}.tar")
    for sample in webdataset.WebDataset(pattern, shardshuffle=False).decode():
        told = sample["json"]
        kind = Path(told["name"]).suffix[1:]
        assert sample[kind] == (world / "folder" / told["name"]).read_bytes()
        assert wanted.classes[sample["cls"]] == told["label"]
        seen += 1
    assert seen == len(wanted)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_folder_from_any_step_with_any_number_of_workers(
    world: Path, workers: int
) -> None:
    both = [dataset.part("train") for dataset in pair(world, "spans")]
    wanted, found = (
        list(training_batches(d, (128, 30), AUGMENTED, seed=5, batch=4, steps=7, start=2, workers=w))
        for d, w in zip(both, (0, workers), strict=True)
    )
    assert len(found) == len(wanted) == 5
    for theirs, ours in zip(wanted, found, strict=True):
        assert theirs.samples.tolist() == ours.samples.tolist()
        assert theirs.pictures.equal(ours.pictures)


def test_windows_are_those_of_the_folder(world: Path) -> None:
    wanted, found = (list(evaluation_batches(d, (128, 30), batch=5)) for d in pair(world, "shards"))
    assert len(found) == len(wanted)
    assert all(a.pictures.equal(b.pictures) for a, b in zip(wanted, found, strict=True))


def test_inspection_finds_the_same(world: Path) -> None:
    wanted, found = (inspect_dataset(dataset) for dataset in pair(world, "shards"))
    assert isinstance(wanted, SoundInspection)
    different = {
        "name",
        "silent",
        "clipped",
        "duplicates",
        "leaks",
        "contradictions",
        "left_out",
    }  # hold names
    assert {k: v for k, v in wanted.to_json().items() if k not in different} == {
        k: v for k, v in found.to_json().items() if k not in different
    }


def test_another_process_gets_no_data_and_no_open_file(world: Path) -> None:
    dataset = open_dataset(world / "shards")
    before = sounds(dataset).read(1)
    content = pickle.dumps(dataset)
    assert len(content) < (world / "shards" / "000000.tar").stat().st_size / 10
    np.testing.assert_array_equal(sounds(pickle.loads(content)).read(1), before)


def test_a_header_alone_reads_little_of_the_shard(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "kakera.data.shards.reader.zlib.crc32", lambda view: pytest.fail("all of it was read")
    )
    assert sounds(open_dataset(world / "shards")).length(0) > 0


def test_the_number_of_processes_changes_no_byte(world: Path, tmp_path: Path) -> None:
    pack(world / "folder" / "spans.csv", tmp_path / "shards", shard_size=10, workers=3)
    for path in sorted((world / "spans").iterdir()):
        assert path.read_bytes() == (tmp_path / "shards" / path.name).read_bytes(), path.name


def test_again_keeps_what_is_whole_and_other_spans_are_another_plan(world: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(world / "spans", tmp_path / "spans"))
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    table = world / "folder" / "spans.csv"
    changed = bytearray(before["000001.tar"])
    changed[-2_000] ^= 255
    (target / "000001.tar").write_bytes(changed)
    (target / "shards.json").unlink()
    assert pack(table, target, shard_size=10, workers=1).kept == 3
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    other = table.with_name("other.csv")
    other.write_text(table.read_text().replace("0.3333,", "0.33330000001,"))
    with pytest.raises(OptionError, match="got shards packed with another source, expected the same"):
        pack(other, target, shard_size=10, workers=1)
    other.unlink()


def test_unreadable_ones_are_skipped_counted_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x/a.wav", "x/b.wav", "y/c.wav"):
        record(tmp_path / "in" / name, chirp(16_000, 0.5))
    (tmp_path / "in" / "y" / "d.mp3").write_text("no recording")
    cut = (tmp_path / "in" / "x" / "b.wav").read_bytes()[:-5_000]
    (tmp_path / "in" / "x" / "b.wav").write_bytes(cut)
    assert main(["pack", str(tmp_path / "in"), str(tmp_path / "out"), "--workers", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{tmp_path / 'out'}: 2 recordings in 1 shard, ")
    assert said[1] == f"2 unreadable files skipped: see {tmp_path / 'out' / 'unreadable.csv'}"
    with (tmp_path / "out" / "unreadable.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [Path(row[0]).name for row in rows] == ["file", "b.wav", "d.mp3"]
    assert "expected a complete recording" in rows[1][1]
    assert "a text file" in rows[2][1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--side", "64"],
            "--side: got 64 for recordings, expected pictures: recordings are always stored as files; ",
        ),
        (["--store", "pixels"], "--store: got pixels for recordings, expected pictures"),
        (["--channels", "3"], "got recordings and 3 channels, expected 1; leave out --channels"),
        (["--shard-size", "0"], "--shard-size: got 0, expected 1 or more; "),
    ],
)
def test_what_makes_no_sense_for_recordings_is_one_line(
    words: list[str], said: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pack", str(world / "folder"), str(tmp_path / "s"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_waveforms_in_memory_and_shards_can_be_packed_too(world: Path, tmp_path: Path) -> None:
    waves = [np.random.default_rng(n).standard_normal(800).astype(np.float32) for n in range(3)]
    given = Dataset("given", ArraySounds(waves, SoundSpec()), 1, np.full(3, "train"))
    pack(given, tmp_path / "waves", workers=1)
    found = sounds(open_dataset(tmp_path / "waves"))
    assert all(np.array_equal(found.read(n), waves[n]) for n in range(3))
    pack(world / "spans", tmp_path / "again", shard_size=7, workers=1)
    first, again = open_dataset(world / "spans"), open_dataset(tmp_path / "again")
    for index in range(len(first)):
        assert first.pictures.name(index) == again.pictures.name(index)
        assert sounds(first).file(index) == sounds(again).file(index)


def test_a_changed_byte_is_found_when_the_recording_is_heard(world: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(world / "shards", tmp_path / "shards"))
    content = bytearray((target / "000001.tar").read_bytes())
    content[3_000] ^= 1
    (target / "000001.tar").write_bytes(content)
    found, broken = sounds(open_dataset(target)), []
    for index in range(len(found)):
        try:
            found.read(index)
        except UnreadableFileError as error:
            broken.append((error.path, error.reason, found.name(index)))
    ((path, reason, name),) = broken
    shard = target / "000001.tar"
    assert path == name
    assert reason == f"got a damaged recording in {shard}, expected the packed bytes; copy or pack it again"


def test_shards_on_the_web_are_those_on_disk(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(download.VARIABLE, str(tmp_path))
    wanted = sounds(open_dataset(world / "shards"))
    with served(world) as address:
        for name in (f"{address}/shards", f"{address}/shards/shards.json"):
            found = sounds(open_dataset(name))
            assert [found.name(i) for i in range(len(found))] == [wanted.name(i) for i in range(len(wanted))]
            assert all(np.array_equal(found.read(i), wanted.read(i)) for i in range(len(wanted)))
        theirs = sounds(open_dataset(address + "/shards/{000000..000002}.tar"))
        assert sorted(theirs.name(i) for i in range(12)) == sorted(wanted.name(i) for i in range(12))


def test_shards_are_recordings_to_listen_to(world: Path) -> None:
    spec = SoundSpec(rate=8_000)
    wanted = sounds(open_dataset(world / "shards")).with_spec(spec)
    found = sounds(open_recordings([str(world / "shards")], spec))
    assert np.array_equal(found.read(4), wanted.read(4))


def content(path: Path, kind: str) -> bytes:
    return record(path / f"source.{kind}", chirp(16_000, 0.2)).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_s_recordings_are_read_with_their_labels(kind: str, tmp_path: Path) -> None:
    sound = content(tmp_path / "made", kind)
    members: dict[str, bytes] = {}
    for key, label in (("a", b"dog"), ("b", b"cat")):
        members |= {f"in/{key}.{kind}": sound, f"in/{key}.cls": label}
    members["in/c.json"] = b'{"label": "dog", "split": "test"}'
    members[f"in/c.{kind}"] = sound
    found = open_dataset(tar(tmp_path / "x.tar", members))
    assert found.classes == ("cat", "dog")
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0, 1]
    assert [found.pictures.name(i) for i in range(3)] == ["in/a", "in/b", "in/c"]
    assert sounds(found).length(2) == 3_200
    assert isinstance(open_dataset(tmp_path / "x.tar").pictures, FileSounds)  # by the index of before


def test_misnamed_and_truncated_members_are_one_line_each(tmp_path: Path) -> None:
    sound = content(tmp_path / "made", "flac")
    members = {"a.wav": sound, "b.wav": b"text", "c.flac": sound[:-300], "d.flac": encoded(NOISE)}
    found = sounds(open_dataset(tar(tmp_path / "x.tar", members)))
    assert len(found.read(0)) == 3_200  # a kind is known by its content
    for index, said in ((1, "b: got a text file, "), (2, "c: got a damaged"), (3, "d: got a picture, ")):
        with pytest.raises(UnreadableFileError, match=f"^{said}") as caught:
            found.read(index)
        assert "\n" not in str(caught.value)


def test_pictures_among_recordings_are_one_line(tmp_path: Path) -> None:
    sound, picture = content(tmp_path / "made", "wav"), encoded(NOISE)
    mixed: list[dict[str, bytes]] = [{"a.wav": sound, "b.png": picture}, {"a.wav": sound, "a.png": picture}]
    for number, members in enumerate(mixed):
        path = tar(tmp_path / f"{number}.tar", members)
        with pytest.raises(
            DataError, match=r"\.tar: got 1 pictures and 1 recordings, expected only one of the two; "
        ):
            open_dataset(path)
    (tmp_path / "apart").mkdir()
    tar(tmp_path / "apart" / "0.tar", {"a.wav": sound})
    tar(tmp_path / "apart" / "1.tar", {"a.png": picture})
    with pytest.raises(
        DataError, match="got shards of pictures and shards of recordings, expected shards of"
    ):
        open_dataset(tmp_path / "apart")


def test_changed_bytes_are_one_line_or_a_recording(tmp_path: Path) -> None:
    members: dict[str, Any] = {
        "a.wav": content(tmp_path / "m", "wav"),
        "b.ogg": content(tmp_path / "m", "ogg"),
    }
    require_one_line_each(tar(tmp_path / "x.tar", members), times=100)
