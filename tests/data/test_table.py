from pathlib import Path
from typing import Any

import pytest

from kakera.data.media import grey_or_colour
from kakera.data.sources import open_dataset
from kakera.data.table import open_table
from kakera.errors import DataError
from tests.data.files import NOISE, encoded

GREY, COLOUR = encoded(NOISE[..., 0]), encoded(NOISE)


def table(root: Path, text: str | bytes, name: str = "list.csv", pictures: str = "abcdef") -> Path:
    for stem in pictures:
        (root / f"{stem}.png").write_bytes(GREY)
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def labels(path: Path) -> Any:
    found = open_table(path, None)[0].labels
    return None if found is None else found.tolist()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "file,label\nb.png,dog\na.png,cat\n"),
        ("list.CSV", "label,file\r\ndog,b.png\r\ncat,a.png\r\n"),
        ("list.tsv", "file\tlabel\nb.png\tdog\na.png\tcat"),
        ("list.csv", "\ufefffile,label\nb.png,dog\na.png,cat\n"),
        ("list.csv", 'file,label,notes\n"b.png","dog","a, b"\n\na.png,cat\n'),
    ],
)
def test_tables_are_read_in_the_order_of_their_rows(name: str, text: str, tmp_path: Path) -> None:
    dataset, divided = open_table(table(tmp_path, text, name), None)
    assert not divided
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [1, 0]
    assert [dataset.pictures.name(i) for i in (0, 1)] == [str(tmp_path / "b.png"), str(tmp_path / "a.png")]
    assert dataset.unreadable == ()


def test_a_row_without_a_label_has_none(tmp_path: Path) -> None:
    assert labels(table(tmp_path, "file,label\na.png,x\nb.png,\nc.png\n")) == [0, -1, -1]


def test_several_labels_are_joined_by_a_bar(tmp_path: Path) -> None:
    path = table(tmp_path, "file,label\na.png,sea|sky\nb.png, sky | sea |\nc.png,wood\nd.png,\n")
    dataset, _ = open_table(path, None)
    assert dataset.classes == ("sea", "sky", "wood")
    assert dataset.several
    assert labels(path) == [[True, True, False], [True, True, False], [False, False, True], [False] * 3]


@pytest.mark.parametrize("text", ["file\na.png\nb.png\n", "file,label\na.png,\nb.png,\n"])
def test_without_labels_there_are_no_classes(text: str, tmp_path: Path) -> None:
    dataset = open_dataset(table(tmp_path, text))
    assert (dataset.classes, dataset.labels) == ((), None)
    assert dataset.split.tolist() == ["train", "train"]


def test_a_split_column_says_the_parts_and_an_empty_cell_means_train(tmp_path: Path) -> None:
    text = "file,split\na.png,train\nb.png, Test \nc.png,valid\nd.png,validation\ne.png,\nf.png,val\n"
    dataset, divided = open_table(table(tmp_path, text), None)
    assert divided
    assert dataset.split.tolist() == ["train", "test", "val", "val", "train", "val"]


def test_an_empty_split_column_is_none(tmp_path: Path) -> None:
    assert not open_table(table(tmp_path, "file,label,split\na.png,x,\nb.png,y,\n"), None)[1]


def test_files_may_lie_deeper_or_be_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.png").write_bytes(GREY)
    path = table(tmp_path, f"file\ndeep/x.png\n{tmp_path / 'a.png'}\n")
    assert open_table(path, None)[0].pictures.read(1).shape == (12, 16, 1)
    assert len(open_table(path, None)[0]) == 2


@pytest.mark.parametrize("name", ["nowhere.png", ".", "x" * 300, "a\0.png"])
def test_missing_files_are_listed_and_the_rest_is_kept(name: str, tmp_path: Path) -> None:
    dataset, _ = open_table(table(tmp_path, f"file,label\na.png,x\n{name},y\nb.png,x\n"), None)
    assert len(dataset) == 2
    assert dataset.classes == ("x",)
    (missing,) = dataset.unreadable
    assert missing.path == str(tmp_path / name)
    assert missing.reason == "got no file of this name, expected a file"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\nno.png,x\n", "got 1 rows and none of their files, expected files beside the table"),
        (
            "file,label\na.png,x\nb.png,x\na.png,y\n",
            "got a.png more than once, with labels x and y (lines 2 and 4), expected each",
        ),
        ("thing,label\na.png,x\n", "got columns thing, label, expected file,label[,split]"),
        ("", "got columns none, expected file,label[,split]"),
        ("\n\n", "got columns none"),
        ("file,label\n", "got no rows"),
        ("file,label\n,x\n", "got no rows"),
        ("file,split\na.png,tset\n", "got split tset for a.png, expected train, val or test"),
        ('file\n"a.png\n', "got a table that cannot be read"),
        (COLOUR, "got a table that cannot be read"),
        (bytes(100), "expected"),
        ("file,label\na.png,é\n".encode("latin-1"), "expected UTF-8 with a header"),
        ("file,label\na.png,é\n".encode("utf-16"), "expected UTF-8 with a header"),
        ("file\n" + "x" * 200_000, "got a table that cannot be read"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_table(table(tmp_path, text), None)
    assert str(caught.value).startswith(f"{tmp_path / 'list.csv'}: got ")
    assert words in str(caught.value)
    assert str(caught.value).endswith("; correct the table")
    assert "\n" not in str(caught.value)


def test_a_sample_of_the_headers_tells_grey_from_colour(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(64)]
    for path in paths:
        path.write_bytes(GREY)
    assert grey_or_colour(paths) == 1
    paths[62].write_bytes(COLOUR)
    assert grey_or_colour(paths) == 3
    assert grey_or_colour([]) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_can_be_asked_for(channels: int, tmp_path: Path) -> None:
    dataset = open_dataset(table(tmp_path, "file\na.png\n"), channels=channels)
    assert dataset.pictures.read(0).shape == (12, 16, channels)
