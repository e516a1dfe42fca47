"""The comparison: a finished pretraining of each contender for each number of processor seconds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.bench.time_to_accuracy.child import Spent
from kakera.bench.time_to_accuracy.contenders import Contender
from kakera.bench.time_to_accuracy.reading import accuracies
from kakera.bench.time_to_accuracy.record import Record
from kakera.bench.time_to_accuracy.setting import Setting
from kakera.errors import OptionError

SHORT = 2_000  # pictures or recordings of the first short training
ENOUGH = 6.0  # processor seconds of the long one
ASSUMED = {"start": 0.0, "epoch": 40.0}  # processor seconds of a quick comparison, not measured
MORE = 8  # the next training is at most this much longer


@dataclass(frozen=True)
class Comparison:
    """A setting, its contenders and the file of results. `work` is a folder for the trained networks."""

    setting: Setting
    contenders: Sequence[Contender]
    record: Record
    work: Path
    say: Callable[[str], None] = print

    def run(self, seconds: Sequence[float], seeds: int = 1) -> None:
        """Measure each contender with each budget of processor seconds; points found before are not run.

        The contenders take turns, from the smallest budget to the largest. Raises OptionError for a budget
        that is shorter than the start of a contender, and RunError if a training fails.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        self.record.add("settings", self.setting.to_json(), self.setting.description())
        for budget in sorted(seconds):
            for seed in range(seeds):
                for contender in self.contenders:
                    self._point(contender, budget, seed)

    def key(self, contender: Contender) -> dict[str, Any]:
        """Return everything that a pace depends on."""
        return {**self.setting.to_json(), **contender.to_json()}

    def _point(self, contender: Contender, budget: float, seed: int) -> None:
        key = {**self.key(contender), "budget": budget, "seed": seed}
        labels = {str(draw.labels) for draw in self.setting.draws}
        before = self.record.find("points", key)
        if before is not None and labels <= set(before["accuracies"]):
            return
        epochs = self._epochs(contender, budget)
        with tempfile.TemporaryDirectory(dir=self.work) as place:
            out = Path(place) / "run"
            spent = contender.train(self.setting, self.work, out, epochs=epochs, seed=seed)
            found = accuracies(self.setting, contender.read(self.setting, out))
        self._write(key, epochs, spent, found)

    def _write(self, key: dict[str, Any], epochs: float, spent: Spent, found: dict[str, list[float]]) -> None:
        values = {
            "epochs": round(epochs, 6),
            "seconds": round(spent.processor, 2),
            "wall_seconds": round(spent.wall, 2),
            "accuracies": found,
        }
        self.record.add("points", key, values)
        means = ", ".join(f"{sum(each) / len(each):.2f} % with {n} labels" for n, each in found.items())
        self.say(
            f"{key['contender']}, {key['budget']:g} s, seed {key['seed']}: {epochs:.3g} epochs in "
            f"{spent.processor:.1f} s, {means}"
        )

    def _epochs(self, contender: Contender, budget: float) -> float:
        pace = self.record.find("paces", self.key(contender)) or self._pace(contender)
        epochs = (budget - pace["start"]) / pace["epoch"]
        if epochs * self.setting.description()["train"] < 1:
            raise OptionError(
                "seconds",
                got=f"{budget:g}",
                expected=f"more than {pace['start']:.1f}, which {contender.name} needs to start",
                do="choose a larger number",
            )
        return epochs

    def _pace(self, contender: Contender) -> dict[str, Any]:
        """Measure the processor seconds of the start and of an epoch with two short trainings.

        A quick comparison assumes them.
        """
        if self.record.quick:
            return ASSUMED
        count = len(self.setting.prepared.dataset.part("train"))
        few = min(1.0, SHORT / count)
        self._probe(contender, few)  # writes the arrays, and reads everything for the first time
        short, many = self._probe(contender, few), 4 * few
        while True:
            long = self._probe(contender, many)
            if long - short >= ENOUGH:
                break
            many *= min(MORE, max(2.0, 1.2 * ENOUGH / max(long - short, 1e-3)))
        epoch = max(long - short, 1e-3) / (many - few)
        values = {"start": round(max(0.0, short - few * epoch), 3), "epoch": round(epoch, 4)}
        self.record.add("paces", self.key(contender), values)
        self.say(f"{contender.name}: start {values['start']:.1f} s, epoch {values['epoch']:.2f} s")
        return values

    def _probe(self, contender: Contender, epochs: float) -> float:
        place = Path(tempfile.mkdtemp(dir=self.work))
        try:
            return contender.train(self.setting, self.work, place / "run", epochs=epochs, seed=0).processor
        finally:
            shutil.rmtree(place, ignore_errors=True)
