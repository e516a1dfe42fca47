"""The explorer of recordings as a person meets it: a real server, a real browser, real sound files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from kakera import explain
from kakera.data.audio.decode import read
from kakera.explain import masks
from kakera.explain.axes import axes_of
from kakera.formats.native import load_model
from kakera.grid import Grid
from kakera.model.mae import MAE
from kakera.sound.griffin_lim import waveform
from kakera.sound.logmel import log_mel
from tests.data.recordings import record
from tests.training.listeners import INPUTS, SPEC, three_listeners
from tests.training.songs import RATE, tone
from tests.web.browser import Page, Server, require_chromium, start_chromium

pytestmark = pytest.mark.slow

GRID, SHORT = (4, 10), (4, 4)  # of a whole window, of the second clip
SIZE = (32, 80)
# Keeps what the page makes to be heard, since the page itself may not fetch it.
KEEP = """
window.made = {};
const address = URL.createObjectURL.bind(URL);
URL.createObjectURL = (file) => { const found = address(file); window.made[found] = file; return found; };
"""
# The length of what a player has loaded, in seconds, once it knows.
LOADED = "document.querySelector(arguments[0]).duration > 0"


def rising(seconds: float) -> NDArray[np.float32]:
    """A tone that rises from 300 Hz, so that no two columns are alike."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * (300 * time + 400 * time**2))).astype(np.float32)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    three_listeners(root)
    record(root / "clips" / "1-long.wav", rising(2.0), RATE)
    record(root / "clips" / "2-short.wav", tone(1500, 0.3), RATE)
    return root


@pytest.fixture(scope="module")
def only_page(world: Path) -> Iterator[Page]:
    require_chromium()
    server = Server([world / name for name in ("mae", "classifier", "cnn")], world / "clips")
    driver = start_chromium()
    yield Page(driver, server.address)
    driver.quit()
    assert server.stop() == ""


@pytest.fixture
def page(only_page: Page) -> Iterator[Page]:
    only_page.open()
    yield only_page
    assert only_page.console_errors() == []


def spectrogram(world: Path, start: int = 0) -> torch.Tensor:
    wave = read(world / "clips" / "1-long.wav", RATE, start=start, count=SPEC.samples(80))
    return log_mel(torch.from_numpy(wave)[None], SPEC)[0]


def seen(world: Path, start: int = 0) -> explain.Activations:
    return explain.encode(load_model(world / "mae").encoder, INPUTS, spectrogram(world, start))


def drawn_up(patch: int, grid: tuple[int, int] = GRID) -> int:
    """The patch where it stands on the page, whose first row is at the bottom."""
    row, col = divmod(patch - 1, grid[1])
    return (grid[0] - 1 - row) * grid[1] + col + 1


def guessed(world: Path, hidden: NDArray[np.bool_]) -> explain.Reconstruction:
    model = load_model(world / "mae").model
    assert isinstance(model, MAE)
    return explain.reconstruct(model, INPUTS, spectrogram(world), hidden[None])


def file_in(page: Page, selector: str) -> tuple[NDArray[np.float32], int]:
    """What a player plays, fetched once more, or as the page made it."""
    page.until(LOADED, selector)
    values: list[int] = page.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const source = document.querySelector(arguments[0]).src;
        const made = window.made?.[source];
        (made ? Promise.resolve(made) : fetch(source))
          .then((answer) => answer.arrayBuffer())
          .then((content) => done([...new Uint8Array(content)]));
        """,
        selector,
    )
    return soundfile.read(io.BytesIO(bytes(values)), dtype="float32")


def test_the_spectrogram_stands_upright(page: Page, world: Path) -> None:
    found = page.pixels(page.canvas("picture"), SIZE)[..., 0].astype(int)
    wanted = seen(world).picture[::-1, :, 0].astype(int)
    inside = np.ones(SIZE, bool)  # away from the lines between patches, and the frame around the pinned one
    inside[::8] = inside[7::8] = inside[:, ::8] = inside[:, 7::8] = False
    inside[8:16, 40:48] = False
    assert np.abs(found - wanted)[inside].max() <= 1
    low, high = found[24:, :8].mean(), found[:8, :8].mean()
    assert low > high + 20  # it begins at 300 Hz


def test_scales_are_in_seconds_and_hertz_at_their_places(page: Page) -> None:
    axes = axes_of(INPUTS)
    for name, axis, unit in (("down", axes.down, "Hz"), ("across", axes.across, "s")):
        marks = page.find_all(f'[data-panel="picture"] .plot .{name} span')
        texts = [text for _, text in axis.ticks()]
        assert [mark.text for mark in marks] == [*texts[:-1], f"{texts[-1]} {unit}"]
        area = page.canvas("picture").rect
        for mark, (at, _) in zip(marks, axis.ticks(), strict=True):
            box = mark.rect
            if name == "down":
                place = 1 - (box["y"] + box["height"] / 2 - area["y"]) / area["height"]
            else:
                place = (box["x"] + box["width"] / 2 - area["x"]) / area["width"]
            assert place == pytest.approx(at, abs=0.01)
    ends = [f"{axis.edges[0]:.3g} to {float(f'{axis.edges[-1]:.3g}'):g}" for axis in (axes.across, axes.down)]
    assert page.label("picture").startswith(
        f"Spectrogram, {ends[0]} s by {ends[1]} Hz, 4 rows and 10 columns"
    )


def test_the_pointer_and_the_arrows_find_their_patch(page: Page, world: Path) -> None:
    page.hover(page.canvas("picture"), drawn_up(13), GRID)  # second band of patches from below, third column
    assert page.key("attention") == "mae/sample-1/3/0/13"
    wanted = explain.attention_map(seen(world), token=13)
    largest = int(wanted.argmax()) + 1
    assert page.label("attention").endswith(f"at patch {largest}")
    page.click(page.control("beneath"))
    lightest = page.pixels(page.canvas("attention"), GRID).sum(axis=-1)
    assert int(lightest.argmax()) + 1 == drawn_up(largest)
    page.run("arguments[0].focus()", page.canvas("picture"))
    page.keys("\ue013")  # up: to the next higher band
    assert page.key("attention") == "mae/sample-1/3/0/23"
    page.until(
        "document.querySelector('[data-testid=status]').textContent.startsWith(arguments[0])",
        "Patch 23 (0.17 to 0.25 s, ",
    )
    page.keys("\ue00c")


def test_the_clip_is_played_as_the_model_hears_it(page: Page, world: Path) -> None:
    samples, rate = file_in(page, "#clip")
    wanted = read(world / "clips" / "1-long.wav", RATE, count=SPEC.samples(80))
    assert rate == RATE
    np.testing.assert_allclose(samples, wanted, atol=1 / 32_000)
    page.press(page.canvas("picture"), 1, GRID)  # before a click browsers keep quiet
    playing = page.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const clip = document.querySelector("#clip");
        clip.muted = true;
        clip.ontimeupdate = () => clip.currentTime > 0 && done(true);
        clip.play().catch(() => done(false));
        """
    )
    assert playing


def test_a_long_recording_is_seen_window_by_window(page: Page, world: Path) -> None:
    assert page.find("#window-place").text == "of 3: 0.00 to 0.81 s"
    page.run(
        "arguments[0].value = 2; arguments[0].dispatchEvent(new Event('change'))", page.control("window")
    )
    page.settle()
    assert page.find("#window-place").text.startswith("of 3: 0.81 to 1.63 s")
    assert page.chosen["sample"] == "sample-1@2"
    assert page.key("attention") == "mae/sample-1@2/3/0/26"
    wanted = explain.attention_map(seen(world, SPEC.samples(80)), token=26)
    assert page.label("attention").endswith(f"at patch {int(wanted.argmax()) + 1}")
    (pressed,) = page.find_all("#samples [aria-pressed=true]")
    assert pressed.get_attribute("title") == "1-long.wav"
    page.driver.refresh()
    page.settle()
    assert page.control("window").get_attribute("value") == "2"


def test_of_a_short_clip_the_padding_is_left_out(page: Page) -> None:
    page.open("sample=sample-2&token=16&model=classifier")
    assert page.key("attention") == "classifier/sample-2/3/0/16"
    found = page.pixels(page.figure("attention").find_element("css selector", ".heads canvas"), SHORT)
    assert found.shape == (4, 4, 3)
    assert "4\u00a0×\u00a04 patches" in page.part("picture", "extra")
    ratio = page.canvas("picture").size
    assert ratio["width"] / ratio["height"] == pytest.approx(2.4, rel=0.15)


def test_times_and_frequencies_are_hidden_by_kind_and_by_brush(page: Page, world: Path) -> None:
    page.choose("masking", "cols")
    hidden = masks.random_masks(Grid(*GRID), 0.75, kind="cols")[0]
    said = page.part("reconstruction", "extra")
    share = guessed(world, hidden).mean_errors()[0] * 100
    assert f"Mean error {share:.3g} %" in said
    page.click(page.control("hide-mode"))
    page.choose("brush", "row")
    free = int(np.flatnonzero(~hidden)[0]) + 1
    page.press(page.canvas("picture"), drawn_up(free), GRID)
    row = (free - 1) // 10
    hidden[row * 10 : row * 10 + 10] = True
    assert page.chosen["hidden"]
    share = guessed(world, hidden).mean_errors()[0] * 100
    assert f"Mean error {share:.3g} %" in page.part("reconstruction", "extra")


def test_a_guess_can_be_heard_and_says_how_it_was_made(page: Page, world: Path) -> None:
    page.open("hidden=15-16.25-26")
    page.run(KEEP)
    said = page.find(".resynthesis p").text
    assert said.startswith("Griffin-Lim: computed from the spectrogram alone.")
    hidden = np.zeros(40, bool)
    hidden[[14, 15, 24, 25]] = True
    for of, values in (("guess", guessed(world, hidden).values[0, 0]), ("original", spectrogram(world)[0])):
        page.click(page.find(f'.resynthesis [data-of="{of}"]'))
        page.until("document.querySelector('.resynthesis audio').dataset.of === arguments[0]", of)
        samples, rate = file_in(page, ".resynthesis audio")
        assert rate == RATE
        np.testing.assert_allclose(samples, waveform(values, SPEC), atol=2e-3)
    page.click(page.control("draw-again"))
    assert not page.find(".resynthesis audio").is_displayed()  # it was that of another mask


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_recordings_of_every_kind_are_taken(page: Page, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"some.{kind}"
    soundfile.write(path, np.stack([rising(3.0)] * 2, axis=1), 2 * RATE)  # mp3 knows no 8 kHz
    page.control("file").send_keys(str(path))
    page.settle()
    assert page.find("#samples [aria-pressed=true]").get_attribute("title") == path.name
    assert page.find("#window-place").text.startswith("of ")
    samples, rate = file_in(page, "#clip")
    assert (len(samples), rate) == (SPEC.samples(80), RATE)


def test_what_is_no_recording_is_refused_in_one_sentence(page: Page) -> None:
    page.drop("notes.txt", "text/plain", b"no recording at all")
    assert page.control("message").text.startswith("recording: got a text file, expected a WAV, FLAC, Ogg")
    page.open("sample=sample-1@9")
    assert page.part("picture", "note").startswith("window: got 9, expected 1 to 3")
    assert {error.partition(" - ")[0].partition("?")[0] for error in page.console_errors()} == {
        f"{page.address}api/pictures",
        f"{page.address}api/scene",
    }


def test_two_models_and_a_cnn_stand_side_by_side(page: Page) -> None:
    page.open("model=classifier&compare=cnn&sample=sample-2")
    for column in (1, 2):
        rows = page.figure("predictions", column).find_elements("css selector", ".bars button")
        assert len(rows) == 2
    assert "cnn has no tokens: no attention" in page.control("absent").text


def test_nothing_reaches_beyond_a_telephone(page: Page) -> None:
    page.protocol(
        "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True
    )
    page.open()
    try:
        assert page.run("return document.documentElement.scrollWidth") <= 390
    finally:
        page.protocol("Emulation.clearDeviceMetricsOverride")
