"""Log-mel of 10-second clips: kakera beside transformers' ASTFeatureExtractor and kaldi-native-fbank.

    OMP_NUM_THREADS=1 python benchmarks/log_mel.py

One thread, batches of clips at 16 kHz, the best of several rounds that take turns. transformers and kakera
give AST's 128 bands; kaldi-native-fbank refuses more than about 80 at 512 points and is compared at 80.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import kaldi_native_fbank as knf
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import ASTFeatureExtractor

from kakera.sound.logmel import log_mel
from kakera.sound.spec import SoundSpec, preset

RATE = 16_000


def main(clips: int = 16, seconds: float = 10.0, rounds: int = 5) -> dict[str, float]:
    """Milliseconds a clip by name."""
    torch.set_num_threads(1)
    batch = np.random.default_rng(0).standard_normal((clips, int(RATE * seconds))).astype(np.float32) * 0.1
    tensor, rows = torch.from_numpy(batch), list(batch)
    with warnings.catch_warnings():  # of bands in which no frequency falls, as the paper has them
        warnings.filterwarnings("ignore", message="At least one mel filter")
        extractor = ASTFeatureExtractor(max_length=preset("ast").frames(batch.shape[1]))
        contenders: dict[str, Callable[[], object]] = {
            "kakera, 128 bands": lambda: log_mel(tensor, preset("ast")),
            "ASTFeatureExtractor, 128 bands": lambda: extractor(
                rows, sampling_rate=RATE, return_tensors="np"
            ),
            "kakera, 80 bands": lambda: log_mel(tensor, SoundSpec(bins=80)),
            "kaldi-native-fbank, 80 bands": lambda: [kaldi(row) for row in rows],
        }
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for name, run in contenders.items():
                start = time.perf_counter()
                run()
                best[name] = min(best[name], (time.perf_counter() - start) / clips * 1e3)
    return best


def kaldi(wave: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    options = knf.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = RATE, 0
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = 80
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(RATE, wave)
    bank.input_finished()
    return [bank.get_frame(number) for number in range(bank.num_frames_ready)]


def report(found: dict[str, float]) -> str:
    ours, theirs, few, kaldis = found.values()
    lines = [f"{name:32} {milliseconds:6.2f} ms a clip" for name, milliseconds in found.items()]
    return "\n".join(
        [*lines, f"{theirs / ours:.1f} x ASTFeatureExtractor, {kaldis / few:.1f} x kaldi-native-fbank"]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    print(report(main(given.clips, given.seconds)))
