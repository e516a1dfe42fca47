#!/bin/sh
# transformers 5.24.0: CLIPForImageClassification and SiglipForImageClassification do not classify the pooled output of
# the model that they wrap, but the mean of the patch tokens; for CLIP these are the tokens before the last layer norm.
#
# Input: both classifiers and both vision models, small, with random weights, and random pictures.
# Expected: logits = classifier(pooler_output), as the pooled output is what pretraining aligned with text, and as
#   ViT-like classifiers of the library read the token that their pooled output comes from.
# Seen: the logits are exactly classifier(mean of last_hidden_state over the patches). For CLIP, last_hidden_state has
#   no final layer norm and its class token, the only token that the pooled output reads, is left out. For SigLIP, the
#   attention pooling head is left out. A linear head that was fitted on pooler_output and put into these classes
#   gives other logits, without a warning: the shapes are equal.
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


pictures = torch.randn(4, 3, 16, 16)
results = []
print("transformers", transformers.__version__)
for name in ("CLIP", "Siglip"):
    kind = getattr(transformers, f"{name}ForImageClassification")
    config = getattr(transformers, f"{name}Config")(vision_config=SIZES, num_labels=3)
    model = drawn(kind(config))
    vision = drawn(getattr(transformers, f"{name}VisionModel")(config.vision_config))
    inner = {key.removeprefix("vision_model."): value for key, value in vision.state_dict().items()}
    own = {key.removeprefix("vision_model."): value for key, value in model.vision_model.state_dict().items()}
    inner.update({key: value for key, value in own.items() if key in inner})
    prefix = "vision_model." if any(key.startswith("vision_model.") for key in vision.state_dict()) else ""
    vision.load_state_dict({prefix + key: value for key, value in inner.items()})
    with torch.inference_mode():
        logits, seen = model(pictures).logits, vision(pictures)
        tokens = seen.last_hidden_state[:, 1:] if name == "CLIP" else seen.last_hidden_state
        pooled = float((logits - model.classifier(seen.pooler_output)).abs().max())
        mean = float((logits - model.classifier(tokens.mean(1))).abs().max())
        norm = next(part for key, part in vision.named_modules() if key.endswith("post_layernorm"))
        first = seen.last_hidden_state[:, 0]
        is_normed = float((norm(first) - seen.pooler_output).abs().max()) > 1e-4 if name == "CLIP" else True
    print(f"{name}: logits against the pooled output {pooled:.2f}, against the mean of the patches {mean:.1e}")
    results.append(pooled > 0.1 and mean < 1e-4 and is_normed == (name != "CLIP"))
seen = all(results)
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
"$place/venv/bin/python" main.py
