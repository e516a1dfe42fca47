"""What to run next, as a table of situations; that the commands run is in tests/cli/test_next_steps.py."""

import shlex
import subprocess
import sys
from dataclasses import replace

import pytest

from kakera.formats import published
from kakera.training.planning import next_commands, rules
from kakera.training.planning.next_commands import Situation

FEW = Situation(
    "my pictures", count=637, classes=8, labelled=637, measured=160, side=400, files="my pictures"
)
SMALL = replace(FEW, side=28)
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
        " ".join(
            [words[1], *words[words.index("--init-from") + 1 :][:1]] if "--init-from" in words else [words[1]]
        )
        for words in commands(lines)
        if words[0] == "kakera"
    ]


ALONE = ["pretrain", "finetune"]
HUB = [
    "finetune facebook/dinov2-small",
    "finetune timm/vit_tiny_patch16_224.augreg_in21k",
    "probe facebook/dinov2-small",
]
AST = "MIT/ast-finetuned-audioset-10-10-0.4593"


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (FEW, [*HUB, "pretrain"]),
        (replace(FEW, measured=0), [*HUB[:2], "pretrain"]),
        (replace(FEW, count=19_999), [*HUB, "pretrain"]),
        (replace(FEW, count=20_000), ["pretrain", "finetune", *HUB][:4]),
        (replace(FEW, side=65), [*HUB, "pretrain"]),
        (replace(FEW, side=64), ALONE),
        (replace(FEW, side=28, labelled=0), ALONE[:1]),
        (replace(FEW, labelled=0), ALONE[:1]),
        (replace(FEW, classes=1), ALONE[:1]),
        (replace(FEW, count=20_000, labelled=0), ALONE[:1]),
        (
            replace(FEW, kind="recordings", side=0),
            [f"finetune {AST}", f"probe {AST}", "pretrain"],
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
    first, second = [line for line in lines if "kakera finetune" in line]
    assert first.endswith("# 88 MB, licence Apache-2.0")
    assert second.endswith("39 MB, licence Apache-2.0")


@pytest.mark.parametrize(
    "situation",
    [
        FEW,
        SMALL,
        replace(FEW, count=20_000),
        replace(FEW, labelled=0),
        replace(FEW, kind="recordings", side=0),
    ],
    ids=["few", "small", "many", "without labels", "recordings"],
)
def test_after_inspection_comes_one_command_and_at_most_three_others_with_when_to_take_them(
    situation: Situation,
) -> None:
    lines = next_commands.after_inspect(situation)
    assert [line.partition(":")[0] for line in lines[:2]] == ["start", "next"]
    assert lines[1].startswith("next: kakera ")
    if lines[2:]:
        assert lines[2] == "other ways:"
        assert 1 <= len(lines[3:]) <= 3
    assert all("  # " in line for line in lines[3:])


def test_names_with_blanks_are_quoted_for_the_shell() -> None:
    for words in commands(next_commands.after_inspect(FEW)):
        assert "my pictures" in words
    line = next_commands.after_predict("runs/my model", ["a b.png"], page="p.html")[0]
    assert line == "next: kakera predict 'runs/my model' 'a b.png' --csv > predictions.csv"


def test_numbers_and_sizes_are_said() -> None:
    assert next_commands.after_inspect(FEW)[0] == (
        "start: 637 pictures of about 400 pixels are few for pretraining: start from published weights"
    )
    one = replace(FEW, count=1, kind="recordings", side=0)
    assert next_commands.after_inspect(one)[0].startswith("start: 1 recording is few")


def test_after_pretraining_comes_fine_tuning_or_a_probe_or_a_look() -> None:
    run = "runs/pretrain-my pictures"
    assert starts(next_commands.after_pretrain(SMALL, run)) == [f"finetune {run}", f"probe {run}"]
    assert starts(next_commands.after_pretrain(replace(SMALL, measured=0), run)) == [f"finetune {run}"]
    assert commands(next_commands.after_pretrain(replace(FEW, labelled=0), run)) == [
        ["kakera", "explain", run, "my pictures"]
    ]
    assert starts(next_commands.after_pretrain(replace(FEW, labelled=0, files=""), run)) == ["convert"]


def test_after_fine_tuning_come_predictions_and_of_a_transformer_a_look() -> None:
    assert starts(next_commands.after_finetune(SMALL, "run")) == ["predict", "explain"]
    assert starts(next_commands.after_finetune(SMALL, "run", transformer=False)) == ["predict"]
    assert starts(next_commands.after_finetune(replace(SMALL, files=""), "run")) == ["convert"]


def test_after_every_training_with_few_and_large_pictures_published_weights_are_named() -> None:
    hub = "finetune facebook/dinov2-small"
    assert starts(next_commands.after_pretrain(FEW, "run")) == ["finetune run", "probe run", hub]
    assert starts(next_commands.after_finetune(FEW, "run")) == ["predict", "explain", hub]
    assert starts(next_commands.after_finetune(FEW, "run", from_hub=True)) == ["predict", "explain"]
    assert starts(next_commands.after_pretrain(replace(FEW, count=20_000), "run")) == [
        "finetune run",
        "probe run",
    ]
    *_, line = next_commands.after_pretrain(FEW, "run")
    assert line.endswith("--out 'runs/finetune-my pictures-published'  # 88 MB, licence Apache-2.0")


def test_runs_from_published_weights_and_from_the_data_alone_have_folders_of_their_own() -> None:
    outs = {
        words[words.index("--init-from") + 1]: words[words.index("--out") + 1]
        for words in commands(next_commands.after_inspect(FEW))
        if "--out" in words and "--init-from" in words
    }
    assert outs == {
        "facebook/dinov2-small": "runs/finetune-my pictures-published",
        "timm/vit_tiny_patch16_224.augreg_in21k": "runs/finetune-my pictures-light",
    }
    for hub, end in ((True, "x-published"), (False, "x")):
        (line,) = next_commands.after_probe("x", "start", from_hub=hub)
        assert line.endswith(f"--out runs/finetune-{end}")


def test_a_page_shows_the_commands_alone() -> None:
    assert next_commands.bare(["next: kakera a", "or:   kakera b  # c"]) == "kakera a\nkakera b  # c"


def test_small_is_the_same_for_the_advice_and_for_the_rules() -> None:
    assert published.SMALL == rules.SMALL


def test_after_a_conversion_the_data_of_the_run_are_tried() -> None:
    def after(s: Situation | None, *, classifier: bool, graph: bool) -> list[str]:
        return starts(next_commands.after_convert(s, "new", classifier=classifier, graph=graph))

    assert after(FEW, classifier=True, graph=True) == ["predict"]
    assert after(FEW, classifier=False, graph=False) == ["probe new"]
    assert after(FEW, classifier=False, graph=True) == []
    assert after(None, classifier=True, graph=False) == []


def test_after_a_study_its_share_is_taken() -> None:
    assert next_commands.after_study("x", 0.6) == [
        "next: kakera pretrain x --mask-ratio 0.6 --out runs/pretrain-x"
    ]
    assert next_commands.after_study("x") == ["next: kakera pretrain x --out runs/pretrain-x"]


def test_after_predictions_come_a_page_and_a_table_and_many_files_are_not_written_out() -> None:
    assert commands(next_commands.after_predict("run", ["a"])) == [
        ["kakera", "predict", "run", "a", "--page", "predictions.html"],
        ["kakera", "predict", "run", "a", "--csv", ">", "predictions.csv"],
    ]
    assert next_commands.after_predict("run", list("abcd")) == [
        "next: the same command with --page predictions.html",
        "or:   the same command with --csv > predictions.csv",
    ]


def test_next_commands_need_no_torch() -> None:
    script = "import sys, kakera.training.planning.next_commands; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
