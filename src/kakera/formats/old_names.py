"""Names in files of version 0.1.0, and the names that replace them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "shape": "config",
    "learned": "learned_positions",
    "normalised": "norm_pix_loss",
    "gradients": "hog_target",
    "several": "multi_label",
    "given": "input_names",  # of an ONNX graph
    "found": "output_names",
}


def current(content: Any) -> Any:
    """Return a description (`kakera.json`, or `config.json` of an ONNX graph) with today's names.

    Version 0.1.0 wrote other names for the same values, called the `block` of an encoder or a decoder `kind`,
    and had `tanh_gelu` in it instead of `activation`. A value that is not a dictionary is returned unchanged,
    so that `check` can refuse it.

    Example:

        >>> current({"kind": "mae", "normalised": True, "decoder": {"kind": {"ratio": 4.0}}})
        {'kind': 'mae', 'norm_pix_loss': True, 'decoder': {'block': {'ratio': 4.0}}}
    """
    if not isinstance(content, Mapping):
        return content
    values: dict[str, Any] = dict(content)
    renamed = {
        NAMES.get(name, name) if NAMES.get(name) not in values else name: v for name, v in values.items()
    }
    for name in ("config", "decoder"):
        if isinstance(renamed.get(name), Mapping):
            renamed[name] = _blocks(dict(renamed[name]))
    return renamed


def _blocks(values: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of an encoder or a decoder with `block` for `kind`, and today's names in it."""
    renamed = {"block" if name == "kind" and "block" not in values else name: v for name, v in values.items()}
    block = renamed.get("block")
    if isinstance(block, Mapping) and isinstance(block.get("tanh_gelu"), bool):
        left = {name: v for name, v in block.items() if name != "tanh_gelu"}
        renamed["block"] = {"activation": "gelu_tanh" if block["tanh_gelu"] else "gelu", **left}
    if isinstance(renamed.get("decoder"), Mapping):
        renamed["decoder"] = _blocks(dict(renamed["decoder"]))
    return renamed
