"""Budgets of processor seconds, and the file from which a stopped comparison resumes."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kakera.bench.time_to_accuracy.child import Spent, run_child
from kakera.bench.time_to_accuracy.comparison import Comparison
from kakera.bench.time_to_accuracy.contenders import Contender, OwnContender, contenders
from kakera.bench.time_to_accuracy.record import Record
from kakera.bench.time_to_accuracy.setting import Setting
from kakera.bench.time_to_accuracy.table import lines
from kakera.cli.main import main
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.model.vit import ViT
from tests.refusals import refused

START, EPOCH = 2.0, 40.0  # processor seconds of the contender below


@dataclass(frozen=True)
class Untrained(Contender):
    """A contender of known cost; its network is random."""

    trained: list[float] = field(default_factory=list)

    def train(self, setting: Setting, work: Path, out: Path, *, epochs: float, seed: int) -> Spent:
        self.trained.append(epochs)
        return Spent(START + EPOCH * epochs, 0.0)

    def read(self, setting: Setting, out: Path) -> Pretrained:
        return Pretrained(ViT(setting.shape, channels=1, image_size=28, seed=0), setting.inputs)

    @property
    def versions(self) -> dict[str, str]:
        return {"untrained": "1"}


@pytest.fixture(scope="module")
def setting() -> Setting:
    return Setting.of("demo", {"model": "nano", "patch": (14,)}, labels=(10, 20), draws=2)


def test_a_budget_becomes_the_epochs_that_fit_into_it(setting: Setting, tmp_path: Path) -> None:
    contender, record = Untrained("untrained"), Record()
    Comparison(setting, [contender], record, tmp_path, lambda _: None).run([22.0, 42.0])
    assert [round(point["epochs"], 3) for point in record.points] == [0.5, 1.0]
    assert [point["seconds"] for point in record.points] == pytest.approx([22.0, 42.0])
    assert {"start": 2.0, "epoch": 40.0}.items() <= record.paces[0].items()


def test_all_contenders_are_read_with_the_same_draws(setting: Setting, tmp_path: Path) -> None:
    record = Record(quick=True)
    same = [Untrained("untrained"), Untrained("untrained-b")]
    Comparison(setting, same, record, tmp_path, lambda _: None).run([2.0])
    first, second = (point["accuracies"] for point in record.points)
    assert first == second
    assert {count: len(each) for count, each in first.items()} == {"10": 2, "20": 2}
    assert all(0 <= accuracy <= 100 for each in first.values() for accuracy in each)


def test_a_point_in_the_file_is_not_run_again(setting: Setting, tmp_path: Path) -> None:
    file, said = tmp_path / "found.json", list[str]()
    for seconds in ([1.0], [1.0, 2.0]):
        contender = Untrained("untrained")
        record = Record.open(file, quick=True)
        Comparison(setting, [contender], record, tmp_path / "work", said.append).run(seconds)
        assert len(contender.trained) == 1
    assert [point["budget"] for point in json.loads(file.read_text())["points"]] == [1.0, 2.0]
    assert len(said) == 2


def test_other_words_are_another_point(setting: Setting, tmp_path: Path) -> None:
    record = Record(quick=True)
    for words in ((), ("--lr", "1")):
        Comparison(setting, [Untrained("untrained", words)], record, tmp_path, lambda _: None).run([1.0])
    assert len(record.points) == 2
    assert any(line.startswith("  untrained, build 2") for line in lines(record.to_json()))


def test_a_budget_below_the_start_is_refused(setting: Setting, tmp_path: Path) -> None:
    with refused("seconds", got="1", expected="more than 2.0", do="larger"):
        Comparison(setting, [Untrained("untrained")], Record(), tmp_path, lambda _: None).run([1.0])


def test_results_of_another_processor_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    Record(file).add("points", {"budget": 1}, {})
    found = json.loads(file.read_text())
    file.write_text(json.dumps({**found, "machine": {**found["machine"], "processor": "abacus"}}))
    with refused(str(file), got="abacus"):
        Record.open(file)


def test_another_json_file_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    file.write_text('["notes"]')
    with refused(str(file), expected="time to accuracy"):
        Record.open(file)
    assert file.read_text() == '["notes"]'


def test_processor_seconds_are_those_of_the_child_and_its_children() -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    spent = run_child([sys.executable, "-c", inner])
    assert 0.5 <= spent.processor < 1.5
    idle = run_child([sys.executable, "-c", "import time; time.sleep(0.5)"])
    assert idle.wall >= 0.5 > idle.processor


def test_a_child_has_one_thread_and_our_folder_first(tmp_path: Path) -> None:
    code = f"import os, sys; ok = sys.path[1] == {str(tmp_path)!r} and os.environ['OMP_NUM_THREADS'] == '1'"
    run_child([sys.executable, "-c", code + "; sys.exit(not ok)"], path=[str(tmp_path)])


def test_the_last_line_of_a_failed_child_is_shown() -> None:
    with pytest.raises(RunError, match="python: got too few pictures, expected exit code 0"):
        run_child([sys.executable, "-c", "print('start'); raise SystemExit('too few pictures')"])


def a_build(folder: Path, version: str = "0.0.1") -> Path:
    package = folder / "src" / "kakera"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    return folder


def test_another_build_is_named_by_its_version_or_by_you(tmp_path: Path) -> None:
    folder = a_build(tmp_path / "old")
    found = contenders(["kakera"], [str(folder), f"old={folder}"])
    assert [each.name for each in found] == ["kakera", "kakera-0.0.1", "kakera-old"]
    assert isinstance(found[1], OwnContender)
    assert found[1].build == folder / "src"
    assert found[1].versions["kakera"] == "0.0.1"


def test_the_version_of_a_build_changes_with_its_source_and_not_with_its_benchmarks(tmp_path: Path) -> None:
    versions = list[dict[str, str]]()
    for number in range(3):
        package = a_build(tmp_path / str(number)) / "src" / "kakera"
        (package / "bench").mkdir()
        (package / "bench" / "cases.py").write_text(f"{number}")
        (package / "model.py").write_text(f"{number // 2}")
        versions.append(OwnContender("kakera", (), package.parent).versions)
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ({"names": ["flax"]}, "contenders"),
        ({"names": ["kakera"], "builds": ["/nowhere"]}, "kakera"),
        ({"names": ["kakera"], "options": ["transformers=--lr 1"]}, "options"),
        ({"names": ["kakera"], "options": ["--lr 1"]}, "options"),
        ({"names": ["transformers"], "options": ["transformers=--rate 1"]}, "options of transformers"),
    ],
)
def test_wrong_contenders_are_refused(given: dict[str, Any], subject: str) -> None:
    with refused(subject):
        contenders(**given)


def test_the_help_names_the_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    assert "time-to-accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_kakera_and_transformers_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    out = tmp_path / "found.json"
    words = ["--data", "demo", "--quick", "--seconds", "1", "2", "--labels", "20", "--out", str(out)]
    assert main(["bench", "time-to-accuracy", *words]) == 0
    said = capsys.readouterr().out
    assert "kakera reaches" in said
    found = json.loads(out.read_text())
    assert [point["contender"] for point in found["points"]] == ["kakera", "transformers"] * 2
    assert all(point["seconds"] > 0.5 for point in found["points"])
    assert found["machine"]["cores"] == os.cpu_count()
