"""Oracles: the webdataset library, reading ours and writing its own; Python's tarfile."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.packing.pack import pack
from kakera.data.shards.index import SUFFIX, read_index
from kakera.data.shards.open import expanded
from kakera.data.shards.tar import TarWriter, index_tar
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.files import NOISE, encoded
from tests.small import folder

PICTURE = {"png": encoded(NOISE), "jpg": encoded(NOISE, "JPEG"), "webp": encoded(NOISE, "WEBP")}


def npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("store", ["pixels", "files"])
def test_webdataset_finds_the_same_pictures_and_labels(store: Any, tmp_path: Path) -> None:
    import webdataset

    source = folder(tmp_path / "pictures", count=5)
    pack(source, tmp_path / "shards", store=store, shard_size=4, workers=1)
    wanted = open_dataset(source)
    assert wanted.labels is not None
    ours = {
        Path(wanted.pictures.name(i)).relative_to(source).as_posix(): (
            wanted.pictures.read(i),
            int(wanted.labels[i]),
        )
        for i in range(len(wanted))
    }
    pattern = str(tmp_path / "shards" / "{000000..000002}.tar")
    theirs = {}
    for sample in webdataset.WebDataset(pattern, shardshuffle=False).decode("rgb8"):
        values = sample["npy" if store == "pixels" else "png"]
        theirs[sample["json"]["name"]] = values, sample["cls"]
        assert sample["json"]["label"] == wanted.classes[sample["cls"]]
    assert theirs.keys() == ours.keys()
    for name, (values, label) in theirs.items():
        assert np.array_equal(values, ours[name][0])
        assert label == ours[name][1]


@pytest.mark.filterwarnings("ignore")
def test_what_webdataset_writes_is_read(tmp_path: Path) -> None:
    import webdataset

    with webdataset.ShardWriter(str(tmp_path / "their-%03d.tar"), maxcount=3, verbose=0) as writer:
        for number in range(7):
            picture = np.roll(NOISE, number, axis=0)
            writer.write({"__key__": f"some/{number:03d}", "png": picture, "cls": number % 3})
    found = open_dataset(tmp_path)
    assert found.classes == ("0", "1", "2")
    assert found.labels is not None
    assert found.labels.tolist() == [number % 3 for number in range(7)]
    for number in range(7):
        assert np.array_equal(found.pictures.read(number), np.roll(NOISE, number, axis=0))
        assert found.pictures.name(number) == f"some/{number:03d}"


def test_a_tar_file_of_ours_is_one_of_python_s(tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        writer = TarWriter(file)
        starts = [writer.add(name, content) for name, content in PICTURE.items()]
        writer.finish()
    with tarfile.open(tmp_path / "x.tar") as read:
        members = read.getmembers()
        assert [member.name for member in members] == list(PICTURE)
        assert [member.offset_data for member in members] == starts
        assert [read.extractfile(member).read() for member in members] == list(PICTURE.values())


@pytest.mark.parametrize("kind", PICTURE)
def test_pictures_of_any_kind_without_labels(kind: str, tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", {f"a.{kind}": PICTURE[kind], f"b.{kind}": PICTURE[kind]})
    found = open_dataset(tmp_path / "x.tar")
    assert found.labels is None
    assert found.pictures.read(1).shape == NOISE.shape


@pytest.mark.parametrize(("values", "shape"), [(NOISE, NOISE.shape), (NOISE[..., 0], (12, 16, 1))])
def test_arrays_are_read_as_they_stand(values: np.ndarray, shape: tuple[int, ...], tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", {"a.npy": npy(values)})
    found = open_dataset(tmp_path / "x.tar")
    assert np.array_equal(found.pictures.read(0), values.reshape(shape))


@pytest.mark.parametrize(
    "content",
    [
        npy(NOISE.astype(np.float32)),
        npy(NOISE[..., :2]),
        npy(np.asfortranarray(NOISE)),
        npy(NOISE)[:-1],
        b"\x93NUMPY",
    ],
)
def test_other_arrays_are_unreadable_not_fatal(content: bytes, tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", {"a.npy": npy(NOISE), "b.npy": content})
    found = open_dataset(tmp_path / "x.tar")
    found.pictures.read(0)
    with pytest.raises(ValueError, match=r"x\.tar: b: got .*, expected "):
        found.pictures.read(1)


def sample(key: str, **beside: str) -> dict[str, bytes]:
    return {f"{key}.png": PICTURE["png"], **{f"{key}.{kind}": text.encode() for kind, text in beside.items()}}


LABELLED = {
    "numbers": ([sample("a", cls="2"), sample("b", cls="0")], ("0", "1", "2"), [2, 0]),
    "words": ([sample(key, txt=word) for key, word in zip("abcd", ("cat", "dog") * 2, strict=True)],
              ("cat", "dog"), [0, 1, 0, 1]),
    "json": ([sample("a", json='{"label": "x"}'), sample("b", json="{}")], ("x",), [0, -1]),
    "several": ([sample("a", json='{"labels": ["x", "y"]}'), sample("b", json='{"labels": []}')],
                ("x", "y"), [[True, True], [False, False]]),
    "nonsense": ([sample("a", json="[[["), sample("b", json="7")], (), None),
    "captions": ([sample("a", txt="a cat on a mat"), sample("b", txt="a dog in the fog")], (), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELLED)
def test_labels_from_what_stands_beside(kind: str, tmp_path: Path) -> None:
    samples, classes, labels = LABELLED[kind]
    tar(tmp_path / "x.tar", {name: content for one in samples for name, content in one.items()})
    found = open_dataset(tmp_path / "x.tar", test=0.0)
    assert found.classes == classes
    assert (None if found.labels is None else found.labels.tolist()) == labels


def test_classes_of_several_files_are_joined_by_name(tmp_path: Path) -> None:
    tar(tmp_path / "1.tar", sample("a", json='{"label": "y", "split": "train"}'))
    tar(tmp_path / "2.tar", sample("b", json='{"label": "x", "split": "test", "name": "bee"}'))
    found = open_dataset(tmp_path)
    assert found.classes == ("x", "y")
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0]
    assert found.split.tolist() == ["train", "test"]
    assert found.pictures.name(1) == "bee"


def test_the_index_is_written_once_and_again_when_the_file_has_changed(tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", sample("a"))
    open_dataset(tmp_path)
    index = tmp_path / f"x{SUFFIX}"
    first = index.stat().st_mtime_ns
    open_dataset(tmp_path)
    assert index.stat().st_mtime_ns == first
    tar(tmp_path / "x.tar", {**sample("a"), **sample("b")})
    assert len(open_dataset(tmp_path)) == 2
    index.write_bytes(b"nothing")
    assert len(open_dataset(tmp_path)) == 2


def test_the_index_of_a_packed_shard_stays_what_it_was(tmp_path: Path) -> None:
    pack(folder(tmp_path / "pictures", count=4), tmp_path / "shards", shard_size=3, workers=1)
    open_dataset(tmp_path / "shards" / "000001.tar")
    assert len(open_dataset(tmp_path / "shards")) == 8


def test_a_tar_file_beside_pictures_is_what_they_came_in(tmp_path: Path) -> None:
    folder(tmp_path, count=3)
    tar(tmp_path / "x.tar", sample("a"))
    assert len(open_dataset(tmp_path)) == 6


BROKEN = {
    "empty": b"",
    "text": b"text " * 500,
    "zeros": bytes(10240),
    "compressed": b"\x1f\x8b\x08" + bytes(2000),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_no_tar_file_is_one_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(BROKEN[kind])
    with pytest.raises(
        DataError, match=r"^\S+x\.tar: got [^\n]+, expected an uncompressed tar file of [^\n]+; "
    ):
        open_dataset(tmp_path)


def test_half_a_tar_file_is_one_line_wherever_it_ends(tmp_path: Path) -> None:
    whole = tar(tmp_path / "x.tar", {**sample("a"), **sample("b")}).read_bytes()
    end = whole.rstrip(b"\0")
    for length in [*range(0, len(end), 97), 3 * 1024]:
        (tmp_path / "x.tar").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"x\.tar: got .*, expected an uncompressed tar file"):
            index_tar(tmp_path / "x.tar")


def require_one_line_each(path: Path, times: int) -> None:
    """Change bytes of a tar file at random: it is read, or refused in one line."""
    whole, random, said = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(times):
        changed = bytearray(whole)
        for place in random.integers(0, len(whole), 20):
            changed[place] = random.integers(256)
        path.write_bytes(changed)
        try:
            found = open_dataset(path)
            [found.pictures.read(index) for index in range(len(found))]
        except (DataError, ValueError) as error:
            said.append(str(error))
    assert said
    assert not [line for line in said if "\n" in line or ": got " not in line]


def test_changed_bytes_are_one_line_or_a_picture(tmp_path: Path) -> None:
    members = {**sample("a", json=json.dumps({"label": "x"})), "b.npy": npy(NOISE), "b.cls": b"1"}
    require_one_line_each(tar(tmp_path / "x.tar", members), times=150)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("{00..02}.tar", ["00.tar", "01.tar", "02.tar"]),
        ("a/{9..10}-{x,y}.tar", ["a/9-x.tar", "a/9-y.tar", "a/10-x.tar", "a/10-y.tar"]),
        ("plain.tar", ["plain.tar"]),
    ],
)
def test_braces_are_written_out(pattern: str, wanted: list[str]) -> None:
    assert expanded(pattern) == wanted


@pytest.mark.parametrize("pattern", ["{3..1}.tar", "{a..c}.tar", "{0..9999999999}.tar"])
def test_a_range_that_is_none_is_one_line(pattern: str) -> None:
    with pytest.raises(DataError, match="expected a range such as"):
        expanded(pattern)


def keyed(path: Path, *names: str) -> Dataset:
    """A tar file of these members, each picture another one."""
    members: dict[str, bytes] = {}
    for number, name in enumerate(names):
        text = name.rpartition(".")[2] in ("cls", "txt", "json")
        members[name] = f"{number}".encode() if text else encoded(np.roll(NOISE, number, axis=0))
    return open_dataset(tar(path / "x.tar", members), test=0.0)


def named(dataset: Dataset) -> list[str]:
    return [dataset.pictures.name(row) for row in range(len(dataset))]


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ([f"img.{n}.png" for n in range(12)], [f"img.{n}" for n in range(12)]),
        (["cam1.2024.000.png", "cam1.2024.001.png"], ["cam1.2024.000", "cam1.2024.001"]),
        (["a.png", "a.1.png", "a.2.png"], ["a", "a.1", "a.2"]),
        (["a.png", "a.jpg", "b.png"], ["a.png", "a.jpg", "b"]),
        (["d/x.l.png", "d/x.r.png", "d/y.l.png"], ["d/x.l", "d/x.r", "d/y"]),
    ],
)
def test_a_second_picture_of_a_key_is_a_sample(members: list[str], names: list[str], tmp_path: Path) -> None:
    found = keyed(tmp_path, *members)
    assert named(found) == names
    for number in range(len(members)):
        assert np.array_equal(found.pictures.read(number), np.roll(NOISE, number, axis=0))
    assert found.left_out == ()


def test_each_of_several_pictures_of_a_key_has_the_label_of_its_own_name(tmp_path: Path) -> None:
    found = keyed(tmp_path, "c.7.png", "c.7.cls", "c.8.png", "c.8.cls", "d.7.png", "d.8.png", "d.cls")
    assert found.labels is not None
    assert [found.classes[label] for label in found.labels] == ["1", "3", "6", "6"]


def test_what_every_key_has_beside_its_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    found = keyed(tmp_path, "a.jpg", "a.seg.png", "b.jpg", "b.seg.png")
    assert named(found) == ["a", "b"]
    why = "another picture or recording of the key is read"
    assert found.left_out == tuple((f"{tmp_path}/x.tar/{key}.seg.png", why) for key in "ab")


def test_members_of_a_key_need_not_stand_together(tmp_path: Path) -> None:
    found = keyed(tmp_path, "a.png", "b.png", "b.cls", "a.cls")
    assert found.labels is not None
    assert [found.classes[label] for label in found.labels] == ["3", "2"]


def test_members_that_are_left_over_are_counted_also_from_the_index(tmp_path: Path) -> None:
    keyed(tmp_path, "a.png", "lost.cls", "README", ".h.png", "b.xyz")
    again = open_dataset(tmp_path / "x.tar")
    assert {path.removeprefix(f"{tmp_path}/x.tar/"): why for path, why in again.left_out} == {
        "README": "",
        "b.xyz": "",
        ".h.png": "a hidden file",
        "lost.cls": "no picture or recording of its key",
    }


def test_a_name_twice_is_one_line(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for _ in range(2):
            info = tarfile.TarInfo("a.png")
            info.size = len(PICTURE["png"])
            file.addfile(info, io.BytesIO(PICTURE["png"]))
    with pytest.raises(
        DataError, match=r"x\.tar: got a\.png twice, expected each name once; pack the shard again$"
    ):
        open_dataset(tmp_path / "x.tar")


def test_links_in_a_tar_file_are_counted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        info = tarfile.TarInfo("a.png")
        info.size = len(PICTURE["png"])
        file.addfile(info, io.BytesIO(PICTURE["png"]))
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.LNKTYPE, "a.png"
        file.addfile(link)
    left = ((f"{tmp_path}/x.tar/b.png", "a link or a device, not a file"),)
    assert open_dataset(tmp_path / "x.tar").left_out == left


def test_an_index_by_an_older_rule_is_made_anew(tmp_path: Path) -> None:
    keyed(tmp_path, *[f"img.{n}.png" for n in range(3)])
    path = tmp_path / f"x{SUFFIX}"
    old = read_index(path.read_bytes(), path)
    del old.facts["rule"]
    few = replace(old, records=old.records[:1], names=b"img")
    path.write_bytes(few.to_bytes())
    assert len(open_dataset(tmp_path / "x.tar")) == 3


def test_parts_in_json_are_known_in_any_case(tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", sample("a", json='{"split": "Training"}') | sample("b", json='{"split": "eval"}'))
    assert open_dataset(tmp_path / "x.tar").split.tolist() == ["train", "test"]
    tar(tmp_path / "y.tar", sample("a", json='{"split": "train"}') | sample("b", json='{"split": "third"}'))
    with pytest.raises(DataError, match="got split third, expected train, val or test"):
        open_dataset(tmp_path / "y.tar")


def test_a_tar_file_beside_parts_is_named(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").write_bytes(PICTURE["png"])
    tar(tmp_path / "flowers.tar", sample("gone"))
    found = open_dataset(tmp_path)
    assert (len(found), found.classes) == (3, ("a", "b"))
    assert found.left_out == (
        (f"{tmp_path}/flowers.tar", "pass the .tar file itself as the data to read it"),
    )
