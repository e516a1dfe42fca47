from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from kakera.commands import finetune as module
from kakera.commands.pretrain import pretrain
from kakera.commands.ridge_head import start_from_ridge
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.formats.inference import predict_proba
from kakera.model.classifier import Classifier, Pooling
from kakera.training.distributed import Distributed
from kakera.training.probes.ridge import ridge
from tests.formats.test_inference import classifier, each_pool
from tests.small import QUICK, pictures


@each_pool
def test_the_head_starts_with_the_ridge_probe_s_guesses(pool: Pooling) -> None:
    saved, train, test = classifier(pool), pictures(60, 0), pictures(0, 30)
    assert train.labels is not None
    start_from_ridge(saved, train)
    seen = [features(saved, part, [-1], [pool])[0][-1, pool] for part in (train, test)]
    expected = ridge(seen[0], train.labels, seen[1], classes=10, seed=0)
    logits = np.log(predict_proba(saved, test)[0])
    # log-softmax of 2 · (±1 scores) = 4 · probe scores, less a constant a row
    difference = logits - 4 * expected
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=1e-3)


def test_the_encoder_stays_as_it_was() -> None:
    saved = classifier()
    assert isinstance(saved.model, Classifier)
    before = {name: value.clone() for name, value in saved.model.encoder.state_dict().items()}
    start_from_ridge(Pretrained(saved.model, saved.inputs, saved.classes), pictures(40, 0))
    assert all(torch.equal(before[name], value) for name, value in saved.model.encoder.state_dict().items())


class Threads(Distributed):
    """One of several processes that exchange their values through a list."""

    def __init__(self, rank: int, values: list[Any], all_here: Barrier) -> None:
        self.fabric, self.rank, self.size, self.values, self.all_here = (
            None,
            rank,
            len(values),
            values,
            all_here,
        )

    def all_gather(self, value: Any) -> list[Any]:
        self.values[self.rank] = value
        self.all_here.wait()
        found = list(self.values)
        self.all_here.wait()
        return found


@pytest.mark.parametrize("count", [2, 41])
def test_a_team_shares_the_pictures_and_gets_one_head(count: int) -> None:
    data, size = pictures(count, 0), 3
    values, all_here = [None] * size, Barrier(size)

    def head(dist: Distributed) -> torch.Tensor:
        saved = classifier()
        start_from_ridge(saved, data, dist=dist)
        assert isinstance(saved.model, Classifier)
        return saved.model.head.weight.detach()

    alone = head(Distributed())
    with ThreadPoolExecutor(size) as pool:
        found = list(pool.map(head, (Threads(rank, values, all_here) for rank in range(size))))
    assert all(torch.equal(found[0], one) for one in found)
    torch.testing.assert_close(found[0], alone, rtol=1e-3, atol=1e-4)


def test_a_run_that_goes_on_does_not_start_its_head_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(pictures(20, 0), out=tmp_path / "mae", **QUICK)
    began: list[int] = []

    def start(*given: Any, **more: Any) -> None:
        began.append(1)
        start_from_ridge(*given, **more)

    monkeypatch.setattr(module, "start_from_ridge", start)
    options = {**QUICK, "out": tmp_path / "run", "init_from": tmp_path / "mae", "head": "ridge"}

    def broken(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as at_the_end:
        at_the_end.setattr(module, "finish", broken)
        with pytest.raises(KeyboardInterrupt):
            module.finetune(pictures(), **options)
    assert len(began) == 1
    module.finetune(pictures(), **options)
    assert len(began) == 1
