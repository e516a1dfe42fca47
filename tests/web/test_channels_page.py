"""Channels to show, chosen on the page, against the numbers of the file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.data.test_many_channels import tiff
from tests.web.browser import Page, Server, require_chromium, start_chromium

pytestmark = pytest.mark.slow

SIDE, LEVELS = 28, (200, 40, 90, 10, 150)  # each channel is of one level


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    require_chromium()
    root, shape, many = tmp_path_factory.mktemp("many"), vit_config("nano"), len(LEVELS)
    model = MAE(ViT(shape, channels=many, image_size=(SIDE, SIDE)), shape.decoder)
    save_model(
        root / "mae", Pretrained(model.eval(), InputSpec(many, SIDE, SIDE, (0.5,) * many, (0.2,) * many))
    )
    (root / "pictures").mkdir()
    values = np.broadcast_to(np.array(LEVELS, np.uint8), (SIDE, SIDE, many))
    (root / "pictures" / "one.tif").write_bytes(tiff(np.ascontiguousarray(values)))
    server, driver = Server([root / "mae"], Path(root / "pictures")), start_chromium()
    yield Page(driver, server.address)
    driver.quit()
    assert server.stop() == ""


def colour(page: Page) -> list[int]:
    """Of the picture's first sample, as the strip shows it."""
    page.until("document.querySelector('#samples img')?.complete")
    return page.run("""
        const image = document.querySelector("#samples img");
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [...context.getImageData(5, 5, 1, 1).data].slice(0, 3);
    """)


def test_the_channels_shown_are_the_first_three_and_then_those_chosen(page: Page) -> None:
    page.open()
    assert colour(page) == [*LEVELS[:3]]
    page.run("""
        const red = document.getElementById("red");
        red.value = "5";
        red.dispatchEvent(new Event("change"));
    """)
    page.until("document.querySelector('#samples img')?.src.includes('shown=5')")
    page.settle()
    assert colour(page) == [LEVELS[4], *LEVELS[1:3]]
    assert page.console_errors() == []
