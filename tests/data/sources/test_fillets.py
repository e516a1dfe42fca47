from pathlib import Path

import pytest

from kakera.data.sources import fillets
from kakera.data.sources.fillets import FOLDER_VARIABLE
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.recordings import chirp, record

LEVELS = [f"level{number}" for number in range(10)]
STEMS = ("let-m-oko", "bar_v_fotka", "proc-m", "hybeme-v", "bat-p-0", "vit-x-mrka", "hra-vm-co")


@pytest.fixture
def game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten levels, in Czech all of them, in Dutch every second; some noises in English."""
    wave = chirp(8_000, 0.1)
    for number, level in enumerate(LEVELS):
        for language in ("cs", "nl", "en")[: 3 if number % 2 else 1]:
            for stem in STEMS:
                record(tmp_path / level / language / f"{stem}.ogg", wave, 8_000)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_speakers_are_the_letter_after_the_scene_and_others_carry_no_label(game: Path) -> None:
    dataset = open_dataset("fillets")
    assert dataset.classes == ("Czech big fish", "Czech small fish", "Dutch big fish", "Dutch small fish")
    assert dataset.labels is not None
    named = {
        Path(dataset.pictures.name(i)).relative_to(game).as_posix(): dataset.labels[i]
        for i in range(len(dataset))
    }
    assert len(named) == (10 + 5) * len(STEMS)  # English ones are noises
    assert named["level1/nl/let-m-oko.ogg"] == 3
    assert named["level1/nl/bar_v_fotka.ogg"] == 2
    assert named["level2/cs/proc-m.ogg"] == 1
    assert named["level2/cs/hybeme-v.ogg"] == 0
    assert [named[f"level3/cs/{stem}.ogg"] for stem in STEMS[4:]] == [-1, -1, -1]


def test_every_recording_has_a_language(game: Path) -> None:
    dataset = open_dataset("fillets-language")
    assert dataset.classes == ("Czech", "Dutch")
    assert dataset.labels is not None
    for number, label in enumerate(dataset.labels):
        assert Path(dataset.pictures.name(number)).parent.name == ("cs", "nl")[label]


@pytest.mark.parametrize("name", ["fillets", "fillets-language"])
def test_a_level_is_on_one_side_in_both_languages_and_for_both_tasks(name: str, game: Path) -> None:
    dataset = open_dataset(name)
    sides: dict[str, set[str]] = {}
    for number, part in enumerate(dataset.split):
        sides.setdefault(Path(dataset.pictures.name(number)).parents[1].name, set()).add(str(part))
    assert sorted(map(sorted, sides.values())) == [["test"]] * 2 + [["train"]] * 8
    other = open_dataset("fillets-language" if name == "fillets" else "fillets")
    assert (other.split == dataset.split).all()


def test_where_the_packages_are_not_installed_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fillets, "INSTALLED", tmp_path / "nowhere")
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(DataError, match="got no folder .*; apt install fillets-ng-data-cs fillets"):
        open_dataset("fillets")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(
        DataError, match="fillets: got no recordings in .*, expected the recordings of the game's levels"
    ):
        open_dataset("fillets")
