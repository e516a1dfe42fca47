import kaldi_native_fbank as knf
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import ASTFeatureExtractor

from kakera.errors import DataError
from kakera.sound import logmel
from kakera.sound.bank import window
from kakera.sound.logmel import LogMel, blank_after, log_mel
from kakera.sound.spec import PRESETS, SoundSpec
from tests.sound import waves

SOUNDS = {
    "noise": waves.noise(16_000, 2.0),
    "tone": waves.tone(16_000, 1.0, 440.0),
    "high tone": waves.tone(16_000, 1.0, 7001.3, 0.2),
    "quiet tone": waves.tone(16_000, 1.0, 1000.0, 1e-4),
    "speech": waves.speech(16_000, 2.0),
    "raised noise": waves.noise(16_000, 1.0) + np.float32(0.5),
    "silence": np.zeros(16_000, np.float32),
}
SPECS = {
    **PRESETS,
    "hamming, not centred": SoundSpec(window="hamming", centred=False, bins=40),
    "hamming, centred": SoundSpec(window="hamming", bins=40),
    "magnitudes": SoundSpec(power=1.0, bins=64, high=-400.0),
    "bare": SoundSpec(window="rectangular", preemphasis=0.0, centred=False, fft=1024, floor=1e-10),
    "low rate": SoundSpec(rate=8_000, bins=40),
}


def kakera(wave: NDArray[np.float32], spec: SoundSpec) -> NDArray[np.float32]:
    return log_mel(torch.from_numpy(wave)[None], spec)[0, 0].numpy()


def formula(wave: NDArray[np.float32], spec: SoundSpec) -> tuple[waves.Array, waves.Array]:
    return waves.log_mel(
        wave,
        rate=spec.rate,
        bins=spec.bins,
        frame=spec.frame_samples,
        hop=spec.hop_samples,
        points=spec.points,
        window=window(spec.window, spec.frame_samples),
        low=spec.low,
        high=spec.highest,
        preemphasis=spec.preemphasis,
        centred=spec.centred,
        power=spec.power,
        floor=spec.floor,
    )


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("sound", SOUNDS)
def test_float32_is_as_near_to_the_formula_as_float32_can_be(sound: str, name: str) -> None:
    wanted, tolerance = formula(SOUNDS[sound], SPECS[name])
    found = kakera(SOUNDS[sound], SPECS[name])
    assert found.shape == wanted.shape
    assert (np.abs(found - wanted) <= tolerance).all(), np.max(np.abs(found - wanted) / tolerance)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("sound", SOUNDS)
def test_float64_is_the_formula_far_below_what_float32_knows(sound: str, name: str) -> None:
    wanted, _ = formula(SOUNDS[sound], SPECS[name])
    front = LogMel(SPECS[name], torch.float64)
    found = front(torch.from_numpy(SOUNDS[sound]).double()[None])[0, 0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-7, rtol=0)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
@pytest.mark.parametrize("sound", ["noise", "tone", "quiet tone", "speech", "silence"])
def test_it_is_what_ast_s_feature_extractor_gives(sound: str) -> None:
    wave = SOUNDS[sound]
    frames = SoundSpec().frames(len(wave))
    extractor = ASTFeatureExtractor(max_length=frames, do_normalize=False)
    wanted = extractor(wave, sampling_rate=16_000, return_tensors="np")["input_values"][0]
    np.testing.assert_allclose(kakera(wave, PRESETS["ast"]), wanted.T, atol=1e-3, rtol=0)


@pytest.mark.parametrize("sound", ["noise", "tone", "speech"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize(("bins", "shape"), [(80, "povey"), (40, "hann")])
def test_it_is_what_kaldi_native_fbank_gives(sound: str, rate: int, bins: int, shape: str) -> None:
    bins = min(bins, rate // 160)  # kaldi refuses filters that hear nothing
    made = {"noise": waves.noise, "speech": waves.speech}
    wave = made[sound](rate, 1.0) if sound in made else waves.tone(rate, 1.0, 440.0)
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0
    options.frame_opts.window_type = {"hann": "hanning"}.get(shape, shape)
    options.mel_opts.num_bins = bins
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(rate, wave.tolist())
    bank.input_finished()
    wanted = np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])
    found = kakera(wave, SoundSpec(rate=rate, bins=bins, window=shape))
    np.testing.assert_allclose(found, wanted.T, atol=1e-3, rtol=0)


def test_a_batch_is_its_waveforms_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = torch.from_numpy(np.stack([waves.noise(16_000, 0.5, seed=seed) for seed in range(5)]))
    monkeypatch.setattr(logmel, "CACHED", 2 * batch.shape[1])
    together = log_mel(batch, PRESETS["ast"])
    assert together.shape == (5, 1, 128, 48)
    for row, wave in enumerate(batch):
        assert torch.equal(together[row], LogMel(PRESETS["ast"])(wave[None])[0])


def test_a_frame_knows_nothing_of_what_lies_outside_it() -> None:
    wave = SOUNDS["noise"].copy()
    before = kakera(wave, PRESETS["speech"])
    wave[:1600] = 0.7  # frames 10 and later begin at sample 1600
    wave[1600 + 400 :] = -0.7  # frame 10 ends here
    np.testing.assert_array_equal(kakera(wave, PRESETS["speech"])[:, 10], before[:, 10])


def test_a_low_tone_is_in_a_low_row() -> None:
    low, high = (
        kakera(waves.tone(16_000, 0.5, f), PRESETS["speech"]).mean(axis=1).argmax() for f in (200, 4000)
    )
    assert low < 10 < 50 < high


def test_less_than_a_frame_is_one_line() -> None:
    with pytest.raises(DataError, match="waveform: got 399 samples, expected at least a frame of 400; pass"):
        log_mel(torch.zeros(1, 399), PRESETS["ast"])


def test_it_exports_for_any_batch_and_any_length() -> None:
    front = LogMel(PRESETS["speech"])
    sizes = {0: torch.export.Dim("b", min=1, max=64), 1: torch.export.Dim("samples", min=560, max=1 << 22)}
    program = torch.export.export(front, (torch.zeros(2, 16_000),), dynamic_shapes=(sizes,)).module()
    for count, length in ((1, 560), (3, 9_000)):
        batch = torch.from_numpy(waves.noise(count * length, 1.0)).reshape(count, length)
        torch.testing.assert_close(program(batch), front(batch), atol=1e-5, rtol=0)


def test_columns_after_a_recording_s_end_are_blank() -> None:
    pictures = torch.arange(24.0).reshape(2, 1, 3, 4)
    found = blank_after(pictures, torch.tensor([1, 4]), -7.0)
    assert torch.equal(found[0, 0, :, 1:], torch.full((3, 3), -7.0))
    assert torch.equal(found[0, 0, :, 0], pictures[0, 0, :, 0])
    assert torch.equal(found[1], pictures[1])


def test_no_waveforms_are_no_spectrograms() -> None:
    assert log_mel(torch.zeros(0, 16_000), SoundSpec()).shape == (0, 1, 128, 98)
