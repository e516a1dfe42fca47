"""The crop that a file of transformers' or timm's describes, beside these libraries' own steps."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from kakera.data.images.crop import CenterCrop
from kakera.formats.foreign.image_processors import crop_of, cropped, described
from kakera.formats.foreign.timm import crop_of as crop_of_timm
from kakera.inputs import InputSpec

PROCESSORS = {
    "ViTImageProcessor": ViTImageProcessorPil,
    "DeiTImageProcessor": DeiTImageProcessorPil,
    "BeitImageProcessor": BeitImageProcessorPil,
    "BitImageProcessor": BitImageProcessorPil,
}
FILES = [
    {"image_processor_type": "ViTImageProcessor"},
    {"image_processor_type": "ViTImageProcessor", "size": 32, "resample": 3},
    {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 2},
    {"feature_extractor_type": "ViTFeatureExtractor", "size": 32, "resample": 2},
    {"image_processor_type": "DeiTImageProcessor"},
    {"image_processor_type": "DeiTImageProcessor", "size": 36, "crop_size": 32, "do_center_crop": True},
    {"image_processor_type": "BeitImageProcessor", "size": 32, "do_center_crop": False, "resample": 2},
    {"image_processor_type": "BeitImageProcessor", "size": 40, "crop_size": 32, "do_center_crop": True},
    {"image_processor_type": "BitImageProcessor"},
    {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 37},
        "crop_size": {"height": 32, "width": 32},
        "resample": 3,
    },
    {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 32},
        "do_center_crop": True,
        "crop_size": 32,
        "resample": 1,
    },
]
NORMAL = {"do_rescale": False, "do_normalize": False}


def picture(height: int, width: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("given", FILES, ids=lambda given: json.dumps(given)[26:70])
@pytest.mark.parametrize("size", [(50, 71), (300, 227), (32, 32), (224, 224)])
def test_pictures_are_cropped_as_transformers_does(given: dict[str, Any], size: tuple[int, int]) -> None:
    kind = str(given.get("image_processor_type") or given["feature_extractor_type"])
    library = PROCESSORS[kind.replace("FeatureExtractor", "ImageProcessor")]
    words = {name: value for name, value in given.items() if not name.endswith("_type")}
    values = picture(*size)
    expected = library(**words, **NORMAL)(Image.fromarray(values), return_tensors="np")["pixel_values"][0]
    crop, notes = crop_of(given, expected.shape[1:])
    assert not notes
    found = crop(values)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "crop",
    [
        CenterCrop((32, 32)),
        CenterCrop((32, 32), resize=(32,)),
        CenterCrop((32, 32), resize=(36,), interpolation="bilinear"),
        CenterCrop((32, 32), resize=(32, 32), interpolation="lanczos"),
        CenterCrop((32, 32), resize=(40, 36)),
        CenterCrop((32, 48), resize=(32, 48)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back_by_transformers(crop: CenterCrop, channels: int) -> None:
    given = described(crop, channels)
    words = {name: value for name, value in given.items() if not name.endswith("_type")}
    values = picture(50, 64)
    image = Image.fromarray(values if channels == 3 else values[..., 0])
    library = PROCESSORS[given["image_processor_type"]](**words, **NORMAL)
    expected = library(image, return_tensors="np", input_data_format=None)["pixel_values"][0]
    found = crop(values[..., :channels])
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    again, _ = crop_of(given, crop.size)
    assert np.array_equal(again(values), crop(values))


def timm_s(values: np.ndarray[Any, Any], size: int, said: dict[str, Any]) -> np.ndarray[Any, Any]:
    """As timm's transforms_imagenet_eval with torchvision's Resize and CenterCrop, written out."""
    share = said.get("crop_pct") or 0.875
    filter = Image.Resampling[said.get("interpolation", "bicubic").upper()]
    inside, (height, width) = math.floor(size / share), values.shape[:2]
    if said.get("crop_mode") == "squash":
        high = wide = inside
    elif height <= width:
        high, wide = inside, int(inside * width / height)
    else:
        high, wide = int(inside * height / width), inside
    whole = np.asarray(Image.fromarray(values).resize((wide, high), filter))
    top, left = round((high - size) / 2.0), round((wide - size) / 2.0)
    return whole[top : top + size, left : left + size].transpose(2, 0, 1)


@pytest.mark.parametrize(
    "said",
    [
        {"crop_pct": 0.9, "interpolation": "bicubic"},
        {"crop_pct": 0.875, "interpolation": "bilinear", "crop_mode": "center"},
        {"crop_pct": 1.0, "interpolation": "bicubic", "crop_mode": "squash"},
        {"crop_pct": 0.95, "crop_mode": "squash"},
        {"interpolation": "bicubic"},
    ],
)
@pytest.mark.parametrize("size", [(50, 71), (300, 229), (32, 32), (41, 40)])
def test_pictures_are_cropped_as_timm_does(said: dict[str, Any], size: tuple[int, int]) -> None:
    crop, notes = crop_of_timm(said, (32, 32))
    assert not notes
    values = picture(*size)
    assert np.abs(crop(values).astype(int) - timm_s(values, 32, said)).max() <= 1


def test_what_is_not_followed_is_said() -> None:
    assert "border" in crop_of_timm({"crop_pct": 0.9, "crop_mode": "border"}, (32, 32))[1][0]
    assert "random" in crop_of_timm({"interpolation": "random"}, (32, 32))[1][0]
    assert "do_resize" in crop_of({"do_resize": False}, (32, 32))[1][0]
    assert "longest" in crop_of({"size": {"longest_edge": 32}}, (32, 32))[1][0]
    assert "16" in crop_of({"size": 16, "crop_size": 32, "do_center_crop": True}, (32, 32))[1][0]


def test_a_model_of_another_size_than_its_file_s_keeps_the_ratio() -> None:
    given = {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "crop_size": 224}
    crop, _ = crop_of(given, (518, 518))
    assert crop.resized((224, 224)).resize == (256,)
    assert cropped(given) == (224, 224)


def test_a_description_from_before_there_were_crops_is_evaluated_as_then(tmp_path: Path) -> None:
    before = {"channels": 1, "height": 96, "width": 96, "mean": [0.5], "std": [0.5]}
    assert InputSpec.from_json(before).crop_pct == 0.875
    assert InputSpec.from_json({**before, "height": 64, "width": 64}).crop_pct == 1.0
