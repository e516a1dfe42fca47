from pathlib import Path

from kakera.bench.loader import PEER, loader


def test_all_cut_the_same_crops(tmp_path: Path) -> None:
    work = loader(tmp_path, pictures=4, batch=2)
    assert work.details is not None
    apart = work.details["difference to the peer, of 255"]
    assert apart["most"] <= 8
    assert apart["share above 1"] < 0.002
    assert apart["mean"] < 0.2
    assert [contender.name for contender in work.contenders][-1] == PEER
    assert {contender.work() for contender in work.contenders} == {4}
