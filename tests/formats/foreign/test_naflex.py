"""SigLIP 2 in its form for any shape (NaFlex): each picture keeps its shape, as in transformers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from transformers.models.siglip2.image_processing_pil_siglip2 import (
    Siglip2ImageProcessorPil,
    get_image_size_for_max_num_patches,
)

import kakera
from kakera.data.any_shape import WINDOW
from kakera.errors import KakeraError, OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.inputs import shape_within
from tests.formats.foreign.test_transformers import drawn
from tests.formats.foreign.test_vision import LABELS, LISTS

PATCHES = 12
SHAPES = [(30, 40), (40, 30), (10, 90), (7, 5), (33, 33), (30, 40)]


def pictures(shapes: list[tuple[int, int]] = SHAPES, seed: int = 0) -> list[Image.Image]:
    draws = np.random.default_rng(seed)
    return [Image.fromarray(draws.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


def processor() -> Any:
    return Siglip2ImageProcessorPil(patch_size=4, max_num_patches=PATCHES)


def folder(place: Path, *, classifier: bool = False, dtype: torch.dtype = torch.float32) -> Any:
    if classifier:
        shape = hf.Siglip2Config(vision_config=LISTS, id2label=LABELS)
        theirs = drawn(hf.Siglip2ForImageClassification(shape))
    else:
        theirs = drawn(hf.Siglip2VisionModel(hf.Siglip2VisionConfig(**LISTS)))
    theirs.to(dtype).save_pretrained(place)
    processor().save_pretrained(place)
    return theirs


def files(place: Path, count: int = 6) -> Path:
    """Pictures of several shapes in two classes."""
    for number, picture in enumerate(pictures((SHAPES * count)[:count], seed=1)):
        target = place / "ab"[number % 2] / f"{number:04d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target)
    return place


def test_the_shape_of_a_picture_is_that_of_the_released_processor() -> None:
    draws = np.random.default_rng(0)
    for number in range(2000):
        height, width = (int(side) + 1 for side in np.exp(draws.uniform(0, 9, 2)))
        width = height * (number % 5 + 1) if number % 4 == 0 else width
        patch, most = [(16, 256), (16, 1024), (14, 729), (4, 9)][number % 4]
        expected = get_image_size_for_max_num_patches(height, width, patch, most)
        assert shape_within((height, width), patch, most) == tuple(expected)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_pictures_of_several_shapes_have_the_vectors_of_transformers(
    dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    """In float64 too the reference resizes positions in float32, so its own error is about 1e-7."""
    theirs = folder(tmp_path, dtype=dtype)
    ours, batch = load(tmp_path, dtype=dtype), processor()(pictures(), return_tensors="pt")
    assert len({tuple(shape) for shape in batch["spatial_shapes"].tolist()}) == 4
    mask = batch["pixel_attention_mask"]
    with torch.inference_mode():
        expected = theirs(batch["pixel_values"].to(dtype), mask, batch["spatial_shapes"])
    weights = mask[..., None].to(dtype)
    mean = (expected.last_hidden_state * weights).sum(1) / weights.sum(1)
    assert np.abs(ours.embed(pictures()) - expected.pooler_output.numpy()).max() < most
    assert np.abs(ours.embed(pictures(), pool="normed mean") - mean.numpy()).max() < most


def test_attention_of_a_picture_in_its_shape_is_that_of_transformers(tmp_path: Path) -> None:
    folder(tmp_path)
    theirs = hf.Siglip2VisionModel.from_pretrained(tmp_path, attn_implementation="eager")
    batch = processor()(pictures(), return_tensors="pt")
    mask, shapes = batch["pixel_attention_mask"], batch["spatial_shapes"]
    with torch.inference_mode():
        expected = theirs(batch["pixel_values"], mask, shapes, output_attentions=True).attentions[-1]
    found = load(tmp_path).attention(pictures())
    for weights, theirs_weights, (rows, cols) in zip(found, expected, shapes.tolist(), strict=True):
        count = rows * cols
        assert weights.shape[1:] == (count, count)
        assert np.abs(weights - theirs_weights[:, :count, :count].numpy()).max() < 1e-5


def test_a_classifier_of_any_shape_predicts_what_transformers_predicts(tmp_path: Path) -> None:
    theirs = folder(tmp_path, classifier=True)
    batch = processor()(pictures(), return_tensors="pt")
    with torch.inference_mode():
        expected = theirs(**batch).logits.softmax(dim=1)
    assert np.abs(load(tmp_path).predict_proba(pictures()) - expected.numpy()).max() < 1e-5


def test_results_are_in_the_order_of_the_files_whatever_their_shapes(tmp_path: Path) -> None:
    folder(tmp_path, classifier=True)
    model, many = load(tmp_path), pictures([SHAPES[n % 6] for n in range(WINDOW + 40)])
    together = model.predict_proba(many)
    for number in (0, 1, 2, WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + 39):
        assert np.abs(together[number] - model.predict_proba(many[number])[0]).max() < 1e-5
    found = [one.file for one in kakera.predict(model, many[:9])]
    assert found == [f"picture[{number}]" for number in range(9)]


def test_a_saved_copy_keeps_the_shapes_of_pictures(tmp_path: Path) -> None:
    folder(tmp_path / "theirs")
    before = load(tmp_path / "theirs")
    before.save(tmp_path / "ours")
    after = load(tmp_path / "ours")
    assert after.inputs == before.inputs
    assert after.encoder.config == before.encoder.config
    assert np.array_equal(after.embed(pictures()), before.embed(pictures()))


def test_an_unreadable_file_among_several_shapes_is_listed_and_the_rest_predicted(tmp_path: Path) -> None:
    folder(tmp_path / "model", classifier=True)
    data = files(tmp_path / "data")
    (data / "a" / "0000.png").write_bytes(b"no picture")
    found = [*kakera.predict(tmp_path / "model", data)]
    assert [bool(one.unreadable) for one in found] == [True] + [False] * 5


def test_fit_and_predict_use_the_shape_of_each_picture(tmp_path: Path) -> None:
    folder(tmp_path / "model")
    data = files(tmp_path / "data", 24)
    kakera.fit(data, init_from=tmp_path / "model", out=tmp_path / "fit", head="ridge")
    run = load(tmp_path / "fit")
    assert run.inputs.any_shape == (4, PATCHES)
    vectors = load(tmp_path / "model").embed(sorted(data.rglob("*.png")), pool=run.model.pool)
    head = run.model.head
    logits = torch.from_numpy(vectors) @ head.weight.T + head.bias
    expected = logits.softmax(dim=1).detach().numpy()
    found = run.predict_proba(sorted(data.rglob("*.png")))
    assert np.abs(found - expected).max() < 1e-5


def test_a_search_compares_pictures_in_their_shapes_and_draws_their_patches(tmp_path: Path) -> None:
    folder(tmp_path / "model")
    data = files(tmp_path / "data", 12)
    kakera.build_index(data, init_from=tmp_path / "model", out=tmp_path / "index")
    query = data / "a" / "0002.png"
    found = kakera.search(tmp_path / "index", query, top=2)
    vectors = load(tmp_path / "model").embed([query, found.matches[0][0].file])
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert found.matches[0][0].cosine == pytest.approx(float(cosine), abs=1e-5)


def test_one_line_refuses_what_needs_one_grid_of_patches(tmp_path: Path) -> None:
    folder(tmp_path / "model")
    data = files(tmp_path / "data")
    model, index = tmp_path / "model", tmp_path / "index"
    with pytest.raises(OptionError, match="tokens: got an encoder that keeps shapes"):
        kakera.build_index(data, init_from=model, out=index, tokens=True)
    kakera.build_index(data, init_from=model, out=index, pool="mean")
    with pytest.raises(OptionError, match="region: got an encoder that keeps shapes"):
        kakera.search(index, data / "a" / "0000.png", region=(0, 0, 9, 9))
    with pytest.raises(OptionError, match="head: got attentive for an encoder that keeps the shape"):
        kakera.fit(data, init_from=model, out=tmp_path / "fit", head="attentive")
    with pytest.raises(OptionError, match="pictures of 4 shapes"):
        load(model).prepare(pictures())


def test_a_size_makes_a_model_of_one_shape(tmp_path: Path) -> None:
    folder(tmp_path)
    fixed, free = load(tmp_path, image_size=(8, 20)), load(tmp_path)
    assert fixed.inputs.any_shape == ()
    assert not fixed.encoder.config.any_shape
    assert fixed.prepare(pictures()).shape == (6, 3, 8, 20)
    assert load(tmp_path, image_size=12).inputs.any_shape == ()
    with pytest.raises(OptionError, match="pictures: got 3 channels of 8 x 8"):
        fixed.model(torch.zeros(1, 3, 8, 8))
    assert free.model(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 24)


def test_onnx_is_written_for_one_shape_and_says_so(tmp_path: Path) -> None:
    folder(tmp_path / "model", classifier=True)
    result = kakera.convert(tmp_path / "model", tmp_path / "graph", to="onnx")
    assert "cropped to 12 × 12" in result.lines()[0]
    fixed, found = load(tmp_path / "model", image_size=12), kakera.predict(tmp_path / "graph", pictures())
    given = [[*one.probabilities.values()] for one in kakera.predict(fixed, pictures())]
    assert np.abs(np.array([[*one.probabilities.values()] for one in found]) - given).max() < 1e-4


def test_finetuning_trains_on_crops_of_one_size(tmp_path: Path) -> None:
    folder(tmp_path / "model")
    data = files(tmp_path / "data", 12)
    options: dict[str, Any] = {"init_from": tmp_path / "model", "min_steps": 1, "epochs": 0.01}
    result = kakera.finetune(data, out=tmp_path / "run", **options)
    assert result.saved.inputs.any_shape == ()
    assert result.saved.inputs.size == (12, 12)


def test_another_processor_beside_the_model_gives_one_size(tmp_path: Path) -> None:
    folder(tmp_path)
    described = {"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 12}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(described))
    model = load(tmp_path)
    assert model.inputs.any_shape == ()
    assert any("its processor has 12 × 12 pixels" in note for note in model.notes)


@pytest.mark.parametrize("most", [0, -1, 1.5, "many", 2**40, True])
def test_a_wrong_number_of_patches_is_one_line(most: Any, tmp_path: Path) -> None:
    folder(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_num_patches": most}))
    with pytest.raises(KakeraError, match="max_num_patches|values"):
        load(tmp_path)


@pytest.mark.parametrize("limits", [[4], [0, 9], [4, 2**30], "4", [4, 1.5]])
def test_wrong_limits_of_a_saved_model_are_one_line(limits: Any, tmp_path: Path) -> None:
    folder(tmp_path / "theirs")
    load(tmp_path / "theirs").save(tmp_path / "ours")
    path = tmp_path / "ours" / "kakera.json"
    content = json.loads(path.read_text())
    content["inputs"]["any_shape"] = limits
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match="any_shape|values"):
        load(tmp_path / "ours")


def test_an_encoder_of_one_shape_with_inputs_of_any_shape_names_the_size(tmp_path: Path) -> None:
    folder(tmp_path)
    saved = load(tmp_path, image_size=12)
    wrong: Pretrained = replace(saved, inputs=replace(saved.inputs, any_shape=(4, PATCHES)))
    with pytest.raises(OptionError, match="pictures: got 3 channels of 12 x 16"):
        wrong.embed(pictures()[:1])
