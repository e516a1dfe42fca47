"""What to run next: complete commands with the data's and the run's own names. No torch here.

Lines that begin with `next: `, `or:   ` or two blanks are commands, with a comment after them at most.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.data.shards.index import PICTURES
from kakera.formats.published import FIRST, LIGHT, SMALL, knows_more, published
from kakera.training.folders import default_folder

PUBLISHED = "-published"  # ends the run folder, which is another than that of a start of one's own
SCRATCH = "-scratch"  # ends that of no start
MOST = 4  # commands after an inspection, the first of which is the advice
NAMED = 3  # files that a command is written out with


@dataclass(frozen=True)
class Situation:
    """What advice follows from: the name of the data as it was given, and what was counted."""

    data: str
    kind: str = PICTURES
    count: int = 0
    """Files in the training part."""
    classes: int = 0
    labelled: int = 0
    """Labelled files in the training part."""
    measured: int = 0
    """Labelled files to measure on."""
    side: int = 0
    """Median of the pictures' longer sides, in pixels; 0 where it is not known."""
    files: str = ""
    """What `predict` and `explain` take: the data, one of its files, or nothing for arrays."""

    @property
    def classifiable(self) -> bool:
        """Whether there are classes to tell apart."""
        return self.classes > 1 and self.labelled > 0

    @property
    def wants_published(self) -> bool:
        """Whether published weights know more than what can be learned from these files alone."""
        return knows_more(self.kind, self.count, self.side)


def command(*words: str) -> str:
    """A line for a shell, quoted where names hold blanks."""
    return shlex.join(["kakera", *words])


def again(verb: str, data: str, given: Mapping[str, Any], **changes: Any) -> str:
    """The command of a training with the options that were given, and some changed; None leaves one out."""
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
    """Why to start from where, the one command to run, and up to three others with when to take them."""
    if s.kind == PICTURES and s.side <= SMALL:
        why, commands = "small pictures are learned from alone, in minutes", _alone(s)
    elif not s.wants_published:
        why = f"{s.count} {s.kind} are enough to learn from alone"
        commands = [*_alone(s), *_from_hub(s)][:MOST] if s.classifiable else _alone(s)
    elif not s.classifiable:
        why = f"{_few(s)} few to learn from alone; sorted into one sub-folder a class, they can start from "
        why, commands = f"{why}published weights ({FIRST[s.kind]})", _alone(s)
    else:
        why, commands = f"{_few(s)} few to learn from alone: published weights know more", _from_hub(s)
        commands += [f"{_pretraining(s)}  # without network: learns from these {s.kind} alone"]
    first, *others = commands
    return [f"start: {why}", f"next: {first}", *_other_ways(others)]


def after_pretrain(s: Situation, run: str | Path) -> list[str]:
    """Fine-tuning, the probe that trains nothing, and published weights where these know more.

    Without labels, a look at what was learned.
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
    """Predictions, where the network looks, and published weights where these know more.

    `transformer` is False of a CNN, `from_hub` is True where it started from published weights.
    """
    if not s.files:
        lines = [command("convert", str(run), f"{run}-onnx", "--to", "onnx")]
    else:
        lines = [command("predict", str(run), s.files)]
        lines += [command("explain", str(run), s.files)] if transformer else []
    return _next([*lines, *([] if from_hub else _published_instead(s))])


def after_probe(data: str, start: str | Path, *, from_hub: bool = False) -> list[str]:
    """Fine-tuning from the same weights; `from_hub` is True of published ones."""
    out = default_folder("finetune", data) + (PUBLISHED if from_hub else "")
    return _next([command("finetune", data, "--init-from", str(start), "--out", out)])


def after_predict(model: str, files: Sequence[str], *, page: str = "") -> list[str]:
    """A page of thumbnails or players, unless there is one, and a table of all probabilities."""
    same = command("predict", model, *files) if len(files) <= NAMED else "the same command with"
    lines = [] if page else [f"{same} --page predictions.html"]
    return _next([*lines, f"{same} --csv > predictions.csv"])


def after_study(data: str, hide: float | None = None) -> list[str]:
    """Pretraining, with the share of hidden patches that a study chose."""
    chosen = [] if hide is None else ["--mask-ratio", f"{hide:g}"]
    return _next([command("pretrain", data, *chosen, "--out", default_folder("pretrain", data))])


def after_pack(shards: str) -> list[str]:
    """Pretraining on what was packed."""
    return _next([command("pretrain", shards, "--out", default_folder("pretrain", shards))])


def after_convert(s: Situation | None, target: str | Path, *, classifier: bool, graph: bool) -> list[str]:
    """Whether the converted model does the same on the data it was trained on, where these are known."""
    if s is None:
        return []
    if classifier and s.files:
        return _next([command("predict", str(target), s.files)])
    if not graph and s.classifiable and s.measured:
        return _next([command("probe", s.data, "--init-from", str(target), "--no-finetune")])
    return []


def bare(lines: Sequence[str]) -> str:
    """The commands alone, one a line: for a page."""
    return "\n".join(line.removeprefix("next: ").removeprefix("or:   ") for line in lines)


def start_published(s: Situation) -> str:
    """Fine-tuning from the weights to try first, with download size and licence as a comment."""
    first = published(FIRST[s.kind])
    out = default_folder("finetune", s.data) + PUBLISHED
    return f"{command('finetune', s.data, '--init-from', first.name, '--out', out)}  # {first.facts()}"


def _published_instead(s: Situation) -> list[str]:
    return [start_published(s)] if s.wants_published and s.classifiable else []


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
    """Pretraining, whose end names the fine-tuning; a classifier from scratch."""
    if not s.classifiable:
        return [_pretraining(s)]
    scratch = command("finetune", s.data, "--out", default_folder("finetune", s.data) + SCRATCH)
    return [_pretraining(s), f"{scratch}  # quicker: from scratch, mostly less accurate"]


def _from_hub(s: Situation) -> list[str]:
    """From the weights to try first, from lighter ones, and what the former are worth without training."""
    first, lines = published(FIRST[s.kind]), [start_published(s)]
    if s.kind == PICTURES:
        light, out = published(LIGHT), default_folder("finetune", s.data) + "-light"
        tune = command("finetune", s.data, "--init-from", light.name, "--out", out)
        lines += [f"{tune}  # quicker: {light.facts()}"]
    if s.measured:
        probe = command("probe", s.data, "--init-from", first.name, "--no-finetune")
        lines += [f"{probe}  # what that start is worth, in minutes: trains nothing"]
    return lines
