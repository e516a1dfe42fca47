import subprocess
import sys
from pathlib import Path

import pytest

import kakera
from kakera.cli.main import VERBS, main

HEAVY = ("torch", "sklearn", "kornia", "scipy", "lightning_fabric", "PIL", "matplotlib")


def imported_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import kakera; dir(kakera)",
        "from kakera.cli.main import main; main(['--help'])",
        "from kakera.cli.main import main; main(['--version'])",
        "from kakera.cli.main import main\ntry: main(['pretrain', '--help'])\nexcept SystemExit: pass",
        "from kakera.cli.main import main; main(['finetune', '--nonsense'])",
        "from kakera.cli.main import main\ntry: main(['study', 'data-size', '-h'])\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    assert imported_by(code).isdisjoint(HEAVY)


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert f"usage: kakera {verb}" in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kakera {kakera.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["paint"], "kakera: got paint, expected demo, inspect, pretrain"),
        (["pretrain"], "the following arguments are required: DATA"),
        (["pretrain", "demo", "--colour", "3"], "unrecognized arguments: --colour 3"),
        (["pretrain", "demo", "--mask-ratio", "much"], "argument --mask-ratio: invalid float value: 'much'"),
        (["pretrain", "demo", "--masking", "spiral"], "argument --masking: invalid choice: 'spiral'"),
        (
            ["pretrain", "demo", "--mask-ratio", "2"],
            "mask_ratio: got 2.0, expected a number from 0 to 0.999",
        ),
        (["pretrain", "nowhere"], "nowhere: got no such file or folder, expected a folder"),
        (["pretrain", "demo", "--recipe", "grand"], "recipe grand: got"),
        (["finetune", "demo", "--init-from", "nowhere"], "nowhere: got"),
        (["probe", "demo"], "kakera probe: got no --init-from, expected a run"),
        (["predict", "nowhere", "x.png"], "nowhere: got"),
        (["study", "colours", "demo"], "kakera study: got colours, expected mask-ratio, data-size, encoders"),
        (["study", "mask-ratio"], "the following arguments are required: DATA"),
        (["study", "mask-ratio", "demo", "--colour"], "unrecognized arguments: --colour"),
        (
            ["study", "mask-ratio", "demo", "--mask-ratios", "1.5"],
            "mask_ratios: got 1.5, expected a number between",
        ),
        (["study", "data-size", "demo", "--budget", "soon"], "budget: got 'soon', expected a duration"),
        (["study", "encoders", "demo"], "encoders: got nothing, expected at least one encoder"),
        (["study", "encoders", "demo", "--encoders", "nowhere"], "encoders: nowhere: got no such file"),
        (["study", "data-size", "nowhere"], "nowhere: got no such file or folder"),
        (["inspect", "nowhere"], "nowhere: got no such file or folder"),
    ],
)
def test_what_the_user_can_correct_is_one_line_and_exit_code_2(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("kakera: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kakera", "paint"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_every_public_name_is_there_and_documented() -> None:
    for name in kakera.__all__:
        assert getattr(kakera, name).__doc__, name
    with pytest.raises(AttributeError, match="it has MAE, Classifier, Dataset"):
        _ = kakera.nonsense


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
@pytest.mark.parametrize("words", [["--help"], ["inspect", "demo"]])
def test_a_full_disk_below_standard_output_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kakera", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("kakera: standard output: got No space left on device")
    assert "Traceback" not in done.stderr
