"""Which patches speak for a class: attention weighted with its gradient."""

from __future__ import annotations

import torch
from jaxtyping import Num
from torch import Tensor

from kakera.explain.activations import Array, require_between, require_no_registers
from kakera.explain.extent import ValidArea
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.trace import Trace


def relevance(
    model: Classifier,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    target: int,
    width: int | None = None,
) -> Array:
    """(rows, cols), 0 or more: what each patch contributes to the score of class `target`.

    Chefer, Gur and Wolf 2021, "Generic attention-model explainability", Sec. 3.2: R = I, then for each
    layer R ← R + Ē R, Ē the mean over the heads of the positive part of a_ij · ∂score/∂a_ij. Read is what
    the head of the model reads: the class token's row, or the mean of the patches' rows; the patches' own
    share I is left out. Of a picture that ends after `width` pixels, the patches that are there.
    Raises OptionError for a class that does not exist, or a model with registers.
    """
    require_no_registers(model.encoder)
    require_between("class", target, 0, model.classes - 1)
    layers, extent = range(1, model.encoder.config.depth + 1), ValidArea.of(model.encoder, width)
    trace = Trace(attention=layers, pooling=layers)
    with torch.enable_grad():
        # Gradients flow back to this tensor, whatever of the model is frozen.
        seen = inputs.normalize(picture.unsqueeze(0).to(model.encoder.class_token)).requires_grad_()
        score = model(seen, None, trace, extent.padding_mask(1, seen.device))[0, target]
        slopes = torch.autograd.grad(score, [trace.pooled[layer] for layer in layers])
    own = torch.eye(1 + extent.grid.count, dtype=torch.float64, device=score.device)
    reach = own
    for layer, slope in zip(layers, slopes, strict=True):
        change = slope @ trace.values[layer].detach().transpose(-2, -1)  # ∂score/∂a_ij = (∂score/∂h_i)ᵀ v_j
        useful = (trace.attention[layer].detach() * change).clamp(min=0)[0].double().mean(dim=0)
        reach = reach + useful @ reach
    rows = (reach - own)[:1] if model.pool == "class" else (reach - own)[1:]
    return rows[:, 1:].mean(dim=0).reshape(extent.grid.rows, extent.grid.cols).cpu().numpy()
