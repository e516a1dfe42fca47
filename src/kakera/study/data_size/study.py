"""`kakera study data-size`: CNN, Transformer or masked autoencoder, by number of labels (lecture L7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from kakera.data.dataset import Dataset
from kakera.errors import OptionError
from kakera.model.configs import resnet_config
from kakera.option_fields import AUTO, or_none
from kakera.study.data_size import times, work
from kakera.study.data_size.answer import Comparison
from kakera.study.data_size.report import write
from kakera.study.data_size.sizes import count_of
from kakera.study.data_size.work import MAE, MODELS, Trainer, nearest_cnn
from kakera.study.plan import Results, StudyPlan, WorkUnit, make_plan
from kakera.study.scheduler import StudyResult, print_line, run_study
from kakera.study.setup import PRETRAIN, cut_validation, study_data
from kakera.study.study_args import DataSizeArgs
from kakera.study.study_options import DataSizeOptions, study_options

TUNE, FINAL, LONGER = "tune", "final", "longer"
LEAST_SIZES, HALVINGS = 2, 3  # limits of a budget: at least 2 sizes, and an eighth of the epochs


@dataclass(frozen=True)
class DataSize:
    """The data-size study: for each size and network, choose a rate, then train and measure for each seed.

    Example:

        >>> from types import SimpleNamespace
        >>> from kakera.data.sources.open import open_dataset
        >>> options = DataSizeOptions("demo", sizes=("100", "10%", "all"))
        >>> trainer = SimpleNamespace(pool=open_dataset("demo"))
        >>> DataSize(options, trainer, validation="the val part").counts()
        [100, 800, 8000]
    """

    options: DataSizeOptions
    trainer: Trainer
    validation: str
    """A description of the pictures used for choosing rates."""
    halved: int = 0
    name: str = "data-size"

    def config(self) -> dict[str, Any]:
        """Return the settings that must be equal when a study folder is resumed."""
        return {"study": self.name, **asdict(self.options), **self.trainer.material.describe()}

    def counts(self) -> list[int]:
        """Return the numbers of labels in ascending order, without sizes below one picture per class.

        Raises OptionError if no size is left.
        """
        most, classes = len(self.trainer.pool.part("train")), len(self.trainer.pool.classes)
        sizes = {count_of(size, most, classes) for size in self.options.sizes}
        counts = sorted(count for count in sizes if count)
        if not counts:
            raise OptionError(
                "sizes",
                got=f"{' '.join(self.options.sizes)} of {most} labels",
                expected=f"at least one size with {classes} labels or more",
                do="choose larger sizes",
            )
        return counts

    def notes(self) -> list[str]:
        """Return notes on the options: validation pictures, skipped sizes, shortened trainings."""
        most, classes = len(self.trainer.pool.part("train")), len(self.trainer.pool.classes)
        found = [f"rates are chosen on {self.validation}; {most} labelled pictures remain for training"]
        for size in self.options.sizes:
            count = count_of(size, most, classes)
            if not count:
                found.append(f"{size} of {most} labels is less than one per class: skipped")
            elif size.isdigit() and int(size) > count:
                found.append(f"{size} labels: only {count} remain for training, all are used")
        for model in MODELS:
            for count in self.counts() if self.options.max_steps else ():
                full = self.trainer.material.steps(self.trainer.kind(model), count)[0]
                if full > self.options.max_steps:
                    found.append(f"{model} with {count} labels: {self.options.max_steps} of {full} steps")
        return found

    def tuning(self) -> list[int]:
        """Return the seeds that try all rates; the list is empty if there is only one rate."""
        options = self.options
        seeds = min(options.tuning_seeds, options.seeds) if len(set(options.rates)) > 1 else 0
        return list(range(options.seed, options.seed + seeds))

    def units(self) -> list[WorkUnit]:
        """Return pretrainings, then for each size and network all rates and a final training per seed."""
        options = self.options
        found = [
            WorkUnit(f"{PRETRAIN}-s{seed}", PRETRAIN, {"seed": seed}) for seed in range(options.pretrainings)
        ]
        for count in self.counts():
            for model in MODELS:
                tuning = self.tuning()
                trials = [self._trial(model, count, seed, rate) for seed in tuning for rate in self.rates()]
                found += trials
                for seed in range(options.seed, options.seed + options.seeds):
                    values = {"model": model, "labels": count, "seed": seed, "trains": seed not in tuning}
                    needs = (*(trial.name for trial in trials), *self._start(model, seed))
                    found.append(WorkUnit(f"{FINAL}-{model}-{count}-s{seed}", FINAL, values, needs))
        return found + self._longer()

    def rates(self) -> list[float]:
        """Return the multiples of the recipe rates in ascending order."""
        return sorted(set(self.options.rates))

    def smaller(self) -> tuple[DataSize, str] | None:
        """Return the next smaller study and what it leaves out; None if no smaller study exists.

        The order: no longer pretrainings; fewer seeds, down to 2; fewer sizes, down to the 2 smallest; half
        of the epochs, up to three times.
        """
        options, counts = self.options, self.counts()
        if options.longer:
            return self._with(longer=()), "longer pretraining"
        if options.seeds > 2:
            last = options.seed + options.seeds - 1
            return self._with(seeds=options.seeds - 1), f"seed {last}"
        if len(counts) > LEAST_SIZES:
            left = tuple(str(count) for count in counts[:-1])
            return self._with(sizes=left), f"{counts[-1]} labels"
        if self.halved < HALVINGS:
            epochs = self.epochs / 2
            less = replace(self._with(pretrain_epochs=epochs), halved=self.halved + 1)
            return less, f"half of the pretraining epochs ({epochs:g} remain)"
        return None

    @property
    def epochs(self) -> float:
        """The epochs of a pretraining."""
        return or_none(self.options.pretrain_epochs) or self.trainer.material.recipes[PRETRAIN].epochs

    def measure(self) -> dict[str, float]:
        """Measure the seconds of the parts of the work."""
        return times.measure(self.trainer, self.counts(), self.epochs)

    def seconds(self, unit: WorkUnit, costs: Mapping[str, float]) -> float:
        """Return the estimated seconds of a unit."""
        return times.seconds(self.trainer, unit, costs, self.counts(), self.epochs)

    def work(self, unit: WorkUnit, folder: Path, results: Results, units: Path) -> dict[str, Any]:
        """Do the work of a unit and return its result."""
        trainer, values = self.trainer, unit.values
        if unit.kind == PRETRAIN:
            epochs = values.get("epochs", self.epochs)
            trained = trainer.material.pretrain(folder, seed=values["seed"], epochs=epochs)
            return work.pretrained(trainer, trained)
        starts = self._start(values["model"], values["seed"], values.get("epochs"))
        start = units / starts[0] if starts else None
        if unit.kind == TUNE:
            return work.tuned(trainer, folder, values, start)
        rate, run = self._chosen(values, results), folder
        if unit.kind == LONGER:
            return work.tested(trainer, trainer.trained(values, folder, start, rate), rate)
        if values["trains"]:
            trainer.trained(values, folder, start, rate)
        else:
            run = units / self._trial(values["model"], values["labels"], values["seed"], rate).name
        return work.measured(trainer, run, values, rate)

    def _longer(self) -> list[WorkUnit]:
        """Return longer pretrainings and the trainings after them, at the rates that are already chosen."""
        options, found = self.options, list[WorkUnit]()
        for epochs in sorted(set(options.longer) - {self.epochs}):
            found += [
                WorkUnit(f"{PRETRAIN}-e{epochs:g}-s{seed}", PRETRAIN, {"seed": seed, "epochs": epochs})
                for seed in range(options.pretrainings)
            ]
            for count in self.counts():
                trials = [
                    self._trial(MAE, count, s, rate).name for s in self.tuning() for rate in self.rates()
                ]
                for seed in range(options.seed, options.seed + options.seeds):
                    values = {"model": MAE, "labels": count, "seed": seed, "trains": True, "epochs": epochs}
                    needs = (*trials, *self._start(MAE, seed, epochs))
                    found.append(WorkUnit(f"{LONGER}-{count}-e{epochs:g}-s{seed}", LONGER, values, needs))
        return found

    def _chosen(self, values: Mapping[str, Any], results: Results) -> float:
        """Return the rate with the best result on the val part."""
        tried: dict[float, list[float]] = {}
        for rate in self.rates():
            names = [self._trial(values["model"], values["labels"], s, rate).name for s in self.tuning()]
            tried[rate] = [results[name]["validation"] for name in names]
        return work.best_rate(tried) if self.tuning() else self.rates()[0]

    def _trial(self, model: str, count: int, seed: int, rate: float) -> WorkUnit:
        values = {"model": model, "labels": count, "seed": seed, "rate": rate}
        return WorkUnit(f"{TUNE}-{model}-{count}-x{rate:g}-s{seed}", TUNE, values, self._start(model, seed))

    def _start(self, model: str, seed: int, epochs: float | None = None) -> tuple[str, ...]:
        """Return the unit whose pretraining a network starts from; `epochs` selects a longer one."""
        number = (seed - self.options.seed) % self.options.pretrainings
        length = "" if epochs is None else f"-e{epochs:g}"
        return (f"{PRETRAIN}{length}-s{number}",) if model == MAE else ()

    def _with(self, **changes: Any) -> DataSize:
        options = replace(self.options, **changes)
        return replace(self, options=options, trainer=replace(self.trainer, options=options))


@dataclass(frozen=True)
class DataSizeResult:
    """A finished data-size study: the folder (`report.html`, `results.csv`, `costs.csv`) and the scores.

    See `study_data_size`.
    """

    folder: Path
    answer: Comparison
    finished: StudyResult


def study_data_size(
    data: str | Path | Dataset, *, out: str | Path, **options: Unpack[DataSizeArgs]
) -> DataSizeResult:
    """Compare a CNN, a Transformer from scratch and one after a masked autoencoder, by number of labels.

    `data` is a folder, a table, a built-in name or a `Dataset`; `out` is the folder of the study; `options`
    are the fields of `DataSizeOptions`. A second call with the same arguments resumes the study. Several
    processes may work on it at the same time. At the end the study writes its report.

    Raises DataError, OptionError, RunError, StorageError.

    Example:

        >>> study_data_size("pictures", out="studies/size", sizes=["100", "all"])  # doctest: +SKIP
    """
    study = _opened(data, {**options, "out": str(out)})
    finished = run_study(study, Path(out), lambda chosen: _revised(study, chosen))
    revised = _revised(study, finished.plan.chosen)
    answer = write(finished, revised.trainer, study.options, revised.validation)
    return DataSizeResult(Path(out), answer, finished)


def plan_data_size(
    data: str | Path | Dataset, *, out: str | Path = "", **options: Unpack[DataSizeArgs]
) -> StudyPlan:
    """Return the plan of `study_data_size`: its work units and estimated times. It writes no files."""
    return make_plan(_opened(data, {**options, "out": str(out)}), print_line)[1]


def _opened(data: str | Path | Dataset, given: dict[str, Any]) -> DataSize:
    name = data.name if isinstance(data, Dataset) else str(data)
    chosen = study_options(DataSizeOptions, {**given, "data": name})
    if chosen.cnn != AUTO:
        resnet_config(chosen.cnn)
    ours = study_data(data, chosen)
    pool, validation = cut_validation(ours.dataset, chosen.validation, chosen.seed)
    cnn = nearest_cnn(ours) if chosen.cnn == AUTO else chosen.cnn
    study = DataSize(chosen, Trainer(ours, pool, cnn, chosen), validation)
    study.counts()  # raises OptionError for unusable sizes
    return study


def _revised(study: DataSize, chosen: dict[str, Any]) -> DataSize:
    """Return the study for the options of a plan."""
    options = study_options(DataSizeOptions, chosen)
    return replace(study, options=options, trainer=replace(study.trainer, options=options))
