import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from kakera.data.holders import ArrayPictures
from kakera.data.sources.open import open_dataset
from kakera.training.planning.next_commands import Situation
from kakera.training.planning.situation import is_published, situation, situation_of, trained_on
from tests.data.files import write_idx
from tests.small import folder, pictures
from tests.training.songs import songs


def test_a_folder_is_counted_and_can_be_predicted(tmp_path: Path) -> None:
    place = folder(tmp_path / "things", count=10)
    s = situation_of(open_dataset(place), place, side=28)
    assert (s.count, s.labelled, s.classes, s.measured, s.side) == (16, 16, 2, 4, 28)
    assert s.files == str(place)
    assert s.classifiable


def test_of_a_table_a_test_file_is_named(tmp_path: Path) -> None:
    folder(tmp_path, count=4)
    rows = [
        f"{name}/{n}.png,{name},{part}" for name in ("bag", "boot") for n, part in ((0, "train"), (1, "test"))
    ]
    table = tmp_path / "table.csv"
    table.write_text("file,label,split\n" + "\n".join(rows) + "\n")
    assert Path(situation(str(table)).files) == tmp_path / "bag" / "1.png"


def test_arrays_have_no_files_and_names_stand_for_themselves(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", np.zeros((4, 8, 8), np.uint8), np.arange(4, dtype=np.uint8) % 2)
    assert situation(str(tmp_path)).files == ""
    assert situation("demo").files == "demo"


def test_of_a_data_set_in_memory_the_commands_leave_the_names_open() -> None:
    s = situation_of(replace(pictures(6, 4), name="mine"), "mine")
    assert (s.data, s.files) == ("DATA", "FILES")


def test_the_size_of_pictures_is_looked_up_in_their_headers(tmp_path: Path) -> None:
    assert situation(str(folder(tmp_path / "things", count=4, side=80))).side == 80


def test_a_run_is_no_published_start_and_a_name_or_a_folder_of_weights_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"verb": "pretrain", "data": "demo"}')
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text('{"model_type": "vit"}')
    assert not is_published(tmp_path / "run")
    assert is_published(tmp_path / "vit")
    assert is_published("facebook/dinov2-small")
    assert not is_published("")


def test_recordings_are_counted(tmp_path: Path) -> None:
    songs(tmp_path, count=4)
    s = situation(str(tmp_path))
    assert (s.kind, s.classifiable, s.files) == ("recordings", True, str(tmp_path))


def test_of_data_that_have_gone_only_the_name_is_known(tmp_path: Path) -> None:
    assert situation(str(tmp_path / "gone")) == Situation(str(tmp_path / "gone"))


def test_pictures_in_memory_without_labels_are_counted_too() -> None:
    dataset = replace(pictures(6, 4), labels=None, classes=())
    assert isinstance(dataset.pictures, ArrayPictures)
    s = situation_of(dataset, "demo")
    assert (s.count, s.labelled, s.measured, s.classifiable) == (6, 0, 0, False)


def test_what_a_run_was_trained_on_is_read_from_it(tmp_path: Path) -> None:
    def run(**config: object) -> Path:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    assert trained_on(run(verb="finetune", data="demo")) == "demo"
    assert trained_on(run(verb="finetune", data=str(tmp_path))) == str(tmp_path)
    assert trained_on(run(verb="finetune", data="gone")) == ""
    assert trained_on(run(model_type="vit", data="demo")) == ""
    assert trained_on(tmp_path / "nothing") == ""
