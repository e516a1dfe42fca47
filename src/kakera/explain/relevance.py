"""The relevance of patches for a class: attention weighted by its gradient."""

from __future__ import annotations

import torch
from jaxtyping import Num
from torch import Tensor

from kakera.explain.activations import Array, require_between
from kakera.explain.extent import ValidArea
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, pooled_tokens
from kakera.model.trace import Trace


def relevance(
    model: Classifier,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    target: int,
    width: int | None = None,
) -> Array:
    """Return the contribution of each patch to the logit of class `target`, (rows, cols), 0 or more.

    Chefer, Gur and Wolf 2021, "Generic attention-model explainability", Sec. 3.2: R = I, then for each layer
    R ← R + Ē R, where Ē is the mean over the heads of the positive part of a_ij · ∂logit/∂a_ij. The result is
    read where the head of the model reads: the rows of class tokens, or the mean of the patches' rows. The
    patches' own share I is left out.

    `picture` (c, H, W) has stored values. `width` is the number of pixel columns before padding, see
    `encode`. Raises OptionError for a class that does not exist.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> model = Classifier("nano", classes=3, channels=1, image_size=8, seed=0)
        >>> relevance(model, inputs, torch.zeros(1, 8, 8), target=2).shape
        (2, 2)
    """
    require_between("class", target, 0, model.classes - 1)
    layers, extent = range(1, model.encoder.config.depth + 1), ValidArea.of(model.encoder, width)
    trace = Trace(attention=layers, pooling=layers)
    with torch.enable_grad():
        # The input needs a gradient, so that gradients exist even if all weights are frozen.
        x = inputs.normalize(picture.unsqueeze(0).to(model.encoder.reference)).requires_grad_()
        logit = model(x, None, trace, extent.padding_mask(1, x.device))[0, target]
        slopes = torch.autograd.grad(logit, [trace.pooled[layer] for layer in layers])
    config = model.encoder.config
    prefix, read = config.prefix_tokens, pooled_tokens(config, model.pool)
    own = torch.eye(prefix + extent.grid.count, dtype=torch.float64, device=logit.device)
    reach = own
    for layer, slope in zip(layers, slopes, strict=True):
        change = slope @ trace.values[layer].detach().transpose(-2, -1)  # ∂logit/∂a_ij = (∂logit/∂h_i)ᵀ v_j
        useful = (trace.attention[layer].detach() * change).clamp(min=0)[0].double().mean(dim=0)
        reach = reach + useful @ reach
    rows = (reach - own)[:read] if read else (reach - own)[prefix:]
    return rows[:, prefix:].mean(dim=0).reshape(extent.grid.rows, extent.grid.cols).cpu().numpy()
