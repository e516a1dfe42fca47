"""The benchmarks run, on their smallest sizes, through the code that measures the large ones."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kakera.bench.bench import bench
from kakera.bench.cases import CASES
from kakera.bench.contest import Contender, Outcome, contest
from kakera.bench.peers import masked_autoencoders
from kakera.cli.main import main
from kakera.model.sizes import SIZES, DecoderShape
from tests.refusals import refused

SMALL = {name: replace(case, shape=SIZES["nano"], side=8, batch=2) for name, case in CASES.items()}


def test_every_case_is_measured_beside_transformers(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    found = bench(rounds=3, out=out, cases=SMALL, say=lambda _: None)
    written = json.loads(out.read_text())
    assert written == found.to_json()
    assert set(written["cases"]) == set(CASES)
    for case in written["cases"].values():
        assert case["rates"]["kakera"] > 0
        low, high = case["ratios"]["transformers"][1:]
        assert 0 < low <= case["ratios"]["transformers"][0] <= high
        assert {len(values) for values in case["seconds"].values()} == {3}
    assert 0 < written["cases"]["mae-step"]["share_of_limit"] < 1
    assert any("kakera, fast decoder" in line for line in found.lines())


def test_the_peer_has_the_same_weights_to_learn() -> None:
    shape = replace(SIZES["nano"], decoder=DecoderShape(32, 2, 2))
    (peer, *_) = masked_autoencoders(shape, 16, 0.75)
    from kakera.bench.cases import _mae

    ours = sum(part.numel() for part in _mae(shape, 16, cross=False).parameters())
    assert sum(part.numel() for part in peer.model.parameters()) == ours
    assert peer.run(torch.zeros(1, 3, 16, 16)).isfinite()


def test_contenders_take_turns_and_every_other_round_runs_backwards() -> None:
    ran: list[str] = []
    outcome = contest(
        [Contender("a", lambda: ran.append("a")), Contender("b", lambda: ran.append("b"))], items=1, rounds=3
    )
    assert "".join(ran) == "ab" + "abbaab"
    assert {len(values) for values in outcome.seconds.values()} == {3}


def test_ratios_are_those_of_each_round() -> None:
    outcome = Outcome({"kakera": (1.0, 2.0, 1.0), "other": (2.0, 2.0, 3.0)}, items=10)
    found = outcome.to_json()
    assert found["ratios"] == {"other": [2.0, 1.0, 3.0]}
    assert found["rates"] == {"kakera": 10.0, "other": 5.0}


def test_an_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "flying"]) == 2
    assert "case: got flying, expected one of mae-step" in capsys.readouterr().err


def test_no_rounds_are_refused() -> None:
    with refused("rounds", got="0"):
        bench(rounds=0)
