"""A training from its first look at the data to its final length: options, forecast, a few real steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from kakera import duration
from kakera.commands.prepare import augmentation, resolve
from kakera.data.dataset import Dataset
from kakera.formats.native import WEIGHTS
from kakera.inputs import InputSpec
from kakera.model.configs import ViTConfig
from kakera.option_fields import AUTO
from kakera.progress import is_follower
from kakera.training.configuration import chosen_before
from kakera.training.distributed import Distributed
from kakera.training.launch import processes
from kakera.training.loop import Task
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.costs import StepCost
from kakera.training.planning.fit import fit_to_memory
from kakera.training.planning.forecast import Forecast
from kakera.training.planning.rules import LIMIT
from kakera.training.planning.timing import measure_step
from kakera.training.prepared import Prepared
from kakera.training.recipes import verb_of

Chosen = TypeVar("Chosen", PretrainOptions, FinetuneOptions)

SAMPLE = 256  # files that a plan is timed with
FINISHED = "{out} holds a finished run: nothing is trained anew; for another one add --out {out}-2"
WORTH = 20.0  # seconds: shorter trainings are not timed before


@dataclass(frozen=True)
class TrainingJob(Generic[Chosen]):
    """`options` and data of one training; `limit` in seconds, 0 where it may take any time."""

    options: Chosen
    prepared: Prepared
    announce: bool
    limit: float
    resumes: bool
    """Whether the run folder holds a run already: it goes on as it began."""
    started: float
    """When it began, in seconds of `time.monotonic`: the command, or the call that trains."""
    given: Mapping[str, Any]
    """The options that somebody gave, with the recipe."""

    @classmethod
    def resolve(
        cls,
        kind: type[Chosen],
        data: str | Path | Dataset,
        recipe: str,
        given: dict[str, Any],
        start: InputSpec | None = None,
        *,
        announce: bool,
        started: float,
    ) -> TrainingJob[Chosen]:
        """Look at the data's headers and choose what is not given. Raises DataError, OptionError."""
        options, prepared = resolve(kind, data, recipe, given, start)
        free = announce and not recipe and given.get("epochs") is None
        limit = duration.seconds(options.time) if options.time != AUTO else LIMIT if free else 0.0
        begun = chosen_before(kind, options.out, recipe) is not None
        return cls(options, prepared, announce, limit, begun, started, {"recipe": recipe, **given})

    def forecast(
        self, cost: StepCost, model: str, size: tuple[int, int], *, divisible: bool = True, train: int = 0
    ) -> Forecast:
        """What it will take, from the cost of one sample; the batch is fitted to the memory."""
        options, prepared = self.options, self.prepared
        count = train or prepared.facts.count
        devices, nodes = processes(options)
        fitted = fit_to_memory(
            cost,
            prepared.machine,
            min(options.batch_size, count),
            processes=devices,
            pieces=0 if options.grad_accum == AUTO else options.grad_accum,
            divisible=divisible,
            data=prepared.bytes_held(),
        )
        smaller = {"batch_size": fitted.batch} if fitted.batch < min(options.batch_size, count) else {}
        options = replace(options, grad_accum=fitted.pieces, **smaller)
        rows = prepared.dataset.part("train").take(range(count))
        plan = TrainingPlan(rows, size, augmentation(options), options, options.seed, prepared.workers)
        seconds = cost.seconds(prepared.machine.gflops) * plan.batch / (devices * nodes)
        precision = options.precision
        if precision == "auto":
            precision = "bf16-mixed" if prepared.machine.gpu else "32-true"
        return Forecast(
            verb_of(options),
            Path(options.out),
            prepared,
            plan,
            cost,
            fitted,
            model,
            seconds,
            limit=self.limit,
            notes=(FINISHED.format(out=options.out),) if finished(options.out) else (),
            precision=precision,
            before=self.options,
        )

    def sample(self, size: tuple[int, int]) -> Prepared:
        """Some of the data, decoded for a model that sees `size`: enough to time a few steps with.

        Says in a line what the data set is made of.
        """
        labelled = isinstance(self.options, FinetuneOptions)
        self.prepared.print_summary()
        return sample(self.prepared, labelled=labelled).preloaded(
            size, self.options.crop_min_scale, quiet=True
        )

    def show(self, forecast: Forecast) -> None:
        """Print the plan, unless the run goes on; of a finished one that it is."""
        if self.announce and finished(forecast.out) and not is_follower():
            print(f"note: {'; '.join(forecast.notes)}", file=sys.stderr, flush=True)
        if self.announce and not self.resumes and self.prepared.facts.readable and _speaks(forecast):
            print("\n".join(forecast.lines()), file=sys.stderr, flush=True)

    def timed(
        self,
        forecast: Forecast,
        task: Task[Any],
        plan: TrainingPlan,
        prepared: Prepared,
        dist: Distributed,
        *,
        always: bool = False,
    ) -> Forecast:
        """The forecast with measured steps, cut to the limit; a run that has begun keeps its length.

        Several processes go by the estimate. Weights are put back.
        """
        spent, shown = time.monotonic() - self.started, forecast
        forecast = (
            forecast.tried(prepared)
            if always
            else replace(forecast, plan=plan, prepared=prepared, spent=spent)
        )
        if self.resumes and not always:
            return forecast
        long = always or (forecast.seconds > WORTH and (self.announce or self.limit > 0))
        if long and dist.size == 1 and forecast.plan.options.strategy != "fsdp" and dist.fabric is not None:
            step = measure_step(task, plan, dist.fabric) * forecast.plan.batch / plan.batch
            spent = time.monotonic() - self.started
            forecast = replace(forecast, step_seconds=step, measured=True, spent=spent)
        cut = forecast.shorter()
        epochs, least = dist.on_rank_zero(lambda: (cut.plan.options.epochs, cut.plan.options.min_steps))
        options = replace(forecast.plan.options, epochs=epochs, min_steps=least)
        found = replace(cut, plan=replace(cut.plan, options=options))
        changed = found.measured or found.notes != shown.notes or found.counts != shown.counts
        if self.announce and changed and dist.is_main and not always:
            print("\n".join(found.update(shown)), file=sys.stderr, flush=True)
        return found


def sample(prepared: Prepared, *, labelled: bool) -> Prepared:
    """Up to 256 evenly spaced training files; `labelled` takes those with a label, where there are any."""
    dataset = prepared.dataset
    rows = np.flatnonzero(dataset.split == "train")
    known = np.intersect1d(rows, dataset.labelled) if labelled else rows
    rows = known if len(known) else rows
    some = np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(int))
    return replace(prepared, dataset=dataset.take(rows[some]))


def described(cost: StepCost, size: tuple[int, int], shape: ViTConfig) -> str:
    """Parameters, picture and patch of a network."""
    count = cost.parameters / 1e6
    many = f"{count:.1f}" if count < 10 else f"{count:.0f}"
    return (
        f"{many} million parameters, {size[0]} x {size[1]} in patches of {shape.patch[0]} x {shape.patch[1]}"
    )


def finished(out: str | Path) -> bool:
    """Whether a run folder holds a finished model."""
    return (Path(out) / WEIGHTS).exists()


def _speaks(forecast: Forecast) -> bool:
    return not is_follower() and not finished(forecast.out)
