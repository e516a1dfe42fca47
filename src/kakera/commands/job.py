"""The start of a training: choose the options, make a forecast, measure a few steps, set the length."""

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
from kakera.training.configuration import stored_choices
from kakera.training.distributed import Distributed
from kakera.training.frozen_tokens import seconds_of_a_file
from kakera.training.launch import processes
from kakera.training.loop import Task
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.costs import StepCost
from kakera.training.planning.fit import fit_to_memory
from kakera.training.planning.forecast import Forecast
from kakera.training.planning.frozen_layers import FrozenLayers, frozen_layers
from kakera.training.planning.rules import LIMIT
from kakera.training.planning.timing import measure_step
from kakera.training.prepared import Prepared
from kakera.training.recipes import verb_of
from kakera.training.tasks import Classification

Chosen = TypeVar("Chosen", PretrainOptions, FinetuneOptions)

SAMPLE = 256  # number of files used to measure the time of a plan
FINISHED = "{out} is a finished run, so nothing is trained; for a new run add --out {out}-2"
WORTH = 20.0  # seconds; for shorter trainings the measurement is not worth its time


@dataclass(frozen=True)
class TrainingJob(Generic[Chosen]):
    """The options and the data of one training; `limit` is its time limit in seconds, 0 for none."""

    options: Chosen
    prepared: Prepared
    announce: bool
    limit: float
    resumes: bool
    """True if the run folder holds a started run; then the run resumes with its first options."""
    started: float
    """Start of the command, or of the call that trains, in seconds of `time.monotonic`."""
    given: Mapping[str, Any]
    """The options that the user passed, with the recipe."""

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
        """Read the headers of the data, and choose the options that are not passed.

        `given` are the passed options; `start` is the input of the model to start from. Raises DataError,
        OptionError.
        """
        options, prepared = resolve(kind, data, recipe, given, start)
        free = announce and not recipe and given.get("epochs") is None
        limit = duration.seconds(options.time) if options.time != AUTO else LIMIT if free else 0.0
        resumes = stored_choices(kind, options.out, recipe) is not None
        return cls(options, prepared, announce, limit, resumes, started, {"recipe": recipe, **given})

    def forecast(
        self,
        cost: StepCost,
        model: str,
        size: tuple[int, int],
        *,
        divisible: bool = True,
        train: int = 0,
        frozen: FrozenLayers | None = None,
    ) -> Forecast:
        """Return a forecast of time and memory, from the cost of one sample; fit the batch to the memory.

        `model` describes the network in words; `size` is its input (height, width) in pixels. `divisible`
        is False for a network that cannot compute a batch in pieces. `train` is the number of training
        files; 0 means all. `frozen` describes frozen layers.
        """
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
            data=prepared.bytes_held() + (frozen.held if frozen else 0),
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
            once=count * cost.seconds_once(prepared.machine.gflops),
            frozen=frozen,
            before=self.options,
        )

    def frozen_layers(self, shape: ViTConfig, patches: int, files: int) -> FrozenLayers | None:
        """Return where the output of frozen layers is stored; None if the options freeze none."""
        assert isinstance(self.options, FinetuneOptions)
        prepared, still = self.prepared, self.prepared.dataset.sounds is None
        memory = prepared.memory_limit - prepared.bytes_held()
        return frozen_layers(self.options, shape, patches=patches, files=files, memory=memory, still=still)

    def once_measured(
        self,
        forecast: Forecast,
        task: Task[Any],
        plan: TrainingPlan,
        dist: Distributed,
        *,
        always: bool = False,
    ) -> Forecast:
        """Return the forecast with the measured time of the frozen layers, if their output is stored.

        It is measured if `timed` measures steps.
        """
        long = always or (forecast.seconds > WORTH and (self.announce or self.limit > 0))
        if plan.frozen is None or dist.fabric is None or not long or (self.resumes and not always):
            return forecast
        assert isinstance(task, Classification)
        each = seconds_of_a_file(task, plan, dist.fabric)
        return replace(forecast, once=each * len(forecast.plan.train))

    def sample(self, size: tuple[int, int]) -> Prepared:
        """Return a decoded sample of the data for measuring a few steps; print a summary of the data set.

        `size` is the input of the model (height, width) in pixels.
        """
        labelled = isinstance(self.options, FinetuneOptions)
        self.prepared.print_summary()
        return sample(self.prepared, labelled=labelled).preloaded(
            size, self.options.crop_min_scale, quiet=True
        )

    def show(self, forecast: Forecast) -> None:
        """Print the plan for a new run, or a note for a finished run; nothing for a run that resumes."""
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
        """Return the forecast with measured steps, shortened to keep the time limit.

        A started run keeps its length. Several processes use the estimate instead of a measurement. The
        weights are restored after the measurement. `always` measures in any case, for `--plan`.
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
    """Return the data with up to 256 evenly spaced training files; `labelled` prefers files with a label."""
    dataset = prepared.dataset
    rows = np.flatnonzero(dataset.split == "train")
    known = np.intersect1d(rows, dataset.labelled) if labelled else rows
    rows = known if len(known) else rows
    some = np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(int))
    return replace(prepared, dataset=dataset.take(rows[some]))


def described(cost: StepCost, size: tuple[int, int], shape: ViTConfig) -> str:
    """Return a text with the number of parameters, the input size and the patch size of a network.

    Example:

        >>> from kakera.model.configs import vit_config
        >>> cost = StepCost(0.0, 0.0, parameters=5_400_000, width=192, tokens=196)
        >>> described(cost, (224, 224), vit_config("tiny"))
        '5.4 million parameters, 224 x 224 in patches of 16 x 16'
    """
    count = cost.parameters / 1e6
    many = f"{count:.1f}" if count < 10 else f"{count:.0f}"
    return (
        f"{many} million parameters, {size[0]} x {size[1]} in patches of {shape.patch[0]} x {shape.patch[1]}"
    )


def finished(out: str | Path) -> bool:
    """Return True if a run folder holds a finished model.

    Example:

        >>> finished("run-1")
        False
    """
    return (Path(out) / WEIGHTS).exists()


def _speaks(forecast: Forecast) -> bool:
    return not is_follower() and not finished(forecast.out)
