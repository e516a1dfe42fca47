"""`kakera study mask-ratio`: compare mask ratios (MAE paper, Fig. 5; lecture L11)."""

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
from kakera.study.plan import Results, StudyPlan, WorkUnit, make_plan
from kakera.study.scheduler import StudyResult, print_line, run_study
from kakera.study.setup import FINETUNE, PRETRAIN, StudyData, study_data
from kakera.study.study_args import MaskRatioArgs
from kakera.study.study_options import MaskRatioOptions, study_options

PROBE = "probe"
LEAST_RATIOS, HALVINGS = 3, 3  # limits of a budget: at least 3 ratios, and an eighth of the epochs


@dataclass(frozen=True)
class MaskRatio:
    """The mask-ratio study: pretrain at each ratio, then probe and fine-tune, for each seed.

    Example:

        >>> from types import SimpleNamespace
        >>> from kakera.grid import Grid
        >>> options = MaskRatioOptions("demo", mask_ratios=(0.5, 0.75))
        >>> MaskRatio(options, SimpleNamespace(grid=Grid(7, 7))).visible_counts()
        {0.5: 24, 0.75: 12}
    """

    options: MaskRatioOptions
    material: StudyData
    halved: int = 0
    name: str = "mask-ratio"

    def config(self) -> dict[str, Any]:
        """Return the settings that must be equal when a study folder is resumed."""
        return {"study": self.name, **asdict(self.options), **self.material.describe()}

    def visible_counts(self) -> dict[float, int]:
        """Return the number of visible patches of each ratio.

        Of ratios with the same number, only the one nearest to the true share remains.
        """
        count, by_visible = self.material.grid.count, dict[int, float]()
        for ratio in sorted(self.options.mask_ratios):
            keep = num_visible(count, ratio)
            true, known = 1 - keep / count, by_visible.get(keep)
            if known is None or abs(ratio - true) < abs(known - true):
                by_visible[keep] = ratio
        return {ratio: keep for keep, ratio in sorted(by_visible.items(), reverse=True)}

    def counts(self, *, probe: bool) -> list[int]:
        """Return the numbers of labels, each once; 0 and too large numbers mean all labels."""
        most = len(self.material.labelled)
        asked = (*self.options.labels, *(self.options.probe_labels if probe else ()))
        return sorted({min(count or most, most) for count in asked})

    def notes(self) -> list[str]:
        """Return notes on the options: equal ratios, and numbers of labels above the available ones."""
        shares, count, found = self.visible_counts(), self.material.grid.count, list[str]()
        for ratio in sorted(set(self.options.mask_ratios) - set(shares)):
            keep = num_visible(count, ratio)
            twin = next(other for other, k in shares.items() if k == keep)
            found.append(
                f"ratio {ratio:g}: {keep} of {count} patches visible, the same as {twin:g}; runs once"
            )
        most = len(self.material.labelled)
        asked = {*self.options.labels, *self.options.probe_labels}
        return found + [f"{n} labels: only {most} available, all are used" for n in sorted(asked) if n > most]

    def units(self) -> list[WorkUnit]:
        """Return a pretraining, its probe and its fine-tunings for each seed and ratio."""
        found: list[WorkUnit] = []
        for seed in range(self.options.seed, self.options.seed + self.options.seeds):
            for ratio in self.visible_counts():
                at, end = {"ratio": ratio, "seed": seed}, f"{ratio:g}-s{seed}"
                needs = (f"pretrain-{end}",)
                found += [WorkUnit(needs[0], PRETRAIN, at), WorkUnit(f"probe-{end}", PROBE, at, needs)]
                for labels in self.counts(probe=False):
                    values = {**at, "labels": labels}
                    found.append(WorkUnit(f"finetune-{labels}-{end}", FINETUNE, values, needs))
        return found

    def smaller(self) -> tuple[MaskRatio, str] | None:
        """Return the next smaller study and what it leaves out; None if no smaller study exists.

        The order: fewer seeds, down to 2; fewer ratios, down to 3; fewer epochs, down to an eighth.
        """
        options, ratios = self.options, list(self.visible_counts())
        if options.seeds > 2:
            last = options.seed + options.seeds - 1
            return replace(self, options=replace(options, seeds=options.seeds - 1)), f"seed {last}"
        if len(ratios) > LEAST_RATIOS:
            dropped = least_informative_ratio(ratios)
            left = tuple(ratio for ratio in ratios if ratio != dropped)
            return replace(self, options=replace(options, mask_ratios=left)), f"ratio {dropped:g}"
        if self.halved < HALVINGS:
            epochs = self.epochs / 2
            less = replace(options, pretrain_epochs=epochs)
            text = f"half of the pretraining epochs ({epochs:g} remain)"
            return replace(self, options=less, halved=self.halved + 1), text
        return None

    @property
    def epochs(self) -> float:
        """The epochs of a pretraining."""
        return or_none(self.options.pretrain_epochs) or self.material.recipes[PRETRAIN].epochs

    def measure(self) -> dict[str, float]:
        """Measure the seconds of the parts of the work."""
        return work.measure(
            self.material, list(self.visible_counts()), max(self.counts(probe=False)), self.epochs
        )

    def seconds(self, unit: WorkUnit, costs: Mapping[str, float]) -> float:
        """Return the estimated seconds of a unit."""
        return work.seconds(self.material, unit, costs, self.epochs)

    def work(self, unit: WorkUnit, folder: Path, results: Results, units: Path) -> dict[str, Any]:
        """Do the work of a unit and return its result."""
        if unit.kind == PRETRAIN:
            return work.pretrained(self.material, folder, unit.values, self.epochs)
        start = units / unit.needs[0]
        if unit.kind == PROBE:
            seed = unit.values["seed"]
            return {"scores": work.probed(self.material, start, seed, self.counts(probe=True))}
        return work.finetuned(self.material, folder, start, unit.values)


def least_informative_ratio(ratios: list[float]) -> float:
    """Return the ratio whose two neighbours are closest together.

    The first and the last ratio, and the one nearest to 75 %, are never returned.

    Example:

        >>> least_informative_ratio([0.25, 0.5, 0.6, 0.75])
        0.5
    """
    centre = min(ratios[1:-1], key=lambda ratio: abs(ratio - 0.75))
    gaps = {
        ratio: after - before
        for before, ratio, after in zip(ratios, ratios[1:], ratios[2:], strict=False)
        if ratio != centre
    }
    return min(gaps, key=lambda ratio: gaps[ratio])


@dataclass(frozen=True)
class MaskRatioResult:
    """A finished mask-ratio study: the folder (`report.html`, `results.csv`, `costs.csv`) and the scores.

    See `study_mask_ratio`.
    """

    folder: Path
    answer: Answer
    finished: StudyResult


def study_mask_ratio(
    data: str | Path | Dataset, *, out: str | Path, **options: Unpack[MaskRatioArgs]
) -> MaskRatioResult:
    """Compare mask ratios of a masked autoencoder on a data set.

    `data` is a folder, a table, a built-in name or a `Dataset`; `out` is the folder of the study; `options`
    are the fields of `MaskRatioOptions`. A second call with the same arguments resumes the study. Several
    processes may work on it at the same time. At the end the study writes its report.

    Raises DataError, OptionError, RunError, StorageError.

    Example:

        >>> study_mask_ratio("pictures", out="studies/ratio", mask_ratios=[0.5, 0.75])  # doctest: +SKIP
    """
    study = _opened(data, {**options, "out": str(out)})
    finished = run_study(study, Path(out), lambda chosen: _revised(study, chosen))
    revised = _revised(study, finished.plan.chosen)
    answer = write(finished, revised.material, study.options, revised.visible_counts())
    return MaskRatioResult(Path(out), answer, finished)


def plan_mask_ratio(
    data: str | Path | Dataset, *, out: str | Path = "", **options: Unpack[MaskRatioArgs]
) -> StudyPlan:
    """Return the plan of `study_mask_ratio`: its work units and estimated times. It writes no files."""
    return make_plan(_opened(data, {**options, "out": str(out)}), print_line)[1]


def _opened(data: str | Path | Dataset, given: dict[str, Any]) -> MaskRatio:
    name = data.name if isinstance(data, Dataset) else str(data)
    chosen = study_options(MaskRatioOptions, {**given, "data": name})
    study = MaskRatio(chosen, study_data(data, chosen))
    study.visible_counts()  # raises OptionError for a ratio without visible patches
    return study


def _revised(study: MaskRatio, chosen: dict[str, Any]) -> MaskRatio:
    """Return the study for the options of a plan."""
    return replace(study, options=study_options(MaskRatioOptions, chosen))
