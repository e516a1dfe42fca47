"""`kakera VERB …`: finds the verb's module; nothing heavy is imported before it is needed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import kakera
from kakera import contention, duration
from kakera.cli.interrupts import Interrupts
from kakera.errors import KakeraError, OptionError, StorageError
from kakera.out_of_memory import out_of_memory

VERBS = {
    "demo": "everything below, on pictures that ship inside; ends with a report to open",
    "inspect": "what is in a data set: counts, sizes, classes, unreadable files, leaks",
    "pretrain": "a masked autoencoder from pictures; no labels needed",
    "finetune": "a classifier, from a pretrained run or from scratch",
    "probe": "simple classifiers on frozen tokens, with fine-tuning beside them",
    "predict": "labels with probabilities for files",
    "study": "two experiments on your data, each with a report: mask-ratio, data-size",
    "explain": "what a model looks at, guesses and finds alike: pictures, and a page to open",
    "convert": "a model for another library: transformers, timm, MAE, ONNX",
    "pack": "pictures or recordings into webdataset shards: checksummed, read in any order",
    "bench": "this machine: steps and scores a second, beside other libraries that are installed",
    "serve": "the explorer: look inside models, in the browser",
}

LOWER = {
    **dict.fromkeys(
        ("pretrain", "finetune"), "lower --image-size, --batch-size or --workers, or raise --grad-accum"
    ),
    "probe": "give fewer --layers or --pools, or lower --workers",
    "study": "lower --image-size or --workers, or give a smaller --model",
    "predict": "lower --workers, or name fewer files",
    "explain": "name fewer files, or lower --samples",
    "pack": "lower --workers or --shard-size",
    "serve": "open fewer models",
    "bench": "try --quick",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns 0, 2 for what the user can correct, 130 for Ctrl-C, 143 for SIGTERM."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = words[0] if words else ""
    if arguments is None:
        contention.threads_by_quota()
    with (
        duration.command(),
        Interrupts(verb, take=arguments is None) as interrupts,
        contention.waits_by_load(),
    ):
        try:
            code = _run(words)
            if arguments is None:
                sys.stdout.flush()
                if verb == "serve":
                    os._exit(code)  # nobody waits for answers any more, nor for libraries that tidy up
            return code
        except KakeraError as error:
            print(f"kakera: {error}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            return interrupts.end()
        except BrokenPipeError:  # the reader of our output has gone: `kakera inspect … | head`
            sys.stderr.close()
            return 0
        except Exception as error:
            if arguments is None and isinstance(error, OSError) and (lost := _unprinted(error)):
                print(f"kakera: {lost}", file=sys.stderr)
                return lost.exit_code
            if interrupts.number:  # an import that was interrupted
                return interrupts.end()
            lack = out_of_memory(error, f"kakera {verb}", LOWER.get(verb, "end other programs"))
            if lack is None:
                raise
            print(f"kakera: {lack}", file=sys.stderr)
            return lack.exit_code


def _unprinted(error: OSError) -> StorageError | None:
    """What to say where it is standard output that cannot be written, as on a full disk; else None."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is tried at the end
        do = "free some space, and give the command again"
        return StorageError("standard output", got=error.strerror, expected="room for it", do=do)
    return None


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"kakera {kakera.__version__}")
        return 0
    if words[0] not in VERBS:
        from kakera.training.suggest import did_you_mean

        do = did_you_mean(words[0], list(VERBS), "kakera {}") or "try kakera --help"
        raise OptionError("kakera", got=words[0], expected=", ".join(VERBS), do=do)
    return importlib.import_module(f"kakera.cli.{words[0]}").run(words[1:])


def _help() -> str:
    width = max(map(len, VERBS))
    return "\n".join(
        [
            "kakera: learn from pictures and sounds by guessing what a few visible fragments leave out",
            "",
            "usage: kakera VERB …, kakera VERB --help, kakera --version",
            "",
            *(f"  {verb:{width}}  {text}" for verb, text in VERBS.items()),
        ]
    )
