"""What a probe will do, before it does it: tokens, fits, fine-tunings, their times, what is written."""

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

BESIDE = 3.0  # seconds: opening the model, a report
FORWARD = 1 / 3  # of a step of training: a file that only passes through the network


@dataclass(frozen=True)
class ProbePlan:
    """A plan to print. Seconds are estimated from the machine's rate until `measured`."""

    options: ProbeOptions
    prepared: Prepared
    cost: StepCost
    model: str
    """The network in a few words."""
    draws: tuple[Draw, ...]
    files: int
    """Whose tokens are read: those of all draws, and those that are measured on."""
    read_seconds: float
    """Decoding all files, where that was measured."""
    token_seconds: float
    fit_seconds: float
    tunings: tuple[Tuning, ...] = ()
    limit: float = 0.0
    """Seconds that all of it may take; 0 for any."""
    spent: float = 0.0
    """Seconds that have gone by already."""
    measured: bool = False
    notes: tuple[str, ...] = ()
    """What was changed to keep the limit."""

    @property
    def seconds(self) -> float:
        """Of the whole."""
        return self._fixed + sum(tuning.seconds for tuning in self.tunings)

    @property
    def _fixed(self) -> float:
        """Seconds that no shorter fine-tuning saves."""
        read = self.spent + self.read_seconds + self.token_seconds + self.fit_seconds
        return read + self._baselines() + BESIDE

    def _baselines(self) -> float:
        """Seconds of the baselines of the page, where there is one."""
        if not (self.options.out and self.options.baselines):
            return 0.0
        facts = self.prepared.facts
        counts = (self.draws[-1].labels, facts.held_out)
        return baseline_seconds(*counts, facts.classes, recordings=facts.recordings)

    @property
    def fits(self) -> int:
        """How many classifiers are fitted."""
        options = self.options
        return len(options.probes) * len(options.pools) * len(options.layers) * len(self.draws)

    def lines(self) -> list[str]:
        """For people to read, one line each."""
        return [
            f"plan: probe{f' -> {self.options.out}' if self.options.out else ''}",
            f"  data: {data_line(self.prepared.facts, measured=True)}",
            f"  tokens: of {self.model}; read once from {self.files:,} files, "
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
        """What is likely to be regretted."""
        found = self.prepared.data_warnings()
        if not self.limit or self._fixed <= self.limit:
            return found
        return [
            *found,
            f"tokens and fits alone take {duration.words(self._fixed)}, which nothing cuts: fewer --probes "
            "(logistic is slow), --labels, --layers or --pools are faster",
        ]

    def update(self) -> list[str]:
        """What has become clear since the plan was printed: the time, and what was cut."""
        tunings = self._tunings() if self.tunings else []
        return [*tunings, f"  time: {self._time()}", *(f"  note: {text}" for text in self.notes)]

    def shorter(self) -> ProbePlan:
        """The same with each fine-tuning cut in proportion where all takes longer than the limit.

        Where less than `FEW_STEPS` would be left of one, there is none. Fine-tunings that have begun before
        keep their length, and give the others theirs.
        """
        if not self.tunings:
            return self
        begun = [tuning for tuning in self.tunings if tuning.begun]
        if begun:
            share = min(1.0, begun[0].share)
            note = f"fine-tuning goes on as it began{_percent(share) if share < 1 else ''}"
            return self.cut(share, note) if share < 1 else self
        if not self.limit or self.seconds <= self.limit:
            return self
        share = self._share(self.limit)
        if any(tuning.cut(share).steps < min(FEW_STEPS, tuning.steps) for tuning in self.tunings):
            return self._without()
        note = f"all of it would take {duration.words(self.seconds)}: each fine-tuning is cut"
        return self.cut(share, f"{note}{_percent(share)}; --time gives it longer")

    def _share(self, limit: float) -> float:
        """Of the steps of each fine-tuning, for all to take `limit` seconds."""
        rest = sum(tuning.forecast.after for tuning in self.tunings)
        steps = sum(tuning.seconds for tuning in self.tunings) - rest
        return max(0.0, (limit - self._fixed - rest) / max(steps, 1e-9))

    def cut(self, share: float, note: str) -> ProbePlan:
        """The same with such a share of the steps of each fine-tuning, and a note on it."""
        return replace(
            self, tunings=tuple(tuning.cut(share) for tuning in self.tunings), notes=(*self.notes, note)
        )

    def _without(self) -> ProbePlan:
        """No fine-tuning, and a note on how long some would take."""
        least = max(min(FEW_STEPS, tuning.steps) / tuning.steps for tuning in self.tunings)
        steps = sum(tuning.cut(least).seconds for tuning in self.tunings)
        some = self._fixed + steps
        note = (
            f"fine-tuning is left out: {len(self.tunings)} networks of at least {FEW_STEPS} steps would make "
            f"it {duration.words(some)}; --time {_minutes(some)} has room for them, "
            f"--time {_minutes(self.seconds)} for all of their steps"
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
            ready = f" ({done} of them done before)" if done else ""
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
        """Bytes: the data, all tokens, a part of them in float64 twice, or a fine-tuning."""
        pools = sum(2 if pool == "class and mean" else 1 for pool in self.options.pools)
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
            return "nothing; --out FOLDER keeps the numbers, a report and the fine-tunings"
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
    """The plan from headers alone; `tested` files are measured on, each seen in so many `windows`."""
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
