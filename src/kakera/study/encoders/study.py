"""`kakera study encoders`: which frozen encoder is best for the data, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from kakera.data.dataset import Dataset
from kakera.option_fields import AUTO
from kakera.study.encoders import work
from kakera.study.encoders.answer import EncoderComparison
from kakera.study.encoders.data import EncodersData, open_encoders_data
from kakera.study.encoders.report import HEAD, TOKENS, write
from kakera.study.encoders.source import BASELINES, MAE
from kakera.study.plan import Results, StudyPlan, WorkUnit, make_plan
from kakera.study.scheduler import UNITS, StudyResult, print_line, run_study
from kakera.study.study_args import EncodersArgs
from kakera.study.study_options import EncodersOptions, study_options

PRETRAIN = "pretrain"
RUN = f"{PRETRAIN}-{MAE}"


@dataclass(frozen=True)
class EncodersStudy:
    """The encoders study: tokens of each encoder once, then a head for each number of labels and draw.

    See `study_encoders`.
    """

    options: EncodersOptions
    data: EncodersData
    name: str = "encoders"

    def config(self) -> dict[str, Any]:
        """Return the settings that must be equal when a study folder is resumed."""
        weights = [source.weights for source in self.data.sources]
        return {"study": self.name, **asdict(self.options), "digest": self.data.digest, "weights": weights}

    def notes(self) -> list[str]:
        """Return notes on the numbers of labels, and warnings about the data."""
        counts = ", ".join(map(str, self.data.counts(self.options)))
        found = [f"numbers of labels chosen from the data: {counts}"] if self.options.labels == AUTO else []
        if self.options.seeds > 1 and len(self.data.labelled) in self.data.counts(self.options):
            found.append("all labels can be drawn in one way only, so this draw runs once")
        return [*found, *(f"warning: {text}" for text in self.data.warnings)]

    def units(self) -> list[WorkUnit]:
        """Return the pretraining of mae, and for each encoder its tokens, then its heads."""
        found: list[WorkUnit] = []
        for source in self.data.sources:
            at = {"encoder": source.name}
            if source.name == MAE:
                found.append(WorkUnit(RUN, PRETRAIN, {}))
            tokens = f"{TOKENS}-{source.unit}"
            found.append(WorkUnit(tokens, TOKENS, at, (RUN,) if source.name == MAE else ()))
            for count, seed in self.data.draws(self.options):
                values = {**at, "labels": count, "seed": seed}
                found.append(WorkUnit(f"{HEAD}-{source.unit}-{count}-s{seed}", HEAD, values, (tokens,)))
        return found

    def smaller(self) -> tuple[EncodersStudy, str] | None:
        """Return the next smaller study and what it leaves out: seeds down to 2, then the largest number.

        None if no smaller study exists.
        """
        options, counts = self.options, self.data.counts(self.options)
        if options.seeds > 2:
            last = options.seed + options.seeds - 1
            return replace(self, options=replace(options, seeds=options.seeds - 1)), f"seed {last}"
        if len(counts) > 1:
            less = replace(options, labels=tuple(counts[:-1]))
            return replace(self, options=less), f"{counts[-1]} labels"
        return None

    def measure(self) -> dict[str, float]:
        """Measure the seconds of the parts of the work."""
        return work.measure(self.data, self.options)

    def seconds(self, unit: WorkUnit, costs: Mapping[str, float]) -> float:
        """Return the estimated seconds of a unit."""
        if unit.kind == PRETRAIN:
            return costs[PRETRAIN]
        name = self._source(unit).unit
        if unit.kind == HEAD:
            return costs[f"head {name} {unit.values['labels']}"]
        files = self._drawn + len(self.data.test)
        return work.MEASURING + costs[f"file {name}"] * costs[f"share {name}"] * files

    def work(self, unit: WorkUnit, folder: Path, results: Results, units: Path) -> dict[str, Any]:
        """Do the work of a unit and return its result."""
        if unit.kind == PRETRAIN:
            return work.pretrained(self.data, self.options, folder)
        source, run = self._source(unit), units / RUN
        if unit.kind == TOKENS:
            return work.encoded(self.data, source, self.options, run)
        return work.fitted(self.data, source, self.options, run, unit.values)

    @cached_property
    def _drawn(self) -> int:
        """The number of training files that any draw contains."""
        return len(self.data.rows(self.options))

    def _source(self, unit: WorkUnit) -> Any:
        return next(one for one in self.data.sources if one.name == unit.values["encoder"])


@dataclass(frozen=True)
class EncodersResult:
    """A finished encoders study: the folder (`report.html`, `results.json`, CSV files) and the comparison.

    See `study_encoders`.
    """

    folder: Path
    answer: EncoderComparison
    finished: StudyResult

    @property
    def encoder(self) -> str:
        """The recommended encoder, as `fit` takes it; empty for small pictures or mean spectra."""
        name = self.answer.recommended()[0]
        return "" if name in BASELINES else str(self.folder / UNITS / RUN) if name == MAE else name


def study_encoders(
    data: str | Path | Dataset, *, out: str | Path, **options: Unpack[EncodersArgs]
) -> EncodersResult:
    """Compare frozen encoders on a data set: accuracy with paired intervals, time, size and licence.

    `data` is a folder, a table, a built-in name or a `Dataset`; `out` is the folder of the study; `options`
    are the fields of `EncodersOptions`. Small pictures (or mean spectra of recordings) are always compared
    too. Tokens are computed once for each encoder and file, and kept in the cache folder; heads are chosen as
    in `fit`. A second call with the same arguments resumes the study. Several processes may work on it at
    the same time. At the end the study writes its report.

    Raises DataError, OptionError, RunError, StorageError.

    Example:

        >>> study_encoders("pictures", out="runs/which", encoders=["runs/mae", "facebook/dinov2-small"])
        ... # doctest: +SKIP
    """
    study = _opened(data, {**options, "out": str(out)})
    finished = run_study(study, Path(out), lambda chosen: _revised(study, chosen))
    answer = write(finished, study.data, study.options)
    return EncodersResult(Path(out), answer, finished)


def plan_encoders(
    data: str | Path | Dataset, *, out: str | Path = "", **options: Unpack[EncodersArgs]
) -> StudyPlan:
    """Return the plan of `study_encoders`: its work units and estimated times. It writes no files."""
    return make_plan(_opened(data, {**options, "out": str(out)}), print_line)[1]


def _opened(data: str | Path | Dataset, given: dict[str, Any]) -> EncodersStudy:
    name = data.name if isinstance(data, Dataset) else str(data)
    for option in ("encoders", "labels"):
        if isinstance(given.get(option), str | int | Path) and given[option] != AUTO:
            given[option] = (given[option],)
    if isinstance(given.get("encoders"), list | tuple):
        given["encoders"] = tuple(map(str, given["encoders"]))
    options = study_options(EncodersOptions, {**given, "data": name})
    return EncodersStudy(options, open_encoders_data(data, options))


def _revised(study: EncodersStudy, chosen: dict[str, Any]) -> EncodersStudy:
    """Return the study for the options of a plan, which a budget may have changed."""
    return replace(study, options=study_options(EncodersOptions, chosen))
