"""`kakera.curate` on files with planted faults."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kakera
from kakera.commands.curate import Curation, curate
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec
from tests.data.recordings import record
from tests.training.songs import RATE, tone

COPIES = {
    "exact.png": "exact",
    "recoded.jpg": "re-encoded",
    "cropped.png": "cropped",
    "mirrored.png": "mirrored",
}


def scene(seed: int, side: int = 64) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes in two parts, four copies of pictures of the test part, and an encoder."""
    root = tmp_path_factory.mktemp("curate")
    for number in range(60):
        place = root / "pictures" / ("test" if number < 12 else "train") / ("a", "b")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        scene(number).save(place / f"{number}.png")
    train = root / "pictures" / "train" / "a"
    (train / "exact.png").write_bytes((root / "pictures/test/a/0.png").read_bytes())
    scene(2).save(train / "recoded.jpg", quality=80)
    scene(4).crop((0, 5, 58, 64)).save(train / "cropped.png")
    scene(6).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(train / "mirrored.png")
    inputs = InputSpec(3, 32, 32, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=32, seed=0), inputs).save(root / "encoder")
    spec = SoundSpec(rate=RATE, bins=32)
    inputs = InputSpec(1, 32, 80, (0.0,), (1.0,), sound=spec)
    Pretrained(ViT("nano", channels=1, image_size=(32, 80), patch=(8, 8), seed=0), inputs).save(root / "ear")
    return root


@pytest.fixture(autouse=True)
def here(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    monkeypatch.setenv("KAKERA_CACHE", str(world / "cache"))


def rows_of(found: Curation) -> list[dict[str, str]]:
    with (found.folder / "findings.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_kind_of_copy_is_in_a_group_with_its_original(world: Path) -> None:
    found = curate("pictures", init_from="encoder", out="curated")
    rows = [row for row in rows_of(found) if row["group"]]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["kind"] != "conflict":
            groups.setdefault(row["group"], []).append(row)
    expected = {
        frozenset({f"{2 * place}.png", name}): kind for place, (name, kind) in enumerate(COPIES.items())
    }
    named = {frozenset(Path(row["file"]).name for row in group): group for group in groups.values()}
    assert {names: group[0]["kind"] for names, group in named.items()} == expected
    for group in named.values():  # the test copy is kept, the training copy goes
        assert [(row["part"], row["suggestion"]) for row in group] == [("test", "keep"), ("train", "drop")]
    assert found.lines()[0].startswith("copies in two parts: 4 groups with 4 files of test")


def test_the_page_shows_the_copies_and_says_the_limits(world: Path) -> None:
    found = curate("pictures", init_from="encoder", out="page")
    page = (found.folder / "report.html").read_text()
    assert "Copies in two parts" in page
    assert page.index("Copies in two parts") < page.index("How copies are found")
    assert page.count("<img") >= 8
    assert f"{found.copies.limits['re-encoded']:.3f}" in page


def test_without_mirrored_pictures_the_encoder_reads_each_picture_once(world: Path) -> None:
    found = curate("pictures", init_from="encoder", out="unmirrored", mirrored=False)
    assert {row["kind"] for row in rows_of(found) if row["group"]} == {"exact", "re-encoded", "cropped"}


def test_a_second_call_computes_nothing_and_finds_the_same(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rows_of(curate("pictures", init_from="encoder", out="again"))
    monkeypatch.setattr("kakera.formats.features.each_features", None)
    monkeypatch.setattr("kakera.commands.curating.small._grey", None)
    assert rows_of(curate("pictures", init_from="encoder", out="again")) == first


def test_the_table_has_one_file_of_each_group_and_finetune_reads_it(world: Path) -> None:
    (world / "tables").mkdir()
    found = curate("pictures", init_from="encoder", out="applied", apply="tables/clean.csv")
    assert "tables/clean.csv: 60 files, 4 copies left out, 0 labels replaced" in found.lines()
    data = open_dataset("tables/clean.csv")
    names = {Path(name).name for name in data.pictures.names_between(0, len(data))}
    assert names == {f"{number}.png" for number in range(60)}
    assert data.classes == ("a", "b")
    assert [int((data.split == part).sum()) for part in ("train", "test")] == [48, 12]
    again = curate("tables/clean.csv", init_from="encoder", out="clean")
    assert again.groups == ()


@pytest.mark.parametrize("header", ["file,label", "file,label,part"])
def test_a_table_of_the_user_is_not_overwritten(header: str, world: Path) -> None:
    table, rest = Path("mine.csv"), ",train" if "part" in header else ""
    table.write_text(f"{header}\npictures/train/a/20.png,a{rest}\npictures/train/b/21.png,b{rest}\n")
    before = table.read_text()
    with pytest.raises(OptionError, match="apply: got mine.csv, which exists, expected a new file"):
        curate("mine.csv", init_from="encoder", out="kept", apply="mine.csv")
    assert table.read_text() == before


def test_spans_of_recordings_stay_in_the_table(world: Path) -> None:
    record(world / "long.wav", tone(500, 1.0), RATE)
    record(world / "other.wav", tone(900, 1.0), RATE)
    lines = ["file,label,start,end", "long.wav,x,0,0.4", "long.wav,y,0.5,", "other.wav,x,,"]
    Path("spans.csv").write_text("\n".join(lines))
    curate("spans.csv", init_from="ear", out="spans", apply="spans-clean.csv")
    with Path("spans-clean.csv").open() as file:
        rows = [(row["file"], row["label"], row["start"], row["end"]) for row in csv.DictReader(file)]
    assert rows == [
        ("long.wav", "x", "0.0", "0.4"),
        ("long.wav", "y", "0.5", ""),
        ("other.wav", "x", "0.0", ""),
    ]


def test_each_of_two_equal_broken_files_is_named(world: Path) -> None:
    for name in ("one", "two"):
        (world / "broken").mkdir(exist_ok=True)
        (world / "broken" / f"{name}.png").write_bytes(b"no picture")
    for number in range(2):
        scene(200 + number).save(world / "broken" / f"{number}.png")
    found = curate("broken", init_from="encoder", out="equal")
    assert {error.path for error in found.unreadable} == {"broken/one.png", "broken/two.png"}


def test_relabel_changes_training_labels_only(world: Path) -> None:
    place = world / "shades"
    for number in range(80):
        part, dark = ("test" if number % 4 == 0 else "train"), number % 2
        wrong = number in (7, 8)  # one in each part
        values = np.random.default_rng(number).integers(0, 80, (32, 32, 3)) + (150 if dark else 0)
        folder = place / part / ("light" if bool(dark) != wrong else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint8)).save(folder / f"{number}.png")
    found = curate("shades", init_from="encoder", out="shaded", apply="shades.csv", relabel=True)
    suspects = {Path(row["file"]).name: row["suggestion"] for row in rows_of(found) if row["kind"] == "label"}
    assert suspects == {"7.png": "light", "8.png": "dark"}
    with Path("shades.csv").open() as file:
        labels = {Path(row["file"]).name: row["label"] for row in csv.DictReader(file)}
    assert labels["7.png"] == "light"
    assert labels["8.png"] == "light"  # as it is in the test part


def test_copies_with_different_labels_are_named(world: Path) -> None:
    files = [f"pictures/train/a/{number}.png" for number in (12, 14, 16)]
    Path("twice.csv").write_text(
        "file,label\n" + "".join(f"{file},{n % 2}\n" for n, file in enumerate(files))
    )
    (world / "same.png").write_bytes(Path(files[0]).read_bytes())
    with Path("twice.csv").open("a") as file:
        file.write("same.png,1\n")
    found = curate("twice.csv", init_from="encoder", out="conflict")
    assert {row["file"] for row in rows_of(found) if row["kind"] == "conflict"} == {files[0], "same.png"}
    assert "copies with different labels: 1 group" in found.lines()


def test_repeated_sounds_are_found(world: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(12):
        pitches = random.integers(300, 3000, 6)
        wave = np.concatenate([tone(pitch, 0.2, seed=number) for pitch in pitches])
        record(world / "songs" / f"{number}.wav", wave, RATE)
        if number == 3:
            record(world / "songs" / "louder.wav", 2 * wave, RATE)
        if number == 5:
            record(world / "songs" / "part.wav", wave[: round(0.9 * len(wave))], RATE)
        if number == 7:
            record(world / "songs" / "same.wav", wave, RATE)
    found = curate("songs", init_from="ear", out="heard")
    kinds = {
        frozenset(Path(found.dataset.pictures.name(row)).stem for row in group.rows): group.kinds[0]
        for group in found.groups
    }
    assert kinds == {
        frozenset({"3", "louder"}): "re-encoded",
        frozenset({"5", "part"}): "excerpt",
        frozenset({"7", "same"}): "exact",
    }
    assert "labels were not checked: the files have no labels" in found.lines()
    assert "<audio" in (found.folder / "report.html").read_text()


def numbers(labels: np.ndarray | None, classes: tuple[str, ...] = ()) -> Dataset:
    values = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    split = np.array(["train"] * 15 + ["test"] * 5)
    return Dataset("memory", ArrayPictures(values), 3, split, classes, labels)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (lambda: numbers(None), "the files have no labels"),
        (lambda: numbers(np.arange(20.0)), "the labels are numbers to predict"),
        (lambda: numbers(np.ones((20, 2), bool), ("a", "b")), "files have several labels"),
        (lambda: numbers(np.zeros(20, np.int64), ("a",)), "all labels are of one class"),
    ],
)
def test_labels_that_are_no_classes_are_not_checked(data: Callable[[], Dataset], why: str) -> None:
    found = curate(data(), init_from="encoder", out="unchecked")
    assert f"labels were not checked: {why}" in found.lines()


def test_three_files_are_compared_too() -> None:
    three = numbers(None).take([0, 1, 0])
    found = curate(three, init_from="encoder", out="three")
    assert [group.rows for group in found.groups] == [(0, 2)]
    assert "unusual files were not searched: fewer than 40 files" in found.lines()


def test_a_search_for_crops_that_is_left_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakera.commands.curating.copies.MOST", 10)
    found = curate(numbers(None), init_from="encoder", out="large")
    assert "crops were not searched: more than 20,000 files" in found.lines()


def test_an_unreadable_file_is_a_finding(world: Path) -> None:
    (world / "some").mkdir()
    for number in range(3):
        scene(100 + number).save(world / "some" / f"{number}.png")
    (world / "some" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = curate("some", init_from="encoder", out="unreadable")
    assert [row["file"] for row in rows_of(found) if row["kind"] == "unreadable"] == ["some/broken.png"]
    assert "unreadable: 1 file" in found.lines()


def test_mistakes_are_named(world: Path) -> None:
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    data = numbers(None)
    with pytest.raises(RunError, match="full: got other files, expected a new folder"):
        curate(data, init_from="encoder", out="full")
    with pytest.raises(DataError, match="got pictures, expected recordings, as in --init-from"):
        curate(data, init_from="ear", out="x")
    with pytest.raises(OptionError, match="pool: got attention, expected auto, class, mean"):
        curate(data, init_from="encoder", out="x", pool="attention")
    with pytest.raises(OptionError, match="relabel: got no table, expected --apply"):
        curate(data, init_from="encoder", out="x", relabel=True)
    with pytest.raises(OptionError, match="apply: got clean.txt, expected a .csv file"):
        curate(data, init_from="encoder", out="x", apply="clean.txt")
    with pytest.raises(DataError, match="got samples that are no files of their own"):
        curate(data, init_from="encoder", out="x", apply="clean.csv")
    with pytest.raises(OptionError, match="unusual: got -1, expected 0 or more"):
        curate(data, init_from="encoder", out="x", unusual=-1)
    with pytest.raises(DataError, match="got 1 readable file, expected at least 2"):
        curate(data.take([0]), init_from="encoder", out="x")
    assert not Path("x/findings.csv").exists()


def test_the_package_has_the_function() -> None:
    assert kakera.curate is curate


def test_a_number_of_unusual_files_is_listed_also_below_the_limit() -> None:
    found = curate("pictures", init_from="encoder", out="curated", unusual=7)
    assert found.unusual is not None
    assert [*found.unusual_rows] == np.argsort(-found.unusual.scores, kind="stable")[:7].tolist()
    assert sum(row.kind == "unusual" for row in found.findings) == 7
    few = curate("pictures", init_from="encoder", out="fewer")
    assert all(found.unusual.scores[row] > found.unusual.limit for row in few.unusual_rows)
