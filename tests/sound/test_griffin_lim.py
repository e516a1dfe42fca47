import numpy as np
import pytest
import torch

from kakera.data.checks.inspect_sounds import SILENT
from kakera.sound.bank import edges, filters
from kakera.sound.griffin_lim import _Frames, magnitudes, waveform
from kakera.sound.logmel import log_mel
from kakera.sound.spec import SoundSpec, preset


def voice(spec: SoundSpec, seconds: float = 1.5) -> torch.Tensor:
    """Harmonics of a wavering pitch, on and off, with some noise: (1, samples)."""
    time = np.arange(round(spec.rate * seconds)) / spec.rate
    turn = 2 * np.pi * np.cumsum(150 + 30 * np.sin(2 * np.pi * 0.7 * time)) / spec.rate
    wave = sum(np.sin(k * turn) / k for k in range(1, 20)) * 0.15 * (np.sin(2 * np.pi * 3 * time) > 0)
    wave = wave + 0.003 * np.random.default_rng(0).standard_normal(len(time))
    return torch.from_numpy(wave.astype(np.float32))[None]


def spectrogram(wave: torch.Tensor, spec: SoundSpec) -> torch.Tensor:
    return log_mel(wave, spec)[0, 0]


def miss(spec: SoundSpec, **options: float) -> float:
    """Mean distance of the log-mel of what is heard from the one it was made of, where there is sound."""
    wanted = spectrogram(voice(spec), spec)
    heard = waveform(wanted, spec, **options)
    loud = wanted > wanted.max() - 8
    return float((spectrogram(torch.from_numpy(heard)[None], spec) - wanted)[loud].abs().mean())


@pytest.mark.parametrize("name", ["ast", "speech", "speech,rate=8000,bins=32"])
def test_what_is_heard_has_the_spectrogram_it_was_made_of(name: str) -> None:
    assert miss(preset(name)) < 0.1  # of a natural logarithm of energy: 0.4 dB


def test_the_fast_form_comes_nearer_than_griffin_and_lim_and_these_than_any_phases() -> None:
    spec = preset("speech")
    fast, plain, any_phases = miss(spec), miss(spec, momentum=0.0), miss(spec, rounds=0)
    assert fast < 0.8 * plain < 0.8 * any_phases / 5


def test_a_tone_keeps_its_pitch_and_its_loudness() -> None:
    spec = preset("ast")
    time = np.arange(spec.rate) / spec.rate
    tone = 0.3 * np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    heard = waveform(spectrogram(torch.from_numpy(tone)[None], spec), spec)
    assert len(heard) == spec.samples(spec.frames(len(tone)))
    inside = heard[2000:-2000]
    loudest = np.abs(np.fft.rfft(inside * np.hanning(len(inside)))).argmax() * spec.rate / len(inside)
    widest = np.diff(edges(spec))[np.searchsorted(edges(spec), 1000)]
    assert abs(loudest - 1000) < widest
    assert np.sqrt(np.square(inside).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_silence_stays_silent_and_the_same_sounds_the_same() -> None:
    spec = preset("speech")
    still = waveform(spectrogram(torch.zeros(1, 8000), spec), spec)
    assert np.sqrt(np.square(still).mean()) < SILENT
    wanted = spectrogram(voice(spec, 0.3), spec)
    assert np.array_equal(waveform(wanted, spec, rounds=3), waveform(wanted, spec, rounds=3))


def test_magnitudes_fill_their_bands_and_no_others() -> None:
    spec = preset("ast")
    bank = filters(spec)
    truth = np.random.default_rng(0).gamma(0.5, size=(bank.shape[1], 4))
    energies = bank @ truth
    found = magnitudes(torch.from_numpy(energies), spec).numpy()
    assert (found >= 0).all()
    heard = bank.any(axis=1)
    assert np.abs((bank @ found**2)[heard] / energies[heard] - 1).mean() < 0.005
    assert not found[bank.sum(axis=0) == 0].any()


@pytest.mark.parametrize("window", ["hann", "povey", "hamming"])
def test_a_waveform_is_whole_again_after_its_frames(window: str) -> None:
    frames = _Frames(preset(f"speech,window={window}"), 40)
    wave = torch.randn(frames.samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    again = frames.synthesise(frames.analyse(wave))
    assert (again - wave)[60:-60].abs().max() < 1e-12


def test_loud_guesses_are_cut_at_full_scale() -> None:
    spec = preset("speech")
    heard = waveform(torch.full((80, 20), 20.0), spec, rounds=1)
    assert np.abs(heard).max() == 1.0
    assert np.isfinite(heard).all()
