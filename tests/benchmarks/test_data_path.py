from tests.benchmarks.test_log_mel import benchmark


def test_the_benchmark_of_the_loader_compares_the_same_crops() -> None:
    module = benchmark("loader")
    found = module.main(pictures=4, batch=2, rounds=1)
    difference = found["difference to the peer, of 255"]
    assert difference["most"] <= 8
    assert difference["share above 1"] < 0.002
    assert difference["mean"] < 0.2
    assert list(found["ratios"]) == ["kakera, files", "kakera, shards of files", "kakera, shards of pixels"]
    for title, ratio in found["ratios"].items():
        times = found["milliseconds"]
        assert ratio["median"] > 0
        assert abs(ratio["median"] - times[module.PEER]["median"] / times[title]["median"]) < 0.02
    assert "x (" in module.report(found)


def test_the_benchmark_of_packing_kills_and_loses_nothing() -> None:
    found = benchmark("pack").main(pictures=60, kills=2, rounds=1, shard_size=4, longest=0.02)
    assert found["kills"] == 2
    assert found["lost"] == 0
    assert found["repeated or changed"] == 0
    assert found["shards, times the folder's speed"]["median"] > 0
