import json
from pathlib import Path

import pytest

from kakera.errors import DataError
from kakera.web.samples import MOST, open_samples
from tests.small import folder


def run_on(data: str, path: Path) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"data": data}))
    return path


def test_pictures_that_are_named_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = open_samples(str(folder(tmp_path / "mine", count=20)), [])
    assert capsys.readouterr().err == f"kakera: {tmp_path / 'mine'}: showing 12 of 40 pictures\n"
    assert len(samples) == MOST
    assert {Path(samples.pictures.name(i)).parent.name for i in range(MOST)} == {"bag", "boot"}


def test_else_those_that_the_models_learned_from(tmp_path: Path) -> None:
    data = folder(tmp_path / "mine", count=3)
    samples = open_samples("", [tmp_path / "nothing", run_on(str(data), tmp_path / "run")])
    assert len(samples) == 6


def test_else_those_of_the_demo(tmp_path: Path) -> None:
    samples = open_samples("", [run_on(str(tmp_path / "gone"), tmp_path / "run")])
    assert samples.pictures.name(0) == "T-shirt/top"


def test_broken_files_are_passed_over(tmp_path: Path) -> None:
    data = folder(tmp_path / "mine", count=2)
    (data / "bag" / "0.png").write_bytes(b"broken")
    assert len(open_samples(str(data), [])) == 3


def test_pictures_that_are_named_and_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no readable picture"):
        open_samples(str(tmp_path / "gone"), [])
