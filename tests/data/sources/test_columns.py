from pathlib import Path

import pytest

from kakera.data.sources.columns import columns_of, ignored
from kakera.errors import DataError

TABLE = Path("t.csv")


@pytest.mark.parametrize(
    "header",
    [
        ["file", "label", "split"],
        ["File", " Label", "SPLIT "],
        ["filename", "class", "set"],
        ["File Name", "Class-Name", "subset"],
        ["file_name", "category", "Partition"],
        ["image", "labels", "part"],
        ["path", "target", "set"],
    ],
)
def test_case_blanks_and_synonyms_mean_the_same(header: list[str]) -> None:
    assert columns_of(TABLE, header) == {"file": 0, "label": 1, "split": 2}


def test_the_plain_name_wins_and_the_synonym_is_named_as_ignored() -> None:
    header = ["id", "path", "file", "class", "label", ""]
    columns = columns_of(TABLE, header)
    assert columns == {"file": 2, "label": 4}
    assert ignored(header, columns.values()) == ["id", "path", "class"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["file", "class", "category"], "expected one label column, or one named label"),
        (["image", "path", "label"], "got columns image, path, expected one file column"),
        (["file", "label", "Label"], "got columns label, Label, expected one label column"),
        (["file", "set", "part"], "expected one split column"),
        (["picture id", "label"], "got columns picture id, label, expected file,label"),
        (["file", "start", "duration"], "got columns start and duration, expected start and end, in seconds"),
    ],
)
def test_what_may_be_meant_either_way_is_asked_in_one_line(header: list[str], words: str) -> None:
    with pytest.raises(DataError) as caught:
        columns_of(TABLE, header)
    assert str(caught.value).startswith("t.csv: got columns ")
    assert words in str(caught.value)
