"""The report of the encoders study: HTML page, JSON and CSV files."""

from __future__ import annotations

import json
import math
from typing import Any

from kakera.errors import RunError
from kakera.reports import html
from kakera.reports.curves import Curve, draw
from kakera.reports.tables import RESULTS, amount, per_cent, points, write_csv
from kakera.storage import write_atomically
from kakera.study.encoders.answer import EncoderComparison, EncoderFacts, Score
from kakera.study.encoders.data import EncodersData
from kakera.study.encoders.source import MAE, EncoderSource
from kakera.study.encoders.work import parts_of
from kakera.study.plan import RESULT
from kakera.study.scheduler import UNITS, StudyResult
from kakera.study.study_options import EncodersOptions
from kakera.study.study_page import time_and_command, write_costs

TOKENS, HEAD = "tokens", "head"
JSON = "results.json"


def gather(finished: StudyResult, data: EncodersData) -> EncoderComparison:
    """Collect scores and costs from the results of the units, draws in order.

    Raises RunError for a result that no unit of this study writes.
    """
    scores: dict[str, dict[int, list[Score]]] = {}
    facts, devices = dict[str, EncoderFacts](), list[str]()
    classes = data.test.labels if data.is_uneven else None
    sources = {source.name: source for source in data.sources}
    for unit in finished.plan.units:
        result = finished.results[unit.name]
        try:
            if unit.kind == TOKENS:
                source = sources[unit.values["encoder"]]
                devices += [] if source.is_baseline else [result["device"]]
                facts[source.name] = _facts(source, result)
            elif unit.kind == HEAD:
                score = Score(float(result["score"]), parts_of(result["files"], classes))
                by_count = scores.setdefault(unit.values["encoder"], {})
                by_count.setdefault(unit.values["labels"], []).append(score)
        except (KeyError, TypeError, ValueError) as error:
            path, do = finished.folder / UNITS / unit.name / RESULT, "delete its folder to repeat the unit"
            got = f"{type(error).__name__}, {error}"
            raise RunError(str(path), got=got, expected="the result of a unit", do=do) from error
    measure = "mean average precision" if data.dataset.multi_label else "accuracy"
    measure = "balanced accuracy" if data.is_uneven else measure
    measure = "R²" if data.dataset.regression else measure
    most = len(data.labelled)
    return EncoderComparison(scores, facts, most, measure, data.part, data.dataset.kind, devices[0])


def _facts(source: EncoderSource, result: dict[str, Any]) -> EncoderFacts:
    numbers = float(result["milliseconds"]), int(result["parameters"]), str(result["license"])
    return EncoderFacts(source.title, *numbers, source.is_baseline)


def write(finished: StudyResult, data: EncodersData, options: EncodersOptions) -> EncoderComparison:
    """Write `results.json`, `results.csv`, `costs.csv` and `report.html`, and return the comparison."""
    found = gather(finished, data)
    header = ("encoder", "labels", "seed", "head", "pool", "score", "accuracy", "left_out")
    rows = [
        (at["encoder"], at["labels"], at["seed"], *(_cell(result[name]) for name in header[3:]))
        for at, result in _heads(finished)
    ]
    write_csv(finished.folder / RESULTS, header, rows)
    write_costs(finished)
    content = json.dumps({"data": options.data, **found.to_json()}, indent=1, ensure_ascii=False)
    write_atomically(finished.folder / JSON, content.encode() + b"\n")
    page = _page(finished, data, options, found)
    write_atomically(finished.folder / "report.html", page.encode())
    return found


def _cell(value: object) -> object:
    return "" if value is None else value


def table(found: EncoderComparison) -> list[tuple[str, ...]]:
    """Return rows of text: each encoder with its scores, differences to the best, time, size, licence.

    The best with the most labels is first; "*" marks a score that is clearly below the best.
    """
    counts = found.counts
    heads = [f"{count} labels" if count != found.all_labels else f"all {count} labels" for count in counts]
    rows = [("encoder", *heads, "to the best", "ms a file", "parameters", "licence")]
    for name in found.order(counts[-1]):
        facts = found.facts[name]
        cells = [
            per_cent(found.value(name, count)) + ("" if name in found.alike(count) else " *")
            for count in counts
        ]
        best = found.order(counts[-1])[0]
        gap = "–" if name == best else points(found.difference(name, best, counts[-1]))
        size = "–" if facts.baseline else amount(facts.parameters)
        license = "–" if facts.baseline else facts.license or "unknown"
        rows.append((facts.title, *cells, gap, f"{facts.milliseconds:.3g}", size, license))
    return rows


def _heads(finished: StudyResult) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(u.values, finished.results[u.name]) for u in finished.plan.units if u.kind == HEAD]


def _page(
    finished: StudyResult, data: EncodersData, options: EncodersOptions, found: EncoderComparison
) -> str:
    counts, chosen = found.counts, finished.plan.chosen
    certain = found.recommended()[1]
    return html.page(
        f"Which encoder? {data.dataset.name}",
        html.paragraph(
            f"Question: which frozen encoder is best for these {data.dataset.kind}, and at what cost?"
        ),
        html.verdict(" ".join(found.sentences()), "good" if certain else "doubt"),
        *(html.warning(text) for text in data.warnings),
        html.heading("Results"),
        html.table(table(found)),
        html.paragraph(_legend(found, chosen)),
        *([html.drawing(_curves(found), caption="Means and 95 % intervals.")] if len(counts) > 1 else []),
        html.heading("How it was measured"),
        html.paragraph(_method(data, found)),
        html.table(_encoder_rows(finished, data, found)),
        html.heading("Heads"),
        html.table(_head_rows(finished, data)),
        html.heading("What would change the answer"),
        html.paragraph(
            "More draws (--seeds) and more test files, which narrow the intervals. Other numbers of labels. "
            "Fine-tuning: it trains all weights, and an encoder that is worse while frozen can be better "
            "then. Other input: an encoder reads every file at its own size. If the owner of an encoder "
            "trained it on these test files, its score is too high; nobody can see this from the weights."
        ),
        html.heading("Data"),
        html.paragraph(
            f"{data.dataset.name}: {len(data.labelled):,} labelled training {data.dataset.kind}, "
            f"{len(data.test):,} in the {data.part} part, {len(data.dataset.classes)} "
            f"{'numbers to predict' if data.dataset.regression else 'classes'}."
        ),
        *time_and_command(finished, "encoders", options),
    )


def _legend(found: EncoderComparison, chosen: dict[str, Any]) -> str:
    draws = max(found.draws(count) for count in found.counts)
    many = f"{draws} draws of the labels" if draws > 1 else "one draw of the labels"
    over = "new draws of the labels and new test files"
    if found.measure == "mean average precision":
        over = "new draws of the labels; the variation of the test files is not in it"
    where = "" if found.device == "cpu" else f" ({found.device}: the time that passes, not processor time)"
    return (
        f"{found.part.capitalize()} {found.measure} in per cent, mean of {many} ± half of the 95 % interval "
        f"for {over}. “To the best” is the difference to the first row in points, paired: the same labels "
        "and the same test files. * is clearly below the best of its column (5 %, after the Holm "
        f"correction). Milliseconds are those of one thread for reading and encoding a file{where}."
    )


def _method(data: EncodersData, found: EncoderComparison) -> str:
    base = next(source.name for source in data.sources if source.is_baseline)
    what = {
        "pixels": "the picture, shrunk to 16 x 16 pixels",
        "spectrum": "mean and standard deviation over time of the log-mel spectrogram",
    }[base]
    own = " mae was pretrained on the training files, without labels." if MAE in found.scores else ""
    return (
        "Every encoder is frozen: its tokens are computed once. For each draw of labels, ridge regression, "
        "class means and logistic regression are fitted to its class token, the mean of its patch tokens and "
        "both, as in kakera fit. The choice is made by labels that each fit leaves out; the "
        f"{found.part} part takes no part in it. The baseline, {base}, is {what}, with the same heads.{own}"
    )


def _encoder_rows(
    finished: StudyResult, data: EncodersData, found: EncoderComparison
) -> list[tuple[str, ...]]:
    rows = [("encoder", "from", "input", "layers", "width", "licence", "unreadable files")]
    of = {unit.values["encoder"]: unit.name for unit in finished.plan.units if unit.kind == TOKENS}
    for source in data.sources:
        result = finished.results[of[source.name]]
        size = " x ".join(map(str, result["input"])) or "–"
        layers = str(result["depth"]) if result["depth"] else "–"
        numbers = size, layers, str(result["width"])
        terms = found.facts[source.name].license_text()
        rows.append((source.title, source.name, *numbers, terms, str(result["unreadable"])))
    return rows


def _head_rows(finished: StudyResult, data: EncodersData) -> list[tuple[str, ...]]:
    titles = {source.name: source.title for source in data.sources}
    chosen: dict[tuple[str, int], list[str]] = {}
    left: dict[tuple[str, int], list[float]] = {}
    for at, result in _heads(finished):
        key = at["encoder"], at["labels"]
        chosen.setdefault(key, []).append(f"{result['head']} on {result['pool']}")
        left.setdefault(key, []).append(math.nan if result["left_out"] is None else result["left_out"])
    rows = [("encoder", "labels", "chosen heads", "accuracy on left-out labels")]
    for (name, count), heads in chosen.items():
        kinds = [f"{heads.count(head)} x {head}" for head in dict.fromkeys(heads)]
        mean = sum(left[name, count]) / len(heads)
        shown = "–" if math.isnan(mean) else f"{100 * mean:.1f}"
        rows.append((titles[name], str(count), ", ".join(kinds), shown))
    return rows


def _curves(found: EncoderComparison) -> bytes:
    curves = [
        Curve(found.facts[name].title, found.counts, [found.value(name, count) for count in found.counts])
        for name in found.order(found.counts[-1])
    ]
    return draw(curves, x="labels", y=f"{found.part} {found.measure}, per cent", logarithmic=True, scale=100)
