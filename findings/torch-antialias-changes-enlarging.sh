#!/bin/sh
# torch 2.13.0: interpolate(mode="bicubic", antialias=True) changes the result when a picture becomes larger, where
# there is nothing to smooth. So the same Vision Transformer weights, enlarged by two libraries, are different models.
#
# Input: a table of 7 by 7 position embeddings (random numbers), enlarged to 10 by 10, as for pictures that are larger
#   than those of the training. transformers 5.24.0 resizes with antialias=False, timm 1.0.31 with antialias=True.
# Expected: the same numbers. A filter against aliasing acts only where samples are dropped, and mode="bilinear"
#   gives the same bits with and without it.
# Seen: other numbers by 0.1 and more, at a deviation of 1. The cubic curve itself is another one: its coefficient is
#   -0.75 without antialias and -0.5 with it, as a sum of products in NumPy with both coefficients shows. The tokens of a
#   small ViT of transformers with the one table and with the other differ visibly.
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

import numpy as np
import torch
import transformers
from torch.nn.functional import interpolate

OLD, NEW = 7, 10


def weights(a: float) -> np.ndarray:
    """Return the matrix (10, 7) of cubic convolution with the coefficient a; borders repeat the last value."""
    found = np.zeros((NEW, OLD))
    for row in range(NEW):
        place = (row + 0.5) * OLD / NEW - 0.5
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            far = abs(place - tap)
            if far <= 1:
                share = (a + 2) * far**3 - (a + 3) * far**2 + 1
            else:
                share = a * far**3 - 5 * a * far**2 + 8 * a * far - 4 * a
            found[row, min(max(tap, 0), OLD - 1)] += share
    return found


def enlarged(table: torch.Tensor, mode: str, antialias: bool) -> torch.Tensor:
    return interpolate(table, size=(NEW, NEW), mode=mode, antialias=antialias)


torch.manual_seed(0)
table = torch.randn(1, 24, OLD, OLD)
plain, smooth = (enlarged(table, "bicubic", each) for each in (False, True))
linear = float((enlarged(table, "bilinear", False) - enlarged(table, "bilinear", True)).abs().max())
cubic = float((plain - smooth).abs().max())
inner = (slice(None), slice(None), slice(3, 7), slice(3, 7))  # borders are treated differently as well
near = []
for values, a in ((plain, -0.75), (smooth, -0.5)):
    wanted = np.einsum("ri,bdij,cj->bdrc", weights(a), table.double().numpy(), weights(a))
    near.append(float(np.abs(values.numpy() - wanted)[inner].max()))

transformers.logging.set_verbosity_error()
config = transformers.ViTConfig(
    hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, image_size=28, patch_size=4
)
model = transformers.ViTModel(config, add_pooling_layer=False).eval()
for values in model.parameters():
    torch.nn.init.normal_(values, std=0.3)
positions = model.embeddings.position_embeddings
positions.data[:, 1:] = table.flatten(2).transpose(1, 2)
picture = torch.randn(1, 3, 4 * NEW, 4 * NEW)
with torch.inference_mode():
    own = model(picture, interpolate_pos_encoding=True).last_hidden_state
config.image_size = 4 * NEW
large = transformers.ViTModel(config, add_pooling_layer=False).eval()
state = model.state_dict()
tokens = {}
for name, values in (("antialias=False", plain), ("antialias=True", smooth)):
    rows = torch.cat([positions.data[:, :1], values.flatten(2).transpose(1, 2)], dim=1)
    large.load_state_dict({**state, "embeddings.position_embeddings": rows})
    with torch.inference_mode():
        tokens[name] = large(picture).last_hidden_state
same = float((own - tokens["antialias=False"]).abs().max())
apart = float((own - tokens["antialias=True"]).abs().max() / own.std())
print("torch", torch.__version__, "transformers", transformers.__version__)
print(f"enlarged with and without antialias: bilinear differs by {linear:.1e}, bicubic by {cubic:.2f}")
print(f"NumPy, inner rows: coefficient -0.75 without antialias {near[0]:.1e}, -0.5 with it {near[1]:.1e}")
print(f"tokens of ViT, against its own resizing: without {same:.1e}, with antialias {apart:.2f} of their deviation")
seen = linear < 1e-6 and cubic > 0.1 and max(near) < 1e-5 and same < 1e-5 and apart > 0.05
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
"$place/venv/bin/python" main.py
