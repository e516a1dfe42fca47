"""Log-mel benchmark: kakera, ASTFeatureExtractor of transformers, and kaldi-native-fbank.

The measured value is CPU time with one thread. transformers and kakera compute the 128 mel bands of AST.
kaldi-native-fbank refuses more than about 80 bands at 512 points, so it is compared at 80.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kakera.bench.contest import OURS, Contender, ResultUnit, Work
from kakera.bench.foreign import library
from kakera.bench.peers import installed
from kakera.sound.logmel import log_mel
from kakera.sound.spec import SoundSpec, preset

Waves = NDArray[np.float32]
BANDS = 80  # mel bands that kaldi-native-fbank supports


def clips(_: Path, *, clips: int, seconds: float) -> Work:
    """Return the contenders for a batch of `clips` clips of noise at 16 kHz, each `seconds` long."""
    spec = preset("ast")
    noise = np.random.default_rng(0).standard_normal((clips, int(spec.rate * seconds)))
    waves = (noise / 10).astype(np.float32)
    tensor, peers = torch.from_numpy(waves), {"transformers": extractor, "kaldi-native-fbank": kaldi}
    available, absent = installed(peers)
    contenders = [
        Contender(OURS, lambda: log_mel(tensor, spec)),
        Contender(f"{OURS}, {BANDS} bands", lambda: log_mel(tensor, SoundSpec(bins=BANDS))),
        *(Contender(name, peers[name](waves)) for name in available),
    ]
    return Work(contenders, clips, ResultUnit("clips/s"), not_installed=absent)


def extractor(waves: Waves) -> Callable[[], object]:
    """Return a function that runs ASTFeatureExtractor of transformers on all clips."""
    spec, rows = preset("ast"), list(waves)
    with warnings.catch_warnings():  # transformers warns of bands without any frequency; the paper has them
        warnings.filterwarnings("ignore", message="At least one mel filter")
        extract = library("transformers").ASTFeatureExtractor(max_length=spec.frames(waves.shape[1]))
    return lambda: extract(rows, sampling_rate=spec.rate, return_tensors="np")


def kaldi(waves: Waves) -> Callable[[], object]:
    """Return a function that runs kaldi-native-fbank, one clip after another."""
    knf, rate = library("kaldi_native_fbank"), preset("ast").rate
    options = knf.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = rate, 0
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = BANDS

    def run(wave: Waves) -> list[Waves]:
        bank = knf.OnlineFbank(options)
        bank.accept_waveform(rate, wave)
        bank.input_finished()
        return [bank.get_frame(number) for number in range(bank.num_frames_ready)]

    return lambda: [run(wave) for wave in waves]
