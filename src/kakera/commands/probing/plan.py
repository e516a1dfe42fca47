"""The plan of a probe: tokens, fits, fine-tunings, their times, and the files it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kakera import duration
from kakera.commands.probing.tuning import Tuning
from kakera.training.options import ProbeOptions
from kakera.training.planning.baseline_costs import baseline_seconds
from kakera.training.planning.costs import FLOAT, PROCESS, StepCost
from kakera.training.planning.fit import gigabytes
from kakera.training.planning.plan_parts import busy_notes, data_line, machine_line, memory_line
from kakera.training.planning.plan_warnings import FEW_STEPS
from kakera.training.prepared import Prepared
from kakera.training.probes.costs import seconds_of_all
from kakera.training.probes.draws import Draw

BESIDE = 3.0  # seconds for opening the model and writing a report
FORWARD = 1 / 3  # cost of a forward pass as a share of a training step: the backward pass costs twice as much


@dataclass(frozen=True)
class ProbePlan:
    """A plan to print; its seconds are estimated from the speed of the machine unless `measured`.

    See `plan_probe`.
    """

    options: ProbeOptions
    prepared: Prepared
    cost: StepCost
    model: str
    """Short description of the network."""
    draws: tuple[Draw, ...]
    files: int
    """Number of files whose tokens are computed: the files of all draws and the test files."""
    read_seconds: float
    """Seconds to decode all files; 0 if that time was not measured."""
    token_seconds: float
    fit_seconds: float
    tunings: tuple[Tuning, ...] = ()
    limit: float = 0.0
    """Time limit of the whole probe, in seconds; 0 for no limit."""
    spent: float = 0.0
    """Seconds that have already passed."""
    measured: bool = False
    notes: tuple[str, ...] = ()
    """Sentences on what was shortened to keep the time limit."""

    @property
    def seconds(self) -> float:
        """Seconds of the whole probe."""
        return self._fixed + sum(tuning.seconds for tuning in self.tunings)

    @property
    def _fixed(self) -> float:
        """Seconds of everything except fine-tuning; a shorter fine-tuning does not change them."""
        read = self.spent + self.read_seconds + self.token_seconds + self.fit_seconds
        return read + self._baselines() + BESIDE

    def _baselines(self) -> float:
        """Return the seconds of the baselines of the page; 0 without a page."""
        if not (self.options.out and self.options.baselines):
            return 0.0
        facts = self.prepared.facts
        counts = (self.draws[-1].labels, facts.held_out)
        return baseline_seconds(*counts, facts.classes, recordings=facts.recordings)

    @property
    def fits(self) -> int:
        """Number of classifiers to fit."""
        options = self.options
        return len(options.probes) * len(options.pools) * len(options.layers) * len(self.draws)

    def lines(self) -> list[str]:
        """Return the lines of the plan to print."""
        return [
            f"plan: probe{f' -> {self.options.out}' if self.options.out else ''}",
            f"  data: {data_line(self.prepared.facts, measured=True)}",
            f"  tokens: {self.model}; computed once for {self.files:,} files, "
            f"about {duration.words(self.token_seconds)}",
            f"  fits: {self._fits()}",
            *self._tunings(),
            f"  time: {self._time()}",
            f"  memory: {memory_line(self._memory(), self.prepared.machine)}",
            f"  machine: {machine_line(self.prepared, self._precision())}",
            f"  writes: {self._writes()}",
            *(f"  note: {text}" for text in (*self.notes, *busy_notes(self.prepared.machine))),
            *(f"  warning: {text}" for text in self.warnings()),
        ]

    def warnings(self) -> list[str]:
        """Return warnings about the data and about a time limit that is too short."""
        found = self.prepared.data_warnings()
        if not self.limit or self._fixed <= self.limit:
            return found
        return [
            *found,
            f"tokens and fits alone take {duration.words(self._fixed)}, longer than the time limit; for less "
            "time pass fewer --probes (logistic is slow), --labels, --layers or --pools",
        ]

    def update(self) -> list[str]:
        """Return the lines that changed since the plan was printed: the time and shortened fine-tunings."""
        tunings = self._tunings() if self.tunings else []
        return [*tunings, f"  time: {self._time()}", *(f"  note: {text}" for text in self.notes)]

    def shorter(self) -> ProbePlan:
        """Return the plan with all fine-tunings shortened by the same share, to keep the time limit.

        If a fine-tuning would have fewer than `FEW_STEPS` steps, the plan leaves out all fine-tunings. If an
        earlier call started some of them, these keep their length, and the others get the same share.
        """
        if not self.tunings:
            return self
        started = [tuning for tuning in self.tunings if tuning.started]
        if started:
            share = min(1.0, started[0].fraction)
            note = f"unfinished fine-tunings resume, so each fine-tuning is shortened{_percent(share)}"
            return self.cut(share, note) if share < 1 else self
        if not self.limit or self.seconds <= self.limit:
            return self
        share = self._share(self.limit)
        if any(tuning.cut(share).steps < min(FEW_STEPS, tuning.steps) for tuning in self.tunings):
            return self._without()
        note = f"the whole probe would take {duration.words(self.seconds)}: each fine-tuning is shortened"
        return self.cut(share, f"{note}{_percent(share)}; raise --time for longer ones")

    def _share(self, limit: float) -> float:
        """Return the share of the steps of each fine-tuning for which the probe takes `limit` seconds."""
        rest = sum(tuning.forecast.after for tuning in self.tunings)
        steps = sum(tuning.seconds for tuning in self.tunings) - rest
        return max(0.0, (limit - self._fixed - rest) / max(steps, 1e-9))

    def cut(self, share: float, note: str) -> ProbePlan:
        """Return the plan with this share of the steps of each fine-tuning, and one more note."""
        return replace(
            self, tunings=tuple(tuning.cut(share) for tuning in self.tunings), notes=(*self.notes, note)
        )

    def _without(self) -> ProbePlan:
        """Return the plan without fine-tuning, and a note on the time that fine-tuning needs."""
        least = max(min(FEW_STEPS, tuning.steps) / tuning.steps for tuning in self.tunings)
        steps = sum(tuning.cut(least).seconds for tuning in self.tunings)
        some = self._fixed + steps
        note = (
            f"fine-tuning is left out: with {len(self.tunings)} networks of at least {FEW_STEPS} steps the "
            f"probe would take {duration.words(some)}; pass --time {_minutes(some)} for these steps, or "
            f"--time {_minutes(self.seconds)} for all steps"
        )
        return replace(self, tunings=(), notes=(*self.notes, note))

    def _fits(self) -> str:
        options = self.options
        counts = {draw.labels: 0 for draw in self.draws}
        for draw in self.draws:
            counts[draw.labels] += 1
        labels = ", ".join(f"{number} of {count:,} labels" for count, number in counts.items())
        each = [
            _count(len(options.probes), "probe"),
            _count(len(options.pools), "pool"),
            _count(len(options.layers), "layer"),
            _count(len(self.draws), "draw"),
        ]
        return f"{' x '.join(each)} ({labels}) = {self.fits:,}, about {duration.words(self.fit_seconds)}"

    def _tunings(self) -> list[str]:
        if not self.tunings:
            return ["  fine-tuning: none"]
        lines: list[str] = []
        for labels in dict.fromkeys(tuning.labels for tuning in self.tunings):
            same = [tuning for tuning in self.tunings if tuning.labels == labels]
            first, done = same[0], sum(tuning.done for tuning in same)
            each = f"{len(same)} x {first.steps:,} steps of {first.forecast.plan.batch}"
            ready = f" ({done} of them already finished)" if done else ""
            lines.append(
                f"  fine-tuning with {labels:,} labels: {each}{ready}, "
                f"about {duration.words(max(tuning.seconds for tuning in same))} each"
            )
        return lines

    def _time(self) -> str:
        how = "measured on a few steps" if self.measured else "estimated"
        limit = f"; limit {duration.words(self.limit)}" if self.limit else ""
        return f"about {duration.words(self.seconds)} ({how}){limit}"

    def _memory(self) -> float:
        """Return the peak memory in bytes.

        It holds the data, all tokens and two float64 copies of a part of them, or a fine-tuning.
        """
        pools = sum(2 if pool.startswith("class and") else 1 for pool in self.options.pools)
        numbers = self.files * self.cost.width
        tokens = FLOAT * numbers * pools * len(self.options.layers)
        tuning = max((tuning.forecast.fit.memory for tuning in self.tunings), default=0)
        if self.prepared.machine.gpu:
            return max(tuning, FLOAT * self.cost.parameters + PROCESS)
        fixed = PROCESS + self.prepared.bytes_held() + FLOAT * self.cost.parameters
        return max(fixed + tokens + 4 * FLOAT * numbers, tuning + tokens)

    def _precision(self) -> str:
        tuned = {tuning.forecast.precision for tuning in self.tunings} - {"32-true"}
        return f"32-true, fine-tuning in {', '.join(sorted(tuned))}" if tuned else "32-true"

    def _writes(self) -> str:
        if not self.options.out:
            return "nothing; add --out FOLDER to save the numbers, a report and the fine-tunings"
        text = f"{self.options.out}: probe.json, report.html"
        if not self.tunings:
            return text
        size = FLOAT * sum(tuning.forecast.cost.parameters for tuning in self.tunings)
        return f"{text}, {len(self.tunings)} folders finetuned-LABELS-DRAW (about {gigabytes(size)})"


def estimated(
    options: ProbeOptions,
    prepared: Prepared,
    cost: StepCost,
    model: str,
    draws: Sequence[Draw],
    tested: int,
    windows: float,
) -> ProbePlan:
    """Return the plan from headers alone.

    `tested` is the number of test files, and `windows` the mean number of windows per file.
    """
    rows = {int(row) for draw in draws for row in draw.rows}
    files = len(rows) + tested
    each = FORWARD * cost.seconds(prepared.machine.gflops) * windows
    counts, classes = [draw.labels for draw in draws], len(prepared.dataset.classes)
    fits = seconds_of_all(options, counts, tested, cost.width, classes)
    return ProbePlan(options, prepared, cost, model, tuple(draws), files, 0.0, each * files, fits)


def _percent(share: float) -> str:
    return f" to {100 * share:.0f} % of its steps"


def _minutes(seconds: float) -> str:
    return f"{math.ceil(1.05 * seconds / 60)}m"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
