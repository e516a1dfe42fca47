from kakera.data.left import LeftOut, files_line, left_out


def test_nothing_is_no_entry() -> None:
    assert left_out("rows", "they name no file", []) == []


def test_a_line_counts_all_and_shows_three() -> None:
    (found,) = left_out(".txt files", "no kind that is read", [f"{n}.txt" for n in range(1200)])
    assert found.count == 1200
    assert found.line() == "1,200 .txt files (no kind that is read): 0.txt, 1.txt, 2.txt, …"


def test_one_is_said_in_the_singular() -> None:
    assert LeftOut("links to folders", 1, "x").line() == "1 link to folders (x)"
    assert LeftOut(".cls members", 1, "x").line() == "1 .cls member (x)"
    assert LeftOut("files without a suffix", 1, "x").line() == "1 file without a suffix (x)"


def test_the_line_on_all_files() -> None:
    left = (LeftOut("recordings", 2, "--kind recordings takes these", ("a.wav", "b.wav")),)
    assert files_line(1000, "pictures", left, 3) == (
        "1,000 pictures taken; left out: 2 recordings (--kind recordings takes these): a.wav, b.wav; "
        "3 unreadable"
    )
    assert files_line(1, "recordings", (), 0) == "1 recordings taken; nothing left out; 0 unreadable"


def test_names_that_are_not_utf8_can_be_written() -> None:
    (found,) = left_out("files", "x", ["caf\udce9"])
    assert found.line().encode().decode() == "1 file (x): caf\\udce9"
