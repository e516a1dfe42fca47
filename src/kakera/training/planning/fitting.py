"""A training that does not fit into memory says what to lower, and that it goes on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from kakera.out_of_memory import memory_for


def fitting(config: dict[str, Any]) -> AbstractContextManager[None]:
    """Within, a lack of memory is an OutOfMemoryError; `config` is the run's, its options by name."""
    what = config.get("verb", "training")
    if config.get("batch_size"):
        what += f" with --batch-size {config['batch_size']} --grad-accum {config.get('grad_accum', 1)}"
    return memory_for(what, advice(config))


def advice(config: dict[str, Any]) -> str:
    """What to lower. The same run resumes with other --grad-accum, --activation-checkpointing, --workers."""
    if str(config.get("model", "")).startswith("resnet"):
        return "run it again with a lower --batch-size or --image-size, or fewer --workers, and another --out"
    words = f"run the same command with --grad-accum {2 * config.get('grad_accum', 1)}"
    if not config.get("activation_checkpointing"):
        words += ", and --activation-checkpointing if need be"
    words += ", or fewer --workers: it goes on from its last checkpoint"
    return words + "; or lower --image-size, with another --out"
