"""Resizing and cropping by transformers' image processors, as described in `preprocessor_config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kakera.data.images.crop import CenterCrop
from kakera.formats.fields import whole

# Pillow's numbers of its filters, which `preprocessor_config.json` uses.
FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
SHORTEST = ("Bit", "CLIP", "DINOF")  # for these processors one number is the length of the shorter side
# Defaults of each processor for missing fields: (resample, do_center_crop, size, crop_size).
DEFAULTS: dict[str, tuple[int, bool, Any, int]] = {
    "ViT": (2, False, 224, 224),
    "DeiT": (3, True, 256, 224),
    "Beit": (3, False, 224, 224),
    "Bit": (3, True, {"shortest_edge": 224}, 224),
    "CLIP": (3, True, {"shortest_edge": 224}, 224),
    "Siglip2": (2, False, None, 224),
    "Siglip": (3, False, 224, 224),
    "DINOv3": (2, False, 224, 224),
    "Tipsv2": (2, False, 448, 448),
}
MOST_PATCHES = 256  # of a picture of any shape, where no file says so
CLIP = {"image_mean": (0.48145466, 0.4578275, 0.40821073), "image_std": (0.26862954, 0.26130258, 0.27577711)}
IMAGENET = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
# The processor of each model type, and its mean and standard deviation; for others they are 0.5.
ASSUMED: dict[str, tuple[str, dict[str, Any]]] = {
    "clip_vision_model": ("CLIPImageProcessor", CLIP),
    "siglip_vision_model": ("SiglipImageProcessor", {}),
    "siglip2_vision_model": ("Siglip2ImageProcessor", {}),
    "tipsv2_vision_model": ("Tipsv2ImageProcessor", {"do_normalize": False}),
    "dinov3_vit": ("DINOv3ViTImageProcessor", IMAGENET),
    "pixio": ("BitImageProcessor", CLIP),
}


def default_preprocessing(
    model_type: str, channels: int, size: tuple[int, int]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the preprocessing that transformers documents for a model type and inputs of `size`, and a note.

    Example:

        >>> default_preprocessing("siglip_vision_model", 3, (224, 224))[1]
        ('no preprocessor_config.json: defaults of SiglipImageProcessor assumed',)
    """
    if model_type not in ASSUMED or channels != 3:
        return {}, ("no preprocessor_config.json: mean and standard deviation 0.5 assumed",)
    name, statistics = ASSUMED[model_type]
    sides: dict[str, Any] = dict(zip(("height", "width"), size, strict=True))
    shorter = name.startswith(SHORTEST)
    fields = {"size": {"shortest_edge": min(size)} if shorter else sides, "crop_size": sides}
    note = f"no preprocessor_config.json: defaults of {name} assumed"
    return {"image_processor_type": name, **fields, **statistics}, (note,)


def whole_patches(size: tuple[int, int], patch: tuple[int, int]) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return the part of a picture `size` that whole patches cover, and a note if it is smaller.

    SigLIP has pictures of 384 pixels with patches of 14: a convolution leaves out the last 6 pixels.

    Example:

        >>> whole_patches((384, 384), (14, 14))[0]
        (378, 378)
    """
    height, width = (side // step * step for side, step in zip(size, patch, strict=True))
    if (height, width) == tuple(size) or not height or not width:
        return (size[0], size[1]), ()
    note = f"patches do not cover pictures of {size[0]} × {size[1]}: kakera reads {height} × {width} pixels"
    return (height, width), (note,)


def crop_of(preprocessing: Mapping[str, Any], size: tuple[int, int]) -> tuple[CenterCrop, tuple[str, ...]]:
    """Return the centre crop of a model with inputs of `size` (height, width), and notes on assumptions.

    The `size` in the file is one number, {"height", "width"}, which stretches, or {"shortest_edge"}.

    Example:

        >>> crop, notes = crop_of({"image_processor_type": "DeiTImageProcessor"}, (224, 224))
        >>> crop.size, crop.resize
        ((224, 224), (256, 256))
    """
    if not preprocessing:
        return CenterCrop(size), ()
    kind, (resample, crops, default_size, _) = _kind(preprocessing)
    name = FILTERS.get(int(preprocessing.get("resample", resample) or 0), "bicubic")
    if kind.startswith("Siglip2"):
        return CenterCrop(size, interpolation=name), ()
    if not preprocessing.get("do_resize", True):
        return CenterCrop(size, interpolation=name), ("do_resize is false, but kakera resizes pictures",)
    sides = _sides(preprocessing.get("size", default_size), square=not kind.startswith(SHORTEST))
    target = cropped(preprocessing) if preprocessing.get("do_center_crop", crops) else None
    if target is None and sides:
        target = (sides[0], sides[-1])
    short = len(sides) == 2 and target is not None and (sides[0] < target[0] or sides[1] < target[1])
    if target is None or short or (len(sides) == 1 and sides[0] < max(target)):
        note = (
            f"size {preprocessing.get('size')} and its crop are not used: kakera uses the largest centre crop"
        )
        return CenterCrop(size, interpolation=name), (note,)
    resize = CenterCrop(target, resize=sides).resized(size).resize
    whole = resize == (size[0],) == (size[1],)  # then an empty `resize` means the same
    return CenterCrop(size, resize=() if whole else resize, interpolation=name), ()


def most_patches(preprocessing: Mapping[str, Any]) -> int:
    """Return the number of patches up to which the processor keeps the shape of a picture (NaFlex); 0: never.

    Example:

        >>> most_patches({"image_processor_type": "Siglip2ImageProcessor", "max_num_patches": 1024})
        1024
    """
    if preprocessing and not _kind(preprocessing)[0].startswith("Siglip2"):
        return 0
    return whole("max_num_patches", preprocessing.get("max_num_patches", MOST_PATCHES))


def cropped(preprocessing: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the crop size (height, width) of the file, or None if it does not crop.

    Example:

        >>> cropped({"image_processor_type": "DeiTImageProcessor", "crop_size": 192})
        (192, 192)
    """
    _, (_, crops, _, default) = _kind(preprocessing)
    if not preprocessing or not preprocessing.get("do_center_crop", crops):
        return None
    sides = _sides(preprocessing.get("crop_size", default), square=True)
    return (sides[0], sides[1]) if len(sides) == 2 else None


def described(crop: CenterCrop, channels: int) -> dict[str, Any]:
    """Return the fields of `preprocessor_config.json` for a crop; if they cannot express it, they stretch.

    Example:

        >>> described(CenterCrop((224, 224), resize=(256,)), channels=3)["size"]
        {'shortest_edge': 256}
    """
    resize, (height, width) = crop.resize, crop.size
    if not resize and height == width:
        resize = (round(height / crop.crop_pct),)
    fields: dict[str, Any] = {"do_resize": True, "resample": _number(crop.interpolation)}
    plain = {"height": height, "width": width}
    if len(resize) == 1:
        fields |= {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": resize[0]}}
        return fields | {"do_center_crop": True, "crop_size": plain, "do_convert_rgb": channels == 3}
    if not resize or resize == crop.size:
        return fields | {"image_processor_type": "ViTImageProcessor", "size": plain}
    fields |= {"image_processor_type": "DeiTImageProcessor", "size": dict(zip(plain, resize, strict=True))}
    return fields | {"do_center_crop": True, "crop_size": plain}


def _kind(preprocessing: Mapping[str, Any]) -> tuple[str, tuple[int, bool, Any, int]]:
    keys = ("image_processor_type", "feature_extractor_type")
    kind = next((str(preprocessing[key]) for key in keys if preprocessing.get(key)), "ViT")
    return kind, next((row for name, row in DEFAULTS.items() if kind.startswith(name)), DEFAULTS["ViT"])


def _sides(value: Any, *, square: bool) -> tuple[int, ...]:
    """Return (height, width), (shorter side,), or an empty tuple for another form."""
    if isinstance(value, Mapping):
        if "height" in value and "width" in value:
            return int(value["height"]), int(value["width"])
        return (int(value["shortest_edge"]),) if value.get("shortest_edge") and len(value) == 1 else ()
    if isinstance(value, int):
        return (value, value) if square else (value,)
    return tuple(map(int, value)) if value is not None and len(value) == 2 else ()


def _number(name: str) -> int:
    return next(number for number, known in FILTERS.items() if known == name)
