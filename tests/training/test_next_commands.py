"""What to run next, as a table of situations; that the commands run is in tests/cli/test_next_steps.py."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kakera.data.dataset import ArrayPictures
from kakera.data.sources import open_dataset
from kakera.training import next_commands
from kakera.training.next_commands import Situation
from tests.data.files import write_idx
from tests.small import folder, pictures
from tests.training.songs import songs

FEW = Situation(
    "my pictures", count=637, classes=8, labelled=637, measured=160, side=400, files="my pictures"
)
COMMANDS = ("next: kakera ", "or:   kakera ", "  kakera ", "  hf ")


def commands(lines: list[str]) -> list[list[str]]:
    """The words of each line that is a command."""
    found = [
        line.removeprefix("next: ").removeprefix("or:   ") for line in lines if line.startswith(COMMANDS)
    ]
    return [shlex.split(line, comments=True) for line in found]


def starts(lines: list[str]) -> list[str]:
    """The verbs, with what they start from."""
    return [
        " ".join([words[1], *words[words.index("--from") + 1 :][:1]] if "--from" in words else [words[1]])
        for words in commands(lines)
        if words[0] == "kakera"
    ]


ALONE = ["pretrain", "finetune runs/pretrain-my pictures"]
HUB = [
    "probe facebook/dinov2-small",
    "finetune facebook/dinov2-small",
    "finetune timm/vit_tiny_patch16_224.augreg_in21k",
]
AST = "MIT/ast-finetuned-audioset-10-10-0.4593"


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (FEW, [*HUB, "finetune ./dinov2-small", *ALONE]),
        (replace(FEW, measured=0), [*HUB[1:], "finetune ./dinov2-small", *ALONE]),
        (replace(FEW, count=19_999), [*HUB, "finetune ./dinov2-small", *ALONE]),
        (replace(FEW, count=20_000), [*ALONE, *HUB]),
        (replace(FEW, side=65), [*HUB, "finetune ./dinov2-small", *ALONE]),
        (replace(FEW, side=64), ALONE),
        (replace(FEW, side=28, labelled=0), ALONE[:1]),
        (replace(FEW, labelled=0), ALONE[:1]),
        (replace(FEW, classes=1), ALONE[:1]),
        (replace(FEW, count=20_000, labelled=0), ALONE[:1]),
        (
            replace(FEW, kind="recordings", side=0),
            [f"probe {AST}", f"finetune {AST}", "finetune ./" + AST.partition("/")[2], *ALONE],
        ),
    ],
    ids=[
        "few large pictures",
        "nothing to measure on",
        "almost many",
        "many",
        "just large",
        "just small",
        "small without labels",
        "few without labels",
        "one class",
        "many without labels",
        "recordings",
    ],
)
def test_what_to_start_from_follows_from_number_size_labels_and_kind(
    situation: Situation, expected: list[str]
) -> None:
    assert starts(next_commands.after_inspect(situation)) == expected


def test_licence_and_download_stand_beside_each_command_that_downloads() -> None:
    lines = next_commands.after_inspect(FEW)
    assert sum("--from facebook/dinov2-small" in line for line in lines) == 2
    for line in lines:
        if "--from facebook" in line:
            assert "# 88 MB, licence Apache-2.0" in line
        if "--from timm" in line:
            assert "# 39 MB, licence Apache-2.0" in line


def test_without_network_the_folder_is_fetched_elsewhere_and_named_as_a_path() -> None:
    (fetch,) = [words for words in commands(next_commands.after_inspect(FEW)) if words[0] == "hf"]
    assert fetch[:3] == ["hf", "download", "facebook/dinov2-small"]
    assert fetch[-2:] == ["--local-dir", "dinov2-small"]
    assert any("HF_HUB_OFFLINE=1" in line for line in next_commands.after_inspect(FEW))


def test_names_with_blanks_are_quoted_for_the_shell() -> None:
    for words in commands(next_commands.after_inspect(FEW)):
        assert "my pictures" in words or words[0] == "hf"
    line = next_commands.after_predict("runs/my model", ["a b.png"])[0]
    assert line == "next: kakera predict 'runs/my model' 'a b.png' --csv > predictions.csv"


def test_numbers_and_sizes_are_said() -> None:
    assert next_commands.after_inspect(FEW)[0] == (
        "next: 637 pictures of about 400 pixels are few: start from published weights, downloaded once:"
    )
    one = replace(FEW, count=1, kind="recordings", side=0)
    assert next_commands.after_inspect(one)[0].startswith("next: 1 recording is few")


def test_after_pretraining_comes_fine_tuning_or_a_probe_or_a_look() -> None:
    run = "runs/pretrain-my pictures"
    assert starts(next_commands.after_pretrain(FEW, run)) == [f"finetune {run}", f"probe {run}"]
    assert starts(next_commands.after_pretrain(replace(FEW, measured=0), run)) == [f"finetune {run}"]
    assert commands(next_commands.after_pretrain(replace(FEW, labelled=0), run)) == [
        ["kakera", "explain", run, "my pictures"]
    ]
    assert starts(next_commands.after_pretrain(replace(FEW, labelled=0, files=""), run)) == ["convert"]


def test_after_fine_tuning_come_predictions_and_of_a_transformer_a_look() -> None:
    assert starts(next_commands.after_finetune(FEW, "run")) == ["predict", "explain"]
    assert starts(next_commands.after_finetune(FEW, "run", transformer=False)) == ["predict"]
    assert starts(next_commands.after_finetune(replace(FEW, files=""), "run")) == ["convert"]


def test_after_a_conversion_the_data_of_the_run_are_tried() -> None:
    def after(s: Situation | None, *, classifier: bool, graph: bool) -> list[str]:
        return starts(next_commands.after_convert(s, "new", classifier=classifier, graph=graph))

    assert after(FEW, classifier=True, graph=True) == ["predict"]
    assert after(FEW, classifier=False, graph=False) == ["probe new"]
    assert after(FEW, classifier=False, graph=True) == []
    assert after(None, classifier=True, graph=False) == []


def test_after_a_study_its_share_is_taken() -> None:
    assert next_commands.after_study("x", 0.6) == ["next: kakera pretrain x --hide 0.6 --out runs/pretrain-x"]
    assert next_commands.after_study("x") == ["next: kakera pretrain x --out runs/pretrain-x"]


def test_of_many_files_the_command_is_not_written_out() -> None:
    assert next_commands.after_predict("run", list("abcd")) == [
        "next: the same command with --csv > predictions.csv"
    ]


def test_a_folder_is_counted_and_can_be_predicted(tmp_path: Path) -> None:
    place = folder(tmp_path / "things", count=10)
    s = Situation.of(open_dataset(place), place, side=28)
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
    assert Path(next_commands.situation(str(table)).files) == tmp_path / "bag" / "1.png"


def test_arrays_have_no_files_and_names_stand_for_themselves(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", np.zeros((4, 8, 8), np.uint8), np.arange(4, dtype=np.uint8) % 2)
    assert next_commands.situation(str(tmp_path)).files == ""
    assert next_commands.situation("demo").files == "demo"


def test_recordings_are_counted(tmp_path: Path) -> None:
    songs(tmp_path, count=4)
    s = next_commands.situation(str(tmp_path))
    assert (s.kind, s.classifiable, s.files) == ("recordings", True, str(tmp_path))


def test_of_data_that_have_gone_only_the_name_is_known(tmp_path: Path) -> None:
    assert next_commands.situation(str(tmp_path / "gone")) == Situation(str(tmp_path / "gone"))


def test_pictures_in_memory_without_labels_are_counted_too() -> None:
    dataset = replace(pictures(6, 4), labels=None, classes=())
    assert isinstance(dataset.pictures, ArrayPictures)
    s = Situation.of(dataset, "demo")
    assert (s.count, s.labelled, s.measured, s.classifiable) == (6, 0, 0, False)


def test_what_a_run_was_trained_on_is_read_from_it(tmp_path: Path) -> None:
    def run(**config: object) -> Path:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    assert next_commands.trained_on(run(verb="finetune", data="demo")) == "demo"
    assert next_commands.trained_on(run(verb="finetune", data=str(tmp_path))) == str(tmp_path)
    assert next_commands.trained_on(run(verb="finetune", data="gone")) == ""
    assert next_commands.trained_on(run(model_type="vit", data="demo")) == ""
    assert next_commands.trained_on(tmp_path / "nothing") == ""


def test_next_commands_needs_no_torch() -> None:
    script = "import sys, kakera.training.next_commands; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
