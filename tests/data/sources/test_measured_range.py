from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kakera.data.checks.inspect import Inspection, inspect_dataset
from kakera.data.images.value_range import range_from_options
from kakera.data.packing.pack import pack
from kakera.data.preload.preload import preload
from kakera.data.sources.files import open_files
from kakera.data.sources.measured_range import range_warnings
from kakera.data.sources.open import open_dataset
from kakera.inputs import InputSpec
from kakera.web.pictures import PictureStore
from tests.data.files import encoded

RAMP = np.linspace(0, 1, 12 * 16).reshape(12, 16).astype(np.float32)
TWELVE = (RAMP * 4095).astype(np.uint16)


def tree(root: Path, files: dict[str, Any]) -> Path:
    for name, values in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        kind = "PNG" if name.endswith("png") else "TIFF"
        (root / name).write_bytes(values if isinstance(values, bytes) else encoded(values, kind))
    return root


def read(root: Path, **words: Any) -> dict[str, Any]:
    pictures = open_dataset(root, **words).pictures
    return {Path(pictures.name(row)).name: pictures.read(row)[..., 0] for row in range(len(pictures))}


def test_one_pixel_above_one_changes_nothing(tmp_path: Path) -> None:
    over = RAMP.copy()
    over[3, 4] = 1.004
    found = read(tree(tmp_path, {"a/x.tif": RAMP, "b/y.tif": over}))
    different = found["x.tif"] != found["y.tif"]
    assert different.sum() == 1
    assert different[3, 4]
    assert np.abs(found["x.tif"].astype(int) - np.round(RAMP * 255)).max() <= 1


def test_whole_numbers_of_32_bits_have_one_scale_in_all_files(tmp_path: Path) -> None:
    one, other = (RAMP * 300).astype(np.int32), (RAMP * 200).astype(np.int32)
    found = read(tree(tmp_path, {"a/x.tif": one, "b/y.tif": other}))
    for name, values in (("x.tif", one), ("y.tif", other)):
        assert np.abs(found[name].astype(int) - np.round(values * 255 / 300)).max() <= 1


def test_12_bits_in_16_keep_their_grey_levels_and_the_range_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a/x.png": TWELVE, "b/y.png": TWELVE // 2})
    found = read(root)
    assert np.abs(found["x.png"].astype(int) - np.round(TWELVE * (255 / 4095))).max() <= 1
    inspected = inspect_dataset(root)
    assert isinstance(inspected, Inspection)
    assert inspected.ranges == (("uint16", 0, 4095),)
    assert any("4095 is white" in line and "--bits 16" in line for line in inspected.lines())
    assert read(root, ranges=range_from_options(16))["x.png"].max() == 16


def test_files_of_8_bits_have_no_range(tmp_path: Path) -> None:
    assert open_dataset(tree(tmp_path, {"a/x.png": np.zeros((4, 4), np.uint8)})).ranges == ()


def test_values_outside_are_clipped_and_counted(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a/x.tif": RAMP * 3})
    inspected = inspect_dataset(root, ranges=range_from_options(0, (0, 2)))
    assert isinstance(inspected, Inspection)
    assert inspected.clipped == {str(root / "a/x.tif"): int((RAMP * 3 > 2).sum())}


def test_each_file_with_values_below_zero_is_named_and_counted(tmp_path: Path) -> None:
    files = {f"a/{number}.tif": RAMP - 0.5 for number in range(30)} | {"b/good.tif": RAMP}
    inspected = inspect_dataset(tree(tmp_path, files))
    assert isinstance(inspected, Inspection)
    assert {Path(path).name for path, _ in inspected.unreadable} == {f"{number}.tif" for number in range(30)}
    assert inspected.ranges == (("float", 0, 1),)


def test_the_stored_range_is_that_of_prediction_whatever_is_predicted(tmp_path: Path) -> None:
    inputs = InputSpec(1, 12, 16, (0.5,), (0.5,), values=(("uint16", 0, 4095),))
    assert InputSpec.from_json(inputs.to_json()) == inputs
    root = tree(tmp_path, {"a/x.png": TWELVE // 8})
    expected = np.round((TWELVE // 8) * (255 / 4095))
    for source in (root, root / "a/x.png", (root / "a/x.png").read_bytes(), TWELVE // 8):
        found = open_files(source, inputs).pictures.read(0)[..., 0]
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_without_a_range_16_bits_are_all_of_them_and_a_doubt_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path, {"x.png": TWELVE})
    inputs = InputSpec(1, 12, 16, (0.5,), (0.5,))
    dataset = open_files(root, inputs)
    assert dataset.pictures.read(0).max() == 16
    assert "--bits 12" in range_warnings(dataset, inputs.values)[0]
    assert range_warnings(dataset, range_from_options(12)) == []


def test_the_explorer_sees_what_the_model_sees(tmp_path: Path) -> None:
    inputs = InputSpec(1, 12, 16, (0.5,), (0.5,), values=(("uint16", 0, 4095),))
    shelf = PictureStore(
        open_files(tree(tmp_path, {"x.png": TWELVE}), InputSpec(3, 12, 16, (0.5,) * 3, (0.5,) * 3))
    )
    upload = shelf.opened((tmp_path / "x.png").read_bytes(), "upload")
    expected = np.round(TWELVE * (255 / 4095))
    for framed in (upload.model_input(inputs), shelf.picture("sample-1").model_input(inputs)):
        assert np.abs(framed.values[0].numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize("store", ["pixels", "files"])
def test_packed_pictures_are_the_same(store: Any, tmp_path: Path) -> None:
    root = tree(tmp_path / "data", {"a/x.png": TWELVE, "b/y.png": TWELVE // 2})
    pack(root, tmp_path / "packed", store=store)
    there = open_dataset(tmp_path / "packed").pictures
    expected = read(root)
    for row in range(2):
        assert np.array_equal(there.read(row)[..., 0], expected[Path(there.name(row)).name])


def test_kept_pictures_of_another_range_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tree(tmp_path / "data", {"a/x.png": TWELVE})
    for bits, most in ((12, 255), (16, 16), (12, 255)):
        held = preload(open_dataset(root, ranges=range_from_options(bits)), 0, shorter=8, size=(8, 8))
        assert abs(int(held.pictures.read(0).max()) - most) <= 12


def test_files_that_cannot_be_read_are_counted_by_suffix_and_an_emptied_class_is_named(
    tmp_path: Path,
) -> None:
    from kakera.data.images import kinds

    root = tree(tmp_path, {"a/x.png": TWELVE, "b/y.png": TWELVE, "a/note.txt": b"x", "c/z.cr2": b"II*\0"})
    (root / "c" / "w.CR2").write_bytes(b"II*\0")
    assert kinds.why_left(".cr2")
    inspected = inspect_dataset(root)
    assert isinstance(inspected, Inspection)
    lines = inspected.lines()
    assert f"not read: 2 .cr2 (a camera raw file): {root}/c/w.CR2, {root}/c/z.cr2" in lines
    assert f"not read: 1 .txt: {root}/a/note.txt" in lines
    assert "class without readable files: c" in lines
    assert list(inspected.classes) == ["a", "b"]


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".jfif", "JPEG"),
        (".jp2", "JPEG2000"),
        (".ppm", "PPM"),
        (".pgm", "PPM"),
        (".tga", "TGA"),
        (".avif", "AVIF"),
    ],
)
def test_what_pillow_can_open_is_found_in_folders(suffix: str, kind: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    image = Image.fromarray(values if suffix == ".pgm" else np.dstack([values] * 3))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"x{suffix}").write_bytes(encoded(image, kind))
    dataset = open_dataset(tmp_path)
    assert (len(dataset), dataset.classes, dataset.left_out) == (2, ("a", "b"), ())
    assert dataset.pictures.read(0).shape[:2] == (32, 32)
