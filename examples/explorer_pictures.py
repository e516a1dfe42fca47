"""Draw the explorer's pictures of the docs, in Chromium: python examples/explorer_pictures.py MAE CLASSIFIER

The runs may be named in any order: one has to reconstruct, one to predict.
"""

import argparse
import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

WIDE, NARROW, LOW = 1240, 390, 844  # pixels
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
DRAWN = """
const [looks, done] = arguments;
let calm = 0;
const look = () => {
  const any = (state) => document.querySelector(`figure[data-state=${state}]`);
  calm = any("ready") && !any("waiting") ? calm + 1 : 0;
  if (calm > looks) done(); else setTimeout(look, 50);
};
look();
"""


class Camera:
    """A page of the explorer, and pictures of it."""

    def __init__(self, driver: Chrome, address: str) -> None:
        self.driver, self.address = driver, address
        with urlopen(f"{address}api/models") as answer:
            models = json.load(answer)
        with urlopen(f"{address}api/samples") as answer:
            self.sample = json.load(answer)[-1]["id"]
        self.autoencoder = next(model["id"] for model in models if model["reconstructs"])
        classifiers = (model["id"] for model in models if model["has_attention"] and model["predicts"])
        self.classifier = next(classifiers)

    def size(self, width: int, height: int) -> None:
        """Of the window; narrow ones are telephones."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == NARROW},
        )

    def open(self, theme: str = "light", width: int = WIDE, **chosen: str) -> None:
        """A page with what is chosen."""
        self.size(width, LOW)
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        words = "&".join(f"{key}={value}" for key, value in {"sample": self.sample, **chosen}.items())
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}#{words}")
        self.wait()

    def wait(self, looks: int = 2) -> None:
        """Until everything is drawn, and nothing moved at so many looks, 50 ms apart."""
        self.driver.execute_async_script(DRAWN, looks)

    def whole(self, last: str = "footer") -> Image.Image:
        """The page down to the end of an element."""
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        self.size(WIDE, height)
        self.wait()
        end = self.driver.execute_script(
            "return document.querySelector(arguments[0]).getBoundingClientRect().bottom", last
        )
        picture = self.screen()
        return picture.crop((0, 0, picture.width, round(end)))

    def screen(self) -> Image.Image:
        """What the window shows, once the status line at its foot is written too."""
        self.wait(looks=12)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")

    def along(self, strokes: list[list[tuple[float, float]]], press: bool) -> None:
        """The pointer along places of the picture, each 0 … 1 across and down."""
        canvas = self.driver.find_element(By.CSS_SELECTOR, "[data-panel=picture] canvas")
        self.driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", canvas)
        side = canvas.size["width"]
        for stroke in strokes:
            chain = ActionChains(self.driver, duration=0)
            for number, (across, down) in enumerate(stroke):
                chain.move_to_element_with_offset(
                    canvas, int((across - 0.5) * side), int((down - 0.5) * side)
                )
                if press and number == 0:
                    chain.click_and_hold()
            (chain.release() if press else chain).perform()
        self.wait()

    def least_hidden(self) -> None:
        """Moves the slider to its left end."""
        self.driver.find_element(By.CSS_SELECTOR, "[data-testid=ratio]").send_keys(Keys.HOME)
        self.wait()

    def click(self, selector: str) -> None:
        """On an element."""
        self.driver.find_element(By.CSS_SELECTOR, selector).click()
        self.wait()


def draw(driver: Chrome, address: str) -> dict[str, Image.Image]:
    """The pictures by name."""
    camera = Camera(driver, address)
    pictures = {}
    camera.open(model=camera.autoencoder)
    camera.along([[(0.5, 0.65)]], press=False)
    pictures["light"] = camera.whole("#views")
    camera.open("dark", model=camera.classifier, token="0")
    pictures["dark"] = camera.whole()
    camera.open(model=camera.autoencoder, compare=camera.classifier, token="25", head="1")
    pictures["compare"] = camera.whole('[data-panel="similarity"][data-column="2"]')
    camera.open(model=camera.autoencoder)
    camera.click("[data-testid=hide-mode]")
    camera.least_hidden()
    camera.along([[(0.07, row), (0.5, row)] for row in (0.64, 0.79, 0.93)], press=True)
    pictures["paint"] = camera.whole("#views")
    camera.open(width=NARROW, model=camera.autoencoder)
    screens = []
    for title in ("picture", "attention", "reconstruction"):
        below = 12 if title == "picture" else 366  # the picture stays at the top
        driver.execute_script(
            "scrollBy(0, document.getElementById(arguments[0]).getBoundingClientRect().top - arguments[1])",
            f"{title}-title",
            below,
        )
        camera.wait()
        screens.append(camera.screen())
    pictures["phone"] = beside(screens)
    return pictures


def beside(screens: list[Image.Image], gap: int = 24) -> Image.Image:
    """Pictures in a row."""
    width = sum(screen.width + gap for screen in screens) - gap
    row = Image.new("RGB", (width, screens[0].height), "#9aa")
    for number, screen in enumerate(screens):
        row.paste(screen, (number * (screen.width + gap), 0))
    return row


def small(picture: Image.Image) -> Image.Image:
    """With 256 colours, each within about ten of 255 of its own: a third of the bytes."""
    return picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--pictures", default="")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    words = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "kakera",
        "serve",
        *words.runs,
        "--pictures",
        words.pictures,
        "--port",
        "0",
    ]
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
        try:
            for name, picture in draw(driver, address).items():
                small(picture).save(words.out / f"explorer-{name}.png", optimize=True)
        finally:
            driver.quit()
            server.terminate()


if __name__ == "__main__":
    main()
