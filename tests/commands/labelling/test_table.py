"""The table of labels with odd names of files, and after a change by hand or by a spreadsheet."""

from pathlib import Path

import pytest

from kakera.commands.labelling.table import Entry, LabelTable
from kakera.data.sources.open import open_dataset
from kakera.errors import OptionError
from kakera.reports.tables import write_csv
from tests.commands.labelling.test_session import labelling
from tests.small import folder

HEADER = "file,label,part,drawn,predicted,person,time,earlier\n"
NAMES = ("a\rb.png", "a\r\nb.png", "a\nb.png", "\x85.png", "\u2028.png", 'a,"b".png', "=1+1.png", " a .png")


def test_names_with_every_kind_of_line_end_are_read_again(tmp_path: Path) -> None:
    root = folder(tmp_path / "pictures", count=len(NAMES), classes=("bag",))
    for number, name in enumerate(NAMES):
        (root / "bag" / f"{number}.png").rename(root / "bag" / name)
    out = tmp_path / "labels.csv"
    places = [(f"pictures/bag/{name}", "", "") for name in NAMES]
    table = LabelTable(out, places)
    table.read()
    entries = {row: Entry(f"c{row % 2}", person="a\rb") for row in range(len(NAMES))}
    table.write(entries)
    again = LabelTable(out, places)
    assert again.read() == entries
    assert not again.foreign
    dataset = open_dataset(out)
    assert {Path(dataset.pictures.name(row)).name for row in range(len(dataset))} == {*NAMES}


def test_a_table_of_a_report_quotes_a_carriage_return(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ("file", "x"), [("a\rb.png", 1)])
    assert (tmp_path / "a.csv").read_bytes() == b'file,x\n"a\rb.png",1\n'


def test_a_table_that_a_spreadsheet_has_saved_goes_on(tmp_path: Path) -> None:
    """With a byte order mark, CR LF, and empty lines at the end."""
    out = tmp_path / "labels.csv"
    out.write_bytes(b"\xef\xbb\xbf" + (HEADER + "a/1.png, owl ,,,,,,\n\n").replace("\n", "\r\n").encode())
    found = labelling(out)
    assert found.classes[-1] == "owl"
    assert found.entry(1) == Entry("owl", part="")


@pytest.mark.parametrize("label", ["owl|wren", "x" * 101, "a\0b", "a\u202eb"])
def test_a_label_that_no_click_can_have_written_is_named_and_the_table_stays(
    label: str, tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    out.write_text(f"{HEADER}a/1.png,{label},,,,,,\n")
    before = out.read_bytes()
    with pytest.raises(
        OptionError, match=r"as label of a/1.png in .*labels.csv, expected one class"
    ) as error:
        labelling(out)
    assert str(error.value).isprintable()
    assert out.read_bytes() == before


def test_a_label_after_undo_keeps_the_reason_why_the_file_was_shown(tmp_path: Path) -> None:
    found = labelling(tmp_path / "labels.csv")
    query = found.next_batch("ann")[0]
    for _ in range(2):
        found.assign([query.row], "owl", "ann")
        entry = found.entry(query.row)
        assert entry is not None
        assert entry.drawn == query.drawn == "typical"
        found.undo("ann")


def test_a_name_of_a_person_has_no_control_characters(tmp_path: Path) -> None:
    found = labelling(tmp_path / "labels.csv")
    found.assign([0], "owl", "ann", person="A\0nn\u202e  Lee\r\n")
    entry = found.entry(0)
    assert entry is not None
    assert entry.person == "Ann Lee"
