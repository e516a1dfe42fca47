"""`kakera VERB …`: finds the verb's module; nothing heavy is imported before it is needed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import kakera
from kakera.errors import KakeraError, OptionError, sentence

VERBS = {
    "demo": "everything below, on pictures that ship inside; ends with a report to open",
    "inspect": "what is in a data set: counts, sizes, classes, unreadable files, leaks",
    "pretrain": "a masked autoencoder from pictures; no labels needed",
    "finetune": "a classifier, from a pretrained run or from scratch",
    "probe": "simple classifiers on frozen tokens, with fine-tuning beside them",
    "predict": "labels with probabilities for files",
    "study": "the lecture's two experiments on your data: mask-ratio, data-size; with a report",
    "explain": "what a model looks at, guesses and finds alike: pictures, and a page to open",
    "convert": "a model for another library: transformers, timm, MAE, ONNX",
    "pack": "pictures or recordings into webdataset shards: checksummed, read in any order",
    "bench": "this machine: steps and scores a second, beside other libraries that are installed",
    "serve": "the explorer: look inside models, in the browser",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0, 2 for what the user can correct, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not words or words[0] in ("-h", "--help"):
            print(_help())
            return 0
        if words[0] in ("-V", "--version"):
            print(f"kakera {kakera.__version__}")
            return 0
        if words[0] not in VERBS:
            raise OptionError(
                sentence("kakera", got=words[0], expected=", ".join(VERBS), do="try kakera --help")
            )
        return importlib.import_module(f"kakera.cli.{words[0]}").run(words[1:])
    except KakeraError as error:
        print(f"kakera: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("kakera: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `kakera inspect … | head`
        sys.stderr.close()
        return 0


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
