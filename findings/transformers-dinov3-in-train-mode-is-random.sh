#!/bin/sh
# transformers 5.24.0: a DINOv3 whose dropout rates are all 0 gives other tokens at each call in train mode, with the
# configuration of the library and of the published weights (pos_embed_rescale 2.0).
#
# Input: DINOv3ViTModel and seven other encoders with default rates of dropout (all 0), small, random weights; one
#   batch of pictures, twice in eval mode and twice in train mode.
# Expected: equal tokens in all four calls, as in the seven others: with no dropout, train mode changes nothing, so a
#   frozen encoder inside a model on which train() is called can be used, and its tokens can be stored.
# Seen: the tokens of the two calls in train mode differ from each other and from eval mode by several per cent of
#   their deviation: the coordinates of the rotary positions are scaled by a random factor in each forward pass, also
#   without gradients. Freezing the weights (requires_grad_(False)) does not stop it; eval() does.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 transformers==5.24.0 \
    2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
cat >main.py <<'PYTHON'
import sys

import torch
import transformers
from torch import nn

transformers.logging.set_verbosity_error()
SIZES = {
    **{"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48},
    **{"image_size": 16, "patch_size": 4},
}


def drawn(model: nn.Module) -> nn.Module:
    """Return the model with random weights everywhere; new tables and tokens may be zero."""
    torch.manual_seed(0)
    for weights in model.parameters():
        nn.init.normal_(weights, std=0.3)
    return model.eval()


kinds = ["ViT", "DeiT", "ViTMSN", "IJepa", "CLIPVision", "SiglipVision", "Dinov2", "DINOv3ViT"]
pictures = torch.randn(2, 3, 16, 16)
moved = {}
print("transformers", transformers.__version__)
for kind in kinds:
    config_class = getattr(transformers, kind + "Config")
    model = drawn(getattr(transformers, kind + "Model")(config_class(**SIZES))).requires_grad_(False)
    rates = {k: v for k, v in model.config.to_dict().items() if "drop" in k and isinstance(v, float)}
    assert not any(rates.values()), rates
    with torch.inference_mode():
        still = model(pictures).last_hidden_state
        again = float((still - model(pictures).last_hidden_state).abs().max())
        model.train()
        first, second = (model(pictures).last_hidden_state for _ in range(2))
    change, between = (float((a - b).abs().max() / still.std()) for a, b in ((still, first), (first, second)))
    moved[kind] = (again, change, between)
    print(f"{kind}: eval twice {again:.0e}, train against eval {change:.3f}, train twice {between:.3f}")
others = all(max(values) < 1e-5 for kind, values in moved.items() if kind != "DINOv3ViT")
seen = others and moved["DINOv3ViT"][0] < 1e-5 and min(moved["DINOv3ViT"][1:]) > 0.005
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
"$place/venv/bin/python" main.py
