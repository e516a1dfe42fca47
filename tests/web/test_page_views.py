"""What the explorer draws and where: lightness of maps, places of tiles, words, hidden patches."""

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
from selenium.webdriver.common.keys import Keys

from kakera import explain
from kakera.commands.explaining.image_figures import FigureInput, image_figures
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


def window(page: Page, width: int, height: int) -> None:
    page.protocol(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=width < 500,
    )


def box(page: Page, panel: str, column: int = 1) -> dict[str, float]:
    """Where the drawing of a panel is in the window: left, right, top, bottom, width, height."""
    return page.run("return arguments[0].getBoundingClientRect().toJSON()", page.canvas(panel, column))


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


# places


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
@pytest.mark.parametrize(("model", "last"), [("mae", "reconstruction"), ("classifier", "relevance")])
def test_four_equal_tiles_stand_in_one_row_above_the_fold(
    page: Page, width: int, height: int, model: str, last: str
) -> None:
    window(page, width, height)
    page.open(f"model={model}")
    tiles = [box(page, panel) for panel in ("picture", "attention", "similarity", last)]
    for tile in tiles:
        for side in ("top", "bottom", "width", "height"):
            assert tile[side] == pytest.approx(tiles[0][side], abs=0.5)
        assert tile["width"] == pytest.approx(tile["height"], abs=0.5)
    steps = np.diff([tile["left"] for tile in tiles])
    assert (steps > tiles[0]["width"]).all()
    assert np.ptp(steps) < 1
    assert tiles[0]["width"] > 0.2 * width
    assert tiles[0]["bottom"] < page.run(
        "return document.querySelector('footer').getBoundingClientRect().top"
    )
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_on_a_tablet_four_equal_tiles_stand_two_by_two(page: Page) -> None:
    window(page, 768, 1024)
    page.open()
    picture, attention, similarity, guess = (
        box(page, panel) for panel in ("picture", "attention", "similarity", "reconstruction")
    )
    assert {round(tile["width"]) for tile in (picture, attention, similarity, guess)} == {
        round(picture["height"])
    }
    assert (picture["top"], similarity["top"]) == (attention["top"], guess["top"])
    assert (picture["left"], attention["left"]) == (similarity["left"], guess["left"])
    assert picture["bottom"] < similarity["top"]


def test_two_models_stand_one_below_the_other_in_equal_tiles(page: Page) -> None:
    window(page, 1440, 900)
    page.open("model=mae&compare=classifier")
    views = ("picture", "attention", "similarity")
    upper, lower = ([box(page, panel, column) for panel in views] for column in (1, 2))
    for above, below in zip(upper, lower, strict=True):
        assert above["left"] == below["left"]
        assert (above["top"], below["top"]) == (upper[0]["top"], lower[0]["top"])
        assert above["width"] == below["width"]
        assert above["bottom"] < below["top"]


@pytest.mark.parametrize("panel", ["attention", "similarity", "reconstruction"])
def test_on_a_phone_the_picture_stays_in_sight_above_the_map(page: Page, panel: str) -> None:
    window(page, 390, 844)
    page.open()
    before = page.run("return scrollY")
    page.run("scrollTo(0, arguments[0].getBoundingClientRect().bottom + scrollY - 780)", page.canvas(panel))
    assert page.run("return scrollY") > before + 100
    picture, drawn = box(page, "picture"), box(page, panel)
    assert picture["top"] == 0
    assert picture["bottom"] <= drawn["top"]
    assert page.run("return document.elementFromPoint(195, 100) === arguments[0]", page.canvas("picture"))


def test_what_a_model_cannot_do_is_said_once_and_not_shown(page: Page) -> None:
    for model, hidden, said in (
        ("mae", ["Relevance", "Predictions"], "mae has no classes: no predictions, no relevance."),
        ("classifier", ["Reconstruction"], "classifier has no decoder: no reconstruction."),
    ):
        page.open(f"model={model}")
        assert [h.get_attribute("textContent") for h in page.find_all("h2") if not h.is_displayed()] == hidden
        assert page.control("absent").text == said
        assert page.find("main").text.count("has no ") == 1
    page.open("model=mae&compare=classifier")
    assert all(heading.is_displayed() for heading in page.find_all("h2"))


# words


def test_each_title_has_a_sentence_and_the_page_of_explain_has_the_same_words(page: Page, mae: Path) -> None:
    page.open("model=mae&compare=classifier")
    sentences = [part.text for part in page.find_all("section[aria-labelledby] > h2 + .how")]
    assert len(sentences) == len(page.find_all("h2")) == 6
    assert all(text.endswith(".") and "{" not in text for text in sentences)
    saved, seen = load_model(mae), numbers(mae)
    picture = torch.from_numpy(pictures().pictures.read(0)[..., 0].copy())[None]
    subject = FigureInput(saved, seen, picture, None, 0.0, -1, 25, 0)
    captions = " ".join(figure.caption for figure in image_figures(subject, np.arange(49)[None] > 9))
    for text in sentences[1:4]:
        assert text in captions


# hidden patches


def guess(mae: Path, hidden: NDArray[np.bool_]) -> explain.Reconstruction:
    saved, picture = load_model(mae), pictures().pictures.read(0)[..., 0]
    return explain.reconstruct(
        saved.model, saved.inputs, torch.from_numpy(picture.copy())[None], hidden[None]
    )


def said_errors(page: Page) -> list[str]:
    return [row.text for row in page.find_all('[data-panel="reconstruction"] .errors b')]


def test_the_error_stands_beside_that_of_the_mean_of_the_visible_patches(page: Page, mae: Path) -> None:
    page.open("hidden=10-49")
    hidden = np.arange(49) > 8
    patches = pictures().pictures.read(0)[..., 0].reshape(7, 4, 7, 4).swapaxes(1, 2).reshape(49, 16) / 255
    baseline = np.abs(patches[hidden] - patches[~hidden].mean(axis=0)).mean()
    error = guess(mae, hidden).mean_errors()[0]
    assert said_errors(page) == [f"{100 * value:#.3g} %" for value in (error, baseline)]
    bars = page.find_all('[data-panel="reconstruction"] .errors i')
    shares = [page.run("return arguments[0].style.getPropertyValue('--share')", bar) for bar in bars]
    assert float(shares[0]) / float(shares[1]) == pytest.approx(error / baseline, rel=1e-4)


def test_buttons_hide_all_show_all_and_invert(page: Page, mae: Path) -> None:
    page.open("hidden=1-9.20")
    page.click(page.control("invert"))
    assert page.chosen["hidden"] == "10-19.21-49"
    hidden = np.ones(49, np.bool_)
    hidden[[*range(9), 19]] = False
    assert said_errors(page)[0] == f"{100 * guess(mae, hidden).mean_errors()[0]:#.3g} %"
    page.click(page.control("hide-all"))
    assert page.chosen["hidden"] == "1-49"
    assert page.part("reconstruction", "note").startswith(
        "All 49 patches are hidden: the model sees nothing."
    )
    page.click(page.control("invert"))
    assert page.chosen.get("hidden", "") == ""
    assert page.part("reconstruction", "note").startswith("No patch is hidden: there is nothing to predict.")
    page.click(page.control("hide-all"))
    page.click(page.control("show-all"))
    assert page.part("reconstruction", "note").startswith("No patch is hidden")
    assert page.requests("/api/reconstruct") == 2  # the first mask, and its inverse


def test_keys_reach_the_buttons_of_the_mask(page: Page) -> None:
    page.run("arguments[0].focus()", page.control("draw-again"))
    page.keys(Keys.TAB, Keys.TAB, Keys.ENTER)
    assert page.chosen["hidden"] == "1-49"
