"""Warnings about a data set, before hours are spent on a training with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kakera.data.checks.findings import classes_of
from kakera.data.dataset import Dataset

FEW = 3  # files of a class up to which learning and measuring are unreliable
FEW_TESTED = 30  # evaluated files below which one file changes accuracy by more than 3 points
UNEVEN = 1.5  # ratio of the largest to the smallest class from which on classes are averaged
NAMED = 3  # classes named in a sentence; the rest is a count


def data_warnings(dataset: Dataset, drawn: Dataset | None = None) -> list[str]:
    """Return one sentence for each problem that spoils a training or its evaluation; read no file.

    Accuracy is measured on the labelled test files, or on the labelled val files if there are no test files.
    `drawn` are the training files to use, if these are fewer than all labelled ones.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> data_warnings(open_dataset("demo").part("train"))
        ['no labelled test pictures: the accuracy of a classifier cannot be measured']
    """
    things = dataset.kind
    counts = classes_of(dataset)
    if not len(dataset.labelled):
        one_class = "put each class into its own folder, or pass a table with file,label"
        return [f"no labels: these {things} can only be used for pretraining; to classify them, {one_class}"]
    if dataset.regression:
        return _numbers(dataset)
    if len(counts) < 2:
        return [f"only one class ({next(iter(counts), '')}): a classifier needs at least two"]
    part = measured_part(dataset)
    found = _few_trained(counts, things) if drawn is None else _few_trained(classes_of(drawn), "labels")
    if part:
        found += _few_measured(counts, part, things)
        found += _few_in_all(dataset, part, things)
    else:
        found += [f"no labelled test {things}: the accuracy of a classifier cannot be measured"]
    if part == "val":
        found += [f"no labelled test {things}: accuracy is measured on the val part"]
    if part and not dataset.multi_label:
        found += _uneven({name: parts[part] for name, parts in counts.items()}, part, things)
    return found


def _numbers(dataset: Dataset) -> list[str]:
    part, things = measured_part(dataset), dataset.kind
    if not part:
        return [f"no labelled test {things}: the error of the predicted numbers cannot be measured"]
    found = [f"no labelled test {things}: the error is measured on the val part"] if part == "val" else []
    count = int((dataset.split[dataset.labelled] == part).sum())
    return found + ([f"the error is measured on only {count} {part} {things}"] if count < FEW_TESTED else [])


def leak_warning(leaks: Sequence[tuple[str, str]], part: str, things: str) -> list[str]:
    """Return a sentence if files of the evaluated part are training files too; else an empty list.

    `leaks` are (training file, file of the part) pairs from `kakera.data.checks.leaks`.

    Example:

        >>> leak_warning([("a.png", "b.png")], "test", "pictures")[0][:59]
        '1 test picture has the same content as training pictures (b'
    """
    if not leaks:
        return []
    many = f"{len(leaks)} {part} {things} have" if len(leaks) > 1 else f"1 {part} {things[:-1]} has"
    (trained, measured), more = leaks[0], ", …" if len(leaks) > 1 else ""
    return [
        f"{many} the same content as training {things} ({measured} = {trained}{more}): "
        "accuracy on them is too high; remove one of each pair"
    ]


def measured_part(dataset: Dataset) -> str:
    """Return the part on which accuracy is measured: "test", "val", or "" if neither has labels.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> measured_part(open_dataset("demo"))
        'test'
    """
    present = set(dataset.split[dataset.labelled].tolist())
    return next((part for part in ("test", "val") if part in present), "")


def uneven(counts: Sequence[int]) -> bool:
    """Return True if accuracy would hide the smaller classes, so that balanced accuracy comes first.

    Example:

        >>> uneven([100, 90]), uneven([100, 10])
        (False, True)
    """
    present = [count for count in counts if count]
    return len(present) > 1 and max(present) > UNEVEN * min(present)


def _few_trained(counts: Mapping[str, Mapping[str, int]], things: str) -> list[str]:
    trained = {name: parts["train"] for name, parts in counts.items() if parts["train"] <= FEW}
    none = {name: count for name, count in trained.items() if not count}
    some = {name: count for name, count in trained.items() if count}
    return [
        *_each(none, "class {} has no training {things}: it is never predicted", things),
        *_each(some, "class {} has {count} training {things}: too few to learn from", things),
    ]


def _few_measured(counts: Mapping[str, Mapping[str, int]], part: str, things: str) -> list[str]:
    measured = {name: parts[part] for name, parts in counts.items() if parts[part] <= FEW}
    none = {name: count for name, count in measured.items() if not count}
    some = {name: count for name, count in measured.items() if count}
    return [
        *_each(none, f"accuracy of class {{}} cannot be measured: it has no {part} {{things}}", things),
        *_each(some, f"accuracy of class {{}} is measured on only {{count}} {part} {{things}}", things),
    ]


def _each(counts: Mapping[str, int], text: str, things: str) -> list[str]:
    """Return a sentence for each class; one sentence for all if there are many."""
    if len(counts) <= NAMED:
        return [_filled(text, name, count, things) for name, count in counts.items()]
    names = ", ".join(list(counts)[:NAMED])
    low, high = min(counts.values()), max(counts.values())
    span = str(low) if low == high else f"{low} to {high}"
    each = text.replace("class {}", "each of {}").replace("it has", "they have").replace("it is", "they are")
    return [_filled(each, f"{len(counts)} classes ({names}, …)", span, things)]


def _filled(text: str, name: str, count: int | str, things: str) -> str:
    noun = things.removesuffix("s") if count in (0, 1, "0", "1") else things
    return text.format(name, count=count, things=noun)


def _few_in_all(dataset: Dataset, part: str, things: str) -> list[str]:
    count = int((dataset.split[dataset.labelled] == part).sum())
    if count >= FEW_TESTED:
        return []
    noun = things.removesuffix("s") if count == 1 else things
    points = f"one of them changes it by {100 / count:.0f} points"
    return [f"accuracy is measured on only {count} {part} {noun} in total: {points}"]


def _uneven(counts: Mapping[str, int], part: str, things: str) -> list[str]:
    present = {name: count for name, count in counts.items() if count}
    if not uneven([*present.values()]):
        return []
    least, most = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
    return [
        f"uneven classes: {most} has {present[most]} {part} {things}, {least} {present[least]}; "
        "balanced accuracy, the mean over the classes, comes first"
    ]
