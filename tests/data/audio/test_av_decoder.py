"""Oracle: PyAV's own decode from the beginning; lossless kinds against what was written."""

import io
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kakera.data.audio import kept_samples
from kakera.data.audio.decode import WITH_AV, blocks, header, read
from kakera.data.audio.open_decoder import open_decoder
from kakera.data.folders.media import is_sound
from kakera.errors import UnreadableFileError
from tests.data.odd_recordings import saved, sound

av: Any = pytest.importorskip("av", reason="the package av is not installed: pip install 'kakera[av]'")

CASES = {  # format, codec, channels
    "m4a": ("mp4", "aac", 2),
    "alac.m4a": ("mp4", "alac", 1),
    "aac": ("adts", "aac", 1),
    "wma": ("asf", "wmav2", 2),
    "mka": ("matroska", "flac", 2),
    "ac3": ("ac3", "ac3", 2),
    "mov": ("mov", "pcm_s16le", 1),
    "tta": ("tta", "tta", 2),
    "alac.caf": ("caf", "alac", 2),
    "avi": ("avi", "pcm_s16le", 2),
}
RATE = 44_100


@cache
def content(case: str, seconds: float = 3.0) -> bytes:
    """A recording, in one piece written by FFmpeg's encoder."""
    form, codec, channels = CASES[case]
    values, file = sound(RATE, seconds, channels), io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE, layout="stereo" if channels == 2 else "mono")
        kinds = [kind.name for kind in stream.codec_context.codec.audio_formats]
        kind = next((kind for kind in ("s16", "s16p") if kind in kinds), kinds[0])
        stream.bit_rate, stream.codec_context.format = 128_000, kind
        resampler = av.AudioResampler(format=kind, layout=stream.layout, rate=RATE)
        size = 1_024
        for first in range(0, len(values), size):
            part = np.ascontiguousarray((values[first : first + size] * 32_767).astype("<i2").reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout=stream.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file.getvalue()


@cache
def decoded(case: str) -> NDArray[np.float32]:
    with av.open(io.BytesIO(content(case))) as file:
        layout = file.streams.audio[0].layout
        resampler = av.AudioResampler(format="fltp", layout=layout)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T


@pytest.mark.parametrize("case", CASES)
def test_all_of_it_is_read(case: str) -> None:
    found = np.concatenate([*blocks(content(case), seconds=0.7)])
    assert header(content(case)).samples == len(found)
    np.testing.assert_allclose(found, decoded(case), atol=1e-6)
    assert abs(len(found) - 3 * RATE) < 4_096


@pytest.mark.parametrize("case", ["alac.m4a", "mka", "mov", "tta", "avi"])
def test_lossless_kinds_give_back_what_was_written(case: str) -> None:
    found = np.concatenate([*blocks(content(case))])
    wanted = sound(RATE, 3.0, CASES[case][2])
    np.testing.assert_allclose(found[: len(wanted)], wanted, atol=2.0**-14)


@settings(max_examples=40)
@given(case=st.sampled_from(sorted(CASES)), place=st.floats(0, 1), count=st.integers(1, 5_000))
def test_a_piece_is_what_the_whole_has_there(case: str, place: float, count: int) -> None:
    wanted = decoded(case)
    first = int(place * (len(wanted) - 1))
    file = open_decoder(content(case))
    found = file.read(first, min(first + count, len(wanted)))
    file.close()
    np.testing.assert_allclose(found, wanted[first : first + count], atol=1e-6)


@pytest.mark.parametrize("room", [True, False])
def test_a_long_one_is_decoded_once_and_mapped_or_read_onwards_where_there_is_no_room(
    room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_samples, "SHORT", 10_000)
    if not room:
        monkeypatch.setattr(kept_samples, "store_samples", lambda *_: False)
    path, wanted = saved(tmp_path / "a.m4a", content("m4a")), decoded("m4a")
    file = open_decoder(path)
    for first in (50_000, 50_500, 49_000, 0, 100_000, 90_000):
        np.testing.assert_allclose(file.read(first, first + 800), wanted[first : first + 800], atol=1e-6)
    file.close()
    assert len([*(tmp_path / "cache").rglob("*.f32")]) == room
    np.testing.assert_allclose(
        read(path, RATE, channel=1, start=70_000, count=99), wanted[70_000:70_099, 1], atol=1e-6
    )


def test_a_video_s_sound_track_is_read_and_a_video_without_one_is_one_line() -> None:
    def film(with_sound: bool) -> bytes:
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as container:
            picture = container.add_stream("mpeg4", rate=10)
            picture.width = picture.height = 32
            track = container.add_stream("pcm_s16le", rate=RATE, layout="mono") if with_sound else None
            for number in range(10):
                frame = av.VideoFrame(32, 32, "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(picture.encode(frame))
                if track is not None:
                    part = np.full((1, 4_410), 1_000 * number, "<i2")
                    tone = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                    tone.sample_rate, tone.pts, tone.time_base = RATE, 4_410 * number, Fraction(1, RATE)
                    container.mux(track.encode(tone))
            container.mux(picture.encode(None))
        return file.getvalue()

    wanted = np.repeat(np.arange(10) * 1_000 / 32_768, 4_410)
    np.testing.assert_allclose(read(film(True), RATE), wanted, atol=1e-6)
    with pytest.raises(
        UnreadableFileError, match="got a file without sound, expected a sound track; leave it out"
    ):
        header(film(False))


@pytest.mark.parametrize("case", ["m4a", "wma", "mka"])
def test_a_file_that_was_cut_is_refused(case: str) -> None:
    with pytest.raises(UnreadableFileError, match="copy or export it again"):
        header(content(case)[: len(content(case)) // 2])


@pytest.mark.parametrize("case", ["m4a", "wma", "mka", "tta", "avi"])
def test_without_the_extra_the_file_and_the_extra_are_named(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        UnreadableFileError, match=r"needs the extra kakera\[av\].*pip install 'kakera\[av\]'"
    ):
        header(content(case))


def test_content_in_memory_that_would_fill_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_samples, "MOST", 100_000)
    with pytest.raises(
        UnreadableFileError, match="got more than 100,000 bytes of samples, expected a shorter"
    ):
        read(content("m4a", 2.5), RATE)


def test_files_with_these_names_are_recordings() -> None:
    assert {".m4a", ".wma", ".mp4", ".webm", ".aac"} <= WITH_AV
    assert is_sound([Path(f"a{suffix}") for suffix in WITH_AV])


def test_eight_channels_in_planes_are_read_each() -> None:
    tone = np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    levels = np.array([0.5, 0.4, 0.3, 0.05, 0.2, 0.15, 0.25, 0.35])
    frame = av.AudioFrame.from_ndarray(
        np.float32(tone[:, None] * levels).reshape(1, -1), format="flt", layout="7.1(wide)"
    )
    frame.sample_rate = RATE
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("alac", rate=RATE, layout="7.1(wide)")
        for one in av.AudioResampler("s16p", "7.1(wide)", RATE, frame_size=4096).resample(frame):
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    found = np.concatenate([*blocks(file.getvalue())])
    np.testing.assert_allclose(np.abs(found).max(axis=0), levels, atol=1e-3)
