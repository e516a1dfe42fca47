"""Draw the docs' pictures of the labelling page, in Chromium: python examples/label_pictures.py ENCODER

Some pictures of the demo are written into a temporary folder and labelled by the labels of the demo.
"""

import argparse
import base64
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
from explorer_pictures import FLAGS, LOW, NARROW, beside, small
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

import kakera

COUNT, LABELS, WIDE = 2000, 300, 1240  # files, labels, pixels
FILE, MAP = "#stage[aria-busy=false][data-file]", "document.querySelector('#map').dataset.drawn"
SHOWN = f"return document.querySelector('{FILE}') && {MAP}"


def write(folder: Path) -> list[str]:
    """Write pictures, and return the class of each."""
    demo, random = kakera.open_data("demo"), np.random.default_rng(0)
    assert demo.labels is not None
    rows = random.choice(len(demo), COUNT, replace=False).tolist()
    folder.mkdir()
    for number, row in enumerate(rows):
        Image.fromarray(demo.pictures.read(row)[..., 0]).save(folder / f"{number:04}.png")
    return [demo.classes[demo.labels[row]] for row in rows]


def post(address: str, path: str, **body: object) -> dict[str, list[dict[str, str]]]:
    """Send a request of the page."""
    sent = Request(f"{address}api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(sent) as answer:
        return json.load(answer)


def screen(driver: Chrome, theme: str, colours: str, width: int, height: int) -> Image.Image:
    """Return the page in a theme, with a choice of colours on the map."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == NARROW},
    )
    driver.execute_script(
        "const root = document.documentElement;"
        "if (root.dataset.theme !== arguments[0]) document.getElementById('theme').click();"
        "const s = document.getElementById('colours');"
        "s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
        theme,
        colours,
    )
    while not str(driver.execute_script(SHOWN)).startswith(colours):
        time.sleep(0.05)
    time.sleep(0.5)
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")


def draw(driver: Chrome, address: str) -> dict[str, Image.Image]:
    """Return the pictures by name."""
    driver.get(f"{address}static/style.css")
    driver.execute_script("sessionStorage.setItem('kakera-session', 'program')")  # one person at work
    driver.get(address)
    pictures = {
        "light": screen(driver, "light", "label", WIDE, 1000),
        "dark": screen(driver, "dark", "suspicion", WIDE, 1000),
    }
    screens = []
    for title in ("file-title", "progress-title", "map-title"):
        screen(driver, "light", "predicted", NARROW, LOW)
        driver.execute_script("document.getElementById(arguments[0]).scrollIntoView()", title)
        screens.append(screen(driver, "light", "predicted", NARROW, LOW))
    pictures["phone"] = beside(screens)
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--labels", type=int, default=LABELS)
    given = parser.parse_args()
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    with tempfile.TemporaryDirectory() as place:
        truth = write(Path(place, "pictures"))
        words = [
            "label",
            "pictures",
            "--init-from",
            str(Path(given.encoder).resolve()),
            "--out",
            "labels.csv",
        ]
        words += ["--classes", ",".join(kakera.open_data("demo").classes), "--port", "0"]
        command = [sys.executable, "-m", "kakera", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=place) as server:
            assert server.stdout is not None
            address = next(line.split()[0] for line in server.stdout if line.startswith("http"))
            labelled = 0
            while labelled < given.labels:
                for file in post(address, "batch", session="program")["files"]:
                    label = truth[int(Path(file["name"]).stem)]
                    post(address, "label", session="program", files=[file["file"]], label=label)
                    labelled += 1
            driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
            try:
                given.out.mkdir(parents=True, exist_ok=True)
                for name, picture in draw(driver, address).items():
                    small(picture).save(given.out / f"label-{name}.png", optimize=True)
            finally:
                driver.quit()
                server.terminate()


if __name__ == "__main__":
    main()
