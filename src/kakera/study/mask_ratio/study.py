"""`kakera study mask-ratio`: which share of the patches to hide (MAE paper, Fig. 5; lecture L11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from kakera.data.dataset import Dataset
from kakera.masking import num_visible
from kakera.option_fields import or_none
from kakera.study.mask_ratio import work
from kakera.study.mask_ratio.answer import Answer
from kakera.study.mask_ratio.report import write
from kakera.study.plan import Results, StudyPlan, WorkUnit, draw_up
from kakera.study.scheduler import StudyResult, print_line, run_study
from kakera.study.setup import FINETUNE, PRETRAIN, StudyData, study_data
from kakera.study.study_args import MaskRatioArgs
from kakera.study.study_options import MaskRatioOptions, study_options

PROBE = "probe"
LEAST_RATIOS, HALVINGS = 3, 3  # what a budget leaves at least: ratios, and an eighth of the epochs


@dataclass(frozen=True)
class MaskRatio:
    """Pretrain at each ratio, then probe and fine-tune, for each seed."""

    options: MaskRatioOptions
    material: StudyData
    halved: int = 0
    name: str = "mask-ratio"

    def config(self) -> dict[str, Any]:
        """What must be the same for a folder to be gone on with."""
        return {"study": self.name, **asdict(self.options), **self.material.describe()}

    def shares(self) -> dict[float, int]:
        """Visible patches of each ratio. Of ratios that keep as many, the one nearest to the true share."""
        count, found = self.material.grid.count, dict[int, float]()
        for ratio in sorted(self.options.mask_ratios):
            keep = num_visible(count, ratio)
            true, known = 1 - keep / count, found.get(keep)
            if known is None or abs(ratio - true) < abs(known - true):
                found[keep] = ratio
        return {ratio: keep for keep, ratio in sorted(found.items(), reverse=True)}

    def counts(self, *, probe: bool) -> list[int]:
        """Numbers of labels, each once; 0 and what is more than there are mean all."""
        most = len(self.material.labelled)
        asked = (*self.options.labels, *(self.options.probe_labels if probe else ()))
        return sorted({min(count or most, most) for count in asked})

    def notes(self) -> list[str]:
        """What was made of the options."""
        shares, count, found = self.shares(), self.material.grid.count, list[str]()
        for ratio in sorted(set(self.options.mask_ratios) - set(shares)):
            keep = num_visible(count, ratio)
            twin = next(other for other, k in shares.items() if k == keep)
            found.append(f"{ratio:g} keeps {keep} of {count} patches, as {twin:g} does: run once")
        most = len(self.material.labelled)
        asked = {*self.options.labels, *self.options.probe_labels}
        return found + [f"{n} labels: all {most} that there are" for n in sorted(asked) if n > most]

    def units(self) -> list[WorkUnit]:
        """For each seed and ratio a pretraining, its probe, and its fine-tunings."""
        found: list[WorkUnit] = []
        for seed in range(self.options.seed, self.options.seed + self.options.seeds):
            for ratio in self.shares():
                at, end = {"ratio": ratio, "seed": seed}, f"{ratio:g}-s{seed}"
                needs = (f"pretrain-{end}",)
                found += [WorkUnit(needs[0], PRETRAIN, at), WorkUnit(f"probe-{end}", PROBE, at, needs)]
                for labels in self.counts(probe=False):
                    values = {**at, "labels": labels}
                    found.append(WorkUnit(f"finetune-{labels}-{end}", FINETUNE, values, needs))
        return found

    def smaller(self) -> tuple[MaskRatio, str] | None:
        """Fewer seeds, down to 2; then fewer ratios, down to 3; then fewer epochs, down to an eighth."""
        options, ratios = self.options, list(self.shares())
        if options.seeds > 2:
            last = options.seed + options.seeds - 1
            return replace(self, options=replace(options, seeds=options.seeds - 1)), f"seed {last}"
        if len(ratios) > LEAST_RATIOS:
            gone = dispensable(ratios)
            left = tuple(ratio for ratio in ratios if ratio != gone)
            return replace(self, options=replace(options, mask_ratios=left)), f"ratio {gone:g}"
        if self.halved < HALVINGS:
            epochs = self.epochs / 2
            less = replace(options, pretrain_epochs=epochs)
            text = f"half of the epochs of pretraining, {epochs:g} are left"
            return replace(self, options=less, halved=self.halved + 1), text
        return None

    @property
    def epochs(self) -> float:
        """Of a pretraining."""
        return or_none(self.options.pretrain_epochs) or self.material.recipes[PRETRAIN].epochs

    def measure(self) -> dict[str, float]:
        """Seconds of what the work is made of."""
        return work.measure(self.material, list(self.shares()), max(self.counts(probe=False)), self.epochs)

    def seconds(self, unit: WorkUnit, costs: Mapping[str, float]) -> float:
        """What a unit should take."""
        return work.seconds(self.material, unit, costs, self.epochs)

    def work(self, unit: WorkUnit, folder: Path, results: Results, units: Path) -> dict[str, Any]:
        """Do a unit; its result."""
        if unit.kind == PRETRAIN:
            return work.pretrained(self.material, folder, unit.values, self.epochs)
        start = units / unit.needs[0]
        if unit.kind == PROBE:
            seed = unit.values["seed"]
            return {"scores": work.probed(self.material, start, seed, self.counts(probe=True))}
        return work.finetuned(self.material, folder, start, unit.values)


def dispensable(ratios: list[float]) -> float:
    """The ratio between the ends, other than the one nearest to 75 %, whose neighbours are closest."""
    centre = min(ratios[1:-1], key=lambda ratio: abs(ratio - 0.75))
    gaps = {
        ratio: after - before
        for before, ratio, after in zip(ratios, ratios[1:], ratios[2:], strict=False)
        if ratio != centre
    }
    return min(gaps, key=lambda ratio: gaps[ratio])


@dataclass(frozen=True)
class MaskRatioResult:
    """The finished study: `report.html`, `results.csv` and `costs.csv` in its folder, and the scores."""

    folder: Path
    answer: Answer
    finished: StudyResult


def study_mask_ratio(
    data: str | Path | Dataset, *, out: str | Path, **options: Unpack[MaskRatioArgs]
) -> MaskRatioResult:
    """Which share of the patches should a masked autoencoder hide, for these pictures?

    `options` are the fields of `MaskRatioOptions`. Called again with the same arguments it goes on where it
    stopped, also in several processes at once; at the end it writes the report.
    Raises DataError, OptionError, RunError, StorageError.
    """
    study = _opened(data, {**options, "out": str(out)})
    finished = run_study(study, Path(out), lambda chosen: _revised(study, chosen))
    revised = _revised(study, finished.plan.chosen)
    answer = write(finished, revised.material, study.options, revised.shares())
    return MaskRatioResult(Path(out), answer, finished)


def plan_mask_ratio(
    data: str | Path | Dataset, *, out: str | Path = "", **options: Unpack[MaskRatioArgs]
) -> StudyPlan:
    """What `study_mask_ratio` would do and how long it should take; nothing is written."""
    return draw_up(_opened(data, {**options, "out": str(out)}), print_line)[1]


def _opened(data: str | Path | Dataset, given: dict[str, Any]) -> MaskRatio:
    name = data.name if isinstance(data, Dataset) else str(data)
    chosen = study_options(MaskRatioOptions, {**given, "data": name})
    study = MaskRatio(chosen, study_data(data, chosen))
    study.shares()  # refuses a share that leaves nothing to see
    return study


def _revised(study: MaskRatio, chosen: dict[str, Any]) -> MaskRatio:
    """The study of the options in a plan."""
    return replace(study, options=study_options(MaskRatioOptions, chosen))
