"""The contenders: each pretrains in a child process for a number of epochs."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import kakera
from kakera.bench.foreign import library
from kakera.bench.time_to_accuracy import transformers_training
from kakera.bench.time_to_accuracy.arrays import write_arrays
from kakera.bench.time_to_accuracy.child import Spent, run_child
from kakera.bench.time_to_accuracy.setting import Setting
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load

KAKERA, TRANSFORMERS = "kakera", "transformers"
KINDS = (KAKERA, TRANSFORMERS)
LEFT_OUT = ("bench", "web", "cli/bench.py")  # files that do not change a pretraining
MASK_RATIO = 0.75  # of the MAE paper
LR, BATCH = 2e-3, 64  # the best learning rate of the peer for small networks


@dataclass(frozen=True)
class Contender(ABC):
    """A program that pretrains the network of a setting. `words` are its own options."""

    name: str
    words: tuple[str, ...] = ()

    @abstractmethod
    def train(self, setting: Setting, work: Path, out: Path, *, epochs: float, seed: int) -> Spent:
        """Pretrain in a child process and write a folder `out`; return the time. `work` is for its files."""

    @abstractmethod
    def read(self, setting: Setting, out: Path) -> Pretrained:
        """Return the network in `out` as a network of kakera."""

    @property
    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of all packages that the result depends on."""

    def to_json(self) -> dict[str, Any]:
        """Return everything that a result depends on, except the setting."""
        return {"contender": self.name, "words": list(self.words), "versions": self.versions}


@dataclass(frozen=True)
class OwnContender(Contender):
    """kakera: the present one, or the one in the folder `build`, which contains the package.

    Example:

        >>> OwnContender("kakera").versions["kakera"] == kakera.__version__
        True
    """

    build: Path = field(default_factory=lambda: Path(kakera.__file__).parents[1])

    def train(self, setting: Setting, work: Path, out: Path, *, epochs: float, seed: int) -> Spent:
        """Run `kakera pretrain`. Its cache is a new folder, so that each run decodes its files itself."""
        words = ["-m", "kakera", "pretrain", setting.data, *setting.words, "--epochs", f"{epochs:.9g}"]
        words += ["--seed", str(seed), "--out", str(out), *self.words]
        cache = {"KAKERA_CACHE": str(out.with_name(f"{out.name}-cache"))}
        return run_child([sys.executable, *words], path=[str(self.build)], env=cache)

    def read(self, setting: Setting, out: Path) -> Pretrained:
        """Load the run folder."""
        return load(out)

    @property
    def versions(self) -> dict[str, str]:
        """The version of kakera, and a digest of its source code."""
        package, digest = self.build / "kakera", hashlib.sha256()
        for file in sorted(each for each in package.rglob("*") if each.suffix in (".py", ".toml")):
            name = file.relative_to(package).as_posix()
            if not name.startswith(LEFT_OUT):
                digest.update(name.encode() + b"\0" + file.read_bytes())
        return {"kakera": _version(package), "source": digest.hexdigest()[:12]}


@dataclass(frozen=True)
class TransformersContender(Contender):
    """ViTMAE of transformers with the recipe of the MAE paper."""

    def train(self, setting: Setting, work: Path, out: Path, *, epochs: float, seed: int) -> Spent:
        """Run `transformers_training.py` on arrays in memory."""
        arrays, job = work / f"{setting.prepared.dataset.kind}.npz", out.with_name(f"{out.name}.json")
        if not arrays.exists():
            write_arrays(setting, arrays)
        job.write_text(json.dumps(self.job(setting, arrays, out, epochs, seed)))
        return run_child([sys.executable, "-P", transformers_training.__file__, str(job)])

    def job(self, setting: Setting, arrays: Path, out: Path, epochs: float, seed: int) -> dict[str, Any]:
        """Return the fields of `TransformersJob`."""
        given, shape, options = _peer_options(self.words), setting.shape, setting.options
        decoder, inputs = shape.decoder, setting.inputs
        config = {
            "hidden_size": shape.width,
            "num_hidden_layers": shape.depth,
            "num_attention_heads": shape.heads,
            "intermediate_size": round(shape.width * shape.block.ratio),
            "decoder_hidden_size": decoder.width,
            "decoder_num_hidden_layers": decoder.depth,
            "decoder_num_attention_heads": decoder.heads,
            "decoder_intermediate_size": round(decoder.width * decoder.block.ratio),
            "layer_norm_eps": shape.block.epsilon,
            "mask_ratio": given.mask_ratio,
            "norm_pix_loss": given.norm_pix_loss,
            "attn_implementation": "sdpa",
        }
        return {
            "arrays": str(arrays),
            "out": str(out),
            "config": config,
            "size": inputs.size,
            "patch": shape.patch,
            "channels": inputs.channels,
            "scale": inputs.scale,
            "epochs": epochs,
            "seed": seed,
            "batch_size": given.batch_size,
            "lr": given.lr,
            "bf16": given.bf16,
            "crop_min_scale": options.crop_min_scale,
            "flip": options.flip,
            "gain": options.gain,
        }

    def read(self, setting: Setting, out: Path) -> Pretrained:
        """Load the encoder; the input is that of kakera's recipe, with which it was trained."""
        found = load(out)
        return Pretrained(found.model, setting.inputs)

    @property
    def versions(self) -> dict[str, str]:
        """The version of transformers."""
        return {TRANSFORMERS: str(library(TRANSFORMERS).__version__)}


class _Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        do = "see kakera bench time-to-accuracy --help"
        raise OptionError("options of transformers", got=message, expected=PEER_OPTIONS, do=do)


PEER_OPTIONS = "--lr FLOAT, --batch-size INT, --mask-ratio FLOAT, --norm-pix-loss or --bf16"


def _peer_options(words: Sequence[str]) -> argparse.Namespace:
    parser = _Words(add_help=False, allow_abbrev=False)
    parser.add_argument("--lr", type=float, default=LR)
    parser.add_argument("--batch-size", type=int, default=BATCH)
    parser.add_argument("--mask-ratio", type=float, default=MASK_RATIO)
    parser.add_argument("--norm-pix-loss", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    return parser.parse_args(list(words))


def contenders(
    names: Sequence[str], builds: Sequence[str] = (), options: Sequence[str] = ()
) -> list[Contender]:
    """Return the contenders.

    A name is kakera or transformers, or begins with one of them and "-", such as transformers-bf16. `builds`
    are other builds of kakera, `NAME=FOLDER` or a folder. `options` are `NAME=WORDS`: more options for the
    contender of that name. Raises OptionError for an unknown name, a folder without kakera, or a wrong
    option.

    Example:

        >>> [each.name for each in contenders(["kakera", "kakera-b"], options=["kakera-b=--base-lr 4e-3"])]
        ['kakera', 'kakera-b']
    """
    words = dict(_named(each) for each in options)
    folders = dict(_build(each) for each in builds)
    names = list(dict.fromkeys([*names, *folders]))
    for name in words:
        if name not in names:
            raise OptionError("options", got=name, expected=f"one of {', '.join(names)}", do="add it there")
    found: list[Contender] = []
    for name in names:
        own = tuple(shlex.split(words.get(name, "")))
        kind = name.split("-")[0]
        if kind == KAKERA:
            found.append(
                OwnContender(name, own, folders[name]) if name in folders else OwnContender(name, own)
            )
        elif kind == TRANSFORMERS:
            _peer_options(own)
            found.append(TransformersContender(name, own))
        else:
            expected = "kakera or transformers, or one of them with an ending such as transformers-bf16"
            raise OptionError("contenders", got=name, expected=expected, do="choose another")
    return found


def _named(text: str) -> tuple[str, str]:
    name, found, rest = text.partition("=")
    if not found:
        expected = "NAME=WORDS, such as 'transformers=--lr 1e-3'"
        raise OptionError("options", got=text, expected=expected, do="add the name of a contender")
    return name, rest


def _build(text: str) -> tuple[str, Path]:
    name, found, rest = text.rpartition("=")
    place = Path(rest).resolve()
    for folder in (place / "src", place):
        if (folder / "kakera" / "__init__.py").exists():
            ending = name.removeprefix(f"{KAKERA}-") if found else _version(folder / "kakera")
            return f"{KAKERA}-{ending}", folder
    raise OptionError("kakera", got=rest, expected="a folder with the package kakera", do="correct the path")


def _version(package: Path) -> str:
    """Return the version in the source of a package, or else of the installed one."""
    for line in (package / "__init__.py").read_text().splitlines():
        if line.startswith("__version__"):
            return line.partition("=")[2].strip().strip("\"'")
    try:
        return version(KAKERA)
    except PackageNotFoundError:
        return "unknown"
