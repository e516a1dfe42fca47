"""A hub without network: it gives a small encoder of its kind for every name."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import transformers as hf

TINY: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 3,
    "intermediate_size": 48,
}


def small_hub(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the hub give what is written below `root`, in folders named as what `kakera inspect` advises."""
    pictures, sounds = root / "dinov2-small", root / "ast-finetuned-audioset-10-10-0.4593"
    hf.Dinov2Model(hf.Dinov2Config(**TINY, image_size=28, patch_size=14)).save_pretrained(pictures)
    config = hf.ASTConfig(**TINY, num_mel_bins=128, max_length=64, num_labels=3)
    hf.ASTForAudioClassification(config).save_pretrained(sounds)
    extractor = {"num_mel_bins": 128, "max_length": 64, "sampling_rate": 16000}
    (sounds / "preprocessor_config.json").write_text(json.dumps(extractor))

    def give(name: str, **options: Any) -> str:
        return str(sounds if name.startswith("MIT/") else pictures)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    return root
