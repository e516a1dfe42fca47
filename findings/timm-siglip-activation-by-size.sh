#!/bin/sh
# timm 1.0.31: the architecture of SigLIP's B/16 weights has an exact GELU, that of its B/32 weights the tanh form.
# transformers 5.24.0 has the tanh form for both. So the same B/16 weights give two answers in two libraries.
#
# Input: a small SiglipVisionModel of transformers with random weights, carried over to timm under the architectures
#   vit_base_patch16_siglip_224 and vit_base_patch32_siglip_256, with the same width, depth and patches. Both
#   libraries load all weights strictly; nothing in the files tells the activation. timm imports torchvision, and uses
#   nothing of it here, so an empty package stands in for it.
# Expected: outputs that differ by rounding, about 1e-6, under both names.
# Seen: so it is under the name of B/32. Under that of B/16 the outputs differ a hundred times more and beyond. With
#   act_layer="gelu_tanh" they agree. Embeddings that are stored by one library and searched with the other
#   differ, without any message.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 transformers==5.24.0 \
    pillow pyyaml safetensors 2>"$place/log" || { cat "$place/log" >&2; exit 2; }
"$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps timm==1.0.31 \
    2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
cat >main.py <<'PYTHON'
import enum
import importlib.machinery
import sys
import types

import torch
import transformers

Modes = enum.Enum("Modes", {name.upper(): name for name in ("nearest", "bilinear", "bicubic", "box", "lanczos", "hamming")})


class StandIn:
    """An importer of empty modules under the name torchvision."""

    def find_spec(self, name, path=None, target=None):
        own = name.split(".")[0] == "torchvision"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if own else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)

        def missing(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return Modes if name == "InterpolationMode" else type(name, (), {})

        module.__path__, module.__getattr__ = [], missing
        return module

    def exec_module(self, module):
        pass


transformers.logging.set_verbosity_error()
config = transformers.SiglipVisionConfig(
    hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=192, image_size=16, patch_size=4
)
theirs = transformers.SiglipVisionModel(config).eval()
torch.manual_seed(0)
for values in theirs.parameters():
    torch.nn.init.normal_(values, std=0.2)
sys.meta_path.insert(0, StandIn())
import timm

old = {name.removeprefix("vision_model."): values for name, values in theirs.state_dict().items()}
new = {
    "pos_embed": old["embeddings.position_embedding.weight"][None],
    "attn_pool.latent": old["head.probe"],
}


def carry(before: str, after: str) -> None:
    for kind in ("weight", "bias"):
        new[f"{after}.{kind}"] = old[f"{before}.{kind}"]


carry("embeddings.patch_embedding", "patch_embed.proj")
carry("post_layernorm", "norm")
carry("head.attention.out_proj", "attn_pool.proj")
carry("head.layernorm", "attn_pool.norm")
for part in ("fc1", "fc2"):
    carry(f"head.mlp.{part}", f"attn_pool.mlp.{part}")
for kind in ("weight", "bias"):
    joint = old[f"head.attention.in_proj_{kind}"]
    new[f"attn_pool.q.{kind}"], new[f"attn_pool.kv.{kind}"] = joint[:48], joint[48:]
for number in range(3):
    one, other = f"encoder.layers.{number}", f"blocks.{number}"
    for before, after in (
        ("layer_norm1", "norm1"),
        ("layer_norm2", "norm2"),
        ("self_attn.out_proj", "attn.proj"),
        ("mlp.fc1", "mlp.fc1"),
        ("mlp.fc2", "mlp.fc2"),
    ):
        carry(f"{one}.{before}", f"{other}.{after}")
    for kind in ("weight", "bias"):
        parts = [old[f"{one}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
        new[f"{other}.attn.qkv.{kind}"] = torch.cat(parts)

picture = torch.randn(2, 3, 16, 16)
with torch.inference_mode():
    wanted = theirs(picture).pooler_output
spread = float(wanted.std())


def apart(name: str, **options: str) -> float:
    sizes = {"img_size": 16, "patch_size": 4, "embed_dim": 48, "depth": 3, "num_heads": 3, "num_classes": 0}
    model = timm.create_model(name, **sizes, **options).eval()
    model.load_state_dict(new, strict=True)
    with torch.inference_mode():
        return float((model(picture) - wanted).abs().max()) / spread


print("timm", timm.__version__, "transformers", transformers.__version__, "hidden_act:", config.hidden_act)
small = apart("vit_base_patch16_siglip_224")
large = apart("vit_base_patch32_siglip_256")
mended = apart("vit_base_patch16_siglip_224", act_layer="gelu_tanh")
print(f"largest difference of the pooled output, in deviations: B/16 {small:.1e}, B/32 {large:.1e}")
print(f'B/16 with act_layer="gelu_tanh": {mended:.1e}')
seen = large < 1e-5 and mended < 1e-5 and small > 1e-4
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
"$place/venv/bin/python" main.py
