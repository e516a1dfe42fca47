"""The fine-tunings that a probe is compared with: one for each draw of the labels, with the same recipe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kakera.commands.finetune import finetune_result, prepare_finetuning, with_pool
from kakera.commands.finetune_forecast import forecast_of
from kakera.commands.job import TrainingJob, finished
from kakera.commands.result import TrainResult
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.training.configuration import stored_choices
from kakera.training.options import FinetuneOptions, ProbeOptions
from kakera.training.planning.forecast import Forecast
from kakera.training.prepared import Prepared
from kakera.training.probes.draws import Draw


@dataclass(frozen=True)
class Tuning:
    """One planned fine-tuning, with `labels` labels drawn with `seed`. See `tunings_of`."""

    labels: int
    seed: int
    job: TrainingJob[FinetuneOptions]
    forecast: Forecast
    whole: int
    """Number of steps without a time limit."""

    @property
    def folder(self) -> str:
        """Name of its run folder, in the folder of the probe."""
        return f"finetuned-{self.labels}-{self.seed}"

    @property
    def started(self) -> bool:
        """True if an earlier call started it; then it resumes."""
        return self.job.resumes

    @property
    def done(self) -> bool:
        """True if an earlier call finished it."""
        return bool(self.job.options.out) and finished(self.job.options.out)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.forecast.plan.steps

    @property
    def fraction(self) -> float:
        """Steps as a share of the steps without a time limit, 0 to 1."""
        return self.steps / self.whole

    @property
    def seconds(self) -> float:
        """Seconds of all its steps and of its evaluation; 0 if it is finished."""
        return 0.0 if self.done else self.forecast.seconds

    def cut(self, share: float) -> Tuning:
        """Return a copy with this share of its steps; a started fine-tuning keeps its length."""
        if self.started:
            return self
        return replace(self, forecast=self.forecast.cut_to(max(1, int(share * self.whole))))

    def at(self, rate: float) -> Tuning:
        """Return a copy with measured times; a step takes `rate` seconds per file."""
        step = rate * self.forecast.plan.batch
        return replace(self, forecast=replace(self.forecast, step_seconds=step, measured=True))

    def into(self, root: Path) -> Tuning:
        """Return a copy that writes its run folder into the folder `root`."""
        return _changed(self, out=str(root / self.folder))

    def train(self, prepared: Prepared) -> TrainResult:
        """Train the classifier, or resume its training. Raises the same errors as `finetune`."""
        saved = load(self.job.options.init_from)  # training changes the weights, so each needs its own copy
        return finetune_result(self.forecast, self.job, self._with(prepared), saved)

    def measured(self, prepared: Prepared) -> float:
        """Return the seconds per file of a training step, measured on a few real steps with loaded data."""
        forecast = replace(self.forecast, limit=0.0)
        job = replace(self.job, resumes=False, limit=0.0)
        found = prepare_finetuning(
            job, forecast, self._with(prepared), load(job.options.init_from), always=True
        )[2]
        return found.step_seconds / found.plan.batch

    def _with(self, prepared: Prepared) -> Prepared:
        """Return the prepared data of its job, with the loaded data set of `prepared`."""
        return replace(
            self.job.prepared, dataset=prepared.dataset, workers=prepared.workers, digest=prepared.digest
        )


def tunings_of(
    options: ProbeOptions, prepared: Prepared, draws: Sequence[Draw], saved: Pretrained, labelled: int
) -> tuple[Tuning, ...]:
    """Return one fine-tuning for each draw, the same as `kakera finetune` with the same labels.

    `labelled` is the number of labelled training files. Raises DataError, OptionError.
    """
    found: list[Tuning] = []
    for count in dict.fromkeys(draw.labels for draw in draws):
        given: dict[str, Any] = {
            "init_from": options.init_from,
            "labels": count if count < labelled else 0,
            "device": options.device,
            "workers": options.workers,
            "baselines": False,
        }
        job = _resolved(options, prepared, given, saved)
        forecast = forecast_of(job, saved)
        for seed in [draw.seed for draw in draws if draw.labels == count]:
            tuning = Tuning(count, seed, job, forecast, forecast.plan.steps)
            tuning = _changed(tuning, seed=seed, label_seed=seed)
            found.append(_as_it_began(tuning, options, prepared, given, saved))
    return tuple(found)


def _as_it_began(
    tuning: Tuning, options: ProbeOptions, prepared: Prepared, given: dict[str, Any], saved: Pretrained
) -> Tuning:
    """Return the fine-tuning with the options that an earlier call chose, if such a call started it."""
    out = str(Path(options.out) / tuning.folder) if options.out else ""
    if stored_choices(FinetuneOptions, out, options.finetune_recipe) is None:
        return tuning
    given = {**given, "out": out, "seed": tuning.seed, "label_seed": tuning.seed}
    job = _resolved(options, prepared, given, saved)
    return replace(tuning, job=job, forecast=forecast_of(job, saved))


def _resolved(
    options: ProbeOptions, prepared: Prepared, given: dict[str, Any], saved: Pretrained
) -> TrainingJob[FinetuneOptions]:
    recipe, data = options.finetune_recipe, prepared.dataset
    given = with_pool(given, recipe, saved)
    return TrainingJob.resolve(
        FinetuneOptions, data, recipe, given, saved.inputs, announce=False, started=time.monotonic()
    )


def _changed(tuning: Tuning, **values: Any) -> Tuning:
    """Return the fine-tuning with other options; they count as passed by the user, not chosen by a rule."""
    job, forecast = tuning.job, tuning.forecast
    assert isinstance(forecast.plan.options, FinetuneOptions)
    options = replace(forecast.plan.options, **values)
    job = replace(job, options=replace(job.options, **values))
    plan, out = replace(forecast.plan, options=options, seed=options.seed), Path(options.out)
    return replace(tuning, job=job, forecast=replace(forecast, out=out, plan=plan, before=job.options))
