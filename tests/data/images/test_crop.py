import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kakera.data.images.crop import CenterCrop
from kakera.inputs import InputSpec

SIDES = st.tuples(st.integers(1, 300), st.integers(1, 300))


@pytest.mark.parametrize(
    ("size", "target", "box"),
    [
        ((28, 28), (28, 28), (0, 0, 28, 28)),
        ((224, 224), (224, 224), (0, 0, 224, 224)),
        ((20, 40), (28, 28), (10, 0, 30, 20)),
        ((40, 20), (10, 20), (0, 15, 20, 25)),
        ((512, 256), (224, 224), (0, 128, 256, 384)),
    ],
)
def test_evaluation_sees_the_largest_centre_crop(
    size: tuple[int, int], target: tuple[int, int], box: tuple[float, ...]
) -> None:
    assert CenterCrop.of(target).box(size) == pytest.approx(box)


def test_a_share_of_the_shorter_side_can_be_seen() -> None:
    assert CenterCrop((224, 224), 0.875).box((256, 512)) == pytest.approx((144, 16, 368, 240))


@given(size=SIDES, target=SIDES, share=st.floats(0.5, 1))
def test_the_middle_has_the_target_s_aspect_and_lies_within(
    size: tuple[int, int], target: tuple[int, int], share: float
) -> None:
    crop = CenterCrop(target, share)
    left, top, right, bottom = crop.box(size)
    # A picture that is resized first has whole pixels, so that its middle may be off by one of them.
    off = 1 / min(target) if crop.sides else 1e-6
    assert (right - left) * target[0] == pytest.approx((bottom - top) * target[1], rel=off)
    assert min(left, top) >= -1e-9
    assert right <= size[1] + 1e-9
    assert bottom <= size[0] + 1e-9
    assert max((right - left) / size[1], (bottom - top) / size[0]) == pytest.approx(share)


@pytest.mark.parametrize("resize", [(20,), (16,), (16, 16), (21, 18)])
@pytest.mark.parametrize("size", [(40, 60), (61, 33), (16, 16), (9, 30), (33, 32)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("offset", ["floor", "even"])
def test_a_crop_in_one_step_is_a_resize_and_a_crop(
    resize: tuple[int, ...], size: tuple[int, int], name: str, offset: str
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = CenterCrop((16, 16), resize=resize, interpolation=name, offset=offset)(picture)
    short = min(size)
    high, wide = resize if len(resize) == 2 else (int(resize[0] * side / short) for side in size)
    whole = Image.fromarray(picture).resize((wide, high), Image.Resampling[name.upper()])
    top, left = ((side - 16) // 2 if offset == "floor" else round((side - 16) / 2) for side in (high, wide))
    expected = np.asarray(whole.crop((left, top, left + 16, top + 16))).transpose(2, 0, 1)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_picture_of_the_model_s_own_size_is_seen_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    for crop in (CenterCrop((224, 224)), CenterCrop((224, 224), resize=(224,))):
        assert crop.is_all_of((224, 224))
        assert np.array_equal(crop(picture), picture.transpose(2, 0, 1))
    assert not CenterCrop((224, 224), resize=(256,)).is_all_of((224, 224))


def test_crops_of_different_kinds_are_kept_apart() -> None:
    crops = [
        CenterCrop((16, 16)),
        CenterCrop((16, 16), 0.9),
        CenterCrop((16, 16), resize=(16,)),
        CenterCrop((16, 16), resize=(16, 16)),
        CenterCrop((16, 16), resize=(16,), offset="even"),
        CenterCrop((16, 16), resize=(16,), interpolation="bilinear"),
    ]
    assert len({crop.numbers() for crop in crops}) == len(crops)


def test_inputs_say_their_crop_and_take_another() -> None:
    crop = CenterCrop((224, 224), resize=(256,), interpolation="bilinear", offset="even")
    inputs = crop.into(InputSpec(3, 224, 224, (0.5,) * 3, (0.5,) * 3))
    assert CenterCrop.of(inputs) == crop
    assert CenterCrop.of(InputSpec.from_json(inputs.to_json())) == crop
    assert crop.resized((448, 448)).resize == (512,)
