"""Values that transformers assumes for fields missing in `config.json`."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "decoder_hidden_size": 512,
    "decoder_num_hidden_layers": 8,
    "decoder_num_attention_heads": 16,
    "decoder_intermediate_size": 2048,
    "norm_pix_loss": False,
    "id2label": {0: "LABEL_0", 1: "LABEL_1"},
    "mlp_ratio": 4,
    "use_swiglu_ffn": False,
    "num_register_tokens": 4,
    "num_mel_bins": 128,
    "max_length": 1024,
    "frequency_stride": 10,
    "time_stride": 10,
    "use_mean_pooling": True,
    "use_absolute_position_embeddings": False,
    "use_relative_position_bias": False,
    "use_shared_relative_position_bias": False,
    "layer_scale_init_value": 0.1,
    "n_cls_tokens": 8,
}
OF_KIND: dict[str, dict[str, Any]] = {
    "dinov2": {"layer_norm_eps": 1e-6, "patch_size": 14},
    "dinov2_with_registers": {"layer_norm_eps": 1e-6},
    "vit_msn": {"layer_norm_eps": 1e-6},
    "pixio": {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "image_size": 256,
        "layer_norm_eps": 1e-6,
    },
}
