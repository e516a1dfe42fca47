import base64
import io
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.cli.main import main
from kakera.commands.pages.prediction import write_prediction_page
from kakera.commands.predict import predict
from kakera.data.sources.files import open_files
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec
from tests.formats.test_inference import classifier
from tests.formats.test_preparation import classifier as with_inputs
from tests.small import folder
from tests.training.songs import songs


def data(page: str, kind: str) -> list[bytes]:
    return [base64.b64decode(found) for found in re.findall(rf'src="data:{kind};base64,([^"]*)"', page)]


def written(tmp_path: Path, order: str = "surest", count: int = 3) -> tuple[str, list[str]]:
    saved, root = classifier(), folder(tmp_path / "d", count=count)
    dataset = open_files(root, saved.inputs)
    found = predict(saved, dataset)
    write_prediction_page(tmp_path / "p.html", "runs/c", dataset, saved.inputs, found, order=order)
    by = sorted(found, key=lambda p: -max(p.probabilities.values())) if order == "surest" else found
    return (tmp_path / "p.html").read_text(), [prediction.file for prediction in by]


@pytest.mark.parametrize("order", ["surest", "given"])
def test_every_file_has_a_card_in_the_order_asked_for(order: str, tmp_path: Path) -> None:
    page, names = written(tmp_path, order)
    assert re.findall(r"· ([^<]*)</p>", page) == names
    assert "This page shows all 6." in page
    assert "Pictures with a prediction: 6." in page
    for number, content in enumerate(data(page, "image/png")):
        with Image.open(io.BytesIO(content)) as thumbnail, Image.open(names[number]) as image:
            np.testing.assert_array_equal(np.asarray(thumbnail), np.asarray(image.convert("L")))


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    page, _ = written(tmp_path)
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page


def test_of_many_files_some_are_shown_and_the_page_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kakera.commands.pages.prediction.PICTURES", 4)
    page, names = written(tmp_path)
    assert re.findall(r"· ([^<]*)</p>", page) == names[:4]
    assert "This page shows the most confident 4 of 6" in page


def test_recordings_can_be_played_for_a_few_seconds(tmp_path: Path) -> None:
    spec = SoundSpec(rate=8000, bins=32)
    saved = with_inputs(InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec))
    dataset = open_files([songs(tmp_path / "d", count=2), (np.zeros(80_000, np.float32), 8000)], saved.inputs)
    write_prediction_page(
        tmp_path / "p.html", "a", dataset, saved.inputs, predict(saved, dataset), order="given"
    )
    players = data((tmp_path / "p.html").read_text(), "audio/wav")
    seconds = []
    for content in players:
        with wave.open(io.BytesIO(content)) as file:
            seconds.append(file.getnframes() / file.getframerate())
    assert seconds == pytest.approx([0.3, 0.4, 0.3, 0.4, 3.0])


def test_the_command_writes_the_page_and_names_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(tmp_path / "run", classifier())
    root = folder(tmp_path / "d", count=2)
    (root / "bag" / "0.png").write_text("<b>no picture")
    page = tmp_path / "new" / "p.html"
    assert main(["predict", str(tmp_path / "run"), str(root), "--csv", "--page", str(page)]) == 2
    out, error = capsys.readouterr()
    assert out.startswith("file,label")
    assert f"{page}: open it in a browser" in error
    text = page.read_text()
    assert "Unreadable files: 1; the list is below" in text
    assert "0.png: got an HTML or XML file" in text
    assert len(data(text, "image/png")) == 3


def test_a_page_of_windows_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "run", "a.wav", "--windows", "--page", "p.html"]) == 2
    assert capsys.readouterr().err.startswith("kakera: --page: got --windows as well, expected whole files;")
