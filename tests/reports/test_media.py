import io
import wave

import numpy as np
from PIL import Image

from kakera.reports.media import sheet, thumbnail, wav


def test_a_small_picture_is_kept_exactly() -> None:
    values = np.random.default_rng(0).integers(0, 256, (28, 30, 3), dtype=np.uint8)
    content, kind = thumbnail(values)
    assert kind == "png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), values)


def test_a_large_picture_becomes_small_in_pixels_and_bytes() -> None:
    values = np.random.default_rng(0).integers(0, 256, (900, 1800, 1), dtype=np.uint8)
    content, kind = thumbnail(values)
    assert kind == "jpeg"
    assert Image.open(io.BytesIO(content)).size == (160, 80)
    assert len(content) < 20_000


def test_a_wav_holds_the_samples_of_three_seconds_at_most() -> None:
    samples = np.sin(np.arange(5 * 8000) / 10).astype(np.float32)
    with wave.open(io.BytesIO(wav(samples, 8000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 1, 24_000)
        values = np.frombuffer(file.readframes(24_000), "<i2") / 32767
    assert np.abs(values - samples[:24_000]).max() < 1 / 32767


def test_a_high_rate_is_lowered_and_keeps_its_length_and_pitch() -> None:
    samples = np.sin(2 * np.pi * 500 * np.arange(2 * 48_000) / 48_000)
    with wave.open(io.BytesIO(wav(samples, 48_000))) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 32_000)
        values = np.frombuffer(file.readframes(32_000), "<i2")
    assert np.abs(np.fft.rfft(values)).argmax() == 1000  # in two seconds


def test_a_sheet_that_is_too_large_becomes_a_smaller_jpeg() -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, format="PNG")
    content, kind = sheet(buffer.getvalue())
    assert kind == "jpeg"
    assert max(Image.open(io.BytesIO(content)).size) == 1600
    assert sheet(b"small") == (b"small", "png")
