from kakera.training.probes.results import FINETUNED, ProbeReport, ProbeResult, spread

SCORES = [("ridge", 10, 0, 0.9), ("ridge", 20, 0, 0.5), ("ridge", 20, 1, 0.7), ("nearest", 20, 0, 0.65)]


def report(*more: ProbeResult) -> ProbeReport:
    found = [ProbeResult(name, -1, "mean", labels, seed, score) for name, labels, seed, score in SCORES]
    return ProbeReport((*found, *more))


def test_the_spread_is_mean_and_sample_deviation() -> None:
    assert spread([0.7, 0.72, 0.77]) == "73.0 ± 3.6"
    assert spread([0.5]) == "50.0"
    assert spread([]) == "–"


def test_an_empty_report_has_a_header() -> None:
    assert ProbeReport(()).table() == [("probe", "tokens")]


def test_the_best_probe_has_the_best_mean_over_the_draws_of_the_most_labels() -> None:
    best = report().best_probe()  # ridge: 0.6 on average, though 0.9 with fewer labels and 0.7 once
    assert (best.probe, best.labels) == ("nearest", 20)


def test_fine_tuning_is_no_probe() -> None:
    assert report(ProbeResult(FINETUNED, -1, "", 20, 0, 1.0)).best_probe().probe == "nearest"
