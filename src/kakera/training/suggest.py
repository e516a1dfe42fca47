"""The nearest name for one that is not known, also for the words of other libraries. No torch here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("lr", "learning_rate", "blr", "base_lr", "lr_rate"), ("base_rate",)),
    **dict.fromkeys(("mask_ratio", "masking_ratio"), ("hide", "ratios")),
    **dict.fromkeys(("batch_size", "bs", "train_batch_size", "per_device_train_batch_size"), ("batch",)),
    **dict.fromkeys(("img_size", "image_size", "input_size", "imgsz", "resolution"), ("image",)),
    **dict.fromkeys(("num_workers", "n_workers", "jobs", "n_jobs"), ("workers",)),
    **dict.fromkeys(("arch", "backbone", "model_name", "model_size", "model", "size"), ("model", "size")),
    **dict.fromkeys(("num_epochs", "n_epochs", "max_epochs", "num_train_epochs"), ("epochs",)),
    **dict.fromkeys(("max_steps", "num_steps", "steps", "min_steps"), ("least_steps",)),
    **dict.fromkeys(("output", "output_dir", "out_dir", "save_dir", "log_dir", "project"), ("out",)),
    **dict.fromkeys(
        ("start", "init_from", "pretrained", "checkpoint", "ckpt", "weights"),
        ("start",),
    ),
    **dict.fromkeys(("gpu", "cuda", "accelerator"), ("device",)),
    **dict.fromkeys(("gpus", "num_gpus", "nproc_per_node"), ("devices",)),
    **dict.fromkeys(("wd", "decay"), ("weight_decay",)),
    **dict.fromkeys(("warmup", "warmup_steps"), ("warmup_epochs",)),
    **dict.fromkeys(("accum_iter", "grad_accum", "gradient_accumulation_steps"), ("accumulate",)),
    **dict.fromkeys(("amp", "fp16", "bf16", "dtype"), ("precision",)),
    **dict.fromkeys(("grad_clip", "clip_grad", "max_grad_norm"), ("clip",)),
    **dict.fromkeys(("activation_checkpointing", "gradient_checkpointing"), ("recompute",)),
    **dict.fromkeys(("label_smoothing",), ("smoothing",)),
    **dict.fromkeys(("random_erasing", "reprob"), ("erasing",)),
    **dict.fromkeys(("ema_decay", "model_ema"), ("ema",)),
    **dict.fromkeys(("drop_path_rate",), ("drop_path",)),
    **dict.fromkeys(("norm_pix_loss",), ("normalised",)),
    **dict.fromkeys(("patch_size",), ("patch",)),
    **dict.fromkeys(("opt", "optim"), ("optimizer",)),
    **dict.fromkeys(("random_state",), ("seed",)),
    **dict.fromkeys(("hog",), ("gradients",)),
    **dict.fromkeys(("min_scale", "crop_min_scale"), ("crop_least",)),
    **dict.fromkeys(("aa", "auto_augment", "rand_augment"), ("randaugment",)),
    **dict.fromkeys(("config", "preset"), ("recipe",)),
    # verbs
    **dict.fromkeys(("train", "fit"), ("finetune", "pretrain")),
    **dict.fromkeys(("test", "eval", "evaluate", "classify", "infer", "inference"), ("predict",)),
    **dict.fromkeys(("info", "stats", "describe", "summary"), ("inspect",)),
    **dict.fromkeys(("export",), ("convert",)),
    **dict.fromkeys(("benchmark",), ("bench",)),
    **dict.fromkeys(("ui", "gui", "web", "app", "explore", "explorer"), ("serve",)),
}
RESUMING = ("resume", "resume_from_checkpoint", "auto_resume", "continue")
DATA = ("data", "data_dir", "data_path", "dataset", "train_dir")


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """The names that are most likely meant, at most two; none where nothing is near."""
    plain = name.lstrip("-").replace("-", "_").lower()
    meant = [other for other in SYNONYMS.get(plain, ()) if other in known]
    return meant or difflib.get_close_matches(plain, known, n=1, cutoff=0.7)


def did_you_mean(name: str, known: Sequence[str], form: str = "{}") -> str:
    """A phrase for an error, each name written as `form`; empty where nothing is near."""
    plain = name.lstrip("-").replace("-", "_").lower()
    if plain in RESUMING:
        return "run the same command again: it goes on from the last checkpoint"
    meant = [form.format(other) for other in nearest(name, known)]
    return f"did you mean {' or '.join(meant)}?" if meant else ""
