"""The configuration of a run, `config.json`, and its comparison when a run resumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from kakera.data.checks.digest import changed
from kakera.data.checks.inventory import INVENTORY, Rows, changes, unpacked
from kakera.errors import RunError
from kakera.inputs import CROPPING
from kakera.option_fields import AUTO

CONFIG, DIGEST, VERSION = "config.json", "digest", "version"
FREE = {  # may differ between a run and its resumption
    *("workers", "device", "compile", "checkpoint_seconds", "out", "unreadable_share"),
    *("devices", "nodes", "strategy", "grad_accum", "activation_checkpointing", "timeout"),
    *("baselines", "chosen", "digest", VERSION),
}
NEW = {  # options that old runs do not have, with the value that matches their behaviour
    "init_from": "",
    "task": AUTO,
    "target_column": "",
    "class_weight": 0.0,
    "sampler": "random",
    "loss": "cross-entropy",
    "class_order": [],
    "gamma": 2.0,
    "gamma_neg": 4.0,
    "gamma_pos": 1.0,
    "margin": 0.05,
    "freeze": 0,
    "lora_rank": 0,
    "lora_alpha": 16.0,
    "lora_targets": "attention",
    "val_share": 0.0,
    "keep": "last",
    "patience": 0,
    "thresholds": AUTO,
    "unlabelled": False,
    "unlabelled_ratio": 3,
    "confidence": 0.9,
    "decoded": 1.0,
    "global_target": 0,
    "token_target": 0.0,
    "patch_dropout": 0.0,
    "time": AUTO,
    "kind": "any",
    "crop_pct": 1.0,
    "bits": AUTO,
    "value_range": AUTO,
}
NAMES = {  # old and new names: version 0.1.0 (which wrote no version) and today
    "image": "image_size",
    "size": "model",
    "hide": "mask_ratio",
    "ratios": "mask_ratios",
    "start": "init_from",
    "batch": "batch_size",
    "base_rate": "base_lr",
    "least_steps": "min_steps",
    "clip": "grad_clip",
    "accumulate": "grad_accum",
    "recompute": "activation_checkpointing",
    "smoothing": "label_smoothing",
    "erasing": "random_erasing",
    "ema": "ema_decay",
    "crop_least": "crop_min_scale",
    "time_stripe": "time_mask",
    "band_stripe": "freq_mask",
    "roll": "time_shift",
    "normalised": "norm_pix_loss",
    "gradients": "hog_target",
    "pretrain_rate": "pretrain_lr",
    "most_steps": "max_steps",
    "finetune_steps": "finetune_min_steps",
    "scratch_steps": "scratch_min_steps",
}
AUTOMATIC: dict[str, Any] = {  # by new names: the value that version 0.1.0 wrote for "auto"
    **dict.fromkeys(("image_size", "channels", "devices", "nodes", "bits", "seconds", "grad_accum"), 0),
    **dict.fromkeys(("pretrain_epochs", "pretrain_lr", "finetune_epochs", "finetune_min_steps"), 0),
    **dict.fromkeys(("scratch_epochs", "scratch_min_steps"), 0),
    "workers": -1,
    "time": "",
    "value_range": [],
    "patch": [],
    "cnn": "",
}


def current(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the current names and values; converts those of version 0.1.0.

    Example:

        >>> current({"hide": 0.75, "batch": 64, "workers": -1})
        {'mask_ratio': 0.75, 'batch_size': 64, 'workers': 'auto'}
    """
    if VERSION in config or not NAMES.keys() & config.keys():
        return config
    new = {NAMES.get(name, name): value for name, value in config.items()}
    empty = {**AUTOMATIC, "model": "", "patch": 0} if "pretrain_epochs" in new else AUTOMATIC
    new = {name: AUTO if name in empty and value == empty[name] else value for name, value in new.items()}
    if isinstance(new.get("chosen"), dict):
        new["chosen"] = current(new["chosen"])
    return new


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration file and return it with the current names. Raises OSError, ValueError.

    Example:

        >>> _ = Path("config.json").write_text('{"version": "1.0", "epochs": 10}')
        >>> read_config(Path("config.json"))
        {'version': '1.0', 'epochs': 10}
    """
    config: Any = json.loads(path.read_text())
    if not isinstance(config, dict):
        raise ValueError(f"got a {type(config).__name__}, expected a JSON object")
    return current(config)


def require_same(path: Path, config: dict[str, Any], files: Callable[[], Rows | None] = lambda: None) -> None:
    """Raise RunError if the configuration in the file `path` differs from `config`.

    Options in `FREE` may differ. If the data changed, `files` is called for the current files, to count the
    changes.

    Example:

        >>> _ = Path("config.json").write_text('{"version": "1.0", "epochs": 10}')
        >>> require_same(Path("config.json"), {"epochs": 10, "workers": 2})
        >>> require_same(Path("config.json"), {"epochs": 20})
        Traceback (most recent call last):
        kakera.errors.RunError: .: got a run of another configuration (epochs 10 in the run, 20 now), ...
    """
    try:
        here, there = json.loads(json.dumps(config)), read_config(path)
        for config in (here, there):
            if isinstance(config.get("inputs"), dict):  # runs from before there were crops have none
                config["inputs"] = {k: v for k, v in config["inputs"].items() if k not in CROPPING}
        names = sorted(there.keys() | here.keys())
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(str(path), got=error, expected="a configuration", do="choose another --out") from error
    known = [name for name in names if name not in FREE and (name in there or here[name] != NEW.get(name))]
    before, now = there.get(DIGEST), here.get(DIGEST)
    moved = {"data"} if before is not None and before == now else set[str]()  # a copy elsewhere
    other = [name for name in known if name not in moved and there.get(name) != here.get(name)]
    differing = changed(before, now)
    if other or differing:
        options = ", ".join(f"{n} {there.get(n)!r} in the run, {here.get(n)!r} now" for n in other[:4])
        got = f"a run of another configuration ({options})"
        if differing:  # reported first, because sizes, means and classes depend on the data
            counted = _counted(path.parent / INVENTORY, files(), differing)
            got = f"data that changed since the run started ({counted or 'other ' + ', '.join(differing)})"
        expected = "the same configuration and data, to resume the run"
        do = f"use the same options and data, or choose another --out, such as --out {path.parent}-2"
        raise RunError(str(path.parent), got=got, expected=expected, do=do)


def _counted(path: Path, now: Rows | None, kinds: list[str]) -> str:
    """Return the changes with their numbers; "" if there is no list of files or they are too many."""
    try:
        before = unpacked(path.read_bytes())
    except OSError:
        return ""
    return "" if before is None or now is None else ", ".join(changes(before, now, kinds))


def stored_choices(kind: type[Any], out: str, recipe: str) -> dict[str, Any] | None:
    """Return the options that the rules chose when the run in `out` started; None if there is no run.

    `kind` is the option dataclass. With them the same command resumes with the same choice, even if the
    machine is faster or slower now. A run from before the rules existed returns all its options, unless a
    recipe is named.

    Example:

        >>> from kakera.training.options import PretrainOptions
        >>> Path("run").mkdir()
        >>> _ = Path("run/config.json").write_text('{"version": "1.0", "chosen": {"model": "nano"}}')
        >>> stored_choices(PretrainOptions, "run", recipe="")
        {'model': 'nano'}
    """
    try:
        config = read_config(Path(out) / CONFIG) if out else {}
    except (OSError, ValueError):
        return None
    if not config:
        return None
    names = {each.name for each in fields(kind)} - {"data", "out"}
    chosen = config.get("chosen", {} if recipe else config)
    values = {name: value for name, value in chosen.items() if name in names}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
