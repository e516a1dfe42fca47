from tests.benchmarks.programs import benchmark


def test_the_benchmark_of_packing_kills_and_loses_nothing() -> None:
    found = benchmark("pack").main(pictures=60, kills=2, rounds=1, shard_size=4, longest=0.02)
    assert found["kills"] == 2
    assert found["lost"] == 0
    assert found["repeated or changed"] == 0
    assert found["shards, times the folder's speed"]["median"] > 0
