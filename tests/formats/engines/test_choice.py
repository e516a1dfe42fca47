"""The choice of an engine: the fastest one whose answers are those of float32."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from kakera.data.batch import Batch
from kakera.data.sources.files import open_files
from kakera.formats.engines.choice import Choice, choose, compare, fastest, head
from tests.formats.test_inference import classifier
from tests.small import folder

EXACT = torch.tensor([[0.6, 0.4]] * 60 + [[0.1, 0.9]] * 36)


class Clock:
    """A clock that only models advance."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Model:
    """A model that takes some seconds and returns known probabilities."""

    def __init__(self, clock: Clock, seconds: float, rows: Tensor) -> None:
        self.clock, self.seconds, self.rows = clock, seconds, rows
        self.multi_label, self.thresholds = False, ()

    def probabilities(self, pictures: Tensor, lengths: Tensor | None = None) -> Tensor:
        self.clock.seconds += self.seconds
        return self.rows[pictures[:, 0].long()]


def _found(**models: tuple[float, Tensor]) -> Choice:
    clock = Clock()
    made = {name: Model(clock, seconds, rows) for name, (seconds, rows) in models.items()}
    sample = Batch(torch.arange(96).view(96, 1), None, torch.arange(96), 0, 0)
    candidates = {name: each for name, each in made.items() if name != "torch"}
    return fastest(made["torch"], candidates, sample, clock)[1]  # type: ignore[arg-type]


def test_the_fastest_engine_is_chosen_and_its_rate_is_a_ratio() -> None:
    found = _found(torch=(6.0, EXACT), bf16=(3.0, EXACT), int8=(1.5, EXACT))
    assert (found.engine, found.speedup, found.same, found.difference) == ("int8", 4.0, 1.0, 0.0)


def test_an_engine_with_other_labels_is_refused_and_the_next_is_chosen() -> None:
    wrong = EXACT.clone()
    wrong[:3] = torch.tensor([0.45, 0.55])  # 3 of 96 labels: 96.9 % are the same
    found = _found(torch=(6.0, EXACT), bf16=(3.0, EXACT), int8=(1.5, wrong))
    assert found.engine == "bf16"
    assert "int8 (96.9 % the same" in found.line()


def test_an_engine_with_other_probabilities_is_refused() -> None:
    wrong = EXACT.clone()
    wrong[0] = torch.tensor([0.9, 0.1])
    assert _found(torch=(6.0, EXACT), int8=(1.5, wrong)).engine == "torch"


def test_a_small_gain_changes_nothing() -> None:
    assert _found(torch=(6.0, EXACT), int8=(5.5, EXACT)).engine == "torch"


def test_labels_of_a_multi_label_model_are_compared_as_a_set() -> None:
    exact, other = torch.tensor([[0.9, 0.6], [0.9, 0.1]]), torch.tensor([[0.8, 0.4], [0.7, 0.2]])
    assert compare(exact, other)[0] == 1.0
    assert compare(exact, other, multi_label=True)[0] == 0.5


def test_a_choice_is_stored_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    saved = classifier()
    files = open_files(folder(tmp_path / "d", count=4), saved.inputs)
    first = choose(saved, files)[1]
    assert len(list((tmp_path / "cache" / "engines").iterdir())) == 1

    def broken(*given: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr("kakera.formats.engines.choice.fastest", broken)
    again = choose(saved, files)[1]
    assert again.recalled
    assert again.engine == first.engine


def test_another_model_is_measured_on_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    files = folder(tmp_path / "d", count=4)
    for shift in (0.0, 1.0):
        saved = classifier()
        next(saved.model.parameters()).data.add_(shift)
        assert not choose(saved, open_files(files, saved.inputs))[1].recalled


def test_without_a_readable_file_float32_computes(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    saved = classifier()
    assert choose(saved, open_files(tmp_path / "broken.png", saved.inputs))[1].engine == "torch"


def test_timing_and_calibration_use_files_from_the_whole_sample() -> None:
    sample = Batch(torch.arange(96).view(96, 1), None, torch.arange(96), 0, 0)
    numbers = head(sample).samples
    assert len(numbers) == 16
    assert numbers[0] == 0
    assert numbers[-1] == 95
    assert set(numbers.diff().tolist()) <= {6, 7}


def test_slow_engines_are_timed_in_fewer_rounds() -> None:
    clock, calls = Clock(), []

    class Counted(Model):
        def probabilities(self, pictures: Tensor, lengths: Tensor | None = None) -> Tensor:
            calls.append(len(pictures))
            return super().probabilities(pictures, lengths)

    sample = Batch(torch.arange(16).view(16, 1), None, torch.arange(16), 0, 0)
    fastest(Counted(clock, 10.0, EXACT), {"bf16": Model(clock, 9.5, EXACT)}, sample, clock)  # type: ignore[arg-type,dict-item]
    assert len(calls) == 2  # one to warm up, one that is timed; the small gain needs no check


def test_graphs_are_measured_only_without_int8_in_torch_and_bf16_only_with_its_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[tuple[str, ...]] = []

    def first(saved: object, candidates: dict[str, object], *others: object) -> tuple[object, Choice]:
        tried.append(tuple(candidates))
        return saved, Choice("torch")

    monkeypatch.setattr("kakera.formats.engines.choice.fastest", first)
    monkeypatch.setattr("kakera.formats.engines.choice.build", lambda saved, name, batch: saved)
    monkeypatch.setattr("kakera.formats.engines.choice.recalled", lambda place: None)
    saved = classifier()
    files = open_files(torch.zeros(3, 28, 28, 1, dtype=torch.uint8).numpy(), saved.inputs)
    for supported in (True, False):
        monkeypatch.setattr("kakera.formats.engines.choice.is_bf16_supported", lambda yes=supported: yes)
        for here in (("torch", "bf16", "int8", "openvino"), ("torch", "bf16", "openvino")):
            monkeypatch.setattr("kakera.formats.engines.choice.available", lambda saved, here=here: here)
            choose(saved, files)
    assert tried == [("bf16", "int8"), ("bf16", "openvino"), ("int8",), ("openvino",)]
