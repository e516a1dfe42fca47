"""What the explorer's page draws and where: lightness of the maps, places of the tiles, words, hidden patches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from kakera import explain
from kakera.formats.native import load_model, save_model
from tests.explain.test_colour import lightness
from tests.small import pictures
from tests.web.browser import Page, Server, require_chromium, start_chromium
from tests.web.runs import classifier, cnn

pytestmark = pytest.mark.slow

GRID = (7, 7)
# The distinct colours of a canvas, as numbers.
COLOURS = """
const { width, height } = arguments[0];
const { data } = arguments[0].getContext("2d").getImageData(0, 0, width, height);
const found = new Set();
for (let i = 0; i < data.length; i += 4) found.add((data[i] << 16) + (data[i + 1] << 8) + data[i + 2]);
return [...found];
"""


@pytest.fixture(scope="module")
def only_page(mae: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    require_chromium()
    root, few = tmp_path_factory.mktemp("views"), pictures()
    save_model(root / "classifier", classifier())
    save_model(root / "cnn", cnn())
    (root / "pictures").mkdir()
    for number, row in enumerate((0, 7)):
        Image.fromarray(few.pictures.read(row)[..., 0]).save(root / "pictures" / f"{number + 1}.png")
    (root / "mae").symlink_to(mae)
    server = Server([root / name for name in ("mae", "classifier", "cnn")], root / "pictures")
    driver = start_chromium()
    yield Page(driver, server.address)
    driver.quit()
    assert server.stop() == ""


@pytest.fixture
def page(only_page: Page) -> Iterator[Page]:
    only_page.open()
    yield only_page
    only_page.protocol("Emulation.clearDeviceMetricsOverride")
    only_page.protocol("Emulation.setEmulatedMedia", features=[])
    assert only_page.console_errors() == []


def theme(page: Page, name: str) -> None:
    page.protocol("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])


def cell_lightness(page: Page, panel: str) -> NDArray[Any]:
    """(49,): the mean L* of all drawn pixels of each cell."""
    side = 616
    found = lightness(page.pixels(page.canvas(panel), (side, side)))
    return found.reshape(7, side // 7, 7, side // 7).mean(axis=(1, 3)).ravel()


def numbers(mae: Path) -> explain.Activations:
    saved, picture = load_model(mae), pictures().pictures.read(0)[..., 0]
    return explain.encode(saved.encoder, saved.inputs, torch.from_numpy(picture.copy())[None])


# lightness


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("beneath", [True, False])
def test_lightness_of_a_cell_ranks_like_its_value_with_and_without_the_picture(
    page: Page, mae: Path, scheme: str, beneath: bool
) -> None:
    theme(page, scheme)
    seen = numbers(mae)
    if not beneath:
        page.click(page.control("beneath"))
    for layer, head, patch in ((3, 0, 25), (1, 1, 4), (2, 2, 11)):
        page.choose("layer", str(layer))
        page.choose("head", str(head))
        page.choose("near", str(layer))
        page.hover(page.canvas("picture"), patch, GRID)
        wanted = {
            "attention": explain.attention_map(seen, layer=layer, head=head or None, token=patch),
            "similarity": explain.similarity_map(seen, patch, layer),
        }
        for panel, values in wanted.items():
            rank = spearmanr(values.ravel(), cell_lightness(page, panel)).statistic
            assert rank >= 0.99, (panel, layer, head, patch)


def test_the_picture_is_seen_inside_the_cells_of_a_map(page: Page) -> None:
    with_picture = page.pixels(page.canvas("attention"), (28, 28))
    page.click(page.control("beneath"))
    without = page.pixels(page.canvas("attention"), (28, 28))
    changed = np.abs(lightness(with_picture) - lightness(without)) > 2
    assert changed.mean() > 0.1


@pytest.mark.parametrize("panel", ["attention", "similarity", "reconstruction", "relevance"])
def test_every_drawn_colour_is_in_the_legend(page: Page, panel: str) -> None:
    if panel == "relevance":
        page.open("model=classifier")
    number = 2 if panel == "reconstruction" else 0
    drawn = set(page.run(COLOURS, page.canvas(panel, number=number)))
    legend = set(page.run(COLOURS, page.figure(panel).find_element("css selector", ".legend canvas")))
    assert len(drawn) > 5
    assert drawn <= legend


def test_frames_lie_above_the_drawing_and_are_saved_with_it(page: Page, tmp_path: Path) -> None:
    page.protocol("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.press(page.canvas("picture"), 25, GRID)
    page.click(page.figure("similarity").find_element("css selector", ".save"))
    page.until_true((tmp_path / "kakera-similarity-l3.png").exists)
    with Image.open(tmp_path / "kakera-similarity-l3.png") as picture:
        saved = np.asarray(picture.convert("RGB"))
    left, middle = 3 * 88 + 1, 3 * 88 + 44  # the black edge of the frame of patch 25
    assert saved[middle, left].tolist() == [0, 0, 0]
    assert page.pixels(page.canvas("similarity"), (616, 616))[middle, left].tolist() != [0, 0, 0]
