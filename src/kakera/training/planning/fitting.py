"""Advice for a training that does not fit into memory: which options to lower, and how to resume."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from kakera.out_of_memory import memory_for


def fitting(config: dict[str, Any]) -> AbstractContextManager[None]:
    """Return a context manager that turns a lack of memory into an OutOfMemoryError with advice.

    `config` is the configuration of the run: its options by name.

    Example:

        >>> with fitting({"verb": "pretrain", "batch_size": 64}):
        ...     raise MemoryError
        Traceback (most recent call last):
        kakera.errors.OutOfMemoryError: pretrain with --batch-size 64 --grad-accum 1: got too little memory...
    """
    what = config.get("verb", "training")
    if config.get("batch_size"):
        what += f" with --batch-size {config['batch_size']} --grad-accum {config.get('grad_accum', 1)}"
    return memory_for(what, advice(config))


def advice(config: dict[str, Any]) -> str:
    """Return the advice: which options to lower.

    The same run can resume with another --grad-accum, --activation-checkpointing or --workers.

    Example:

        >>> advice({"model": "resnet-18"})
        'start again with a lower --batch-size or --image-size, or fewer --workers, and another --out'
    """
    if str(config.get("model", "")).startswith("resnet"):
        return "start again with a lower --batch-size or --image-size, or fewer --workers, and another --out"
    words = f"run the same command with --grad-accum {2 * config.get('grad_accum', 1)}"
    if not config.get("activation_checkpointing"):
        words += ", and --activation-checkpointing if needed"
    words += ", or fewer --workers: it resumes from its last checkpoint"
    return words + "; or use a lower --image-size with another --out"
