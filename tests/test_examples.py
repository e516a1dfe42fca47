"""The programs that draw the docs' pictures run."""

from pathlib import Path

import pytest

from tests import warm
from tests.web.browser import require_chromium
from tests.web.runs import three_runs

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_pictures_of_looking_inside(tmp_path: Path) -> None:
    mae, classifier, _ = three_runs(tmp_path)
    out = tmp_path / "pictures"
    words = [EXAMPLES / "explain_pictures.py", mae, classifier, "--out", out]
    done = warm.run(*words, what=warm.script)
    assert done.returncode == 0, done.stderr
    shown = {path.name for path in (EXAMPLES.parent / "docs" / "pictures").glob("explain-*.png")}
    assert {path.name for path in out.iterdir()} == shown
    assert done.stdout.splitlines()[0] == "| rows apart | 0 | 1 | 2 | 3 | 4 | 8 | 10 | 14 | 27 |"


def test_the_picture_of_a_search(tmp_path: Path) -> None:
    mae, _, _ = three_runs(tmp_path)
    done = warm.run(EXAMPLES / "search_pictures.py", mae, "--out", tmp_path / "out", what=warm.script)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["search.png"]


def test_the_pictures_of_sound(tmp_path: Path) -> None:
    words = [EXAMPLES / "sound_pictures.py", "--count", "8", "--epochs", "0.1", "--out", tmp_path]
    done = warm.run(*words, what=warm.script)
    assert done.returncode == 0, done.stderr
    shown = {path.name for path in (EXAMPLES.parent / "docs" / "pictures").glob("sound-*.png")}
    assert {path.name for path in tmp_path.iterdir()} == shown


def test_the_pictures_of_labelling(tmp_path: Path) -> None:
    require_chromium()
    mae, _, _ = three_runs(tmp_path)
    words = [EXAMPLES / "label_pictures.py", mae, "--labels", "10", "--out", tmp_path / "out"]
    done = warm.run(*words, what=warm.script)
    assert done.returncode == 0, done.stderr
    shown = {path.name for path in (EXAMPLES.parent / "docs" / "pictures").glob("label-*.png")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == shown


def test_the_pictures_of_the_page_of_a_search(tmp_path: Path) -> None:
    require_chromium()
    mae, _, _ = three_runs(tmp_path)
    words = [EXAMPLES / "search_page_pictures.py", mae, "--out", tmp_path / "out"]
    done = warm.run(*words, what=warm.script)
    assert done.returncode == 0, done.stderr
    shown = {path.name for path in (EXAMPLES.parent / "docs" / "pictures").glob("search-*.png")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == shown
