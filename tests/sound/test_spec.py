import json

import pytest

from kakera.errors import OptionError
from kakera.sound.spec import PRESETS, SoundSpec, preset
from tests.refusals import refused


def test_the_paper_s_clip_of_10_24_seconds_has_1022_frames() -> None:
    # AST pads them to 1024: the last two frames would reach over the end.
    assert SoundSpec().frames(int(10.24 * 16_000)) == 1022


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2)])
def test_frames_that_reach_over_the_end_are_left_out(samples: int, frames: int) -> None:
    assert SoundSpec().frames(samples) == frames


@pytest.mark.parametrize("frames", [0, 1, 2, 1024])
def test_samples_is_the_least_that_holds_so_many_frames(frames: int) -> None:
    spec = SoundSpec()
    assert spec.frames(spec.samples(frames)) == frames
    assert frames == 0 or spec.frames(spec.samples(frames) - 1) == frames - 1


@pytest.mark.parametrize(
    ("rate", "frame", "hop", "points"),
    [(16_000, 400, 160, 512), (22_050, 551, 220, 1024), (8_000, 200, 80, 256), (44_100, 1102, 441, 2048)],
)
def test_milliseconds_become_whole_samples_and_a_power_of_two(
    rate: int, frame: int, hop: int, points: int
) -> None:
    spec = SoundSpec(rate=rate)
    assert (spec.frame_samples, spec.hop_samples, spec.points) == (frame, hop, points)


@pytest.mark.parametrize(("high", "highest"), [(0.0, 8000.0), (7600.0, 7600.0), (-400.0, 7600.0)])
def test_the_upper_edge_counts_from_half_the_rate_where_it_is_not_positive(
    high: float, highest: float
) -> None:
    assert SoundSpec(high=high).highest == highest


@pytest.mark.parametrize(
    ("changed", "subject", "got", "expected"),
    [
        ({"rate": 1}, "rate", "1", "1000 to 768000 Hz"),
        ({"rate": 1_000_000}, "rate", "1000000", "1000 to 768000 Hz"),
        ({"channel": -2}, "channel", "-2", "a number from 0"),
        ({"frame": 0.1}, "frame", "0.1 ms", "at least two samples"),
        ({"hop": 0.01}, "hop", "0.01 ms", "at least one sample"),
        ({"fft": 256}, "fft", "256", "at least 400 points"),
        ({"window": "round"}, "window", "round", "hann, povey"),
        ({"preemphasis": 2.0}, "preemphasis", "2.0", "0 to 1"),
        ({"power": 0.0}, "power", "0.0", "positive"),
        ({"bins": 0}, "bins", "0", "positive"),
        ({"floor": 0.0}, "floor", "0.0", "positive"),
        ({"low": 9000.0}, "band", "9000 to 8000 Hz", "0 to 8000 Hz"),
        ({"high": 9000.0}, "band", "20 to 9000 Hz", "0 to 8000 Hz"),
    ],
)
def test_what_cannot_be_is_one_line(
    changed: dict[str, object], subject: str, got: str, expected: str
) -> None:
    with refused(f"sound's {subject}", got=got, expected=expected):
        SoundSpec(**changed)


def test_presets_are_known_by_name_and_others_are_refused() -> None:
    assert preset("ast") == SoundSpec()
    with refused("sound", got="radio", expected="ast, speech, music"):
        preset("radio")


@pytest.mark.parametrize("name", PRESETS)
def test_a_spec_survives_json(name: str) -> None:
    assert SoundSpec(**json.loads(json.dumps(PRESETS[name].to_json()))) == PRESETS[name]


def test_a_preset_takes_changes() -> None:
    found = preset("speech, rate=8000, bins=32, centred=false, high=-200")
    assert found == SoundSpec(window="povey", bins=32, rate=8_000, centred=False, high=-200.0)


@pytest.mark.parametrize("words", ["speech,colour=red", "speech,bins", "speech,bins=many", "speech,bins=0"])
def test_a_change_that_means_nothing_is_refused(words: str) -> None:
    with pytest.raises(OptionError, match="^sound's "):
        preset(words)


@pytest.mark.parametrize(("word", "channel"), [("left", 0), ("Right", 1), ("mix", -1), ("3", 3), ("-1", -1)])
def test_a_channel_has_a_name_or_a_number(word: str, channel: int) -> None:
    spec = preset(f"ast,channel={word}")
    assert spec.channel == channel
    assert spec.to_json()["channel"] == channel


def test_a_channel_of_no_name_is_one_line() -> None:
    with pytest.raises(
        OptionError, match="sound's channel: got middle, expected a number or mix, left, right"
    ):
        preset("ast,channel=middle")
