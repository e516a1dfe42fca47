"""Chromium without a window, the explorer as `kakera serve` starts it, and its page as a person uses it."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.warm import Process

PROGRAMS = ("chromium", "chromedriver")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
WIDTH, HEIGHT = 1400, 1000
PATIENCE = 60.0  # seconds: a busy machine is slow, not wrong

# Ends when, for three frames in a row, nothing is awaited.
SETTLED = """
const done = arguments[arguments.length - 1];
const waiting = 'figure[data-state="waiting"], #samples[aria-busy], .heads[aria-busy="true"]';
const busy = () => document.querySelector(waiting) || !document.querySelector("figure[data-state]");
let calm = 0;
const look = () => {
  calm = busy() ? 0 : calm + 1;
  if (calm > 2) done(); else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# A file as the browser hands it over after a drag from a folder.
DROP = """
const [name, type, content] = arguments;
const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([bytes], name, { type }));
for (const kind of ["dragenter", "dragover", "drop"])
  document.querySelector("main").dispatchEvent(
    new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
"""


def require_chromium() -> None:
    """Skips the test where Chromium is not installed; fails it where the browser is said to be required."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not missing:
        return
    reason = f"{', '.join(missing)} not found: apt install chromium chromium-driver"
    if os.environ.get("KAKERA_BROWSER") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def start_chromium() -> Chrome:
    """A browser that keeps what the page writes to its console."""
    options = ChromeOptions()
    options.binary_location = shutil.which(PROGRAMS[0]) or ""
    for flag in (*FLAGS, f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, ChromeService(shutil.which(PROGRAMS[1])))
    driver.set_script_timeout(PATIENCE)
    driver.set_page_load_timeout(PATIENCE)
    return driver


class Server:
    """`kakera serve` in a process of its own, on a free port."""

    def __init__(self, runs: Sequence[Path], pictures: Path) -> None:
        words = ["serve", *map(str, runs), "--pictures", str(pictures), "--port", "0"]
        self.process = Process(*words)
        said = self.process.readline()
        assert said.startswith("http://"), self.stop()
        self.address = said.split()[0]

    def stop(self) -> str:
        """Ctrl-C, as it were; what the server complained of."""
        self.process.terminate()
        return self.process.communicate(timeout=PATIENCE)[1]


class Page:
    """The page of the explorer. Patches count from 1; columns are 1 and, where two are compared, 2."""

    def __init__(self, driver: Chrome, address: str) -> None:
        self.driver, self.address = driver, address

    # the page

    def open(self, chosen: str = "") -> None:
        """The page anew, with what the address chooses."""
        self.driver.get("about:blank")  # else a new hash would not load the page again
        self.driver.get(f"{self.address}#{chosen}")
        self.settle()

    def settle(self) -> None:
        """Until everything that was asked for is drawn."""
        self.driver.execute_async_script(SETTLED)

    def run(self, script: str, *arguments: Any) -> Any:
        """JavaScript, as the body of a function."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any) -> None:
        """Waits until an expression is true."""
        done = "const done = arguments[arguments.length - 1];"
        look = f"const look = () => ({script}) ? done() : setTimeout(look, 20); look();"
        self.driver.execute_async_script(done + look, *arguments)

    def until_true(self, holds: Callable[[], object]) -> None:
        """Waits for something outside of the page."""
        WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: holds())

    def protocol(self, command: str, **values: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, values)

    @property
    def chosen(self) -> dict[str, str]:
        """What the address says."""
        return dict(parse_qsl(self.run("return location.hash.slice(1)")))

    def console_errors(self) -> list[str]:
        """What the browser has complained of since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self, path: str = "/api/") -> int:
        """How many requests the page has made."""
        names: list[str] = self.run("return performance.getEntriesByType('resource').map(({ name }) => name)")
        return sum(path in name for name in names)

    # its parts

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """All elements of a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def control(self, name: str) -> WebElement:
        """A control by its test id."""
        return self.find(f'[data-testid="{name}"]')

    def figure(self, panel: str, column: int = 1) -> WebElement:
        """A panel with its caption and everything below."""
        return self.find(f'[data-panel="{panel}"][data-column="{column}"]')

    def canvas(self, panel: str, column: int = 1, number: int = 0) -> WebElement:
        """The drawing of a panel; the reconstruction has three."""
        return self.figure(panel, column).find_elements(By.CSS_SELECTOR, "canvas.drawing")[number]

    def label(self, panel: str, column: int = 1) -> str:
        """What a drawing is called for those who do not see it."""
        return self.canvas(panel, column).get_attribute("aria-label") or ""

    def key(self, panel: str, column: int = 1) -> str:
        """Of what the drawing is: model, picture, and what was chosen, by slashes."""
        return self.canvas(panel, column).get_attribute("data-key") or ""

    def part(self, panel: str, name: str, column: int = 1) -> str:
        """The words in a part of a panel: caption, note, here, extra."""
        return self.run(
            "return arguments[0].querySelector(arguments[1]).textContent",
            self.figure(panel, column),
            f".{name}",
        )

    def pixels(self, element: WebElement, size: tuple[int, int]) -> NDArray[np.uint8]:
        """(H, W, 3): a canvas read at the centres of as many squares."""
        url: str = self.run("return arguments[0].toDataURL()", element)
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
            values = np.asarray(picture.convert("RGB"))
        down, right = (
            (np.arange(n) + 0.5) * side / n for n, side in zip(size, values.shape[:2], strict=True)
        )
        return values[down.astype(int)][:, right.astype(int)]

    # what a person does

    def choose(self, name: str, value: str) -> None:
        """A choice of a list."""
        options = Select(self.control(name)).options
        next(option for option in options if option.get_attribute("value") == value).click()
        self.settle()

    def click(self, element: WebElement) -> None:
        """A click in the middle of an element."""
        self.show(element)
        element.click()
        self.settle()

    def show(self, element: WebElement) -> None:
        """Scrolls an element to the middle of the window."""
        self.run("arguments[0].scrollIntoView({ block: 'center' })", element)

    def drop(self, name: str, kind: str, content: bytes) -> None:
        """A file dragged from a folder onto the page."""
        self.run(DROP, name, kind, base64.b64encode(content).decode())
        self.settle()

    def hover(self, element: WebElement, patch: int, grid: tuple[int, int]) -> None:
        """The pointer over a patch of a canvas."""
        self._along(element, [patch], grid).perform()
        self.settle()

    def press(self, element: WebElement, patch: int, grid: tuple[int, int]) -> None:
        """A click on a patch of a canvas."""
        self._along(element, [patch], grid).click().perform()
        self.settle()

    def stroke(self, element: WebElement, patches: Sequence[int], grid: tuple[int, int]) -> None:
        """Pressed on the first patch, drawn over the others, let go on the last."""
        chain = self._along(element, patches[:1], grid).click_and_hold()
        self._along(element, patches[1:], grid, chain).release().perform()
        self.settle()

    def _along(
        self,
        element: WebElement,
        patches: Iterable[int],
        grid: tuple[int, int],
        chain: ActionChains | None = None,
    ) -> ActionChains:
        if chain is None:
            self.show(element)
            chain = ActionChains(self.driver, duration=0)
        width, height = element.size["width"], element.size["height"]
        for patch in patches:
            across, down = share(patch, grid)
            chain.move_to_element_with_offset(
                element, round((across - 0.5) * width), round((down - 0.5) * height)
            )
        return chain

    def keys(self, *keys: str) -> None:
        """Keys, one after the other, to whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()
        self.settle()

    def tap(self, element: WebElement, patch: int = 1, grid: tuple[int, int] = (1, 1)) -> None:
        """A finger on an element, or on a patch of a canvas."""
        self.show(element)
        area = self.run("return arguments[0].getBoundingClientRect().toJSON()", element)
        across, down = share(patch, grid)
        point = {"x": area["x"] + across * area["width"], "y": area["y"] + down * area["height"]}
        self.protocol("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        self.protocol("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()


def share(patch: int, grid: tuple[int, int]) -> tuple[float, float]:
    """Across and down, 0 … 1, to the centre of a patch."""
    row, column = divmod(patch - 1, grid[1])
    return (column + 0.5) / grid[1], (row + 0.5) / grid[0]
