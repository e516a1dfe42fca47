"""Suggestions for unknown option names, also for the names of other libraries. Does not import torch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

RENAMED: Mapping[str, tuple[str, ...]] = {  # options of version 0.1.0; of two new names the first known one
    "image": ("image_size",),
    "size": ("model", "image_size"),
    "hide": ("mask_ratio",),
    "ratios": ("mask_ratios",),
    "start": ("init_from",),
    "from": ("init_from",),
    "batch": ("batch_size",),
    "base_rate": ("base_lr",),
    "least_steps": ("min_steps",),
    "clip": ("grad_clip",),
    "accumulate": ("grad_accum",),
    "recompute": ("activation_checkpointing",),
    "smoothing": ("label_smoothing",),
    "erasing": ("random_erasing",),
    "ema": ("ema_decay",),
    "crop_least": ("crop_min_scale",),
    "time_stripe": ("time_mask",),
    "band_stripe": ("freq_mask",),
    "roll": ("time_shift",),
    "normalised": ("norm_pix_loss",),
    "gradients": ("hog_target",),
    "patch": ("patch_index",),
    "pretrain_rate": ("pretrain_lr",),
    "most_steps": ("max_steps",),
    "finetune_steps": ("finetune_min_steps",),
    "scratch_steps": ("scratch_min_steps",),
}
SYNONYMS: Mapping[str, tuple[str, ...]] = {  # names in MAE, timm, transformers, PyTorch and others
    **dict.fromkeys(("lr", "learning_rate", "blr", "lr_rate", "base_learning_rate"), ("base_lr",)),
    **dict.fromkeys(("masking_ratio", "mask_ratio", "mask_prob"), ("mask_ratio", "mask_ratios")),
    **dict.fromkeys(("bs", "train_batch_size", "per_device_train_batch_size"), ("batch_size",)),
    **dict.fromkeys(("img_size", "input_size", "imgsz", "resolution", "crop_size"), ("image_size",)),
    **dict.fromkeys(("num_workers", "n_workers", "jobs", "n_jobs", "dataloader_num_workers"), ("workers",)),
    **dict.fromkeys(("arch", "backbone", "model_name", "model_size", "model_name_or_path"), ("model",)),
    **dict.fromkeys(("num_epochs", "n_epochs", "max_epochs", "num_train_epochs"), ("epochs",)),
    **dict.fromkeys(("num_steps", "steps", "max_steps"), ("epochs", "min_steps")),
    **dict.fromkeys(("output", "output_dir", "out_dir", "save_dir", "log_dir", "project"), ("out",)),
    **dict.fromkeys(("pretrained", "checkpoint", "ckpt", "weights", "initial_checkpoint"), ("init_from",)),
    **dict.fromkeys(("gpu", "cuda", "accelerator", "no_cuda"), ("device",)),
    **dict.fromkeys(("gpus", "num_gpus", "nproc_per_node"), ("devices",)),
    **dict.fromkeys(("num_nodes", "nnodes"), ("nodes",)),
    **dict.fromkeys(("wd", "decay"), ("weight_decay",)),
    **dict.fromkeys(("warmup", "warmup_steps", "warmup_ratio"), ("warmup_epochs",)),
    **dict.fromkeys(("accum_iter", "grad_accum_steps", "gradient_accumulation_steps"), ("grad_accum",)),
    **dict.fromkeys(("amp", "fp16", "bf16", "dtype", "amp_dtype"), ("precision",)),
    **dict.fromkeys(("clip_grad", "max_grad_norm", "gradient_clip_val"), ("grad_clip",)),
    **dict.fromkeys(("grad_checkpointing", "gradient_checkpointing"), ("activation_checkpointing",)),
    **dict.fromkeys(("label_smoothing_factor",), ("label_smoothing",)),
    **dict.fromkeys(("reprob", "random_erase"), ("random_erasing",)),
    **dict.fromkeys(("model_ema", "model_ema_decay"), ("ema_decay",)),
    **dict.fromkeys(("drop_path_rate",), ("drop_path",)),
    **dict.fromkeys(("patch_size",), ("patch",)),
    **dict.fromkeys(("opt", "optim"), ("optimizer",)),
    **dict.fromkeys(("adam_beta2",), ("beta2",)),
    **dict.fromkeys(("random_state", "random_seed", "manual_seed"), ("seed",)),
    **dict.fromkeys(("hog",), ("hog_target",)),
    **dict.fromkeys(("distill", "distillation", "feature_target", "teacher"), ("token_target",)),
    **dict.fromkeys(("min_scale", "scale"), ("crop_min_scale",)),
    **dict.fromkeys(("hflip", "horizontal_flip"), ("flip",)),
    **dict.fromkeys(("aa", "auto_augment", "rand_augment"), ("randaugment",)),
    **dict.fromkeys(("global_pool", "pooling"), ("pool",)),
    **dict.fromkeys(("in_chans", "num_channels", "in_channels"), ("channels",)),
    **dict.fromkeys(("config", "preset"), ("recipe",)),
    **dict.fromkeys(("side",), ("image_size",)),
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


def renamed(name: str, known: Sequence[str]) -> str:
    """Return the new name of an option that was renamed since version 0.1.0.

    Returns "" if `name` was not renamed or is in `known`.

    Example:

        >>> renamed("--hide", ["mask_ratio", "epochs"])
        'mask_ratio'
    """
    plain = name.lstrip("-").replace("-", "_")
    negated = plain.startswith("no_") and plain.removeprefix("no_") in RENAMED
    plain = plain.removeprefix("no_") if negated else plain
    if plain in known:
        return ""
    return next((new for new in RENAMED.get(plain, ()) if new in known), "")


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Return the known names that are closest to `name`, at most two; an empty list if none is close.

    Example:

        >>> nearest("learning_rate", ["base_lr", "epochs"]), nearest("epohcs", ["base_lr", "epochs"])
        (['base_lr'], ['epochs'])
    """
    plain = name.lstrip("-").replace("-", "_").lower()
    meant = [other for other in SYNONYMS.get(plain, ()) if other in known]
    return meant or difflib.get_close_matches(plain, known, n=1, cutoff=0.7)


def did_you_mean(name: str, known: Sequence[str], form: str = "{}") -> str:
    """Return a phrase for an error message, with each name written as `form`; "" if no name is close.

    Example:

        >>> did_you_mean("lr", ["base_lr", "epochs"], "--{}")
        'did you mean --base_lr?'
    """
    plain = name.lstrip("-").replace("-", "_").lower()
    if plain in RESUMING:
        return "run the same command again: it resumes from the last checkpoint"
    meant = [form.format(other) for other in nearest(name, known)]
    return f"did you mean {' or '.join(meant)}?" if meant else ""
