"""Draw the docs' pictures of a search's page, in Chromium: python examples/search_page_pictures.py ENCODER

Some pictures of the demo are written into a temporary folder; two of them are the queries.
"""

import argparse
import base64
import contextlib
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
from explorer_pictures import FLAGS, LOW, NARROW, beside, small
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

import kakera
from kakera.commands.pages.search import write_search_page

COUNT, WIDE, TOP = 1000, 1240, 8  # files, pixels, matches


def write(folder: Path) -> list[Path]:
    """Write pictures into folders of their classes; return one of each of two classes."""
    demo, random = kakera.open_data("demo"), np.random.default_rng(0)
    assert demo.labels is not None
    first: dict[str, Path] = {}
    for row in random.choice(len(demo), COUNT, replace=False).tolist():
        label = demo.classes[demo.labels[row]]
        path = folder / label.replace("/", "-") / f"{row:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(demo.pictures.read(row)[..., 0]).save(path)
        first.setdefault(label, path)
    return [first[label] for label in sorted(first)[:2]]


def screen(driver: Chrome, theme: str, width: int, height: int) -> Image.Image:
    """Return the top of the page in a theme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == NARROW}
    features = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    given = parser.parse_args()
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    encoder, out = Path(given.encoder).resolve(), given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        queries, page = write(Path("pictures")), Path("search.html").resolve()
        kakera.build_index("pictures", init_from=encoder, out="index")
        write_search_page(page, kakera.search("index", [str(path) for path in queries], top=TOP))
        driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
        try:
            driver.get(page.as_uri())
            both = [screen(driver, theme, WIDE, 760) for theme in ("light", "dark")]
            pictures = {"light": both[0], "dark": both[1]}
            phone = []
            for part in range(2):
                screen(driver, "light", NARROW, LOW)
                driver.execute_script("window.scrollTo(0, arguments[0])", part * LOW)
                phone.append(screen(driver, "light", NARROW, LOW))
            pictures["phone"] = beside(phone)
            for name, picture in pictures.items():
                small(picture).save(out / f"search-{name}.png", optimize=True)
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
