"""`kakera VERB …`: import the module of the verb and run it; heavy packages are imported late."""

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
    "demo": "pretrain, fine-tune and compare models on the built-in pictures; write a report",
    "inspect": "show the contents of a data set: counts, sizes, classes, unreadable files, leaks",
    "pretrain": "train a masked autoencoder on pictures or recordings; no labels needed",
    "finetune": "train a classifier, from a pretrained run or from scratch",
    "fit": "train a classifier on the frozen tokens of an encoder, in seconds",
    "probe": "train simple classifiers on frozen tokens, and compare them with fine-tuning",
    "predict": "predict labels with probabilities for files",
    "embed": "write the embedding vectors of files as an index, or update one",
    "search": "find the files of an index that are most like a picture, a recording or a part of it",
    "curate": "find copies, wrong labels, unusual files and gaps of a data set; write a report",
    "label": "label files in the browser; a head on frozen tokens chooses which",
    "study": "run an experiment on your data, with a report: mask-ratio, data-size, encoders",
    "explain": "show attention, reconstructions and similar patches of a model, on a page",
    "convert": "convert a model for another library: transformers, timm, MAE, ONNX",
    "pack": "pack pictures or recordings into webdataset shards, with checksums",
    "bench": "measure the speed of this machine, next to other installed libraries",
    "serve": "start the explorer: look inside models in the browser",
}

LOWER = {
    **dict.fromkeys(
        ("pretrain", "finetune"), "lower --image-size, --batch-size or --workers, or raise --grad-accum"
    ),
    "fit": "lower --workers, or use fewer --labels",
    "probe": "pass fewer --layers or --pools, or lower --workers",
    "study": "lower --image-size or --workers, or choose a smaller --model",
    "predict": "lower --workers, or pass fewer files",
    "embed": "lower --workers, or embed parts of the data into several indexes",
    "search": "pass fewer queries",
    "curate": "lower --workers, or pass parts of the data",
    "label": "lower --workers, or label parts of the data",
    "explain": "pass fewer files, or lower --samples",
    "pack": "lower --workers or --shard-size",
    "serve": "open fewer models",
    "bench": "try --quick",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code.

    `arguments` are the words after `kakera`; by default those of `sys.argv`. The exit code is 0 for success,
    2 for an error that the user can correct, 130 for Ctrl-C and 143 for SIGTERM.
    """
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
                if verb in ("serve", "label"):
                    os._exit(code)  # do not wait for open requests or for the clean-up of libraries
            return code
        except KakeraError as error:
            print(f"kakera: {error}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            return interrupts.end()
        except BrokenPipeError:  # the reader of the output has closed it, as in `kakera inspect … | head`
            sys.stderr.close()
            return 0
        except Exception as error:
            if arguments is None and isinstance(error, OSError) and (lost := _unprinted(error)):
                print(f"kakera: {lost}", file=sys.stderr)
                return lost.exit_code
            if interrupts.number:  # a signal interrupted an import, which raised another exception
                return interrupts.end()
            lack = out_of_memory(error, f"kakera {verb}", LOWER.get(verb, "close other programs"))
            if lack is None:
                raise
            print(f"kakera: {lack}", file=sys.stderr)
            return lack.exit_code


def _unprinted(error: OSError) -> StorageError | None:
    """Return the error to print if standard output is not writable, as on a full disk; else None."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # no second failure at exit
        do = "free some space, and run the command again"
        return StorageError("standard output", got=error.strerror, expected="free space", do=do)
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
            "kakera: train Vision Transformers and masked autoencoders on pictures and sounds",
            "",
            "usage: kakera VERB …, kakera VERB --help, kakera --version",
            "",
            *(f"  {verb:{width}}  {text}" for verb, text in VERBS.items()),
        ]
    )
