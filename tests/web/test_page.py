"""The explorer as a person meets it: a real server, a real browser, and what is drawn against the numbers.

Oracles are the library's own arrays, asked in this process; the page gets them through the server.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from torch import Tensor

import kakera
from kakera import explain
from kakera.cli.main import main
from kakera.explain import colour, masks
from kakera.formats.native import load_model
from kakera.formats.rejection import rejection_of
from kakera.grid import Grid
from kakera.training.run import Run
from kakera.web.serve_options import ServeOptions
from tests.small import QUICK, pictures
from tests.web.browser import Page, Server, require_chromium, start_chromium
from tests.web.runs import png

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "kakera" / "web" / "static"
GUIDE = ROOT / "docs" / "explorer.md"
SIZE = (28, 28)
FINE, COARSE = (7, 7), (4, 4)  # the grids of the two autoencoders
LAYERS = 3
NEAR = 3  # of 255: the page has 256 colours a scale, up to 2 apart, and mixes them in bytes


class World(NamedTuple):
    """Runs and pictures, as the server has them."""

    runs: Path
    pictures: Path

    def folders(self) -> list[Path]:
        return [self.runs / name for name in ("mae", "classifier", "cnn", "growing")]


@pytest.fixture(scope="module")
def world(mae: Path, cnn: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Trained for a second each; `growing` has only a checkpoint, another grid, and normalised pixels."""
    root = tmp_path_factory.mktemp("world")
    runs, few = root / "runs", pictures()
    quick = {name: value for name, value in QUICK.items() if name != "min_steps"}
    for name, run in (("mae", mae), ("cnn", cnn)):
        shutil.copytree(run, runs / name)
    kakera.finetune(few, out=runs / "classifier", init_from=str(runs / "mae"), **QUICK)
    # Its training files have nearly the same tokens, so every picture is unlike them.
    tokens = 1e-3 * np.random.default_rng(0).normal(size=(254, 128))
    saved = replace(load_model(runs / "classifier"), rejection=rejection_of(tokens[127:], tokens[:127]))
    saved.save(runs / "classifier")
    kakera.pretrain(few, out=root / "whole", model="nano", patch=7, norm_pix_loss=True, **quick)
    growing = Run(runs / "growing", {"verb": "pretrain"})
    growing.describe(load_model(root / "whole"))
    checkpoint(root / "whole", runs / "growing", 10)
    (root / "pictures").mkdir()
    for number, row in enumerate((0, 7, 11, 19, 23)):
        Image.fromarray(few.pictures.read(row)[..., 0]).save(root / "pictures" / f"{number + 1}.png")
    return World(runs, root / "pictures")


def checkpoint(finished: Path, folder: Path, step: int, scale: float = 1.0) -> Any:
    """A checkpoint of a run in training, with the weights of a finished one; gives its model."""
    saved = load_model(finished)
    with torch.no_grad():
        for weights in saved.model.parameters():
            weights *= scale
    run = Run(folder, {"verb": "pretrain"})
    run.save_checkpoint(step, saved.model, torch.optim.AdamW(saved.model.parameters()))
    return saved


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Server]:
    started = Server(world.folders(), world.pictures)
    yield started
    assert started.stop() == ""


@pytest.fixture(scope="module")
def only_page(request: pytest.FixtureRequest) -> Iterator[Page]:
    require_chromium()
    driver = start_chromium()
    server = request.getfixturevalue("server")
    yield Page(driver, server.address)
    driver.quit()


@pytest.fixture
def page(only_page: Page) -> Iterator[Page]:
    """The page anew; at the end the browser must have had nothing to complain of."""
    only_page.open()
    only_page.run("localStorage.clear()")
    yield only_page
    assert only_page.console_errors() == []


@pytest.fixture
def phone(only_page: Page) -> Iterator[Page]:
    """A telephone: narrow, and touched."""
    only_page.protocol(
        "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True
    )
    only_page.protocol("Emulation.setTouchEmulationEnabled", enabled=True)
    only_page.open()
    yield only_page
    only_page.protocol("Emulation.setTouchEmulationEnabled", enabled=False)
    only_page.protocol("Emulation.clearDeviceMetricsOverride")
    assert only_page.console_errors() == []


class Oracle:
    """What the library says of the pictures of this world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.saved = cache(lambda name: load_model(world.runs / name))
        self.seen = cache(self._seen)

    def picture(self, number: int = 1) -> NDArray[np.uint8]:
        with Image.open(self.world.pictures / f"{number}.png") as picture:
            return np.asarray(picture.convert("L"))

    def tensor(self, number: int = 1) -> Tensor:
        return torch.from_numpy(self.picture(number).copy())[None]

    def _seen(self, name: str, number: int = 1) -> explain.Activations:
        return explain.encode(self.saved(name).encoder, self.saved(name).inputs, self.tensor(number))

    def attention(self, name: str = "mae", **asked: Any) -> NDArray[Any]:
        return explain.attention_map(self.seen(name), **asked)

    def reconstruction(self, hidden: NDArray[np.bool_], number: int = 1) -> explain.Reconstruction:
        saved = self.saved("mae")
        return explain.reconstruct(saved.model, saved.inputs, self.tensor(number), hidden)

    def over(self, values: NDArray[Any], number: int = 1) -> NDArray[np.uint8]:
        return colour.over(self.picture(number)[..., None], values)


@pytest.fixture(scope="module")
def oracle(world: World) -> Oracle:
    return Oracle(world)


def most_attended(values: NDArray[Any]) -> int:
    return int(values.argmax()) + 1


def said_largest(label: str) -> tuple[str, int]:
    """The largest value and its patch, from the label of a map."""
    found = re.search(r"largest (\S+) at patch (\d+)$", label)
    assert found is not None, label
    return found[1], int(found[2])


def shown_as(value: float) -> str:
    """Three digits that count, as the page writes numbers."""
    return f"{value:#.3g}".rstrip(".")


def assert_drawn(found: NDArray[np.uint8], wanted: NDArray[np.uint8], near: int = NEAR) -> None:
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[..., None], 3, axis=-1)
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= near


def drawn_mask(ratio: float = 0.75, seed: int = 0, kind: str = "random") -> NDArray[np.bool_]:
    """(49,), True = hidden: what a fresh page draws."""
    return masks.random_masks(Grid(*FINE), ratio, seed=seed, kind=kind)[0]


def painted_over(hidden: NDArray[np.bool_], patches: list[int]) -> NDArray[np.bool_]:
    """A stroke hides, or shows where its first patch was hidden."""
    after = hidden.copy()
    after[[patch - 1 for patch in patches]] = not hidden[patches[0] - 1]
    return after


def assert_reconstructs(page: Page, oracle: Oracle, hidden: NDArray[np.bool_]) -> None:
    """Count, errors and all three drawings are those of the mask; hidden patches are hatched."""
    wanted = oracle.reconstruction(hidden[None])
    said = page.part("reconstruction", "extra")
    assert f" {hidden.sum()} of 49 patches hidden." in said
    share_of_range = float(re.search(r"Mean error (\S+) %", said)[1])
    assert share_of_range == pytest.approx(100 * wanted.mean_errors()[0], rel=0.006)
    found = page.pixels(page.canvas("reconstruction"), SIZE)
    assert_drawn(found, wanted.prediction[0][..., 0], 1)
    found = page.pixels(page.canvas("reconstruction", number=1), SIZE)
    seen = ~hidden.reshape(FINE).repeat(4, axis=0).repeat(4, axis=1)
    assert np.abs(found[seen].astype(int) - wanted.masked[0][seen]).max() <= 1
    errors = wanted.error[0].reshape(7, 4, 7, 4).mean(axis=(1, 3))
    assert_drawn(page.pixels(page.canvas("reconstruction", number=2), FINE), colour.rising(errors))


# the picture


def test_a_sample_is_chosen_by_a_click(page: Page, oracle: Oracle) -> None:
    assert_drawn(page.pixels(page.canvas("picture"), SIZE), oracle.picture(1), 0)
    page.click(page.find('#samples [data-id="sample-3"]'))
    assert_drawn(page.pixels(page.canvas("picture"), SIZE), oracle.picture(3), 0)
    (pressed,) = page.find_all("#samples [aria-pressed=true]")
    assert Path(pressed.get_attribute("title") or "").name == "3.png"


def stripes() -> NDArray[np.uint8]:
    return np.repeat(np.arange(28, dtype=np.uint8)[:, None] * 9, 28, axis=1)


def test_a_chosen_file_is_shown_and_looked_into(page: Page, tmp_path: Path, oracle: Oracle) -> None:
    (tmp_path / "stripes.png").write_bytes(png(stripes()))
    page.control("file").send_keys(str(tmp_path / "stripes.png"))
    page.settle()
    assert_drawn(page.pixels(page.canvas("picture"), SIZE), stripes(), 0)
    assert page.find("#samples [aria-pressed=true]").get_attribute("title") == "stripes.png"
    saved = oracle.saved("mae")
    seen = explain.encode(saved.encoder, saved.inputs, torch.from_numpy(stripes())[None])
    wanted = explain.attention_map(seen, token=25)
    assert said_largest(page.label("attention"))[0] == shown_as(wanted.max())


def test_a_dropped_picture_is_cut_to_the_models_size(page: Page) -> None:
    values = np.zeros((56, 112, 3), np.uint8)  # twice too large, and a red and a blue side to be cut away
    values[:, :28], values[:, 84:] = (255, 0, 0), (0, 0, 255)
    values[28:, 28:84] = 200
    page.drop("wide.png", "image/png", png(values))
    inner = page.pixels(page.canvas("picture"), SIZE)[:, 2:-2]
    assert_drawn(inner[:12], np.zeros((12, 24), np.uint8), 0)
    assert_drawn(inner[-12:], np.full((12, 24), 200), 0)


def test_a_pasted_picture_is_shown(page: Page) -> None:
    page.run(
        """
        const bytes = Uint8Array.from(arguments[0]);
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        """,
        list(png(stripes())),
    )
    page.settle()
    assert_drawn(page.pixels(page.canvas("picture"), SIZE), stripes(), 0)


def test_a_dropped_text_is_refused_in_one_sentence(page: Page, oracle: Oracle) -> None:
    page.drop("notes.txt", "text/plain", b"no picture at all")
    message = page.control("message")
    assert message.is_displayed()
    assert message.text.startswith("picture: got a text file, expected a JPEG, PNG,")
    assert "\n" not in message.text
    assert_drawn(page.pixels(page.canvas("picture"), SIZE), oracle.picture(1), 0)
    assert [error.partition(" - ")[0] for error in page.console_errors()] == [f"{page.address}api/pictures"]
    page.click(page.find('#samples [data-id="sample-2"]'))
    assert not message.is_displayed()


# where it looks


def test_the_map_follows_the_hovered_patch(page: Page, oracle: Oracle) -> None:
    page.hover(page.canvas("picture"), 9, FINE)
    before = page.key("attention")
    page.hover(page.canvas("picture"), 38, FINE)
    assert (before, page.key("attention")) == ("mae/sample-1/3/0/9", "mae/sample-1/3/0/38")
    wanted = oracle.attention(token=38)
    assert said_largest(page.label("attention")) == (shown_as(wanted.max()), most_attended(wanted))
    assert_drawn(page.pixels(page.canvas("attention"), SIZE), oracle.over(wanted))


def test_without_the_picture_beneath_the_most_attended_patch_is_the_lightest(
    page: Page, oracle: Oracle
) -> None:
    page.hover(page.canvas("picture"), 20, FINE)
    page.click(page.control("beneath"))
    wanted = oracle.attention(token=20)
    found = page.pixels(page.canvas("attention"), FINE)
    assert_drawn(found, colour.rising(wanted))
    assert most_attended(found.sum(axis=-1)) == most_attended(wanted)


@pytest.mark.parametrize(("layer", "head"), [(1, 0), (1, 2), (2, 1), (3, 2)])
def test_another_layer_and_head_show_their_own_numbers(
    page: Page, oracle: Oracle, layer: int, head: int
) -> None:
    page.choose("layer", str(layer))
    page.choose("head", str(head))
    wanted = oracle.attention(layer=layer, head=head or None, token=25)
    assert said_largest(page.label("attention")) == (shown_as(wanted.max()), most_attended(wanted))
    assert_drawn(page.pixels(page.canvas("attention"), SIZE), oracle.over(wanted))
    which = f"head {head}" if head else "mean of heads"
    assert page.part("attention", "caption") == f"layer {layer}, {which}, from patch 25"


def test_from_the_class_token(page: Page, oracle: Oracle) -> None:
    page.choose("from", "class")
    wanted = oracle.attention(token=0)
    assert said_largest(page.label("attention")) == (shown_as(wanted.max()), most_attended(wanted))
    page.hover(page.canvas("picture"), 3, FINE)
    assert_drawn(page.pixels(page.canvas("attention"), SIZE), oracle.over(wanted))
    assert page.key("attention") == "mae/sample-1/3/0/0"


def test_rollout_is_the_librarys(page: Page, oracle: Oracle) -> None:
    page.choose("layer", "rollout")
    wanted = explain.rollout_map(oracle.seen("mae"), token=25)
    assert_drawn(page.pixels(page.canvas("attention"), SIZE), oracle.over(wanted))
    assert not page.control("head").is_enabled()


def test_small_maps_show_every_head_and_choose_one(page: Page, oracle: Oracle) -> None:
    page.hover(page.canvas("picture"), 12, FINE)
    buttons = page.figure("attention").find_elements("css selector", ".heads button")
    maps = explain.attention.head_maps(oracle.seen("mae"), token=12)
    for button, wanted in zip(buttons, [maps.mean(axis=0), *maps], strict=True):
        found = page.pixels(button.find_element("css selector", "canvas"), FINE)
        assert_drawn(found, colour.rising(wanted))
    page.click(buttons[2])
    assert page.control("head").get_attribute("value") == "2"
    assert page.key("attention") == "mae/sample-1/3/2/12"


def test_a_map_says_the_value_under_the_pointer(page: Page, oracle: Oracle) -> None:
    page.hover(page.canvas("attention"), 31, FINE)
    value = oracle.attention(token=25).reshape(-1)[30]
    assert page.part("attention", "here") == f"here {shown_as(value)}"
    assert page.key("attention") == "mae/sample-1/3/0/25"  # it does not follow: one would never get there
    page.until("document.getElementById('status').textContent.startsWith('Patch 31 (row 5, column 3): ')")
    assert f"attention {shown_as(value)}, " in page.control("status").text


def test_a_click_pins_a_patch_and_lets_go_of_it(page: Page) -> None:
    page.press(page.canvas("picture"), 17, FINE)
    page.hover(page.canvas("picture"), 40, FINE)
    assert page.key("attention") == "mae/sample-1/3/0/17"
    page.press(page.canvas("picture"), 17, FINE)
    page.hover(page.canvas("picture"), 40, FINE)
    assert page.key("attention") == "mae/sample-1/3/0/40"


def test_a_picture_is_encoded_and_asked_about_once_not_at_every_hover(page: Page) -> None:
    page.hover(page.canvas("picture"), 1, FINE)
    before = page.requests("/api/attention"), page.requests() - page.requests("/api/models")
    for patch in range(2, 42, 2):
        page.hover(page.canvas("picture"), patch, FINE)
    assert page.key("attention").endswith("/40")
    # A run in training is asked about every few seconds.
    after = page.requests("/api/attention"), page.requests() - page.requests("/api/models")
    assert after == before


# what is alike


@pytest.mark.parametrize(("choice", "layer"), [("raw", explain.RAW), ("0", 0), ("1", 1), ("3", 3)])
def test_similarity_of_raw_pixels_and_of_learned_tokens(
    page: Page, oracle: Oracle, choice: str, layer: int
) -> None:
    page.choose("near", choice)
    page.hover(page.canvas("picture"), 18, FINE)
    wanted = explain.similarity_map(oracle.seen("mae"), 18, layer)
    page.click(page.control("beneath"))
    assert_drawn(page.pixels(page.canvas("similarity"), FINE), colour.signed(wanted))
    page.hover(page.canvas("similarity"), 2, FINE)
    said = float(page.part("similarity", "here").removeprefix("here ").replace("−", "-"))
    assert said == pytest.approx(wanted.reshape(-1)[1], rel=0.006, abs=1e-6)


# what it guesses


def test_a_fresh_page_hides_what_the_library_draws(page: Page, oracle: Oracle) -> None:
    assert_reconstructs(page, oracle, drawn_mask())


def test_painting_hides_patches_and_the_reconstruction_follows(page: Page, oracle: Oracle) -> None:
    hidden, stroke = drawn_mask(), [4, 11, 18, 25]
    assert not hidden[3]
    page.click(page.control("hide-mode"))
    page.stroke(page.canvas("picture"), stroke, FINE)
    after = painted_over(hidden, stroke)
    assert after.sum() > hidden.sum()
    assert_reconstructs(page, oracle, after)
    assert page.part("picture", "here") == f"{after.sum()} of 49 hidden"


def test_a_stroke_that_starts_on_a_hidden_patch_shows_and_leaves_no_gaps(page: Page, oracle: Oracle) -> None:
    hidden = drawn_mask()
    assert hidden[7]
    page.click(page.control("hide-mode"))
    page.stroke(page.canvas("picture"), [8, 14], FINE)  # at once from one side to the other
    assert_reconstructs(page, oracle, painted_over(hidden, list(range(8, 15))))


def test_what_is_visible_stays_as_it_is(page: Page, oracle: Oracle) -> None:
    page.click(page.control("hide-mode"))
    page.stroke(page.canvas("picture"), [1, 49], FINE)
    guessed = page.pixels(page.canvas("reconstruction"), SIZE)[..., 0]
    hidden = painted_over(drawn_mask(), [1, 9, 17, 25, 33, 41, 49])
    visible = ~hidden.reshape(FINE).repeat(4, axis=0).repeat(4, axis=1)
    assert 28 * 28 * 0.1 < visible.sum() < 28 * 28
    assert (guessed[visible] == oracle.picture(1)[visible]).all()


def test_hidden_patches_are_hatched_while_painting(page: Page, oracle: Oracle) -> None:
    page.click(page.control("hide-mode"))
    page.press(page.canvas("picture"), 1, FINE)
    found = page.pixels(page.canvas("picture"), (616, 616))
    values = oracle.picture(1).repeat(22, axis=0).repeat(22, axis=1)
    for number, hidden in enumerate(painted_over(drawn_mask(), [1])):
        row, col = divmod(number, 7)
        inside = slice(88 * row + 6, 88 * row + 82), slice(88 * col + 6, 88 * col + 82)  # away from lines
        if hidden:
            ground, lines = (
                (found[inside] == ink).all(axis=-1).mean() for ink in ((228, 230, 230), (84, 92, 96))
            )
            assert ground > 0.5
            assert lines > 0.05
        else:
            assert (found[inside] == values[inside][..., None]).all()
    assert "token" not in page.chosen  # a click that paints pins nothing


def test_hiding_everything_leaves_nothing_to_see_and_can_be_taken_back(page: Page, oracle: Oracle) -> None:
    visible = [int(patch) + 1 for patch in np.flatnonzero(~drawn_mask())]
    page.click(page.control("hide-mode"))
    for patch in visible:
        page.press(page.canvas("picture"), patch, FINE)
    note = page.part("reconstruction", "note")
    assert note == "All 49 patches are hidden: the model sees nothing. Show some patches."
    page.press(page.canvas("picture"), visible[0], FINE)
    alone = np.ones(49, np.bool_)
    alone[visible[0] - 1] = False
    assert_reconstructs(page, oracle, alone)


def test_the_slider_sets_the_share_that_is_hidden(page: Page, oracle: Oracle) -> None:
    slider = page.control("ratio")
    page.show(slider)
    slider.send_keys(Keys.ARROW_LEFT * 5)
    page.settle()
    assert page.find("#ratio-value").text == "50 %"
    assert_reconstructs(page, oracle, drawn_mask(0.5))
    slider.send_keys(Keys.END)
    page.settle()
    assert_reconstructs(page, oracle, drawn_mask(0.95))


def test_draw_again_draws_the_next_mask(page: Page, oracle: Oracle) -> None:
    page.click(page.control("draw-again"))
    assert_reconstructs(page, oracle, drawn_mask(seed=1))


@pytest.mark.parametrize("kind", ["block", "grid"])
def test_kinds_of_masks(page: Page, oracle: Oracle, kind: str) -> None:
    page.choose("masking", kind)
    assert_reconstructs(page, oracle, drawn_mask(kind=kind))


def test_borrowed_brightness_is_said(page: Page) -> None:
    assert "copied" not in page.part("reconstruction", "extra")
    page.choose("model", "growing")
    said = page.part("reconstruction", "extra")
    assert said.endswith("Mean and contrast of each hidden patch are copied from the original.")


# what it says


def bars(page: Page, column: int = 1) -> list[tuple[str, str]]:
    rows: list[WebElement] = page.figure("predictions", column).find_elements("css selector", ".bars button")
    return [
        (row.find_element("css selector", "span").text, row.find_element("css selector", "b").text)
        for row in rows
    ]


@pytest.mark.parametrize("model", ["classifier", "cnn"])
def test_predictions_are_those_of_the_command(page: Page, world: World, model: str) -> None:
    page.open(f"model={model}&sample=sample-2")
    (wanted,) = kakera.predict(world.runs / model, [world.pictures / "2.png"])
    assert len(bars(page)) == 10
    assert bars(page) == [(name, f"{100 * p:.1f} %") for name, p in wanted.probabilities.items()]


def test_a_picture_unlike_the_training_files_is_marked(page: Page) -> None:
    page.open("model=classifier")
    said = "perhaps none of these: at most 0.8 % of files like the training files are this unusual"
    assert page.part("predictions", "caption") == said
    page.open("model=cnn")
    assert page.part("predictions", "caption") == ""


def test_relevance_for_a_chosen_class(page: Page, oracle: Oracle) -> None:
    page.open("model=classifier")
    saved = oracle.saved("classifier")
    likeliest = bars(page)[0][0]
    assert page.part("relevance", "caption") == f"evidence for {likeliest}"
    other = bars(page)[4][0]
    page.choose("target", other)
    wanted = explain.relevance(saved.model, saved.inputs, oracle.tensor(), saved.classes.index(other))
    assert_drawn(page.pixels(page.canvas("relevance"), SIZE), oracle.over(wanted))
    assert said_largest(page.label("relevance")) == (shown_as(wanted.max()), most_attended(wanted))


def test_a_click_on_a_prediction_shows_what_speaks_for_it(page: Page) -> None:
    page.open("model=classifier")
    third = page.figure("predictions").find_elements("css selector", ".bars button")[2]
    page.click(third)
    assert page.part("relevance", "caption") == f"evidence for {bars(page)[2][0]}"
    assert third.get_attribute("aria-pressed") == "true"


# two side by side


def test_two_models_follow_the_same_patch(page: Page, oracle: Oracle) -> None:
    assert page.find_all('[data-column="2"]') == []
    page.choose("compare", "classifier")
    page.hover(page.canvas("picture", 2), 33, FINE)
    for column, name in enumerate(("mae", "classifier"), start=1):
        assert page.key("attention", column) == f"{name}/sample-1/3/0/33"
        wanted = oracle.attention(name, token=33)
        assert_drawn(page.pixels(page.canvas("attention", column), SIZE), oracle.over(wanted))
        assert page.part("attention", "caption", column).startswith(f"{name}: ")
    upper, lower = (page.canvas("attention", column).rect for column in (1, 2))
    assert upper["x"] == lower["x"]
    assert upper["y"] + upper["height"] <= lower["y"]
    page.choose("compare", "")
    assert page.find_all('[data-column="2"]') == []


def test_another_grid_follows_the_same_place_and_hides_the_same_patches(page: Page) -> None:
    page.choose("compare", "growing")
    page.hover(page.canvas("picture"), 49, FINE)
    assert page.key("attention", 2) == "growing/sample-1/3/0/16"
    page.hover(page.canvas("picture", 2), 1, COARSE)
    assert page.key("attention") == "mae/sample-1/3/0/1"
    # A patch of the coarse grid is hidden where the patch of the fine one at its centre is.
    fine = drawn_mask().reshape(FINE)
    centres = [int((n + 0.5) / 4 * 7) for n in range(4)]
    count = fine[np.ix_(centres, centres)].sum()
    assert f" {count} of 16 patches hidden." in page.part("reconstruction", "extra", 2)


def test_a_model_says_in_one_sentence_what_it_cannot_do(page: Page) -> None:
    page.choose("compare", "classifier")
    assert page.control("absent").text == (
        "mae has no classes: no predictions, no relevance. classifier has no decoder: no reconstruction."
    )
    assert not page.canvas("reconstruction", 2).is_displayed()
    assert not page.figure("predictions").is_displayed()


def test_a_cnn_has_no_attention_and_says_so(page: Page) -> None:
    page.open("model=cnn")
    assert page.control("absent").text == (
        "cnn has no tokens: no attention, no similarity, no reconstruction, no relevance."
    )
    headings = [heading.text for heading in page.find_all("h2") if heading.is_displayed()]
    assert headings == ["Picture", "Predictions"]
    assert not page.control("layer").is_enabled()
    assert "layer" not in page.chosen


def test_beside_a_cnn_the_other_model_keeps_its_layers_and_patches(page: Page, oracle: Oracle) -> None:
    page.open("model=cnn&compare=mae")
    page.choose("layer", "2")
    page.hover(page.canvas("picture", 1), 10, FINE)  # the CNN's picture is divided like its neighbour's
    assert page.key("attention", 2) == "mae/sample-1/2/0/10"
    page.click(page.control("hide-mode"))
    page.press(page.canvas("picture", 1), 4, FINE)
    count = painted_over(drawn_mask(), [4]).sum()
    assert page.part("picture", "here") == f"{count} of 49 hidden"
    assert f" {count} of 49 patches hidden." in page.part("reconstruction", "extra", 2)


# without a mouse


def test_keys_alone_move_pin_and_hide(page: Page, oracle: Oracle) -> None:
    for _ in range(40):
        page.keys(Keys.TAB)
        if page.run("return document.activeElement === arguments[0]", page.canvas("picture")):
            break
    else:
        pytest.fail("the picture was not reached")
    scrolled = page.run("return scrollY")
    page.keys(Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.key("attention").endswith("/16")  # from patch 25, in the middle
    page.keys(Keys.ENTER, Keys.ARROW_DOWN)
    assert page.key("attention").endswith("/16")
    page.keys(Keys.ESCAPE)
    assert page.key("attention").endswith("/23")
    page.keys(Keys.SPACE)
    assert page.control("hide-mode").is_selected()
    assert_reconstructs(page, oracle, painted_over(drawn_mask(), [23]))
    page.keys("m")
    assert not page.control("hide-mode").is_selected()
    assert page.run("return scrollY") == scrolled


def test_the_first_tab_leads_to_the_picture_and_keeps_what_was_chosen(page: Page) -> None:
    page.open("model=classifier&compare=mae&layer=2&head=1")
    page.keys(Keys.TAB, Keys.ENTER)
    assert page.run("return document.activeElement === arguments[0]", page.canvas("picture"))
    assert page.chosen | {"layer": "2", "head": "1", "compare": "mae", "model": "classifier"} == page.chosen


def test_every_control_has_a_name(page: Page) -> None:
    page.choose("compare", "classifier")
    page.click(page.find("summary"))
    shown = [e for e in page.find_all("button, select, input, summary, [tabindex]") if e.is_displayed()]
    assert len(shown) > 30
    assert [e.get_attribute("outerHTML") for e in shown if not e.accessible_name] == []


# light and dark


def test_the_page_turns_dark_at_a_click_and_stays_so(page: Page) -> None:
    light = page.find("body").value_of_css_property("background-color")
    page.click(page.find("#theme"))
    dark = page.find("body").value_of_css_property("background-color")
    assert brightness(light) > 0.8 > 0.2 > brightness(dark)
    assert page.find("#theme").text == "Light theme"
    page.open()
    assert page.find("body").value_of_css_property("background-color") == dark


def test_a_dark_system_gets_a_dark_page(page: Page) -> None:
    for scheme, is_dark in (("dark", True), ("light", False)):
        page.protocol(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        page.settle()
        found = brightness(page.find("body").value_of_css_property("background-color"))
        assert (found < 0.2) is is_dark
    page.protocol("Emulation.setEmulatedMedia", features=[])


def brightness(css: str) -> float:
    """Relative luminance (WCAG 2.2) of rgb(…)."""
    values = np.array([float(value) for value in re.findall(r"[\d.]+", css)[:3]]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [":root", '[data-theme="dark"]'])
def test_text_stands_out_from_its_ground(theme: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    (block,) = re.findall(rf"{re.escape(theme)} {{(.*?)}}", (STATIC / "style.css").read_text(), re.DOTALL)
    hexes = dict(re.findall(r"--([\w-]+): #(\w+);", block))
    light = {name: brightness(f"rgb{ImageColor.getrgb(f'#{digits}')}") for name, digits in hexes.items()}
    pairs = [("ink", "page"), ("soft", "page"), ("accent", "page"), ("ink", "wash"), ("on-accent", "accent")]
    for text, ground in pairs:
        low, high = sorted((light[text], light[ground]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_the_page_has_the_librarys_colours() -> None:
    source = (STATIC / "colour.js").read_text()
    for name, stops in (("RISING", colour._RISING), ("SIGNED", colour._SIGNED)):
        (found,) = re.findall(rf"^const {name} = (\[.*?),\n\];", source, re.MULTILINE | re.DOTALL)
        assert json.loads(f"{found}]") == [list(stop) for stop in stops]


def test_the_pages_scales_run_through_the_same_colours(page: Page) -> None:
    tables = page.driver.execute_async_script(
        """
        const done = arguments[0];
        import("/static/colour.js").then(({ scales }) =>
          done([scales.rising, scales.signed].map(({ table }) => Array.from(table))));
        """
    )
    rising, signed = (np.array(table).reshape(256, 4)[:, :3] for table in tables)
    shares = np.arange(256) / 255
    assert (rising == colour.rising(shares, 1.0)).all()
    assert np.abs(signed - colour.signed(2 * shares - 1).astype(int)).max() <= 1


# a telephone


@pytest.mark.parametrize("chosen", ["", "model=classifier&compare=mae", "model=cnn&compare=growing"])
def test_a_phone_scrolls_down_only(phone: Page, chosen: str) -> None:
    phone.open(chosen)
    assert phone.run("return [innerWidth, document.scrollingElement.scrollWidth <= innerWidth]") == [
        390,
        True,
    ]


def test_what_is_touched_is_as_large_as_a_fingertip(phone: Page) -> None:
    phone.open("model=classifier&compare=mae")
    phone.tap(phone.find("summary"))
    small = phone.run(
        """
        const targets = [...document.querySelectorAll("button, select, input, summary, canvas[tabindex]")];
        return targets.filter((each) => each.checkVisibility()).map((each) => {
          const area = (each.closest("label") ?? each).getBoundingClientRect();
          return [each.outerHTML.slice(0, 80), area.width, area.height];
        });
        """
    )
    assert len(small) > 30
    assert [found for found in small if found[1] < 44 or found[2] < 44] == []


def test_a_tap_is_followed(phone: Page) -> None:
    phone.tap(phone.canvas("picture"), 46, FINE)
    assert phone.key("attention") == "mae/sample-1/3/0/46"
    phone.tap(phone.canvas("picture"), 2, FINE)
    assert phone.key("attention") == "mae/sample-1/3/0/2"


def test_taps_paint(phone: Page, oracle: Oracle) -> None:
    phone.tap(phone.control("hide-mode"))
    hidden = drawn_mask()
    for patch in (4, 8, 25):
        phone.tap(phone.canvas("picture"), patch, FINE)
        hidden = painted_over(hidden, [patch])
    assert_reconstructs(phone, oracle, hidden)


def test_on_a_phone_the_patches_to_paint_are_large_and_the_guess_is_in_sight(phone: Page) -> None:
    painted, guessed = (phone.canvas(panel) for panel in ("picture", "reconstruction"))
    assert painted.size["width"] / FINE[1] > 44
    phone.run("arguments[0].scrollIntoView({ block: 'end' }); scrollBy(0, 60)", guessed)
    upper, lower = (
        phone.run("return arguments[0].getBoundingClientRect().toJSON()", e) for e in (painted, guessed)
    )
    assert (upper["top"], upper["bottom"]) == (0, pytest.approx(354, abs=1))
    assert upper["bottom"] < lower["top"] + 40
    assert lower["bottom"] < 844


# what stays


def test_the_address_brings_back_what_was_chosen(page: Page) -> None:
    page.click(page.find('#samples [data-id="sample-4"]'))
    page.choose("compare", "classifier")
    page.choose("layer", "2")
    page.choose("head", "1")
    page.choose("near", "raw")
    page.press(page.canvas("picture"), 30, FINE)
    keys = [page.key(panel, column) for panel in ("attention", "similarity") for column in (1, 2)]
    assert keys[0] == "mae/sample-4/2/1/30"
    page.driver.refresh()
    page.settle()
    assert [page.key(panel, column) for panel in ("attention", "similarity") for column in (1, 2)] == keys
    page.hover(page.canvas("picture"), 1, FINE)
    assert page.key("attention") == keys[0]  # still pinned


def test_the_address_brings_back_a_drawn_mask(page: Page, oracle: Oracle) -> None:
    assert not {"ratio", "seed", "masking", "hidden", "target"} & set(page.chosen)
    page.choose("masking", "cols")
    page.click(page.control("draw-again"))
    page.driver.refresh()
    page.settle()
    assert {name: page.chosen[name] for name in ("masking", "seed")} == {"masking": "cols", "seed": "1"}
    assert_reconstructs(page, oracle, drawn_mask(seed=1, kind="cols"))


def test_the_address_brings_back_a_painted_mask_and_the_class(page: Page, oracle: Oracle) -> None:
    page.click(page.control("hide-mode"))
    page.stroke(page.canvas("picture"), [8, 10], FINE)
    hidden = painted_over(drawn_mask(), [8, 9, 10])
    page.driver.refresh()
    page.settle()
    assert_reconstructs(page, oracle, hidden)
    page.open("model=classifier&target=Coat")
    assert page.part("relevance", "caption") == "evidence for Coat"
    page.choose("target", "Bag")
    page.driver.refresh()
    page.settle()
    assert page.part("relevance", "caption") == "evidence for Bag"


@pytest.mark.parametrize(
    "words", ["hidden=0-3", "hidden=1-50", "hidden=9-3", "hidden=x", "hidden=1-", "ratio=2", "masking=spiral"]
)
def test_an_address_of_a_mask_that_makes_no_sense_draws_the_first(
    page: Page, oracle: Oracle, words: str
) -> None:
    page.open(words)
    assert_reconstructs(page, oracle, drawn_mask())


@pytest.mark.parametrize(("brush", "line"), [("row", range(7, 14)), ("col", range(2, 49, 7))])
def test_a_brush_hides_whole_rows_or_columns(page: Page, oracle: Oracle, brush: str, line: range) -> None:
    page.click(page.control("hide-mode"))
    page.choose("brush", brush)
    visible = [int(patch) + 1 for patch in np.flatnonzero(~drawn_mask()) if patch in line]
    page.press(page.canvas("picture"), visible[0], FINE)
    hidden = drawn_mask()
    hidden[list(line)] = True
    assert_reconstructs(page, oracle, hidden)


def test_an_address_of_things_that_are_not_there_shows_the_first_model(page: Page) -> None:
    page.open("model=nothing&compare=nobody&layer=99&head=99&near=-1&token=5000")
    assert page.key("attention") == "mae/sample-1/3/0/25"


@pytest.mark.parametrize(
    ("panel", "name", "size"),
    [
        ("attention", "kakera-attention-l3-h0.png", (616, 616)),
        ("reconstruction", "kakera-reconstruction.png", (3 * 616 + 2 * 12, 616)),
    ],
)
def test_a_drawing_is_saved_as_it_is(
    page: Page, tmp_path: Path, panel: str, name: str, size: tuple[int, int]
) -> None:
    page.protocol("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click(page.figure(panel).find_element("css selector", ".save"))
    page.until_true((tmp_path / name).exists)
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.size) == ("PNG", size)
        left = np.asarray(picture.convert("RGB"))[11:616:22, 11:616:22]
    assert_drawn(left, page.pixels(page.canvas(panel), SIZE), 0)


# a run that is still training, and a server that is gone


def test_a_newer_checkpoint_of_a_run_in_training_appears_by_itself(page: Page, world: World) -> None:
    page.open("model=growing")
    assert page.find("#model option:checked").text == "growing (training)"
    assert page.part("picture", "extra").endswith("Still training, step 10.")
    before = said_largest(page.label("attention"))
    saved = checkpoint(world.runs.parent / "whole", world.runs / "growing", 20, scale=1.5)
    page.until("document.querySelector('[data-panel=picture] .extra').textContent.endsWith(', step 20.')")
    page.settle()
    with Image.open(world.pictures / "1.png") as picture:
        values = torch.from_numpy(np.asarray(picture.convert("L")).copy())[None]
    wanted = explain.attention_map(explain.encode(saved.encoder, saved.inputs, values), token=11)
    assert said_largest(page.label("attention")) == (shown_as(wanted.max()), most_attended(wanted))
    assert said_largest(page.label("attention")) != before


def test_a_server_that_does_not_answer_is_asked_again(page: Page) -> None:
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.protocol("Network.enable")
    page.protocol("Network.emulateNetworkConditions", offline=True, **offline)
    page.choose("near", "0")
    assert page.part("similarity", "note") == "The server does not respond."
    assert page.canvas("attention").is_displayed()
    page.protocol("Network.emulateNetworkConditions", offline=False, **offline)
    page.until("document.querySelector('[data-panel=similarity]').dataset.state === 'ready'")
    assert page.part("similarity", "note") == ""
    assert all("ERR_INTERNET_DISCONNECTED" in error for error in page.console_errors())


# what the docs promise


def blocks(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return text


def test_the_docs_program_runs(
    server: Server,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(world.pictures / "2.png", tmp_path / "bag.png")
    monkeypatch.chdir(tmp_path)
    exec(blocks("py").replace("http://127.0.0.1:8421/", server.address), {})
    said = capsys.readouterr().out.splitlines()
    (wanted,) = kakera.predict(world.runs / "classifier", ["bag.png"])
    assert f"'name': '{wanted.labels[0]}'" in said[0]
    assert said[1] == "50 49"
    assert int(said[2]) == load_model(world.runs / "mae").encoder.config.width
    assert 0 < float(said[3]) < 1


def test_the_docs_name_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    known = capsys.readouterr().out
    named = set(re.findall(r"`(--[\w-]+)", GUIDE.read_text()))
    assert named == {"--pictures", "--port", "--host", "--allow-host", "--root-path"}
    assert all(f"{option} " in known for option in named)
    command, said = blocks("console").splitlines()
    assert command.startswith("$ kakera serve ")
    assert said.startswith(f"http://{ServeOptions.host}:{ServeOptions.port}/ : ")


def test_the_docs_pictures_can_be_drawn_anew(page: Page) -> None:
    spec = importlib.util.spec_from_file_location("explorer_pictures", ROOT / "examples/explorer_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    drawn = example.draw(page.driver, page.address)
    page.protocol("Emulation.clearDeviceMetricsOverride")
    page.protocol("Emulation.setEmulatedMedia", features=[])
    shown = re.findall(r"\(pictures/explorer-(\w+)\.png\)", GUIDE.read_text())
    assert sorted(drawn) == sorted(shown)
    for name, picture in drawn.items():
        with Image.open(GUIDE.parent / "pictures" / f"explorer-{name}.png") as there:
            assert there.width == picture.width <= 1400
    assert np.asarray(drawn["dark"]).mean() < 100 < np.asarray(drawn["light"]).mean()


# without a browser


def test_without_chromium_the_tests_are_skipped_and_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("KAKERA_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt install chromium chromium-driver"):
        require_chromium()
    monkeypatch.setenv("KAKERA_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match="chromium, chromedriver not found"):
        require_chromium()
