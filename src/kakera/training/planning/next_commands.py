"""Suggestions for the next command, with the names of the data and the run. Does not import torch.

A line that starts with `next: `, `or:   ` or two spaces is a command; a comment may follow it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.data.shards.index import PICTURES
from kakera.formats.published import FIRST, LIGHT, SMALL, is_recommended, published
from kakera.training.folders import default_folder

PUBLISHED = "-published"  # suffix of the run folder of a fine-tuning from published weights
SCRATCH = "-scratch"  # suffix of the run folder of a training from scratch
MOST = 4  # most commands after `inspect`; the first is the recommended one
NAMED = 3  # most files that a command lists by name


@dataclass(frozen=True)
class Situation:
    """The facts that the suggestions depend on: the name of the data and numbers of files.

    Example:

        >>> Situation("flowers", count=200, classes=5, labelled=150).classifiable
        True
    """

    data: str
    kind: str = PICTURES
    count: int = 0
    """Number of files in the training part."""
    classes: int = 0
    labelled: int = 0
    """Number of labelled files in the training part."""
    measured: int = 0
    """Number of labelled files for evaluation."""
    side: int = 0
    """Median of the pictures' longer sides in pixels; 0 if unknown."""
    files: str = ""
    """Argument for `predict` and `explain`: the data or one of its files; empty for arrays."""

    @property
    def classifiable(self) -> bool:
        """True if there are labels of at least two classes."""
        return self.classes > 1 and self.labelled > 0

    @property
    def needs_published(self) -> bool:
        """True if published weights are a better start than pretraining on these files alone."""
        return is_recommended(self.kind, self.count, self.side)


def command(*words: str) -> str:
    """Return a `kakera` command line; words with spaces are quoted.

    Example:

        >>> command("pretrain", "my pictures", "--epochs", "10")
        "kakera pretrain 'my pictures' --epochs 10"
    """
    return shlex.join(["kakera", *words])


def again(verb: str, data: str, given: Mapping[str, Any], **changes: Any) -> str:
    """Return the command of a training with the passed options and `changes`; None removes an option.

    Example:

        >>> again("pretrain", "flowers", {"epochs": 10, "flip": False}, out="runs/flowers")
        'kakera pretrain flowers --epochs 10 --no-flip --out runs/flowers'
    """
    words: list[str] = []
    for name, value in {**given, **changes}.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value == "" or value == () or name == "data":
            continue
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, list | tuple):
            words += [flag, *(f"{each:g}" if isinstance(each, float) else str(each) for each in value)]
        else:
            words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return command(verb, data, *words)


def after_inspect(s: Situation) -> list[str]:
    """Return the suggestions after `inspect`: the reason, the recommended command, up to three others.

    Example:

        >>> for line in after_inspect(Situation("flowers", count=50_000, side=32)):
        ...     print(line)
        start: small pictures need no published weights; training takes minutes
        next: kakera pretrain flowers --out runs/pretrain-flowers
    """
    if s.kind == PICTURES and s.side <= SMALL:
        why, commands = "small pictures need no published weights; training takes minutes", _alone(s)
    elif not s.needs_published:
        why = f"{s.count} {s.kind} are enough for pretraining without published weights"
        commands = [*_alone(s), *_from_hub(s)][:MOST] if s.classifiable else _alone(s)
    elif not s.classifiable:
        why = f"{_few(s)} few for pretraining; sort them into one sub-folder per class to start from "
        why, commands = f"{why}published weights ({FIRST[s.kind]})", _alone(s)
    else:
        why, commands = f"{_few(s)} few for pretraining: start from published weights", _from_hub(s)
        commands += [f"{_pretraining(s)}  # offline: learns from these {s.kind} only"]
    first, *others = commands
    return [f"start: {why}", f"next: {first}", *_other_ways(others)]


def after_pretrain(s: Situation, run: str | Path) -> list[str]:
    """Return the suggestions after pretraining: fine-tuning, a probe, and published weights if better.

    Without labels, they are `explain` or `convert`.

    Example:

        >>> after_pretrain(Situation("flowers", files="flowers"), "runs/flowers")
        ['next: kakera explain runs/flowers flowers']
    """
    if s.classifiable:
        lines = [
            command("finetune", s.data, "--init-from", str(run), "--out", default_folder("finetune", s.data))
        ]
        lines += [command("probe", s.data, "--init-from", str(run), "--no-finetune")] if s.measured else []
        return _next([*lines, *_published_instead(s)])
    if s.files:
        return _next([command("explain", str(run), s.files)])
    return _next([command("convert", str(run), f"{run}-encoder", "--to", "transformers", "--encoder")])


def after_finetune(
    s: Situation, run: str | Path, *, transformer: bool = True, from_hub: bool = False
) -> list[str]:
    """Return the suggestions after fine-tuning: `predict`, `explain`, and published weights if better.

    `transformer` is False for a CNN. `from_hub` is True if the run started from published weights.

    Example:

        >>> after_finetune(Situation("flowers", files="flowers"), "runs/flowers", transformer=False)
        ['next: kakera predict runs/flowers flowers']
    """
    if not s.files:
        lines = [command("convert", str(run), f"{run}-onnx", "--to", "onnx")]
    else:
        lines = [command("predict", str(run), s.files)]
        lines += [command("explain", str(run), s.files)] if transformer else []
    return _next([*lines, *([] if from_hub else _published_instead(s))])


def after_regression(files: str, run: str | Path) -> list[str]:
    """Return the suggestion after learning numbers: predictions for `files`, an argument of `predict`.

    Example:

        >>> after_regression("photos", "runs/ages")
        ['next: kakera predict runs/ages photos']
    """
    return _next([command("predict", str(run), files)]) if files else []


def after_probe(data: str, start: str | Path, *, from_hub: bool = False) -> list[str]:
    """Return the suggestion after a probe: fine-tuning from the same weights.

    `from_hub` is True for published weights.

    Example:

        >>> after_probe("flowers", "runs/pretrain")
        ['next: kakera finetune flowers --init-from runs/pretrain --out runs/finetune-flowers']
    """
    out = default_folder("finetune", data) + (PUBLISHED if from_hub else "")
    return _next([command("finetune", data, "--init-from", str(start), "--out", out)])


def after_predict(model: str, files: Sequence[str], *, page: str = "") -> list[str]:
    """Return the suggestions after predictions: a page (unless one exists) and a table of probabilities.

    Example:

        >>> for line in after_predict("runs/flowers", ["rose.jpg"]):
        ...     print(line)
        next: kakera predict runs/flowers rose.jpg --page predictions.html
        or:   kakera predict runs/flowers rose.jpg --csv > predictions.csv
    """
    same = command("predict", model, *files) if len(files) <= NAMED else "the same command with"
    lines = [] if page else [f"{same} --page predictions.html"]
    return _next([*lines, f"{same} --csv > predictions.csv"])


def after_study(data: str, hide: float | None = None) -> list[str]:
    """Return the suggestion after a study: pretraining, with the mask ratio `hide` that the study chose.

    Example:

        >>> after_study("flowers", hide=0.6)
        ['next: kakera pretrain flowers --mask-ratio 0.6 --out runs/pretrain-flowers']
    """
    chosen = [] if hide is None else ["--mask-ratio", f"{hide:g}"]
    return _next([command("pretrain", data, *chosen, "--out", default_folder("pretrain", data))])


def after_pack(shards: str) -> list[str]:
    """Return the suggestion after packing: pretraining on the shards.

    Example:

        >>> after_pack("shards")
        ['next: kakera pretrain shards --out runs/pretrain-shards']
    """
    return _next([command("pretrain", shards, "--out", default_folder("pretrain", shards))])


def after_embed(index: str) -> list[str]:
    """Return the suggestion after embedding: a search, with a page of the results.

    Example:

        >>> after_embed("flowers.npz")
        ['next: kakera search flowers.npz FILE --html search.html']
    """
    return _next([command("search", index, "FILE", "--html", "search.html")])


def after_convert(s: Situation | None, target: str | Path, *, classifier: bool, graph: bool) -> list[str]:
    """Return the suggestion after a conversion: try the new model on its training data, if known.

    `classifier` is True if the model has a head, `graph` if the result is a graph such as ONNX.

    Example:

        >>> after_convert(Situation("flowers", files="flowers"), "flowers-onnx", classifier=True, graph=True)
        ['next: kakera predict flowers-onnx flowers']
    """
    if s is None:
        return []
    if classifier and s.files:
        return _next([command("predict", str(target), s.files)])
    if not graph and s.classifiable and s.measured:
        return _next([command("probe", s.data, "--init-from", str(target), "--no-finetune")])
    return []


def bare(lines: Sequence[str]) -> str:
    """Return the commands without their prefixes, one per line, for a page.

    Example:

        >>> print(bare(["next: kakera pretrain flowers", "or:   kakera inspect flowers"]))
        kakera pretrain flowers
        kakera inspect flowers
    """
    return "\n".join(line.removeprefix("next: ").removeprefix("or:   ") for line in lines)


def start_published(s: Situation) -> str:
    """Return the command that fine-tunes the recommended published weights.

    A comment gives download size and licence.

    Example:

        >>> line = start_published(Situation("flowers", count=200, classes=5, labelled=200))
        >>> line.partition("  # ")[0]
        'kakera finetune flowers --init-from facebook/dinov2-small --out runs/finetune-flowers-published'
    """
    first = published(FIRST[s.kind])
    out = default_folder("finetune", s.data) + PUBLISHED
    return f"{command('finetune', s.data, '--init-from', first.name, '--out', out)}  # {first.facts()}"


def _published_instead(s: Situation) -> list[str]:
    return [start_published(s)] if s.needs_published and s.classifiable else []


def _next(commands: Sequence[str]) -> list[str]:
    return [f"{'or:   ' if number else 'next: '}{line}" for number, line in enumerate(commands)]


def _few(s: Situation) -> str:
    many = f"{s.count} {s.kind}" if s.count != 1 else f"1 {s.kind.removesuffix('s')}"
    large = f" of about {s.side} pixels" if s.side else ""
    return f"{many}{large} {'are' if s.count != 1 else 'is'}"


def _other_ways(commands: Sequence[str]) -> list[str]:
    return ["other ways:", *(f"  {line}" for line in commands)] if commands else []


def _pretraining(s: Situation) -> str:
    return command("pretrain", s.data, "--out", default_folder("pretrain", s.data))


def _alone(s: Situation) -> list[str]:
    """Return commands without published weights: pretraining, and a classifier from scratch."""
    if not s.classifiable:
        return [_pretraining(s)]
    scratch = command("finetune", s.data, "--out", default_folder("finetune", s.data) + SCRATCH)
    return [_pretraining(s), f"{scratch}  # faster: from scratch, usually less accurate"]


def _from_hub(s: Situation) -> list[str]:
    """Return commands with published weights: the recommended ones, smaller ones, and a probe."""
    first, lines = published(FIRST[s.kind]), [start_published(s)]
    if s.kind == PICTURES:
        light, out = published(LIGHT), default_folder("finetune", s.data) + "-light"
        tune = command("finetune", s.data, "--init-from", light.name, "--out", out)
        lines += [f"{tune}  # faster: {light.facts()}"]
    if s.measured:
        probe = command("probe", s.data, "--init-from", first.name, "--no-finetune")
        lines += [f"{probe}  # tests these weights in minutes, without training"]
    return lines
