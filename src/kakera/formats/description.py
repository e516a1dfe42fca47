"""Checks of `kakera.json`, before anything of the described size is allocated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, get_args

from kakera.errors import OptionError
from kakera.formats.build import require_layers
from kakera.formats.classes import require_thresholds
from kakera.formats.fields import flag, mapping, number, numbers, one_of, whole, words
from kakera.formats.target_scale import TargetScale
from kakera.inputs import InputSpec
from kakera.model.classifier import Pooling
from kakera.model.configs import RESNETS, Activation, BlockConfig, Norm
from kakera.model.positions import Resampling
from kakera.sound.spec import PRESETS, SoundSpec

KINDS = ("mae", "classifier", "encoder", "cnn")
COMPONENTS = 4096  # of a global target, as in the options
CHANNELS = 4096  # the most channels of an input
VALUES = 2**28  # the largest input: 1 GiB in float32
POINTS = 2**20  # the longest Fourier transform
LAYERS = 10_000  # the most layers of an encoder or a decoder
_CHOICES: dict[str, tuple[str, ...]] = {"activation": get_args(Activation), "norm": get_args(Norm)}


def check(content: object, tensors: Collection[str]) -> None:
    """Check each value of a description; `tensors` are the names of its weights.

    Raises OptionError that names the wrong value, and KeyError for a missing value.

    Example:

        >>> try:
        ...     check({"kind": "tree"}, ())
        ... except OptionError as error:
        ...     print(error)
        kind: got 'tree', expected one of mae, classifier, encoder, cnn; correct it
    """
    values = mapping("description", content)
    kind = one_of("kind", values["kind"], KINDS)
    inputs_of(values["inputs"])
    words("license", [values.get("license", "")])
    one_of("resampling", values.get("resampling", "bicubic"), get_args(Resampling))
    if kind in ("classifier", "cnn"):
        classes = words("classes", values.get("classes", ()))
        targets_of(values.get("targets"), len(classes))
        several = flag("multi_label", values.get("multi_label", False))
        require_thresholds(thresholds_of(values), len(classes), multi_label=several)
    if kind == "cnn":
        one_of("config", values["config"], tuple(RESNETS))
        return
    _check_config(mapping("config", values["config"]), tensors)
    flag("learned_positions", values["learned_positions"])
    if kind == "classifier":
        one_of("pool", values["pool"], get_args(Pooling))
        if values.get("head_epsilon") is not None:
            number("head_epsilon", values["head_epsilon"], positive=True)
    if kind == "mae":
        _check_layers("decoder", mapping("decoder", values["decoder"]), tensors)
        flag("decoder's cross", values["decoder"].get("cross", False))
        flag("norm_pix_loss", values["norm_pix_loss"])
        flag("hog_target", values.get("hog_target", False))
        if "global_target" in values:
            whole("global_target", values["global_target"], most=COMPONENTS)
        if "token_target" in values:
            number("token_target", values["token_target"], positive=True)


def thresholds_of(values: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the thresholds of a description; empty if it has none. Raises OptionError for a wrong value.

    Example:

        >>> thresholds_of({"thresholds": [0.5, 0.25]}), thresholds_of({})
        ((0.5, 0.25), ())
    """
    found = values.get("thresholds", ())
    if not isinstance(found, list | tuple):
        raise OptionError("thresholds", got=repr(found), expected="a list of numbers", do="correct it")
    return numbers("thresholds", found, len(found))


def inputs_of(content: object) -> InputSpec:
    """Return the input specification of a description. Raises OptionError for a wrong value.

    Example:

        >>> inputs_of(InputSpec(1, 8, 8, (0.5,), (0.5,)).to_json()).size
        (8, 8)
    """
    values = mapping("inputs", content)
    channels = whole("channels", values["channels"], most=CHANNELS)
    height, width = (whole(side, values[side]) for side in ("height", "width"))
    require_values(channels, (height, width))
    for name in ("mean", "std"):
        numbers(name, values[name], channels)
    for name in ("scale", "blank"):
        if values.get(name) is not None:
            number(name, values[name])
    flag("whole_patches", values.get("whole_patches", False))
    if "axes" in values and len(words("axes", values["axes"])) != 2:
        raise OptionError("axes", got=values["axes"], expected="two names", do="correct them")
    if "sound" in values:
        _check_sound(mapping("sound", values["sound"]))
    if "any_shape" in values:
        limits = values["any_shape"]
        if not isinstance(limits, list) or len(limits) != 2:
            expected, do = "patch size and number of patches", "correct them"
            raise OptionError("any_shape", got=limits, expected=expected, do=do)
        side, most = (whole("any_shape", one) for one in limits)
        require_values(channels, (side, side * most))
    inputs = InputSpec.from_json(dict(values))
    if inputs.sound is not None:
        _require_fitting(inputs.sound, inputs.width)
    return inputs


def targets_of(content: object, count: int) -> TargetScale | None:
    """Return the scale of `count` targets of a description; None without one. Raises OptionError.

    Example:

        >>> targets_of({"mean": [40.0], "std": [9.0]}, 1)
        TargetScale(mean=(40.0,), std=(9.0,))
    """
    if content is None:
        return None
    values = mapping("targets", content)
    mean, std = (numbers(f"targets' {name}", values[name], count) for name in ("mean", "std"))
    if len(mean) != count:
        raise OptionError("targets' mean", got=f"{len(mean)} numbers", expected=count, do="correct them")
    return TargetScale(mean, std)


def require_values(channels: int, size: tuple[int, int]) -> None:
    """Check that an input has at most 2^28 values. Raises OptionError for a larger one.

    Example:

        >>> try:
        ...     require_values(3, (100_000, 100_000))
        ... except OptionError as error:
        ...     print(error)
        size: got 3 channels of 100000 x 100000, expected at most 268435456 values; choose a smaller size
    """
    if channels * size[0] * size[1] > VALUES:
        got, most = f"{channels} channels of {size[0]} x {size[1]}", f"at most {VALUES} values"
        raise OptionError("size", got=got, expected=most, do="choose a smaller size")


def _require_fitting(sound: SoundSpec, frames: int) -> None:
    """Check Fourier transform, mel filters and window. Raises OptionError if one is too large for memory."""
    samples = sound.samples(frames)
    if sound.points > POINTS:
        got, expected = f"{sound.points} points", f"at most {POINTS}"
        raise OptionError("sound's fft", got=got, expected=expected, do="correct frame and fft")
    if sound.bins * sound.points > VALUES:
        got, expected = f"{sound.bins} filters of {sound.points} points", f"at most {VALUES} values"
        raise OptionError("sound's bins", got=got, expected=expected, do="correct bins or fft")
    if samples > VALUES:
        got, expected = f"{samples} samples for {frames} frames", f"at most {VALUES}"
        raise OptionError("sound's hop", got=got, expected=expected, do="correct hop or rate")


def _check_sound(values: Mapping[str, Any]) -> None:
    kinds = {field.name: type(getattr(PRESETS["ast"], field.name)) for field in fields(PRESETS["ast"])}
    for name, value in values.items():
        kind = kinds[name]
        if kind is bool:
            flag(f"sound's {name}", value)
        elif kind is int:
            whole(f"sound's {name}", value, least=-1)
        elif kind is float:
            number(f"sound's {name}", value)


def _check_config(values: Mapping[str, Any], tensors: Collection[str]) -> None:
    _check_layers("encoder", values, tensors)
    _check_layers("decoder", mapping("decoder", values["decoder"]), None)
    for name in ("patch", "stride", "convolution", "relative"):
        both = values.get(name)
        if name != "patch" and both is None:
            continue
        if not isinstance(both, list | tuple) or len(both) != 2:
            expected = "height and width" if name in ("patch", "stride") else "two numbers"
            raise OptionError(name, got=both, expected=expected, do="correct it")
        for one in both:
            whole(name, one)
    for name in ("registers", "patch_width"):
        whole(name, values.get(name, 0), least=0)
    whole("class_tokens", values.get("class_tokens", 1), least=0)
    for name in ("rotary", "rotary_span"):
        if values.get(name, 0.0) != 0.0:
            number(name, values[name], positive=True)
    for name in ("norm_pre", "attention_pool", "final_norm", "rotary_table", "any_shape"):
        flag(name, values.get(name, False))


def _check_layers(where: str, values: Mapping[str, Any], tensors: Collection[str] | None) -> None:
    """Check the numbers of an encoder or decoder; `tensors` is None for a decoder without weights."""
    for name in ("width", "heads"):
        whole(f"{where}'s {name}", values[name])
    depth = whole(f"{where}'s depth", values["depth"], least=0, most=LAYERS)
    if tensors is not None:
        require_layers(depth, tensors)
    block, plain = mapping(f"{where}'s block", values.get("block", {})), BlockConfig()
    for name, value in block.items():
        if isinstance(getattr(plain, name), bool):
            flag(f"{where}'s {name}", value)
        elif name in _CHOICES:
            one_of(f"{where}'s {name}", value, _CHOICES[name])
        else:
            number(f"{where}'s {name}", value, positive=True)
