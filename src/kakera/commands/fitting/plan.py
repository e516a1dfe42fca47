"""The plan of a fit: data, tokens, heads, time, and the files it writes."""

from __future__ import annotations

from dataclasses import dataclass

from kakera import duration
from kakera.commands.fitting.head import AUTOMATIC
from kakera.commands.fitting.patch_tokens import patch_bytes, size_in_words, training_seconds
from kakera.commands.fitting.setup import FitSetup
from kakera.formats.rejection import FILE, LEAST
from kakera.option_fields import AUTO
from kakera.training.planning.baseline_costs import baseline_seconds

WRITES = "model.safetensors, kakera.json, fit.json, evaluation.json, report.html"


@dataclass(frozen=True, eq=False)
class FitPlan:
    """A plan to print; `each` is the measured time of the tokens of a file in seconds, or None."""

    setup: FitSetup
    absent: tuple[int, int]
    """Numbers of training and test files whose tokens are not in the cache."""
    each: float | None = None
    limit: float = 0.0
    """Time limit in seconds; 0 for none."""
    finished: bool = False
    """True if the run folder holds the finished run."""
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """The seconds of the whole fit; None if no token was measured."""
        if self.each is None:
            return None
        setup = self.setup
        counts = len(setup.train), len(setup.test)
        baselines = 0.0
        if setup.options.baselines:
            sounds = setup.dataset.sounds is not None
            baselines = baseline_seconds(*counts, len(setup.dataset.classes), recordings=sounds)
        trained = training_seconds(setup.encoder) if setup.options.head == "attentive" else 0.0
        return sum(self.absent) * self.each + baselines + trained + 2.0

    def _heads(self) -> str:
        setup, options = self.setup, self.setup.options
        if options.head == "attentive":
            size = size_in_words(patch_bytes(setup.encoder, len(setup.train) + len(setup.test)))
            return f"head: attentive on patch tokens, which take {size} in memory and in the cache"
        tried = "ridge" if setup.dataset.regression else ", ".join(AUTOMATIC)
        heads = tried if options.head == AUTO else options.head
        return f"heads: {heads} on {', '.join(setup.pools)} tokens, chosen by left-out labels"

    def lines(self) -> list[str]:
        """Return the lines of the plan to print."""
        setup, options = self.setup, self.setup.options
        train, test, absent = len(setup.train), len(setup.test), sum(self.absent)
        count = len(setup.dataset.classes)
        what = "classes" if not setup.dataset.regression else "target" if count == 1 else "targets"
        known = train + test - absent
        tokens = f"{train + test:,} files, {known:,} of them in the cache"
        if self.each is not None and absent:
            tokens += f"; the others take about {duration.words(absent * self.each)} (measured)"
        encoder = setup.encoder
        lines = [
            f"plan: fit -> {options.out}",
            f"  data: {train:,} labelled {setup.train.kind} for training, "
            f"{count} {what}, {test:,} for the evaluation ({setup.part})",
            f"  encoder: {options.init_from}, {encoder.depth} layers of width {encoder.width}, frozen",
            f"  tokens: {tokens}",
            f"  {self._heads()}",
        ]
        if self.seconds is not None:
            limit = f"; limit {duration.words(self.limit)}" if self.limit else ""
            lines.append(f"  time: about {duration.words(self.seconds)}{limit}")
        rejects = f", {FILE}" if len(setup.train) >= LEAST else ""
        lines.append(f"  writes: {options.out}: {WRITES}{rejects}")
        notes = [self.note] if self.note else []
        if self.finished:
            notes.append(f"{options.out} is a finished run; for a new run add --out {options.out}-2")
        return [
            *lines,
            *(f"  note: {text}" for text in notes),
            *(f"  warning: {text}" for text in setup.warnings()),
        ]
