#!/bin/sh
# transformers 5.24.0: SigLIP computes a picture of another shape without complaint if its number of patches is right,
# with the positions of the square that it was made for. CLIP, ViT, DeiT, MSN and I-JEPA refuse the same picture.
#
# Input: models with random weights for 16 by 16 pixels and patches of 4 by 4, so 16 patches; a picture of 8 by 32
#   pixels, which also has 16 patches.
# Expected: an error as in the five other models ("Input image size doesn't match model"), or positions resized to
#   2 by 8 patches, as with interpolate_pos_encoding=True.
# Seen: an output of the usual shape and no warning. Patch 5, which is in the first of two rows, has the position of
#   the second row and second column of a square of 4 by 4. The tokens are exactly those of the square picture that
#   has the same patches in the same order, and differ from those with interpolate_pos_encoding=True.
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


def outcome(model: nn.Module, picture: torch.Tensor) -> str:
    try:
        return str(tuple(model(picture).last_hidden_state.shape))
    except ValueError as error:
        return f"ValueError: {error}"[:70]


kinds = ["CLIPVision", "ViT", "DeiT", "ViTMSN", "IJepa", "SiglipVision"]
models = {
    kind: drawn(getattr(transformers, kind + "Model")(getattr(transformers, kind + "Config")(**SIZES)))
    for kind in kinds
}
wide = torch.randn(1, 3, 8, 32)
patches = wide.unfold(2, 4, 4).unfold(3, 4, 4).flatten(2, 3)  # (1, 3, 16, 4, 4), row by row
square = patches.unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5).reshape(1, 3, 16, 16)
print("transformers", transformers.__version__)
with torch.inference_mode():
    found = {kind: outcome(model, wide) for kind, model in models.items()}
    siglip = models["SiglipVision"]
    plain = siglip(wide).last_hidden_state
    as_square = float((plain - siglip(square).last_hidden_state).abs().max())
    resized = siglip(wide, interpolate_pos_encoding=True).last_hidden_state
    apart = float((plain - resized).abs().max())
for kind, text in found.items():
    print(f"{kind}: {text}")
print(f"SigLIP, 8 by 32 against 16 by 16 with the same patches: {as_square:.1e}; against resized positions: {apart:.2f}")
refused = [text.startswith("ValueError") for text in found.values()]
seen = refused == [True] * 5 + [False] and as_square < 1e-5 and apart > 0.05
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
"$place/venv/bin/python" main.py
