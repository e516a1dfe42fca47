"""Write the outputs of openbeats 0.1.1 for tiny random encoders, which test_beats.py compares with kakera's.

It needs openbeats and torchaudio, which the tests do without (torchaudio 2.11.1 imports beside a CPU build of
torch once its folder `lib` is moved away):

    pip install --no-deps --target peers openbeats==0.1.1 torchaudio==2.11.1
    mv peers/torchaudio/lib peers/away
    PYTHONPATH=peers:. python tests/formats/foreign/make_beats.py
"""

from pathlib import Path

import numpy as np
import torch
from openbeats.beats_encoder import BeatsEncoder, beats_frontend

from tests.formats.foreign.beats_files import CLIPS, SOUNDS, VARIANTS, clip, config, weights


def encoder(variant: str) -> BeatsEncoder:
    """The reference with the weights that the test draws, in float64."""
    model = BeatsEncoder(0, beats_config=config(variant), fbank_mean=15.41663, fbank_std=6.55582)
    model = model.eval().double()
    found = model.load_state_dict(weights(variant), strict=False)
    assert not found.unexpected_keys
    assert all("_pad" in name for name in found.missing_keys)
    return model


def attention_maps(model: BeatsEncoder, features: torch.Tensor) -> np.ndarray:
    """The attention of all layers (L, heads, n, n) of filter bank values (1, frames, bands)."""
    maps = []

    def keep(_: object, given: tuple, options: dict, result: tuple) -> None:
        maps.append(result[1].transpose(0, 1)[0])

    handles = []
    for layer in model.encoder.layers:
        attention, inner = layer.self_attn, layer.self_attn.forward
        attention.forward = lambda *a, inner=inner, **k: inner(*a, **{**k, "need_head_weights": True})
        handles.append(attention.register_forward_hook(keep, with_kwargs=True))
    model(features, torch.tensor([features.shape[1]]), waveform_input=False)
    for handle in handles:
        handle.remove()
    return torch.stack(maps).numpy()


@torch.no_grad()
def main() -> None:
    arrays = {}
    for variant in VARIANTS:
        for count in CLIPS if variant == "published" else CLIPS[2:3]:
            model, features = encoder(variant), clip(count)
            tokens, length, _ = model(features, torch.tensor([count]), waveform_input=False)
            assert length.item() == tokens.shape[1]
            arrays[f"tokens {variant} {count}"] = tokens[0].numpy()
        if variant == "published":
            arrays["attention"] = attention_maps(encoder(variant), clip(CLIPS[0])).astype(np.float32)
    for name, wave in SOUNDS.items():
        for kind in (np.float32, np.float64):
            values = beats_frontend(torch.from_numpy(wave.astype(kind))[None], 15.41663, 6.55582)[0]
            arrays[f"bank {name} {np.dtype(kind).name}"] = values.numpy().astype(np.float32)
    np.savez_compressed(Path(__file__).with_name("beats.npz"), **arrays)


if __name__ == "__main__":
    main()
