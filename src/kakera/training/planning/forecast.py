"""The forecast of a training before it starts: network, steps, time, memory, files and warnings."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kakera import duration
from kakera.training.options import DataOptions, FinetuneOptions, LearningOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.baseline_costs import baseline_seconds, frozen_limit, frozen_seconds
from kakera.training.planning.costs import FLOAT, StepCost
from kakera.training.planning.fit import MemoryFit, gigabytes
from kakera.training.planning.frozen_layers import FrozenLayers
from kakera.training.planning.plan_parts import busy_notes, data_line, machine_line, memory_line
from kakera.training.planning.plan_warnings import plan_warnings, precision_warnings
from kakera.training.planning.rules import Verb
from kakera.training.planning.situation import named
from kakera.training.prepared import Prepared

BESIDE = 5.0  # seconds to write the run folder, plots and the report


@dataclass(frozen=True)
class Forecast:
    """A plan to print.

    `step_seconds` is the time of a step. It is an estimate from the speed of the machine unless `measured`.
    See `forecast_of`.
    """

    verb: Verb
    out: Path
    prepared: Prepared
    plan: TrainingPlan
    cost: StepCost
    fit: MemoryFit
    model: str
    """A short description of the network."""
    step_seconds: float
    measured: bool = False
    limit: float = 0.0
    """Time limit in seconds; 0 for none."""
    notes: tuple[str, ...] = ()
    """Changes that were made to stay within the limit."""
    precision: str = "32-true"
    spent: float = 0.0
    """Seconds already spent on reading the data."""
    extra: float = BESIDE
    once: float = 0.0
    """Seconds to compute the output of frozen layers once, before the first step."""
    frozen: FrozenLayers | None = None
    """How the output of frozen layers is computed; None without any."""
    before: LearningOptions | None = None
    """The options before they were adapted to memory and time limit."""

    @property
    def seconds(self) -> float:
        """Total seconds: reading, steps, evaluation on the held-out part, the baselines and the report."""
        return self.spent + self.once + self.plan.steps * self.step_seconds + self.after

    @property
    def after(self) -> float:
        """Seconds after the last step: evaluation, the report and its baselines."""
        if self.verb == "pretrain":
            return self.extra
        each = self.cost.forward * self.step_seconds / self.plan.batch + self.once / len(self.plan.train)
        return self.extra + self.prepared.facts.held_out * each + self._baselines(each)

    def _baselines(self, each: float) -> float:
        """Return the seconds of the baselines; the network takes `each` seconds to evaluate a file."""
        options, facts = self.plan.options, self.prepared.facts
        if not (isinstance(options, FinetuneOptions) and options.baselines and facts.held_out):
            return 0.0
        parts = (facts.count, facts.held_out)
        seconds = baseline_seconds(*parts, facts.classes, recordings=facts.recordings)
        if not options.init_from:
            return seconds
        allowed = frozen_limit(self.plan.steps * self.step_seconds, self.limit)
        return seconds + frozen_seconds(*parts, each, allowed)

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.plan.batch / max(self.step_seconds, 1e-9)

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of training files and of evaluation files."""
        return self.prepared.facts.count, self.prepared.facts.held_out

    def tried(self, sample: Prepared) -> Forecast:
        """Return the forecast with a note if some files of a sample of the training files are unreadable.

        If the sample contains all training files, the file count leaves the unreadable ones out.
        """
        broken = len(sample.dataset.unreadable) - len(self.prepared.dataset.unreadable)
        if not broken:
            return self
        looked, facts = len(sample.dataset) + broken, self.prepared.facts
        note = f"{broken} of {looked} {facts.noun} checked are unreadable"
        if looked == facts.count:
            facts = replace(facts, count=facts.count - broken)
        return replace(self, prepared=replace(self.prepared, facts=facts), notes=(*self.notes, note))

    def lines(self) -> list[str]:
        """Return the plan as lines of text."""
        return [
            f"plan: {self.verb if self.verb != 'scratch' else 'finetune from scratch'} -> {self.out}",
            self._data(),
            f"  model: {self.model}{self._why('model')}{self._why('window')}",
            *([f"  frozen layers: {self.frozen.note}"] if self.frozen else []),
            f"  length: {self._length()}",
            f"  time: {self._time()}",
            f"  memory: {memory_line(self.fit.memory, self.prepared.machine)}; {self._pieces()}",
            f"  machine: {machine_line(self.prepared, self._precision())}",
            f"  writes: {self._writes()}",
            *(f"  note: {text}" for text in (*self.notes, *busy_notes(self.prepared.machine))),
            *(f"  warning: {text}" for text in self.warnings().values()),
        ]

    def warnings(self) -> dict[str, str]:
        """Return warnings about likely problems, one sentence for each kind."""
        plan, prepared = self.plan, self.prepared
        assert isinstance(plan.options, DataOptions)
        warnings = plan_warnings(
            self.verb,
            prepared.facts,
            named(plan.options.data),
            tokens=self.cost.tokens,
            rate=self.rate,
            steps=plan.steps,
            epochs=plan.steps / plan.steps_per_epoch,
        )
        if plan.options.device != "mps":
            warnings |= precision_warnings(self.precision, prepared.machine.gpu)
        labels = [] if self.verb == "pretrain" else prepared.data_warnings()
        return warnings | {_kind(text): text for text in labels}

    def shorter(self) -> Forecast:
        """Return the forecast with fewer epochs if it takes longer than the limit, else unchanged."""
        if not self.limit or self.seconds <= self.limit:
            return self
        room = max(self.limit - self.spent - self.once - self.after, self.step_seconds)
        steps = max(1, int(room / self.step_seconds))
        before = duration.words(self.seconds)
        cut = self.cut_to(steps)
        note = f"the full training would take {before}: cut to {cut.plan.steps} steps; raise --time for more"
        return replace(cut, notes=(*self.notes, note))

    def cut_to(self, steps: int) -> Forecast:
        """Return the forecast with `steps` steps."""
        options, epochs = self.plan.options, float(f"{steps / self.plan.steps_per_epoch:.4g}")
        options = replace(options, epochs=epochs, min_steps=min(options.min_steps, steps))
        return replace(self, plan=replace(self.plan, options=options))

    def update(self, before: Forecast) -> list[str]:
        """Return the lines that changed since `before` was printed: data, time, notes and new warnings."""
        known = before.warnings()
        new = [text for kind, text in self.warnings().items() if kind not in known]
        return [
            *([self._data()] if self._data() != before._data() else []),
            f"  time: {self._time()}",
            *(f"  note: {text}" for text in self.notes),
            *(f"  warning: {text}" for text in new),
        ]

    def chosen(self) -> dict[str, Any]:
        """Return the automatically chosen options (by rules, memory or time limit), for config.json."""
        options = asdict(self.plan.options)
        changed = set[str]()
        if self.before is not None:
            changed = {name for name, value in asdict(self.before).items() if value != options[name]}
        return {name: options[name] for name in sorted(self.prepared.chosen_by_rules | changed)}

    def _data(self) -> str:
        return f"  data: {data_line(self.prepared.facts, measured=self.verb != 'pretrain')}"

    def _why(self, name: str) -> str:
        reason = self.prepared.reasons.get(name, "")
        return f" ({reason})" if reason else ""

    def _length(self) -> str:
        plan, things = self.plan, self.prepared.facts.noun
        epochs = plan.steps / plan.steps_per_epoch
        counted = f"{plan.steps:,} step{'' if plan.steps == 1 else 's'} of {plan.batch} {things}"
        return f"{counted}, {epochs:.3g} epoch{'' if epochs == 1 else 's'}{self._why('length')}"

    def _precision(self) -> str:
        """Return the precision and, for bf16 only, its reason: a resumed run may be in float32."""
        return self.precision + (self._why("precision") if self.precision == "bf16-mixed" else "")

    def _time(self) -> str:
        how = "measured on a few steps" if self.measured else "estimated"
        limit = f"; limit {duration.words(self.limit)}" if self.limit else ""
        if self.limit and self.seconds > self.limit:
            limit += " (training will be shortened)"
        rate = f"{self.rate:.0f}" if self.rate >= 10 else f"{self.rate:.2g}"
        return f"about {duration.words(self.seconds)} ({rate} {self.prepared.facts.noun}/s, {how}){limit}"

    def _pieces(self) -> str:
        if self.fit.pieces == 1:
            return "the whole batch at once"
        return f"each batch in {self.fit.pieces} pieces (--grad-accum)"

    def _writes(self) -> str:
        size, changed = FLOAT * self.cost.parameters, FLOAT * self.cost.changed
        room = f"{gigabytes(size)} of weights, {gigabytes(3 * size + 4 * changed)} during training"
        names = "model.safetensors, kakera.json, config.json, data.npy, metrics.jsonl, report.html"
        return f"{self.out}: {names} ({room})"


def _kind(warning: str) -> str:
    """Return the kind of a data warning: the text before its colon, without numbers.

    The numbers of files change once unreadable files are known. The warning is not printed again for that.
    """
    return re.sub(r"\d+", "", warning.partition(":")[0]).replace("pictures", "picture")
