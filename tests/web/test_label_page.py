"""The page of `kakera label` as a person meets it: keys, map, undo, narrow and dark windows."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from selenium.webdriver import ActionChains, Keys

from kakera.data.sources.open import open_dataset
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from tests.warm import Process
from tests.web.browser import Page, require_chromium, start_chromium

pytestmark = pytest.mark.slow

CLASSES = ("Trouser", "Bag", "Ankle boot")
CALM = "document.querySelector('#stage[aria-busy=false][data-file]')"


class Labelled:
    """A server with 90 of the demo's pictures, and its page."""

    def __init__(self, root: Path) -> None:
        demo = open_dataset("demo")
        assert demo.labels is not None
        (root / "pictures").mkdir()
        self.out, self.truth = root / "labels.csv", dict[str, str]()
        for name in CLASSES:
            for row in np.flatnonzero(demo.labels == demo.classes.index(name))[:30].tolist():
                Image.fromarray(demo.pictures.read(row)[..., 0]).save(root / "pictures" / f"{row}.png")
                self.truth[f"{row}.png"] = name
        inputs = InputSpec(1, 28, 28, (0.3,), (0.35,))
        Pretrained(ViT("nano", channels=1, image_size=28, seed=0), inputs).save(root / "encoder")
        words = [
            "label",
            root / "pictures",
            "--init-from",
            root / "encoder",
            "--out",
            self.out,
            "--port",
            "0",
        ]
        self.process = Process(*map(str, [*words, "--classes", ",".join(CLASSES)]))
        while not (line := self.process.readline()).startswith("http"):
            assert line, self.process.communicate(timeout=60)
        self.page = Page(start_chromium(), line.split()[0])

    def open(self) -> None:
        self.page.driver.get(self.page.address)
        self.calm()

    def calm(self) -> None:
        self.page.until(CALM)

    def text(self, name: str) -> str:
        return self.page.control(name).text

    def shown(self) -> str:
        return self.text("name")

    def press(self, key: str) -> None:
        """A key; waits until another file is shown, or the answer has been drawn."""
        before = self.text("labelled"), self.shown()
        ActionChains(self.page.driver).send_keys(key).perform()
        self.page.until_true(lambda: (self.text("labelled"), self.shown()) != before)
        self.calm()

    def table(self) -> dict[str, str]:
        with self.out.open(newline="") as file:
            return {Path(row["file"]).name: row["label"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labelled]:
    require_chromium()
    made = Labelled(tmp_path_factory.mktemp("label"))
    yield made
    made.page.driver.quit()
    made.process.kill()


def test_fifty_files_are_labelled_by_key(world: Labelled) -> None:
    world.open()
    done = dict[str, str]()
    for _ in range(50):
        name = world.shown()
        done[name] = world.truth[name]
        world.press(str(CLASSES.index(world.truth[name]) + 1))
    assert world.table() == done  # as each click was answered
    assert len(done) == 50
    assert world.text("labelled").startswith("50 of 90")
    assert "random files" in world.text("accuracy")
    assert world.page.console_errors() == []


def test_a_page_that_is_closed_and_opened_again_goes_on(world: Labelled) -> None:
    world.open()
    name = world.shown()
    world.open()
    assert (world.shown(), world.text("labelled")[:8]) == (name, "50 of 90")


def test_undo_skip_and_a_new_class_by_key(world: Labelled) -> None:
    world.open()
    first = world.shown()
    world.press("x")
    assert world.table()[first] == ""
    world.press("u")
    assert first not in world.table()
    assert world.shown() == first
    ActionChains(world.page.driver).send_keys("n").perform()
    ActionChains(world.page.driver).send_keys("Odd one", Keys.ENTER).perform()
    world.page.until_true(lambda: world.table().get(first) == "Odd one")
    world.calm()
    assert [each.text.split("\n")[0] for each in world.page.find_all("[data-testid=class]")][-1] == "Odd one"
    world.press("u")
    assert first not in world.table()


def test_a_key_for_a_picture_that_is_not_shown_yet_does_nothing(world: Labelled) -> None:
    world.open()
    before = len(world.table())
    ActionChains(world.page.driver).send_keys("111").perform()
    world.page.until_true(lambda: len(world.table()) > before)
    world.calm()
    assert len(world.table()) == before + 1
    world.press("u")


def test_the_arrows_go_back_to_labelled_files(world: Labelled) -> None:
    world.open()
    name, follows = world.shown(), ""
    world.press("1")
    follows = world.shown()
    world.press(Keys.ARROW_LEFT)
    assert world.shown() == name
    assert "labelled Trouser" in world.text("told")
    world.press("2")
    assert world.table()[name] == "Bag"
    assert world.shown() == follows
    world.press("u")
    world.press("u")


def test_a_click_on_the_map_shows_the_file_and_a_rectangle_selects_many(world: Labelled) -> None:
    world.open()
    page, canvas = world.page, world.page.control("map")
    page.show(canvas)
    places = page.run("return fetch('api/map').then((answer) => answer.json())")
    width, height = canvas.size["width"], canvas.size["height"]

    def at(file: int) -> tuple[int, int]:
        across, down = (places["x"][file] + 1) / 2, (1 - places["y"][file]) / 2
        return round((0.04 + 0.92 * across - 0.5) * width), round((0.04 + 0.92 * down - 0.5) * height)

    far = int(np.argmax(places["x"]))
    ActionChains(page.driver).move_to_element_with_offset(canvas, *at(far)).click().perform()
    page.until(f"document.querySelector('#stage').dataset.file === '{far}'")
    chain = ActionChains(page.driver, duration=0)
    chain.move_to_element_with_offset(canvas, -width // 2 + 4, -height // 2 + 4).click_and_hold()
    chain.move_to_element_with_offset(canvas, width // 2 - 4, height // 2 - 4).release().perform()
    page.until_true(lambda: world.shown() == "90 selected files")
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    page.until_true(lambda: "selected" not in world.shown())
    for way in ("predicted", "suspicion", "part", "label"):
        page.run(
            "const s = arguments[0]; s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
            page.control("colours"),
            way,
        )
        page.until(f"document.querySelector('#map').dataset.drawn === '{way} 90'")
    assert page.console_errors() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_page_fits_and_its_text_has_contrast(world: Labelled, theme: str, width: int) -> None:
    world.open()
    page = world.page
    page.protocol(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=844,
        deviceScaleFactor=1,
        mobile=width == 390,
    )
    page.run("document.documentElement.dataset.theme = arguments[0]", theme)
    world.calm()
    assert page.run("return document.documentElement.scrollWidth") <= width
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    for selector in ("h1 small", ".figures dt", ".figures dd", ".classes b", ".hint", "#legend button"):
        ink = page.run("return getComputedStyle(document.querySelector(arguments[0])).color", selector)
        assert contrast(ink, ground) >= 4.5, selector
    small = page.run(
        "return [...document.querySelectorAll('button, select, input')].filter((e) => e.offsetParent && "
        "e.getBoundingClientRect().height < 44).map((e) => e.id || e.textContent)"
    )
    assert small == []
    unnamed = page.run(
        "return [...document.querySelectorAll('button, canvas, select, input, img, audio')].filter((e) => !("
        "e.textContent.trim() || e.getAttribute('aria-label') || e.alt || e.labels?.length)).map((e) => e.id)"
    )
    assert unnamed == []
    page.protocol("Emulation.clearDeviceMetricsOverride")


def contrast(ink: str, ground: str) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        values = np.array(ImageColor.getrgb(colour.replace("rgba", "rgb")[:])[:3]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
