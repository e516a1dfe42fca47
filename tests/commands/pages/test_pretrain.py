import base64
from pathlib import Path

import pytest

from kakera.cli.main import main
from kakera.commands.pages.history import History
from kakera.commands.pages.pretrain import _opening
from kakera.commands.pretrain import pretrain
from tests.reports.test_html import Tags
from tests.small import QUICK, folder, pictures


def test_the_page_holds_the_last_reconstructions_and_what_to_do_next(mae: Path) -> None:
    page = (mae / "report.html").read_text()
    tags = Tags(page)
    assert tags.open == []
    last = sorted((mae / "pictures").iterdir())[-1].read_bytes()
    assert base64.b64encode(last).decode() in page
    assert f"kakera finetune demo --init-from {mae} --out runs/finetune-demo" in page
    assert "The training files were 40 pictures, without labels. Training lasted 2 epochs" in page


def test_a_missing_page_is_made_by_the_same_command(tmp_path: Path) -> None:
    found = pretrain(pictures(), out=tmp_path / "run", **QUICK).folder / "report.html"
    page = found.read_text()
    found.unlink()
    pretrain(pictures(), out=tmp_path / "run", **QUICK)
    assert found.read_text() == page


def history(losses: list[float]) -> History:
    return History(tuple({"step": i, "epoch": i, "loss": loss} for i, loss in enumerate(losses)))


def test_a_loss_that_did_not_fall_is_the_first_sentence() -> None:
    assert "The loss did not fall" in _opening(history([1.0] * 8))[0]
    assert "the loss is 0.3" in _opening(history([1.0, 0.8, 0.5, 0.4, 0.3]))[0]


def test_a_loss_that_does_not_fall_is_warned_of_half_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrain(pictures(), out=tmp_path / "run", **{**QUICK, "epochs": 12.0, "base_lr": 0.0, "min_steps": 1})
    said = [line for line in capsys.readouterr().err.splitlines() if "did not fall" in line]
    assert len(said) == 1


def test_the_command_ends_with_where_the_page_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = str(folder(tmp_path / "d")), str(tmp_path / "run")
    short = ["--epochs", "1", "--min-steps", "1", "--recipe", "demo"]
    assert main(["pretrain", root, "--out", out, *short]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{out}/report.html: open it in a browser"
    words = ["probe", root, "--init-from", out, "--no-finetune", "--labels", "4", "8", "--seeds", "2"]
    assert main([*words, "--out", str(tmp_path / "probe")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{tmp_path}/probe/report.html: open it in a browser"
    page = (tmp_path / "probe" / "report.html").read_text()
    assert Tags(page).open == []
    assert "with 8 labels" in page
