import pytest

from benchmarks import formats

for name in formats.NEEDED:
    pytest.importorskip(name, reason=f"the package {name} is not installed")


def test_the_page_of_formats_is_what_the_files_give() -> None:
    assert formats.page() == formats.PAGE.read_text(), "run python -m benchmarks.formats"


def test_a_value_that_differs_is_not_called_read() -> None:
    case = formats.Case(".png", "", "", lambda: formats.opencv(formats.DEEP, ".png"), formats.DEEP * 0, "")
    assert "WRONG" in case.row()
