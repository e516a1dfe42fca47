from pathlib import Path
from typing import Any

import pytest

from kakera.data.dataset import Dataset
from kakera.data.folders.media import channels_of
from kakera.data.holders import FilePictures
from kakera.data.sources.open import open_dataset
from kakera.data.sources.table import open_table
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
    assert dataset.multi_label
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
        (
            "file,label\nno.png,x\n",
            "got 1 rows, but none of their files, expected paths relative to the table",
        ),
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
        ("file,label\na.png,é\n".encode("latin-1"), "expected a UTF-8 table with a header"),
        ("file,label\na.png,é\n".encode("utf-16"), "expected a UTF-8 table with a header"),
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
    assert channels_of(FilePictures(paths, 3)) == 1
    paths[62].write_bytes(COLOUR)
    assert channels_of(FilePictures(paths, 3)) == 3
    assert channels_of(FilePictures([], 3)) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_can_be_asked_for(channels: int, tmp_path: Path) -> None:
    dataset = open_dataset(table(tmp_path, "file\na.png\n"), channels=channels)
    assert dataset.pictures.read(0).shape == (12, 16, channels)


def opened(root: Path, text: str) -> Dataset:
    return open_table(table(root, text), None)[0]


@pytest.mark.parametrize(
    "header", ["file,label,split", "File, Label ,Split", "filename,class,set", "path,CATEGORY,Partition"]
)
def test_columns_are_known_in_any_case_and_by_their_synonyms(header: str, tmp_path: Path) -> None:
    dataset, divided = open_table(table(tmp_path, f"{header}\na.png,x,Training\nb.png,y,eval\n"), None)
    assert divided
    assert dataset.classes == ("x", "y")
    assert dataset.split.tolist() == ["train", "test"]
    assert dataset.left_out == ()


def test_columns_that_mean_nothing_are_named(tmp_path: Path) -> None:
    assert opened(tmp_path, "id,file,label,notes\n1,a.png,x,?\n").notes == ("ignored columns: id, notes",)


def test_a_synonym_of_split_with_other_words_is_ignored_and_named(tmp_path: Path) -> None:
    dataset, divided = open_table(table(tmp_path, "file,label,set\na.png,x,A\nb.png,y,B\n"), None)
    assert not divided
    assert dataset.notes == ("ignored columns: set",)
    with pytest.raises(DataError, match="got split B for b.png"):
        opened(tmp_path, "file,label,set\na.png,x,train\nb.png,y,B\n")


def test_rows_without_a_file_are_counted(tmp_path: Path) -> None:
    found = opened(tmp_path, "file,label\na.png,x\n,y\n\n , \nb.png,z\n")
    assert found.notes == ("rows without a file name: 1 (line 3)",)


def test_more_cells_than_columns_are_no_silent_loss(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got 3 cells in line 3, expected 2, as in the header, or quotes"):
        opened(tmp_path, "file,label\na.png,x,\nb.png,cat, black\n")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "a.png,x,\n./a.png,y,",
            "got a.png and ./a.png, one file, more than once, with labels x and y (lines 2 and 3)",
        ),
        ("a.png,x,\nsub/../a.png,,", "with labels x and none"),
        ("a.png,x|y,\nHERE/a.png,x,", "with labels x|y and x"),
        (
            "a.png,x,train\nHERE/a.png,x,test",
            "more than once, in train and in test (lines 2 and 3), expected each file in",
        ),
        (
            "a.png,x,train\nlink.png,x,val",
            "got a.png and link.png, one file, more than once, in train and in val",
        ),
        (
            "a.png,x,train\nhard.png,x,test",
            "got a.png and hard.png, one file, more than once, in train and in test",
        ),
        (
            "a.png,x,\n./a.png,x,",
            "a.png and ./a.png, one file, more than once (lines 2 and 3), expected each",
        ),
        ("a.png,x,\nlink.png,x,", "got a.png and link.png, one file, more than once (lines 2 and 3)"),
    ],
)
def test_the_same_file_twice_is_named_as_what_it_is(rows: str, words: str, tmp_path: Path) -> None:
    path = table(tmp_path, "file,label,split\n" + rows.replace("HERE", str(tmp_path)) + "\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        open_table(path, None)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hard_link_of_the_same_part_and_label_is_another_file(tmp_path: Path) -> None:
    path = table(tmp_path, "file,label\na.png,x\nhard.png,x\nb.png,y\n")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
    assert len(open_table(path, None)[0]) == 3


def test_hard_links_are_compared_where_other_rows_are_missing(tmp_path: Path) -> None:
    text = "file,label\nno.png,x\na.png,x\nhard.png,x\n./a.png,x\n"
    path = table(tmp_path, text)
    (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png and ./a.png, one file, more than once \(lines 3 and 5\)"):
        open_table(path, None)


def test_the_first_row_with_too_many_cells_is_named_before_what_comes_later(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got 3 cells in line 2"):
        opened(tmp_path, 'file,label\na.png,x,y\n"b.png\n')


def test_blanks_and_backslashes_in_a_path_are_mistakes_where_no_such_file_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.png").write_bytes(GREY)
    dataset = opened(tmp_path, "file,label\n a.png,x\nsub\\x.png,y\n")
    assert (len(dataset), dataset.unreadable) == (2, ())


def test_classes_of_missing_files_alone_are_named(tmp_path: Path) -> None:
    assert opened(tmp_path, "file,label\na.png,x\nno.png,y\n").emptied == ("y",)


def test_recordings_among_pictures_are_left_out_with_the_flag_that_takes_them(tmp_path: Path) -> None:
    (tmp_path / "s.wav").write_bytes(b"")
    path = table(tmp_path, "file,label\na.png,x\ns.wav,y\nb.png,x\n")
    left = ((f"{tmp_path}/s.wav", "use --kind recordings to read these"),)
    assert open_table(path, None)[0].left_out == left
    dataset, _ = open_table(path, None, "recordings")
    assert (dataset.kind, len(dataset), dataset.classes) == ("recordings", 1, ("y",))


def test_none_of_several_labels_is_known_and_a_part_without_labels_is_not(tmp_path: Path) -> None:
    text = "file,label,split\na.png,x|y,train\nb.png,,train\nc.png,x,test\nd.png,,test\ne.png,,val\n"
    assert opened(tmp_path, text).labelled.tolist() == [0, 1, 2, 3]
